"""The registry knows the images that nodes were given, by name and by content, and says that others are missing."""

from __future__ import annotations

import json

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.registry import Images, find
from tests.cluster.scene import eventually

DIGEST = "sha256:" + "0a" * 32
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
IMAGES: Images = {"docker.io/library/nginx:latest": (DIGEST, MANIFEST)}


@pytest.mark.parametrize(
    ("path", "host", "found"),
    [
        ("/v2/library/nginx/manifests/latest", "docker.io", (DIGEST, MANIFEST)),
        (f"/v2/library/nginx/manifests/{DIGEST}", "docker.io", (DIGEST, MANIFEST)),
        (
            f"/v2/library/nginx/blobs/sha256:{'1b' * 32}",
            "docker.io",
            (f"sha256:{'1b' * 32}", "application/octet-stream"),
        ),
        ("/v2/library/nginx/manifests/1.27", "docker.io", None),
        ("/v2/library/nginx/manifests/latest", "quay.io", None),
        ("/v2/library/nginx/blobs/../../pki/ca.key", "docker.io", None),
        ("/v2/library/nginx/blobs/latest", "docker.io", None),
    ],
)
def test_requests_are_understood(path: str, host: str, found: tuple[str, str] | None) -> None:
    assert found == find(path, host, IMAGES)


def test_an_image_that_is_always_pulled_is_pulled_and_a_missing_one_is_missing(plain: Cluster) -> None:
    for name, image in (("there", "busybox"), ("missing", "never/there")):
        plain.kubectl("run", name, f"--image={image}", "--image-pull-policy=Always", "--", "sleep", "86400")
    try:
        plain.kubectl("wait", "--for=condition=Ready", "pod/there", "--timeout=60s")
        eventually(lambda: _waits_for(plain, "missing") in ("ErrImagePull", "ImagePullBackOff"))
    finally:
        plain.kubectl("delete", "pod", "there", "missing", "--now")


def _waits_for(cluster: Cluster, pod: str) -> str:
    status = json.loads(cluster.kubectl("get", "pod", pod, "-o", "json").stdout)["status"]
    (container,) = status.get("containerStatuses", [{"state": {}}])
    return str(container["state"].get("waiting", {}).get("reason", ""))

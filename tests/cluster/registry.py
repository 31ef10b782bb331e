"""The registry that the nodes' containerds ask for every image: it has what they have been given, and nothing else.

So `imagePullPolicy: Always`, the default for `:latest`, works as on any cluster, and a missing image is said to be
missing. A program of its own that imports nothing of ours; it answers in the control plane's network namespace.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

_CLONE_NEWNET = 0x40000000
_PATH = re.compile(r"/v2/(?P<name>[a-z0-9/._-]+)/(?P<kind>manifests|blobs)/(?P<reference>[A-Za-z0-9:._-]+)")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

Images = dict[str, tuple[str, str]]
"""host/name:tag -> digest and media type of its manifest."""


class Registry(ThreadingHTTPServer):
    """What is served."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], images: Images, blobs: Path) -> None:
        super().__init__(address, Handler)
        self.images = images
        self.blobs = blobs


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Registry

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, format: str, *values: object) -> None:  # noqa: A002 - the base class names it so
        """Say nothing: what matters stands in containerd's log."""

    def _answer(self, *, with_body: bool) -> None:
        address = urlsplit(self.path)
        if address.path == "/v2/":
            self._send(200, "application/json", b"{}", with_body=with_body)
            return
        host = parse_qs(address.query).get("ns", ["docker.io"])[0]
        found = find(address.path, host, self.server.images)
        file = self.server.blobs / found[0].removeprefix("sha256:") if found else None
        if found is None or file is None or not file.is_file():
            problem = {"errors": [{"code": "MANIFEST_UNKNOWN", "message": "no such image here"}]}
            self._send(404, "application/json", json.dumps(problem).encode(), with_body=with_body)
            return
        self._send(200, found[1], file.read_bytes(), with_body=with_body, digest=found[0])

    def _send(self, status: int, kind: str, body: bytes, *, with_body: bool, digest: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if digest:
            self.send_header("Docker-Content-Digest", digest)
        self.end_headers()
        if with_body:
            self.wfile.write(body)


def find(path: str, host: str, images: Images) -> tuple[str, str] | None:
    """The digest and media type that a request is about; None if it is about nothing that is here."""
    match = _PATH.fullmatch(path)
    if match is None:
        return None
    reference = match["reference"]
    if _DIGEST.fullmatch(reference):
        kinds = dict(images.values())
        return reference, kinds.get(reference, "application/octet-stream")
    return images.get(f"{host}/{match['name']}:{reference}") if match["kind"] == "manifests" else None


def main() -> None:
    """Move into the namespace, then listen there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--namespace", type=Path, required=True, help="network namespace to listen in")
    parser.add_argument("--listen", required=True, help="HOST:PORT in there")
    parser.add_argument("--images", type=Path, required=True, help="file: names -> digest and media type")
    parser.add_argument("--blobs", type=Path, required=True, help="containerd's folder of contents")
    options = parser.parse_args()
    with options.namespace.open("rb") as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), _CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(options.namespace))
    host, _, port = options.listen.rpartition(":")
    images = {name: (digest, kind) for name, (digest, kind) in json.loads(options.images.read_text()).items()}
    Registry((host, int(port)), images, options.blobs).serve_forever()


if __name__ == "__main__":
    main()

"""Every artifact by name.

The list alone: how each is made stands in the module of its kind.
"""

from __future__ import annotations

from collections.abc import Mapping

from tests.cluster.artifacts import busybox, ciliumimage, containerd, images, iputils, ownimage, programs, roots
from tests.cluster.artifacts.cache import Artifact

CATALOGUE: Mapping[str, Artifact] = {
    artifact.name: artifact
    for artifact in (
        *programs.ARTIFACTS,
        *busybox.ARTIFACTS,
        *iputils.ARTIFACTS,
        *images.ARTIFACTS,
        *roots.ARTIFACTS,
        *ciliumimage.ARTIFACTS,
        *ownimage.ARTIFACTS,
        *containerd.ARTIFACTS,
    )
}

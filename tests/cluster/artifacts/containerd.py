"""A containerd root with all images imported and unpacked, and copies of it that share what never changes.

Unpacking takes seconds per image and node; a copy made of hard links takes a moment and no room. What runs in a node's
containerd is not known here.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.cluster.artifacts.cache import Artifact, Job
from tests.cluster.artifacts.commands import require, run
from tests.cluster.artifacts.errors import ArtifactError

NAMESPACE = "k8s.io"
"""The containerd namespace in which the kubelet looks for images."""
ROOT = "root"
START_SECONDS = 30.0
REMEDY = "run as root, with NETAUDIT_CACHE on a file system that carries overlayfs (ext4, xfs)"
CODE = (Path(__file__),)

PLAIN_IMAGES = (
    "image-pause",
    "image-coredns",
    "image-busybox",
    "image-busybox-musl",
    "image-busybox-debian",
    "image-netshoot",
    "image-nginx",
    "image-postgres",
    # The layers below netaudit's own image, which changes too often to be here itself.
    "image-netaudit-base",
)
CONFIGURATION = """\
version = 2
root = "{root}"
state = "{state}/state"
[grpc]
address = "{state}/socket"
[ttrpc]
address = "{state}/ttrpc"
[plugins."io.containerd.internal.v1.opt"]
path = "{state}/opt"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "netaudit.test/pause:1"
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"
"""


def clone_containerd_root(template: Path, target: Path) -> None:
    """Copy a template for one containerd: image content is shared, what containerd writes to is its own."""
    if target.exists():
        raise ArtifactError(f"cannot clone to {target}", "it exists already", "remove it, or clone to another folder")
    if not template.is_dir():
        raise ArtifactError(f"cannot clone {template}", "there is no such folder", "ask ensure() for the template")
    target.parent.mkdir(parents=True, exist_ok=True)
    # Content blobs and unpacked layers are never written in place: blobs are named by their hash, and layers are the
    # lower side of an overlay. Another disk takes a real copy.
    shared = template.stat().st_dev == target.parent.stat().st_dev
    run(
        ["cp", "--archive", "--link" if shared else "--reflink=auto", template, target],
        doing="clone the containerd root",
        remedy=f"see what is wrong with {target.parent}: room, inodes, rights",
    )
    for database in target.glob("*/*.db"):
        original = template / database.relative_to(target)
        database.unlink()
        shutil.copy2(original, database)


def _build_template(job: Job) -> None:
    root = job.target / ROOT
    with TemporaryDirectory(prefix="netaudit-ctr-") as temporary, running_containerd(root, Path(temporary)) as socket:
        for name in sorted(job.needed):
            ctr(socket, "images", "import", str(job.needed[name]), doing=f"import {name}")
        _wait_until_known(socket)
    # The running daemon's leavings: each clone's daemon makes its own.
    for leaving in ("tmpmounts", "io.containerd.grpc.v1.introspection"):
        shutil.rmtree(root / leaving, ignore_errors=True)


@contextmanager
def running_containerd(root: Path, folder: Path) -> Iterator[Path]:
    """Run containerd on a root until the end of the block, and give its socket; ``folder`` takes its state."""
    for program in ("containerd", "ctr", "unshare"):
        require(program, "python -m tests.cluster.artifacts install-packages")
    configuration = folder / "config.toml"
    configuration.write_text(CONFIGURATION.format(root=root, state=folder))
    log = folder / "log"
    # In its own mount namespace, so that whatever it mounts is gone with it, however it ends; and with its own /run,
    # where it would otherwise leave the sockets of containers.
    script = 'mount -t tmpfs tmpfs /run && exec containerd --config "$0"'
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, str(configuration)]
    with log.open("wb") as output:
        daemon = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
    try:
        socket = folder / "socket"
        _wait_until_serving(socket, daemon, log)
        yield socket
    finally:
        daemon.terminate()
        daemon.wait()


def _wait_until_serving(socket: Path, daemon: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and daemon.poll() is None:
        if socket.exists():
            try:
                ctr(socket, "version", doing="ask containerd")
            except ArtifactError:
                # It listens before it serves; the deadline ends this, not the first refusal.
                pass
            else:
                return
        time.sleep(0.05)
    tail = "\n       ".join(log.read_text(errors="replace").splitlines()[-10:])
    raise ArtifactError("cannot start containerd", f"it never served; its log ends with:\n       {tail}", REMEDY)


def _wait_until_known(socket: Path) -> None:
    """Wait for the second name, by identity, that containerd's Kubernetes side gives to each image it has seen."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        listed = [line.split() for line in ctr(socket, "images", "list", doing="list images").splitlines()[1:]]
        identities = {words[2] for words in listed if words[0].startswith("sha256:")}
        if identities == {words[2] for words in listed}:
            return
        time.sleep(0.05)
    raise ArtifactError("cannot build the image template", "containerd did not take up every image", REMEDY)


def ctr(socket: Path, *words: str, doing: str) -> str:
    """Ask a containerd through its own client."""
    return run(["ctr", "--address", socket, "--namespace", NAMESPACE, *words], doing=doing, remedy=REMEDY)


ARTIFACTS = (
    Artifact("containerd-plain", _build_template, ROOT, PLAIN_IMAGES, code=CODE),
    Artifact("containerd-cilium", _build_template, ROOT, (*PLAIN_IMAGES, "image-cilium"), code=CODE),
)

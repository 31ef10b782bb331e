"""The small images: one program of our own building each, and next to nothing around it.

Images made of whole Debian root file systems have a module of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path, PurePosixPath

from tests.cluster.artifacts import oci
from tests.cluster.artifacts.cache import Artifact, Job
from tests.cluster.artifacts.commands import require, run
from tests.cluster.artifacts.oci import Directory, Entry, File, Image, Symlink

ARCHIVE = "image.tar"
CODE = (Path(__file__), Path(oci.__file__))
PAUSE_SOURCE = Path(__file__).with_name("pause.c")

BUSYBOX_TAGS = {
    # The default probe image's name, so that a plain `netaudit run` finds it on the test cluster.
    "busybox-glibc": tuple(f"docker.io/library/busybox:{tag}" for tag in ("1", "1.37", "latest")),
    "busybox-musl": ("netaudit.test/busybox:musl",),
    "busybox-debian": ("netaudit.test/busybox:debian",),
}

# What programs expect of any system: accounts, a place for temporary files, and that hosts comes before DNS.
BASE: Mapping[str, Entry] = {
    "etc/passwd": File(b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n"),
    "etc/group": File(b"root:x:0:\nnogroup:x:65534:\n"),
    "etc/nsswitch.conf": File(b"passwd: files\ngroup: files\nhosts: files dns\n"),
    "root": Directory(0o700),
    "tmp": Directory(0o1777),
    "var/tmp": Directory(0o1777),
    "usr/bin": Directory(),
    "usr/sbin": Directory(),
}


def build_image(job: Job, entries: Mapping[str, Entry], image: Image) -> None:
    """Write an image of one layer; ``image`` says all but the layer."""
    layer = job.target / "layer.tar"
    oci.write_layer(entries, layer)
    write_images(job, [Image(image.tags, (layer,), image.command, image.entrypoint, user=image.user)])
    layer.unlink()


def write_images(job: Job, images: list[Image]) -> None:
    """Write the archive that is the artifact's result."""
    oci.write_archive(images, job.target / ARCHIVE)


def _build_pause(job: Job) -> None:
    program = job.target / "pause"
    compiler = require("gcc", "apt-get install gcc libc6-dev")
    run([compiler, "-Os", "-static", "-s", "-Wall", "-Wextra", "-o", program, PAUSE_SOURCE], doing="compile pause")
    # The number is nobody's: the sandbox needs no rights at all.
    image = Image(("netaudit.test/pause:1",), (), entrypoint=("/pause",), user="65535:65535")
    build_image(job, {"pause": File(program.read_bytes(), 0o755)}, image)
    program.unlink()


def _build_coredns(job: Job) -> None:
    program = File(job.needed["coredns"], 0o755)
    image = Image(("netaudit.test/coredns:1",), (), entrypoint=("/coredns",))
    build_image(job, {**BASE, "coredns": program}, image)


def _build_busybox(job: Job, name: str) -> None:
    program = job.needed[name]
    entries: dict[str, Entry] = {**BASE, "bin/busybox": File(program, 0o755)}
    for applet in run([program, "--list"], doing=f"list what {name} can do").split():
        entries.setdefault(f"bin/{applet}", Symlink("busybox"))
    if name == "busybox-debian":
        entries |= libraries(program.parents[1])
    build_image(job, entries, Image(BUSYBOX_TAGS[name], (), command=("sh",)))


def libraries(root: Path) -> dict[str, Entry]:
    """Give the shared libraries below a root, where its dynamic programs look for them."""
    return {
        name: entry
        for name, entry in oci.entries_below(root).items()
        if name.startswith("lib") and ".so" in PurePosixPath(name).name
    }


ARTIFACTS = (
    Artifact("image-pause", _build_pause, result=ARCHIVE, files=(PAUSE_SOURCE,), code=CODE),
    Artifact("image-busybox", partial(_build_busybox, name="busybox-glibc"), ARCHIVE, ("busybox-glibc",), code=CODE),
    Artifact("image-busybox-musl", partial(_build_busybox, name="busybox-musl"), ARCHIVE, ("busybox-musl",), code=CODE),
    Artifact(
        "image-busybox-debian", partial(_build_busybox, name="busybox-debian"), ARCHIVE, ("busybox-debian",), code=CODE
    ),
    Artifact("image-coredns", _build_coredns, ARCHIVE, ("coredns",), code=CODE),
)

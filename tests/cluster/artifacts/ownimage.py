"""netaudit's own image: Debian's Python, the locked dependencies and this checkout's packages.

Three layers by how often they change, so that an edit costs a small archive and no download. How the image that users
get is made is decided elsewhere; this one is for tests.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from tests.cluster.artifacts import images, oci
from tests.cluster.artifacts.cache import IGNORED, Artifact, Job
from tests.cluster.artifacts.commands import run
from tests.cluster.artifacts.errors import ArtifactError
from tests.cluster.artifacts.images import ARCHIVE, write_images
from tests.cluster.artifacts.oci import DEFAULT_PATH, Entry, File, Image
from tests.cluster.artifacts.roots import root_artifact

CHECKOUT = Path(__file__).parents[3]
SHIPPED = ("auditor", "probes", "reports")
LOCK = CHECKOUT / ".ci/lock/runtime.txt"

PYTHON = "3.11"
"""What Debian 12 has; the interpreter that builds the image may be another."""
HOME = "opt/netaudit"
PACKAGES = "opt/packages"
NOBODY = "65532:65532"
TAGS = ("netaudit.test/netaudit:1", "docker.io/netaudit/netaudit:latest")
COMMAND = b'#!/bin/sh\nexec python3 -m auditor "$@"\n'

BASE = ("root-python", "python-packages")
CODE = (Path(__file__), Path(images.__file__), Path(oci.__file__))


def installer(target: Path) -> list[str]:
    """Give the command that puts locked wheels for the image's Python into a folder; either pip or uv will do."""
    machine = {"amd64": "x86_64", "arm64": "aarch64"}[oci.architecture()]
    locked = ["--target", str(target), "--require-hashes", "--no-deps", "--only-binary", ":all:", "-r", str(LOCK)]
    if importlib.util.find_spec("pip"):
        platforms = [f"--platform=manylinux{tag}_{machine}" for tag in ("_2_28", "_2_17", "2014")]
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check"]
        return [*pip, "--python-version", PYTHON, "--implementation", "cp", *platforms, *locked]
    uv = shutil.which("uv")
    if uv is None:
        raise ArtifactError(
            "cannot put Python packages into an image", "this Python has no pip and there is no uv", "make setup"
        )
    platform = f"--python-platform={machine}-manylinux_2_28"
    return [uv, "pip", "install", "--quiet", "--python-version", PYTHON, platform, *locked]


def _install_packages(job: Job) -> None:
    """Make a layer of the locked packages, compiled by the image's own Python; empty as long as nothing is locked."""
    with TemporaryDirectory(prefix="netaudit-python-") as temporary:
        root = Path(temporary)
        packages = root / PACKAGES
        run(["tar", "--extract", "--file", job.needed["root-python"], "--directory", root], doing="unpack Python")
        packages.mkdir(parents=True)
        if LOCK.exists():
            run(installer(packages), doing="install the locked Python packages", remedy=f"make lock, if {LOCK} is old")
        # Nobody may write bytecode when the image runs, and compiling is most of what a start would take. Unchecked,
        # for layers keep no times to check by.
        compile_all = ["python3", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", f"/{PACKAGES}"]
        run(["chroot", root, *compile_all], doing="compile the locked Python packages")
        oci.write_layer(oci.entries_below(packages, PACKAGES), job.target / "layer.tar")


def _build_image(job: Job) -> None:
    entries: dict[str, Entry] = {"usr/local/bin/netaudit": File(COMMAND, 0o755)}
    for package in SHIPPED:
        entries |= _without_caches(oci.entries_below(CHECKOUT / package, f"{HOME}/{package}"))
    layer = job.target / "layer.tar"
    oci.write_layer(entries, layer)
    image = Image(
        TAGS,
        (*_base_layers(job), layer),
        entrypoint=("netaudit",),
        environment={"PATH": DEFAULT_PATH, "PYTHONPATH": f"/{HOME}:/{PACKAGES}", "PYTHONDONTWRITEBYTECODE": "1"},
        user=NOBODY,
    )
    write_images(job, [image])
    layer.unlink()


def _build_base(job: Job) -> None:
    """Make an image of the layers that seldom change: where it is unpacked already, importing netaudit is quick."""
    write_images(job, [Image(("netaudit.test/netaudit-base:1",), _base_layers(job))])


def _base_layers(job: Job) -> tuple[Path, ...]:
    return tuple(job.needed[name] for name in BASE)


def _without_caches(entries: Mapping[str, Entry]) -> dict[str, Entry]:
    return {name: entry for name, entry in entries.items() if IGNORED.isdisjoint(PurePosixPath(name).parts)}


ARTIFACTS = (
    root_artifact("root-python", ("ca-certificates", "python3")),
    Artifact("python-packages", _install_packages, "layer.tar", ("root-python",), files=(LOCK,), code=CODE),
    Artifact("image-netaudit-base", _build_base, ARCHIVE, BASE, code=CODE),
    Artifact(
        "image-netaudit",
        _build_image,
        ARCHIVE,
        BASE,
        files=tuple(CHECKOUT / package for package in SHIPPED),
        code=CODE,
    ),
)

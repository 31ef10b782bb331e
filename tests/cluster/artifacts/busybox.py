"""The busybox builds: upstream's default configuration with glibc and with musl, and the program that Debian ships.

Each gives one program. They differ in what their nc, wget and nslookup can do, which is why there are three.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.cluster.artifacts import debian
from tests.cluster.artifacts.cache import Artifact, Job
from tests.cluster.artifacts.commands import require, run

CODE = (Path(__file__), Path(debian.__file__))

# tc wants kernel definitions that newer headers no longer have.
SETTINGS = {"STATIC": True, "TC": False}
KERNEL_HEADERS = ("linux", "asm-generic", "mtd")


def set_options(config: str, settings: dict[str, bool]) -> str:
    """Switch options of a busybox configuration on or off."""
    for name, value in settings.items():
        line = f"CONFIG_{name}=y" if value else f"# CONFIG_{name} is not set"
        config, count = re.subn(rf"^(CONFIG_{name}=.*|# CONFIG_{name} is not set)$", line, config, flags=re.MULTILINE)
        if not count:
            config += f"{line}\n"
    return config


def _compile(job: Job, compiler: Callable[[Path], list[str]]) -> None:
    with TemporaryDirectory(prefix="netaudit-busybox-") as temporary:
        source = debian.fetch_source("busybox", Path(temporary) / "source")
        make = [require("make", "apt-get install make"), "-C", str(source), *compiler(Path(temporary))]
        run([*make, "defconfig"], doing="configure busybox")
        config = source / ".config"
        config.write_text(set_options(config.read_text(), SETTINGS))
        run([*make, f"-j{os.cpu_count() or 1}", "busybox"], doing="compile busybox")
        shutil.copy2(source / "busybox", job.target / "busybox")


def _gcc(_folder: Path) -> list[str]:
    require("gcc", "apt-get install gcc libc6-dev")
    return []


def _musl_gcc(folder: Path) -> list[str]:
    """Give musl's compiler the kernel's headers, which it looks for beside its own."""
    require("musl-gcc", "apt-get install musl-tools linux-libc-dev")
    headers = folder / "headers"
    headers.mkdir()
    for name in KERNEL_HEADERS:
        (headers / name).symlink_to(Path("/usr/include") / name)
    triplet = run(["gcc", "-print-multiarch"], doing="name this machine's architecture").strip()
    (headers / "asm").symlink_to(Path("/usr/include") / triplet / "asm")
    return ["CC=musl-gcc", f"CFLAGS=-idirafter {headers}"]


def _take_debians(job: Job) -> None:
    # The package depends on nothing but the C library and what that brings along: those come with it.
    debian.fetch_packages(["busybox", "libc6"], job.target)


ARTIFACTS = (
    Artifact("busybox-glibc", partial(_compile, compiler=_gcc), result="busybox", code=CODE),
    Artifact("busybox-musl", partial(_compile, compiler=_musl_gcc), result="busybox", code=CODE),
    Artifact("busybox-debian", _take_debians, result="bin/busybox", code=CODE),
)

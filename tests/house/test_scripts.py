"""The scripts of .ci/ install what is missing when they may, and else say exactly what it is.

They run in a copy, on a PATH of stand-ins that record how they were called.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
TOOLS = ("awk", "bash", "cat", "cut", "dirname", "flock", "grep", "mkdir", "mv", "rm", "sha256sum")


@dataclass(frozen=True, slots=True)
class Machine:
    """A checkout and a PATH with little on it."""

    root: Path

    @property
    def bin(self) -> Path:
        return self.root / "bin"

    def command(self, name: str, body: str = "exit 0") -> None:
        """Put a stand-in on the PATH that notes its arguments in a log and does as the body says."""
        path = self.bin / name
        path.write_text(f'#!/bin/bash\necho "{name} $*" >>"{self.root}/log"\n{body}\n')
        path.chmod(0o755)

    def user(self, uid: int) -> None:
        self.command("id", f"echo {uid}")

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": str(self.bin), "HOME": str(self.root)}
        return subprocess.run(
            command, cwd=self.root / "checkout", env=environment, capture_output=True, text=True, check=False
        )

    @property
    def log(self) -> list[str]:
        path = self.root / "log"
        return path.read_text().splitlines() if path.exists() else []

    @property
    def installed(self) -> list[str]:
        """What apt-get was asked to install."""
        calls = [line.split() for line in self.log if line.startswith("apt-get") and " install " in line]
        return [word for call in calls for word in call[call.index("install") + 1 :] if not word.startswith("-")]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    machine.bin.mkdir()
    shutil.copytree(ROOT / ".ci", tmp_path / "checkout/.ci")
    shutil.copy(ROOT / "pyproject.toml", tmp_path / "checkout")
    for tool in TOOLS:
        (machine.bin / tool).symlink_to(shutil.which(tool) or pytest.fail(f"{tool} is not on the PATH"))
    machine.user(1000)
    return machine


def what_why_try(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Give the three lines of an error, which must be the last thing said."""
    assert done.returncode == 1
    lines = done.stderr.splitlines()[-3:]
    assert [line.split(":")[0].strip() for line in lines] == ["error", "why", "try"]
    return lines


def test_packages_that_are_there_cost_nothing(machine: Machine) -> None:
    machine.command("chromium")

    assert machine.run(".ci/packages", "browser").returncode == 0
    assert machine.log == []


def test_missing_packages_are_installed_as_root(machine: Machine) -> None:
    machine.user(0)
    machine.command("apt-get")
    for name in ("busybox", "nft", "ip", "shellcheck"):
        machine.command(name)

    assert machine.run(".ci/packages", "sandbox", "browser").returncode == 0
    assert machine.installed == ["netcat-openbsd", "socat", "chromium"]


@pytest.mark.parametrize("apt", [True, False], ids=["not root", "not Debian"])
def test_missing_packages_are_named_where_they_cannot_be_installed(machine: Machine, *, apt: bool) -> None:
    if apt:
        machine.command("apt-get")
    else:
        machine.user(0)

    lines = what_why_try(machine.run(".ci/packages", "browser"))

    assert "chromium" in lines[1]
    assert "apt-get install chromium" in lines[2]
    assert machine.installed == []


def test_failing_apt_is_an_error_that_names_the_packages(machine: Machine) -> None:
    machine.user(0)
    machine.command("apt-get", "exit 100")

    assert "chromium" in what_why_try(machine.run(".ci/packages", "browser"))[1]


def test_unknown_group_of_packages_is_an_error(machine: Machine) -> None:
    assert machine.run(".ci/packages", "brwoser").returncode != 0


def test_root_is_asked_for_before_anything_is_built(machine: Machine) -> None:
    assert "cannot start a cluster" in what_why_try(machine.run(".ci/root", "start a cluster"))[0]

    machine.user(0)
    assert machine.run(".ci/root", "start a cluster").returncode == 0


def test_setup_names_the_missing_python(machine: Machine) -> None:
    machine.command("python3", "exit 1")  # as an old one answers the question for its version

    lines = what_why_try(machine.run(".ci/setup"))

    assert "3.11" in lines[1]
    assert "apt-get install python3 python3-venv" in lines[2]


WITHOUT_ENSUREPIP = """
case "$*" in *ensurepip*) [ -e "${0%/*}/ensurepip" ];; *) exit 0;; esac
"""


def test_setup_names_the_missing_ensurepip(machine: Machine) -> None:
    machine.command("python3", WITHOUT_ENSUREPIP)

    lines = what_why_try(machine.run(".ci/setup"))

    assert "ensurepip" in lines[1]
    assert "python3-venv" in lines[2]


def test_setup_installs_the_missing_ensurepip_as_root(machine: Machine) -> None:
    machine.user(0)
    machine.command("python3", WITHOUT_ENSUREPIP)
    machine.command("apt-get", f'case "$*" in *install*) : >"{machine.bin}/ensurepip";; esac')

    done = machine.run(".ci/setup")

    assert machine.installed == ["python3-venv"]
    assert "python3 -m venv .venv" in machine.log
    # The stand-in makes no environment, so there is nothing that could be filled.
    assert "cannot fill .venv" in what_why_try(done)[0]


def test_setup_does_nothing_when_nothing_has_changed(machine: Machine) -> None:
    venv = machine.root / "checkout/.venv"
    (venv / "bin").mkdir(parents=True)
    machine.command("uv", "exit 0")
    for name in ("python", "netaudit"):
        machine.command(name)
        (machine.bin / name).rename(venv / "bin" / name)
    assert machine.run(".ci/setup").returncode == 0
    assert (venv / "stamp").exists()
    (machine.root / "log").unlink()

    assert machine.run(".ci/setup").returncode == 0

    assert [line for line in machine.log if line.startswith("uv")] == []

    with (machine.root / "checkout/.ci/lock/dev.txt").open("a") as lock:
        lock.write("# another lock\n")
    assert machine.run(".ci/setup").returncode == 0
    assert any(line.startswith("uv pip sync") and "--require-hashes" in line for line in machine.log)


def test_setup_for_running_alone_takes_what_is_there_or_makes_less(machine: Machine) -> None:
    checkout = machine.root / "checkout"
    machine.command("uv", "exit 0")
    for venv, names in ((checkout / ".cache/runtime", ("python",)), (checkout / ".venv", ("python", "netaudit"))):
        (venv / "bin").mkdir(parents=True)
        for name in names:
            machine.command(name)
            (machine.bin / name).rename(venv / "bin" / name)

    assert machine.run(".ci/setup", "runtime").stdout == ".cache/runtime/bin/python\n"
    [sync] = [line for line in machine.log if line.startswith("uv pip sync")]
    assert "--require-hashes" in sync
    assert "runtime.txt" in sync
    assert not any("--editable" in line for line in machine.log)

    assert machine.run(".ci/setup").stdout == ""
    assert machine.run(".ci/setup", "runtime").stdout == ".venv/bin/python\n"


def test_ci_installs_what_make_test_needs_and_calls_it_without_input(machine: Machine) -> None:
    machine.user(0)
    for name in ("git", "python3"):
        machine.command(name)
    machine.command("apt-get", f'case "$*" in *install*) mv "{machine.root}/make" "{machine.bin}/make";; esac')
    machine.command("make", '[ -z "$(cat)" ] || exit 9')
    (machine.bin / "make").rename(machine.root / "make")

    done = machine.run(".ci/run")

    assert (done.returncode, done.stderr.count("error")) == (0, 0)
    assert "make" in machine.installed
    assert machine.log[-1] == "make test"


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_shellcheck_finds_nothing() -> None:
    scripts = [str(path) for path in sorted((ROOT / ".ci").iterdir()) if path.is_file()]

    done = subprocess.run(["shellcheck", "-x", *scripts], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.stdout == ""


def test_every_script_is_executable() -> None:
    scripts = [path for path in (ROOT / ".ci").iterdir() if path.is_file() and path.suffix != ".sh"]

    assert scripts
    assert [path.name for path in scripts if not os.access(path, os.X_OK)] == []

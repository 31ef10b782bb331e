"""A cgroup per machine in every hierarchy: what a machine starts cannot leave it, so what lives there is what is left.

They hang below the cgroup of whoever calls `up`, so that limits set from outside hold for the cluster as well.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.errors import ClusterError
from tests.cluster.processes import Process, kill_all


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """One mounted cgroup file system."""

    mount: Path
    fstype: str
    options: str
    """What `mount -o` needs to show the same hierarchy elsewhere."""
    own: str
    """The calling process's place in it."""

    @property
    def parent(self) -> Path:
        """Where cgroups of ours are made."""
        # Version 2 lets a cgroup that holds processes give no controllers to its children; only the root may.
        return self.mount if self.unified else self.mount / self.own.lstrip("/")

    @property
    def unified(self) -> bool:
        """Whether this is version 2 alone, rather than one hierarchy among others."""
        return self.fstype == "cgroup2" and self.mount == Path("/sys/fs/cgroup")


def hierarchies() -> tuple[Hierarchy, ...]:
    """What this machine has mounted below /sys/fs/cgroup."""
    own = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        own[controllers] = path
    found = []
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, mount, fstype, options, *_ = line.split()
        if fstype in ("cgroup", "cgroup2") and mount.startswith("/sys/fs/cgroup"):
            controllers = _controllers(options, own)
            named = f"none,{controllers}" if controllers.startswith("name=") else controllers
            found.append(Hierarchy(Path(mount), fstype, named, own.get(controllers, "/")))
    return tuple(sorted(found, key=lambda hierarchy: str(hierarchy.mount)))


def planned(found: Iterable[Hierarchy], path: str) -> list[Path]:
    """Where `make` would put it."""
    return [hierarchy.parent / path for hierarchy in found]


def named(name: str) -> list[Path]:
    """All cgroups of this name, wherever they hang."""
    return [
        Path(folder) / name
        for hierarchy in hierarchies()
        for folder, children, _ in os.walk(hierarchy.mount)
        if name in children
    ]


def make(found: Iterable[Hierarchy], path: str) -> list[Path]:
    """Create cluster/machine in every hierarchy."""
    made = []
    for hierarchy in found:
        place = hierarchy.parent
        for part in Path(path).parts:
            if hierarchy.unified:
                _give_controllers(place)
            place = place / part
            place.mkdir(exist_ok=True)
            _fill_cpuset(place)
        made.append(place)
    return made


def processes(places: Iterable[Path]) -> set[Process]:
    """Everything alive in these cgroups and below."""
    found = set()
    for place in places:
        for folder, _, _ in os.walk(place):
            for pid in _pids(Path(folder)):
                process = Process.of(pid)
                if process:
                    found.add(process)
    return found


def clear(places: Iterable[Path], timeout: float = 10) -> None:
    """Kill whatever is left in these cgroups, then remove them."""
    left = [place for place in places if place.exists()]
    deadline = time.monotonic() + timeout
    while True:
        kill_all(processes(left))
        left = [place for place in left if not _remove(place)]
        if not left:
            return
        if time.monotonic() > deadline:
            raise ClusterError(
                "a cgroup cannot be removed",
                f"{left[0]} is busy {timeout:.0f} s after its last process",
                f"cat {left[0]}/cgroup.procs",
            )
        time.sleep(0.02)  # a cgroup stays busy for a moment after its last process


def _controllers(options: str, own: dict[str, str]) -> str:
    words = set(options.split(","))
    return next((names for names in own if names and set(names.split(",")) <= words), "")


def _give_controllers(place: Path) -> None:
    names = (place / "cgroup.controllers").read_text().split()
    (place / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in names))


def _fill_cpuset(place: Path) -> None:
    # A new cpuset of version 1 is empty, and nothing may enter it until it has processors and memory.
    for name in ("cpuset.cpus", "cpuset.mems"):
        file = place / name
        if file.exists() and place.parent.joinpath(name).exists() and not file.read_text().strip():
            file.write_text(place.parent.joinpath(name).read_text())


def _pids(folder: Path) -> list[int]:
    try:
        return [int(word) for word in (folder / "cgroup.procs").read_text().split()]
    except OSError:  # removed meanwhile
        return []


def _remove(place: Path) -> bool:
    for folder, _, _ in os.walk(place, topdown=False):
        try:
            Path(folder).rmdir()
        except FileNotFoundError:
            continue
        except OSError:  # still busy: the caller tries again and gives up with a message
            return False
    return True

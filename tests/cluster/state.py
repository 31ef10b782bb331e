"""Where a cluster's files lie, and the record that later calls find it by.

$NETAUDIT_STATE/NAME/record.json  kubeconfig  pki/  MACHINE/{etc,var,log,cni,...}
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cluster.machine import Machine
from tests.cluster.processes import Process
from tests.cluster.spec import CONTROL_PLANE, ClusterSpec, Engine, NodeSpec

_DEFAULT_ROOT = "/var/tmp/netaudit-clusters"  # noqa: S108 - root's, and made by root


def state_root() -> Path:
    """The folder of all clusters; short, because the path of a unix socket may have 107 bytes only."""
    return Path(os.environ.get("NETAUDIT_STATE", _DEFAULT_ROOT)).resolve()


def cgroup(name: str) -> str:
    """The name of a cluster's cgroup; clusters of one name in two state folders are two clusters."""
    return f"netaudit-{name}-{hashlib.sha256(str(state_root()).encode()).hexdigest()[:6]}"


@dataclass(slots=True)
class Record:
    """What must be known to use a cluster and to take it down, also after a crash half-way."""

    spec: ClusterSpec
    inits: dict[str, Process] = field(default_factory=dict)
    """Machine -> its first process."""
    programs: dict[str, Process] = field(default_factory=dict)
    """machine/program -> its process."""
    cgroups: dict[str, list[str]] = field(default_factory=dict)
    """Machine -> its cgroups; under the empty name those of the whole cluster."""
    ready: bool = False

    @property
    def home(self) -> Path:
        return state_root() / self.spec.name

    @property
    def kubeconfig(self) -> Path:
        return self.home / "kubeconfig"

    @property
    def audit_log(self) -> Path:
        return self.home / CONTROL_PLANE / "log" / "audit.log"

    @property
    def proxy_socket(self) -> Path:
        return self.home / "proxy.sock"

    def machine(self, name: str) -> Machine:
        """One of the running machines."""
        return Machine(name, self.home / name, self.inits[name], tuple(Path(place) for place in self.cgroups[name]))

    def save(self) -> None:
        """Write the record so that a reader sees the old or the new one."""
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)  # there are keys in it
        draft = self.home / "record.json.new"
        draft.write_text(json.dumps(dataclasses.asdict(self), indent=1, default=lambda engine: engine.value))
        draft.replace(self.home / "record.json")


def load(name: str) -> Record | None:
    """The record of a cluster, if there is one."""
    file = state_root() / name / "record.json"
    if not file.exists():
        return None
    raw = json.loads(file.read_text())
    return Record(
        spec=_spec(raw["spec"]),
        inits={name: Process(**process) for name, process in raw["inits"].items()},
        programs={name: Process(**process) for name, process in raw["programs"].items()},
        cgroups=raw["cgroups"],
        ready=raw["ready"],
    )


def names() -> list[str]:
    """All clusters that have left anything here."""
    root = state_root()
    return sorted(entry.name for entry in root.iterdir() if entry.is_dir()) if root.is_dir() else []


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold a cluster's name against another `up` or `down` of it."""
    root = state_root()
    root.mkdir(parents=True, exist_ok=True)
    path = root / f".{name}.lock"
    while True:
        with path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            # the one before may have removed the file while this one waited for it
            if not path.exists() or path.stat().st_ino != os.fstat(file.fileno()).st_ino:
                continue
            try:
                yield
            finally:
                path.unlink()
            return


def remove_root_if_empty() -> None:
    """Leave not even the folder when the last cluster is gone."""
    with contextlib.suppress(OSError):  # not empty, or already gone
        state_root().rmdir()


def _spec(raw: dict[str, Any]) -> ClusterSpec:
    nodes = tuple(NodeSpec(**node) for node in raw.pop("nodes"))
    return ClusterSpec(**{**raw, "engine": Engine(raw["engine"]), "nodes": nodes})

"""Processes inside pods, found by their container's cgroup, and ended."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.cluster import cgroups
from tests.cluster.cluster import Cluster
from tests.cluster.processes import Process

PACE = 0.005


def places(cluster: Cluster, pod: dict[str, Any]) -> list[Path]:
    """The cgroups of a pod's one container."""
    container = pod["status"]["containerStatuses"][0]["containerID"].rpartition("/")[2]
    roots = cluster.record().machine(pod["spec"]["nodeName"]).cgroups
    found = [place for root in roots for place in root.rglob(f"*{container}*") if place.is_dir()]
    assert found, f"no cgroup of container {container}"
    return found


def kill(where: list[Path]) -> None:
    """End everything in these cgroups at once."""
    for process in cgroups.processes(where):
        process.signal(signal.SIGKILL)


@contextmanager
def killing_execs(where: list[Path]) -> Iterator[list[int]]:
    """End each exec'd `probe` in these cgroups as soon as it shows up; what serves there lives on."""
    ended: list[int] = []
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(PACE):
            for process in cgroups.processes(where):
                if _is_probe(process):
                    process.signal(signal.SIGKILL)
                    ended.append(process.pid)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield ended
    finally:
        stop.set()
        thread.join()


def _is_probe(process: Process) -> bool:
    try:
        words = Path(f"/proc/{process.pid}/cmdline").read_bytes().split(b"\0")
    except OSError:  # it ended by itself
        return False
    return words[-2:] == [b"probe", b""]

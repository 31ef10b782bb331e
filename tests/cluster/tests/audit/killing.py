"""Processes inside pods, found by their container's cgroup, and ended."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tests.cluster import cgroups
from tests.cluster.cluster import Cluster
from tests.cluster.processes import Process

PACE = 0.005
CRAWL = 0.03
"""The part of a processor on which an agent, which needs a quarter of a second of it, is at work for several."""


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
def killing_execs(where: list[Path], most: int = 1_000_000) -> Iterator[list[int]]:
    """End each exec'd `probe` in these cgroups, or the first few; what serves there lives on.

    None is too quick to be seen, however busy the machine: as long as one is to be ended they get hardly any processor.
    """
    ended: list[int] = []
    stop = threading.Event()

    def work() -> None:
        while len(ended) < most and not stop.wait(PACE):
            found = [process for process in cgroups.processes(where) if _is_probe(process)]
            for process in found:
                process.signal(signal.SIGKILL)
            # The processes of one exec: the agent and what it had started by then.
            ended.extend([len(found)] if found else [])
        slow.close()

    with ExitStack() as slow:
        slow.enter_context(_crawling(where))
        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield ended
        finally:
            stop.set()
            thread.join()


@contextmanager
def _crawling(where: list[Path]) -> Iterator[None]:
    """Give these cgroups next to no processor."""
    files = {
        place / name: text
        for place in where
        for name, text in (("cpu.cfs_quota_us", f"{CRAWL * 100_000:.0f}"), ("cpu.max", f"{CRAWL * 100_000:.0f} 100000"))
        if (place / name).exists()
    }
    assert files, f"no cgroup of {where} bounds processors"
    before = {file: file.read_text() for file in files}
    try:
        for file, text in files.items():
            file.write_text(text)
        yield
    finally:
        for file, text in before.items():
            if file.exists():  # the pod may be gone by now
                file.write_text(text)


def _is_probe(process: Process) -> bool:
    try:
        words = Path(f"/proc/{process.pid}/cmdline").read_bytes().split(b"\0")
    except OSError:  # it ended by itself
        return False
    return words[-2:] == [b"probe", b""]

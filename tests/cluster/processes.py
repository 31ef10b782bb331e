"""Processes told apart by pid *and* start time, so that a reused pid is never signalled.

Nothing here finds a process by its name.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.errors import ClusterError

_STATE, _START = 0, 19  # fields of /proc/PID/stat, counted from the one after the command's closing bracket


@dataclass(frozen=True, slots=True)
class Process:
    """One process of this machine."""

    pid: int
    start: int
    """Clock ticks since boot, from /proc/PID/stat."""

    @classmethod
    def of(cls, pid: int) -> Process | None:
        """The living process with this pid, if there is one."""
        fields = _stat(pid)
        if fields is None or fields[_STATE] == "Z":
            return None
        return cls(pid, int(fields[_START]))

    def alive(self) -> bool:
        """A zombie counts as dead: it holds nothing but its table entry."""
        return Process.of(self.pid) == self

    def stopped(self) -> bool:
        """Whether it stands still after SIGSTOP."""
        fields = _stat(self.pid)
        return fields is not None and self.alive() and fields[_STATE] == "T"

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; one that is gone by now needs none."""
        if not self.alive():
            return
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:  # it ended between the two lines
            return


def kill_all(processes: Iterable[Process], timeout: float = 10) -> None:
    """SIGKILL and wait until the last one is gone."""
    waiting = [process for process in processes if process.alive()]
    for process in waiting:
        process.signal(signal.SIGKILL)
    deadline = time.monotonic() + timeout
    while waiting := [process for process in waiting if process.alive()]:
        if time.monotonic() > deadline:
            pids = ", ".join(str(process.pid) for process in waiting)
            raise ClusterError(
                "processes outlive SIGKILL",
                f"pids {pids} still run after {timeout:.0f} s",
                "look at /proc/PID/stack for what they wait on",
            )
        time.sleep(0.01)


def in_pid_namespace(init: int, inner_pid: int) -> Process | None:
    """The process that the namespace of `init` knows as `inner_pid`."""
    namespace = _pid_namespace(init)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _pid_namespace(int(entry.name)) == namespace:
            pid = int(entry.name)
            if namespace and _inner_pid(pid) == inner_pid:
                return Process.of(pid)
    return None


def _pid_namespace(pid: int) -> str:
    try:
        return str(Path(f"/proc/{pid}/ns/pid").readlink())
    except OSError:  # gone, or a zombie, which has no namespaces any more
        return ""


def _inner_pid(pid: int) -> int:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return -1
    line = next((line for line in text.splitlines() if line.startswith("NSpid:")), "NSpid: -1")
    return int(line.split()[-1])


def _stat(pid: int) -> list[str] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rpartition(")")[2].split()

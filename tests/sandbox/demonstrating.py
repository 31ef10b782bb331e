"""`netaudit demo` as people start it, and what it leaves on this machine."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]
CHILD_SUBREAPER = 36
GONE = {"Z", "X", ""}
"""States of processes that have ended (proc(5)); nobody may have asked for their exit code yet."""


def command(*words: str, before: Sequence[str] = ()) -> list[str]:
    return [*before, sys.executable, "-m", "auditor", "demo", *words]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}


def demo(folder: Path, *words: str, before: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """Run it to its end in that folder."""
    return subprocess.run(
        command(*words, before=before), cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )


@contextmanager
def adopting() -> Iterator[None]:
    """Meanwhile whoever a process of ours leaves behind becomes our own child: prctl(2), PR_SET_CHILD_SUBREAPER."""
    call = ctypes.CDLL(None, use_errno=True).prctl
    assert call(CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    try:
        yield
    finally:
        # Other tests wait until orphans are gone, and only init asks for the exit codes of all.
        assert call(CHILD_SUBREAPER, 0, 0, 0, 0) == 0


def offspring() -> set[int]:
    """All that run because of us, near and far; a sandbox is these alone, since nothing of it has a name."""
    found, wanted = set[int](), [os.getpid()]
    while wanted:
        near = set(_children(wanted.pop())) - found
        found |= near
        wanted += near
    return {pid for pid in found if _state(pid) not in GONE}


def _children(pid: int) -> Iterator[int]:
    for task in _listed(Path(f"/proc/{pid}/task")):
        with suppress(OSError):
            yield from map(int, (task / "children").read_text().split())


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""

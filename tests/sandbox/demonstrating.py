"""`netaudit demo` as people start it, and what it leaves on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]


def command(*words: str, before: Sequence[str] = ()) -> list[str]:
    return [*before, sys.executable, "-m", "auditor", "demo", *words]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}


def demo(folder: Path, *words: str, before: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    """Run it to its end in that folder."""
    return subprocess.run(
        command(*words, before=before), cwd=folder, env=environment(), capture_output=True, text=True, check=False
    )


def traces() -> set[str]:
    """What a sandbox could leave: network namespaces in use, named ones, mounts of namespaces, and links."""
    found = {f"network namespace {net}" for net in map(_network, Path("/proc").iterdir()) if net}
    named = Path("/run/netns")
    found |= {f"named {entry.name}" for entry in named.iterdir()} if named.exists() else set()
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    found |= {f"mount {line}" for line in mounts if "nsfs" in line}
    return found | {f"link {entry.name}" for entry in Path("/sys/class/net").iterdir()}


def _network(entry: Path) -> str:
    if not entry.name.isdecimal():
        return ""
    try:
        return str((entry / "ns" / "net").readlink())
    except OSError:
        return ""

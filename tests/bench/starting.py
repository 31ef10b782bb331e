"""How long the command takes to start: what every `netaudit --help` costs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

from tests.bench.figures import Figure, timed


def figures() -> Iterator[Figure]:
    """Measure the interpreter alone, and with our command in it."""
    yield timed("start Python", lambda: start("-c", "pass"))
    yield timed("netaudit --version", lambda: start("-m", "auditor", "--version"))


def start(*arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)

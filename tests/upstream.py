"""Other projects' own code, in small Go programs (`tests/go`) that answer a JSON line with a JSON line."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PROGRAMS = Path(__file__).parent / "go"


class Program:
    """A program that runs and is asked a line at a time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        """Talk to `process`."""
        self._process = process

    def ask(self, question: Any) -> Any:
        """Its answer; the program's own complaint is on stderr when there is none."""
        into, out = self._process.stdin, self._process.stdout
        assert into is not None
        assert out is not None
        into.write(json.dumps(question) + "\n")
        into.flush()
        line = out.readline()
        assert line, f"the program ended with {self._process.wait()}"
        return json.loads(line)


@contextmanager
def program(name: str, folder: Path) -> Iterator[Program]:
    """Build a program into `folder` and run it; skips the test where Go or a module cannot be had."""
    go = shutil.which("go")
    if go is None:
        pytest.skip(f"there is no go command to build {name} with")
    source, binary = PROGRAMS / name, folder / name
    got = subprocess.run([go, "mod", "download"], cwd=source, capture_output=True, text=True, check=False)
    if got.returncode:
        pytest.skip(f"the modules of {name} cannot be had: {got.stderr.strip()}")
    subprocess.run([go, "build", "-o", str(binary), "."], cwd=source, check=True)
    with subprocess.Popen([str(binary)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Program(process)

"""Run other programs, and turn their failures into errors that a person can act on.

Only the running: which program does what is the business of the recipes.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.cluster.artifacts.errors import ArtifactError

SHOWN_LINES = 15
"""How much of a failed program's output goes into the error: compilers say the cause last."""


def require(program: str, remedy: str) -> str:
    """Give the full path of a program, or say how to get it."""
    found = shutil.which(program)
    if found is None:
        raise ArtifactError(f"cannot run {program}", "there is no such program on the PATH", remedy)
    return found


def run(
    argv: Sequence[str | Path],
    *,
    doing: str,
    remedy: str = "read the output above; python -m tests.cluster.artifacts install-packages checks what is needed",
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
) -> str:
    """Run a program to its end and return what it wrote; ``doing`` completes the sentence "cannot ..."."""
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(
            words,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
    except FileNotFoundError as error:
        raise ArtifactError(f"cannot {doing}", f"{words[0]} was not found: {error}", remedy) from error
    if done.returncode != 0:
        tail = "\n       ".join(done.stdout.rstrip().splitlines()[-SHOWN_LINES:]) or "(no output)"
        why = f"{shlex.join(words[:4])} ... ended with status {done.returncode}:\n       {tail}"
        raise ArtifactError(f"cannot {doing}", why, remedy)
    return done.stdout

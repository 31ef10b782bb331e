"""A command as users start it, with what it took: by the clock, of the processor, and of memory.

    python child.py OUTPUT ERRORS COMMAND...

A process begins with the highest memory of the one that started it, so a small process stands between: this file run as
a program, which imports nothing of ours.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command took, and how it ended."""

    seconds: float
    cpu: float
    megabytes: float
    """The highest resident memory of the whole process."""
    code: int


def netaudit(*words: str, output: Path, environment: Mapping[str, str] | None = None) -> Ran:
    """Run the command with its output in a file; raises CalledProcessError where it fails."""
    errors = output.with_suffix(".stderr")
    command = [sys.executable, "-m", "auditor", *words]
    measured = [sys.executable, __file__, str(output), str(errors), *command]
    done = subprocess.run(measured, check=True, capture_output=True, env=environment)
    ran = Ran(**json.loads(done.stdout))
    if ran.code:
        raise subprocess.CalledProcessError(ran.code, command, output.read_bytes(), errors.read_bytes())
    return ran


def main(words: Sequence[str]) -> None:
    """Run a command and print what it took."""
    output, errors, *command = words
    with Path(output).open("wb") as out, Path(errors).open("wb") as err:
        started = time.perf_counter()
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        _, status, spent = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - started
    # It has been waited for already, which Popen cannot know.
    child.returncode = os.waitstatus_to_exitcode(status)
    cpu = spent.ru_utime + spent.ru_stime
    megabytes = spent.ru_maxrss * 1024 / 1e6
    print(json.dumps({"seconds": seconds, "cpu": cpu, "megabytes": megabytes, "code": child.returncode}))


if __name__ == "__main__":
    main(sys.argv[1:])

"""A piece of work in a process of its own: its memory, and its time without what this process has already warmed up.

    python -m tests.bench.apart WORK SNAPSHOT [WORD...]

The snapshot comes as a pickle, so that neither manifests nor their decoding count.
"""

from __future__ import annotations

import gc
import json
import pickle
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from auditor.model.cluster import Snapshot

REPEATS = 3


@dataclass(frozen=True, slots=True)
class Work:
    """Something to be measured."""

    prepare: Callable[[Snapshot, Sequence[str]], Callable[[], Any]]
    """Makes ready what does not count, and gives the work that does."""
    describe: Callable[[Any], str] = str
    """What came of it, so that a fast wrong answer is seen."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a process of its own told."""

    first: float
    """Seconds, in a process that has just read its snapshot: what a command pays."""
    best: float
    cpu: float
    """Seconds of the processor that the best one took: less than it where others use the machine."""
    megabytes: float
    """The highest resident memory above that of the process that held the snapshot."""
    answer: str


def measure(work: str, snapshot: Path, *words: str, repeats: int = REPEATS) -> Measured:
    """Carry out a work in a fresh process; raises CalledProcessError where it fails."""
    command = [sys.executable, "-m", "tests.bench.apart", str(repeats), work, str(snapshot), *words]
    done = subprocess.run(command, check=True, capture_output=True)
    return Measured(**json.loads(done.stdout))


def carry_out(work: Callable[[], Any], describe: Callable[[Any], str], repeats: int) -> Measured:
    """Time it, and watch what it takes the first time."""
    gc.collect()
    before = resident()
    forget_peak()
    times: list[tuple[float, float]] = []
    answer, peak = "", 0
    for number in range(repeats):
        started, worked = time.perf_counter(), time.process_time()
        result = work()
        times.append((time.perf_counter() - started, time.process_time() - worked))
        if number == 0:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
            answer = describe(result)
        del result
    best, cpu = min(times)
    return Measured(times[0][0], best, cpu, (peak - before) / 1e6, answer)


def resident() -> int:
    """Bytes of memory that this process has now."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


def forget_peak() -> None:
    """Begin a new highest resident memory: reading a pickle takes more than what comes of it."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def main(arguments: Sequence[str] | None = None) -> None:
    """The process's own side."""
    from tests.bench.works import WORKS  # noqa: PLC0415  # what measures must not need what is measured

    repeats, name, file, *words = sys.argv[1:] if arguments is None else arguments
    with Path(file).open("rb") as stream:
        snapshot: Snapshot = pickle.load(stream)  # noqa: S301  # written a moment ago by the parent
    work = WORKS[name]
    print(json.dumps(asdict(carry_out(work.prepare(snapshot, words), work.describe, int(repeats)))))


if __name__ == "__main__":
    main()

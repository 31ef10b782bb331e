"""Where `predict` and `explain` get their snapshot: files, or a cluster that is only read."""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from io import BufferedReader
from typing import TextIO, cast

from auditor.cluster.saved import read_files
from auditor.engines import ENGINES, identify_engine
from auditor.errors import UsageError
from auditor.evaluate.model import Model
from auditor.model.cluster import Snapshot
from auditor.model.dialect import API, Dialect
from auditor.model.problem import LOST, Effect, Problem
from reports.plain import plain
from reports.problems import MOST


@dataclass(frozen=True, slots=True)
class Input:
    """A snapshot, where it is from, and what is wrong with that."""

    snapshot: Snapshot
    origin: str
    problems: tuple[Problem, ...] = ()

    @property
    def incomplete(self) -> bool:
        """Whether part of the input was left out."""
        return any(problem.effect in LOST for problem in self.problems) or bool(self.snapshot.warnings)


async def read_input(flags: argparse.Namespace) -> Input:
    """Read the files that were named, else the cluster."""
    if flags.filename:
        return from_files(flags.filename)
    # The Kubernetes client takes longer to import than most files to read.
    collect = import_module("auditor.commands.snapshot").collect
    snapshot, context = await collect(flags)
    gc.freeze()
    return Input(snapshot, context)


def from_stdin() -> bytes:
    """All of standard input; raises UsageError where there is none."""
    return stdin_stream().read()


def stdin_stream() -> BufferedReader:
    """Standard input; raises UsageError where there is none."""
    # Python has no stream for it where it was closed, whatever its type says.
    stream: TextIO | None = sys.stdin
    if stream is None:
        raise UsageError("standard input is closed", why="- stands for it", attempt="a file instead of -")
    return cast("BufferedReader", stream.buffer)


def from_files(paths: Sequence[str]) -> Input:
    """Read files and folders; `-` is standard input."""
    snapshot, problems = read_files(paths, from_stdin)
    # What was read stays to the end: collecting garbage in it again and again is lost time.
    gc.freeze()
    return Input(snapshot, ", ".join("standard input" if path == "-" else path for path in paths), problems)


def model_of(flags: argparse.Namespace, snapshot: Snapshot) -> Model:
    """The model, in the dialect that was asked for or in that of the engine that is found."""
    return Model(snapshot, dialect=_dialect(flags.dialect, snapshot))


def _dialect(name: str | None, snapshot: Snapshot) -> Dialect:
    if name is None:
        return identify_engine(snapshot).dialect
    if name == "api":
        return API
    if name not in ENGINES:
        raise UsageError(
            f"no dialect {name}",
            why="netaudit knows no engine of that name",
            attempt=f"--dialect with one of: api, {', '.join(ENGINES)}",
        )
    return ENGINES[name].ways_in(snapshot).dialect


def say_problems(problems: Sequence[Problem], *, quiet: bool) -> None:
    """Name what is wrong with the input on stderr, where the answer itself does not."""
    if quiet:
        # Quiet is for progress and remarks; that a policy does not count is part of the answer.
        problems = [problem for problem in problems if problem.effect is not Effect.NOTED]
    for problem in problems[:MOST]:
        place = f"{problem.place}: " if problem.place else ""
        lines = [f"{place}{problem.what}", f"why: {problem.why}", *f"try: {problem.attempt}".splitlines()]
        sys.stderr.write("\n  ".join(plain(line) for line in lines) + "\n")
    if len(problems) > MOST:
        sys.stderr.write(f"... and {len(problems) - MOST} more problems of the input\n")

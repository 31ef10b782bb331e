"""`netaudit run --sandbox`: audit manifests that run in network namespaces of this machine."""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from rich.console import Console

from auditor import __version__
from auditor.accord import predicted_answers
from auditor.assemble import assemble
from auditor.audit import run_audit
from auditor.cluster.saved import FileSource
from auditor.commands.recorded import now, record, stamp, word
from auditor.commands.source import LOST, say_problems
from auditor.commands.writing import write
from auditor.errors import INTERRUPTED, UsageError
from auditor.flags import Output
from auditor.forecast import forecast
from auditor.model.options import Options
from auditor.progress import Reporter
from auditor.verdict import INCOMPLETE
from probes.agents import text_of
from probes.backends.netns import NetnsBackend, Sandbox, SandboxSource, sandbox
from probes.backends.netns.faults import FAULTS, Fault
from probes.placement import AgentSpec, Marks
from reports import FORMATS
from reports.forecast import render as render_forecast

HERE = "this machine"
"""What stands where reports name the image of probe pods."""


async def rehearse(
    flags: argparse.Namespace, options: Options, outputs: Sequence[Output], words: Sequence[str], console: Console
) -> int:
    """Audit the manifests and write the reports; the exit code is the report's, 4 where part of them is left out."""
    fault = _fault(options.fault)
    agent = "shell" if options.agent == "shell" else "python"
    options = replace(options, image=HERE, agent=agent)
    files = FileSource(flags.filename, sys.stdin.buffer.read)
    # Files that make no sense are told before anything is made.
    await files.collect()
    say_problems(files.problems, quiet=flags.quiet)
    lost = any(problem.effect in LOST for problem in files.problems)
    if flags.dry_run:
        with Reporter(console, quiet=flags.quiet) as reporter:
            async with sandbox(fault) as box:
                known = await forecast(SandboxSource(box, files), options, reporter, None)
        sys.stdout.write(render_forecast(known.plan, known.matrix, options, predicted_answers(known.covered)))
        return INCOMPLETE if lost else 0
    started = now()
    marks = Marks(word(6), __version__, stamp(started + timedelta(seconds=2 * options.budget)))
    with Reporter(console, quiet=flags.quiet) as reporter:
        async with sandbox(fault) as box:
            material = await run_audit(SandboxSource(box, files), _backend(box, marks, options), options, reporter)
    run = replace(record(options, marks.run, agent, started, words), rounds=material.rounds)
    report = assemble(material, options, run, f"sandbox of {', '.join(flags.filename)}")
    write(report, outputs, FORMATS)
    if material.interrupted:
        return INTERRUPTED
    return report.summary.exit_code or (INCOMPLETE if lost else 0)


def _fault(name: str) -> Fault | None:
    """The fault of that name, none for an empty one; raises UsageError for a name that no fault has."""
    if not name:
        return None
    if name not in FAULTS:
        raise UsageError(
            f"no fault {name!r}",
            why="the sandbox's engine can fail in no way of that name",
            attempt=f"--fault with one of: {', '.join(FAULTS)}",
        )
    return FAULTS[name]


def _backend(box: Sandbox, marks: Marks, options: Options) -> NetnsBackend:
    agent = AgentSpec(options.image, text_of(options.agent), options.budget, options.agent)
    return NetnsBackend(box, marks, agent, lambda: word(24), options.start_timeout, random.random)

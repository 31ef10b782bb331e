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
from auditor.commands.source import from_stdin, say_problems
from auditor.commands.writing import write
from auditor.errors import INTERRUPTED, UsageError
from auditor.flags import Output
from auditor.forecast import forecast
from auditor.model.options import Options
from auditor.model.report import AuditReport
from auditor.ports import OnEvent, SnapshotSource
from auditor.progress import Reporter
from auditor.verdict import INCOMPLETE
from probes.agents import text_of
from probes.backends.netns import NetnsBackend, Sandbox, SandboxSource, sandbox
from probes.backends.netns.allowed import check_agent
from probes.backends.netns.faults import FAULTS, Fault
from probes.placement import AgentSpec, Marks
from reports import FORMATS
from reports.forecast import render as render_forecast

HERE = "this machine"
"""What stands where reports name the image of probe pods."""


async def rehearse(
    flags: argparse.Namespace, options: Options, outputs: Sequence[Output], words: Sequence[str], console: Console
) -> int:
    """Audit the manifests and write the reports; the exit code is the report's."""
    fault, options = fault_named(options.fault), here(options)
    files = FileSource(flags.filename, from_stdin)
    # Files that make no sense are told before anything is made.
    await files.collect()
    say_problems(files.problems, quiet=flags.quiet)
    if flags.dry_run:
        with Reporter(console, quiet=flags.quiet) as reporter:
            async with sandbox(fault) as box:
                known = await forecast(SandboxSource(box, files), options, reporter, None)
        sys.stdout.write(render_forecast(known.plan, known.matrix, options, predicted_answers(known.covered)))
        return INCOMPLETE if known.snapshot.lost else 0
    with Reporter(console, quiet=flags.quiet) as reporter:
        async with sandbox(fault) as box:
            name = f"sandbox of {', '.join(flags.filename)}"
            report, interrupted = await audited(box, files, options, reporter, (name, words))
    write(report, outputs, FORMATS)
    return INTERRUPTED if interrupted else report.summary.exit_code


def here(options: Options) -> Options:
    """The options of a run whose probe pods have no image but this machine."""
    agent = "shell" if options.agent == "shell" else "python"
    return replace(options, image=HERE, agent=agent, sandbox=True)


async def audited(
    box: Sandbox, manifests: SnapshotSource, options: Options, on_event: OnEvent, named: tuple[str, Sequence[str]]
) -> tuple[AuditReport, bool]:
    """Audit manifests in a sandbox: the report, and whether the run was asked to end before it had measured all.

    `named` is what the report calls the cluster, and the words of the command.
    """
    options = here(options)
    check_agent(options.agent)
    started = now()
    marks = Marks(word(6), __version__, stamp(started + timedelta(seconds=2 * options.budget)))
    material = await run_audit(SandboxSource(box, manifests), _backend(box, marks, options), options, on_event)
    name, words = named
    run = replace(record(options, marks.run, options.agent, started, words), rounds=material.rounds)
    return assemble(material, options, run, name), material.interrupted


def fault_named(name: str) -> Fault | None:
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

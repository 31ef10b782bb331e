"""`netaudit run`: audit a cluster."""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from rich.console import Console

from auditor import __version__
from auditor.accord import predicted_answers
from auditor.assemble import assemble
from auditor.audit import run_audit
from auditor.cluster.api import KubeApi
from auditor.cluster.confined import OwnNamespaces
from auditor.cluster.live import LiveCluster
from auditor.commands.expecting import expectations_from
from auditor.commands.journals import JournalFile, discard, folder_of, kept, load
from auditor.commands.live import with_api
from auditor.commands.recorded import now, record, stamp, word
from auditor.commands.rehearse import rehearse
from auditor.commands.writing import check_files, write
from auditor.errors import INTERRUPTED, OutputRefused
from auditor.flags import options_from, outputs_from
from auditor.forecast import forecast
from auditor.model.options import Mode, Options, Transport
from auditor.model.report import AuditReport
from auditor.past import Past, check
from auditor.plan import CONTROL_NAMESPACE
from auditor.ports import SnapshotSource
from auditor.progress import Reporter
from auditor.sentinel import POLICED
from auditor.verdict import incompleteness
from probes.agents import courier_of, echoer_of, resolver_of, stopper_of, text_of
from probes.backends.kubernetes import KubernetesBackend
from probes.placement import AgentSpec, Marks, choose_agent
from reports import FORMATS
from reports.forecast import render as render_forecast
from reports.marks import marked_text
from reports.plain import plain


async def execute(flags: argparse.Namespace, words: Sequence[str], console: Console) -> int:
    """Audit the cluster and write the reports; the exit code is the report's."""
    options = replace(options_from(flags), expectations=expectations_from(flags.expect))
    outputs = outputs_from(flags, FORMATS)
    check_files(outputs)
    if options.sandbox:
        return await rehearse(flags, options, outputs, words, console)
    folder = folder_of(flags.journal)
    past = load(folder, flags.resume) if flags.resume else None
    if past is not None:
        check(past, options, __version__, now())

    async def work(api: KubeApi) -> int:
        api.overlay = options.overlay
        if flags.dry_run:
            with Reporter(console, quiet=flags.quiet) as reporter:
                known = await forecast(_source(api, options), options, reporter, past)
            sys.stdout.write(render_forecast(known.plan, known.matrix, options, predicted_answers(known.covered)))
            return 0
        with Reporter(console, quiet=flags.quiet) as reporter:
            report, interrupted = await _audit(api, options, reporter, words, (folder, past))
        try:
            write(report, outputs, FORMATS)
        except (OSError, OutputRefused):
            # Whoever asked for the end may have taken stdout along.
            if not interrupted:
                raise
        return INTERRUPTED if interrupted else report.summary.exit_code

    return await with_api(flags, work)


def _source(api: KubeApi, options: Options) -> SnapshotSource:
    if options.mode is Mode.SENTINEL:
        return OwnNamespaces(api, (CONTROL_NAMESPACE, POLICED))
    return LiveCluster(api)


async def _audit(
    api: KubeApi, options: Options, reporter: Reporter, words: Sequence[str], journals: tuple[Path, Past | None]
) -> tuple[AuditReport, bool]:
    """The report, and whether the run was asked to end before it had measured all."""
    folder, past = journals
    api.hurry_after(options.budget)
    started = now()
    expires = started + timedelta(seconds=2 * options.budget)
    marks = Marks(word(6), __version__, stamp(expires))
    agent = choose_agent(options.agent, options.image)
    courier = courier_of(agent) if options.transport is Transport.LOGS else ""
    backend = KubernetesBackend(
        api=api,
        marks=marks,
        agent=AgentSpec(
            options.image,
            text_of(agent),
            options.budget,
            agent,
            courier,
            stopper=stopper_of(agent),
            resolver=resolver_of(agent),
            echoer=echoer_of(agent),
        ),
        nonce=lambda: word(24),
        start_timeout=options.start_timeout,
        clock=now,
        chance=random.random,
        confined=options.mode is Mode.SENTINEL,
    )
    notes = JournalFile(folder, marks.run, options, now, reporter)
    try:
        with kept(notes) as journal:
            material = await run_audit(_source(api, options), backend, options, reporter, past=past, journal=journal)
            if not incompleteness(material, options):
                journal.remove()
                discard(folder, material.resumed)
    finally:
        # Said even when the run fails, is cancelled or is quiet: nobody else will.
        for text in backend.leftovers:
            sys.stderr.write(f"not removed: {plain(text)}\n")
        if backend.leftovers:
            way = " --mode sentinel" if options.mode is Mode.SENTINEL else ""
            sys.stderr.write(f"  try: netaudit cleanup{way}\n")
        sys.stderr.write(marked_text(backend.marks_left))
    run = record(options, marks.run, agent, started, words)
    run = replace(run, rounds=material.rounds, resumed=material.resumed)
    return assemble(material, options, run, api.context), material.interrupted

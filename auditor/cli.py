"""The command: flags into Options, adapters wired, exceptions into exit codes.

The composition root: it alone knows every outside, reads the clock and makes run ids.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import logging
import os
import secrets
import shlex
import signal
import string
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

from rich.console import Console

from auditor import __version__
from auditor.assemble import assemble
from auditor.audit import forecast, run_audit
from auditor.cluster.api import KubeApi, connect
from auditor.cluster.live import LiveCluster
from auditor.errors import CleanupIncomplete, NetauditError, UsageError
from auditor.flags import Output, build_parser, options_from, outputs_from
from auditor.model.options import Options
from auditor.model.report import AuditReport, Run
from auditor.progress import Reporter
from probes.backends.kubernetes import KubernetesBackend, sweep
from probes.backends.kubernetes.lease import NAME as LEASE
from probes.backends.kubernetes.lease import PATH as LEASES
from probes.backends.kubernetes.lease import wait_until_free
from probes.placement import AgentSpec, Marks
from reports import FORMATS
from reports.forecast import render as render_forecast
from reports.plain import plain

FAILED, USAGE, INTERRUPTED = 1, 2, 130
ALPHABET = string.ascii_lowercase + string.digits


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0 clean, 1 failed, 2 usage, 3 findings, 4 incomplete."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = build_parser(tuple(FORMATS), __version__)
    flags = parser.parse_args(words)
    # Libraries' own warnings would come between the lines of a report; what matters is told as events and errors.
    logging.getLogger().addHandler(logging.NullHandler())
    console = Console(stderr=True, no_color="NO_COLOR" in os.environ)
    try:
        return asyncio.run(_interruptible(_COMMANDS[flags.command](flags, words, console)))
    except NetauditError as error:
        if flags.debug:
            raise
        _say_error(error)
        return error.exit_code
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.stderr.write("interrupted: what was made has been removed, but for what is named above\n")
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the report closed it early; that is no fault.
        sys.stderr.close()
        return FAILED
    except Exception as error:
        # A fault of ours: said as plainly as the others, and with its place on demand.
        if flags.debug:
            raise
        _say_error(_own_fault(error))
        return FAILED


def _own_fault(error: Exception) -> NetauditError:
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, NetauditError):
        return error
    return NetauditError(
        "netaudit failed in a way that it does not know",
        why=f"{type(error).__name__}: {error}",
        attempt="netaudit cleanup, then the same command with --debug for the place in the program",
    )


def _say_error(error: NetauditError) -> None:
    lines = [plain(line) for line in str(error).splitlines()]
    # Only our own lines begin a new one: an answer of the server stays in the sentence that quotes it.
    sys.stderr.write("error: " + "\n  ".join(line.strip() for line in lines) + "\n")


async def _interruptible(work: Coroutine[Any, Any, int]) -> int:
    """Let SIGTERM end a run as Ctrl-C does: by cancellation, so that it cleans up."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        with suppress(NotImplementedError):
            loop.add_signal_handler(number, task.cancel)
    return await task


async def _with_api(flags: argparse.Namespace, work: Callable[[KubeApi], Awaitable[int]]) -> int:
    api = await connect(kubeconfig=flags.kubeconfig, context=flags.context, rate=flags.rate, version=__version__)
    try:
        return await work(api)
    finally:
        await api.close()


async def _run(flags: argparse.Namespace, words: Sequence[str], console: Console) -> int:
    options = options_from(flags)
    outputs = outputs_from(flags, FORMATS)
    check_files(outputs)

    async def work(api: KubeApi) -> int:
        if flags.dry_run:
            with Reporter(console, quiet=flags.quiet) as reporter:
                known = await forecast(LiveCluster(api), options, reporter)
            sys.stdout.write(render_forecast(known.plan, known.matrix, options))
            return 0
        with Reporter(console, quiet=flags.quiet) as reporter:
            report = await _audit(api, options, reporter, words)
        _write(report, outputs)
        return report.summary.exit_code

    return await _with_api(flags, work)


async def _audit(api: KubeApi, options: Options, reporter: Reporter, words: Sequence[str]) -> AuditReport:
    started = datetime.now(UTC)
    expires = started + timedelta(seconds=2 * options.budget)
    marks = Marks(_random(6), __version__, _stamp(expires))
    script = (files("probes.agents") / "shell.sh").read_text(encoding="utf-8")
    backend = KubernetesBackend(
        api=api,
        marks=marks,
        agent=AgentSpec(options.image, script, options.budget),
        nonce=lambda: _random(24),
        start_timeout=options.start_timeout,
        clock=lambda: datetime.now(UTC),
    )
    try:
        material = await run_audit(LiveCluster(api), backend, options, reporter)
    finally:
        # Said even when the run fails, is cancelled or is quiet: nobody else will.
        for text in backend.leftovers:
            sys.stderr.write(f"not removed: {plain(text)}\n")
        if backend.leftovers:
            sys.stderr.write("  try: netaudit cleanup\n")
    finished = datetime.now(UTC)
    run = Run(
        id=marks.run,
        version=__version__,
        started=_stamp(started),
        finished=_stamp(finished),
        mode="clone",
        image=options.image,
        agent="shell",
        settle_seconds=options.settle,
        tries=options.tries,
        connect_timeout_seconds=options.connect_timeout,
        rounds=material.rounds,
        seconds=round((finished - started).total_seconds(), 1),
        command=shlex.join(["netaudit", *words]),
    )
    return assemble(material, options, run, api.context)


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def check_files(outputs: Sequence[Output]) -> None:
    """Raise UsageError for a report that could not be written, before anything is done for it."""
    for output in outputs:
        if output.file is None:
            continue
        file = Path(output.file)
        if file.is_dir() or not os.access(file if file.exists() else file.parent, os.W_OK):
            raise _unwritable(output.file, "it is a folder, or its folder is missing or not yours")


def _unwritable(file: str, why: str) -> UsageError:
    return UsageError(f"cannot write the report to {file}", why=why, attempt="another file or folder with -o")


def _write(report: AuditReport, outputs: Sequence[Output]) -> None:
    """Write every output; one that fails does not cost the others."""
    failed: UsageError | None = None
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that cannot show a glyph still gets the words.
        sys.stdout.reconfigure(errors="replace")
    for output in outputs:
        text = FORMATS[output.format](report)
        if output.file is None:
            sys.stdout.write(text if text.endswith("\n") else f"{text}\n")
            continue
        try:
            Path(output.file).write_text(text, encoding="utf-8")
        except OSError as error:
            failed = _unwritable(output.file, str(error))
    sys.stdout.flush()
    if failed is not None:
        raise failed


async def _cleanup(flags: argparse.Namespace, words: Sequence[str], console: Console) -> int:
    del words

    async def work(api: KubeApi) -> int:
        def say(text: str) -> None:
            if not flags.quiet:
                console.print(plain(text), soft_wrap=True, markup=False, highlight=False)

        if not flags.force:
            await wait_until_free(api, lambda: datetime.now(UTC), say)
        found = await sweep.find(api)
        names = found.names()
        if flags.dry_run:
            sys.stdout.write("".join(f"would remove {name}\n" for name in names) or "nothing to remove\n")
            return 0
        trouble = [*await sweep.remove(api, found, lambda _: None)]
        # A Lease in a namespace that is not ours stays behind its run.
        await api.delete(f"{LEASES}/{LEASE}")
        if trouble:
            raise CleanupIncomplete(
                f"{len(trouble)} objects are still there", why="; ".join(trouble), attempt="netaudit cleanup once more"
            )
        sys.stdout.write("".join(f"removed {name}\n" for name in names) or "nothing to remove\n")
        return 0

    return await _with_api(flags, work)


_COMMANDS: dict[str, Callable[[argparse.Namespace, Sequence[str], Console], Coroutine[Any, Any, int]]] = {
    "run": _run,
    "cleanup": _cleanup,
}

"""The command: words into a command's flags, signals into cancellation, exceptions into exit codes."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Coroutine, Sequence
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from importlib import import_module
from typing import Any, TextIO, cast

from rich.console import Console

from auditor import __version__, settings
from auditor.errors import INTERRUPTED, NetauditError
from auditor.flags import RUN_FORMATS, build_parser
from auditor.voice import Outlet, Voice
from reports.plain import plain

FAILED = 1
MAKE_PARSER = partial(build_parser, RUN_FORMATS, __version__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0 clean, 1 failed, 2 usage, 3 findings, 4 incomplete."""
    # Whatever is said on stderr, by whom ever: that nobody hears it does not keep a run from removing its pods.
    with redirect_stderr(cast("TextIO", Voice(sys.stderr))), redirect_stdout(cast("TextIO", Outlet(sys.stdout))):
        return _main(arguments)


def _main(arguments: Sequence[str] | None) -> int:
    try:
        flags, words = _read(sys.argv[1:] if arguments is None else arguments)
    except NetauditError as error:
        _say_error(error)
        return error.exit_code
    # Libraries' own warnings would come between the lines of a report; what matters is told as events and errors.
    logging.getLogger().addHandler(logging.NullHandler())
    console = Console(stderr=True, no_color="NO_COLOR" in os.environ)
    try:
        code = asyncio.run(_interruptible(_execute(flags, words, console)))
        # What is held back may find no room; at the end of the process nobody could tell.
        sys.stdout.flush()
        return code  # noqa: TRY300  # what may fail is above
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


def _read(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """The flags and the words that say the same; a variable that nearly is an option's is told on stderr."""
    read = settings.parse(arguments, MAKE_PARSER, os.environ)
    for warning in settings.misspelt(MAKE_PARSER, os.environ):
        _say("warning", warning)
    return read


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
    _say("error", str(error))


def _say(what: str, text: str) -> None:
    lines = [plain(line) for line in text.splitlines()]
    # Only our own lines begin a new one: an answer of the server stays in the sentence that quotes it.
    sys.stderr.write(f"{what}: " + "\n  ".join(line.strip() for line in lines) + "\n")


async def _interruptible(work: Coroutine[Any, Any, int]) -> int:
    """Let SIGTERM end a run as Ctrl-C does: by cancellation, so that it cleans up."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, task.cancel)
    return await task


async def _execute(flags: argparse.Namespace, words: Sequence[str], console: Console) -> int:
    # Each command imports what it needs: who only reads files does not wait for the Kubernetes client.
    command = import_module(f"auditor.commands.{flags.command}")
    code: int = await command.execute(flags, words, console)
    return code

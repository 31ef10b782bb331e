"""`netaudit explain`: why a flow is allowed or denied; many at once with --batch."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
from rich.console import Console

from auditor.asking import Question, ask
from auditor.cluster.garbage import uncollected
from auditor.commands.source import Input, model_of, read_input, say_problems
from auditor.commands.writing import check_files, write
from auditor.errors import UsageError
from auditor.evaluate.model import Model
from auditor.flags import outputs_from
from auditor.model.flow import Protocol
from auditor.query import Oracle
from auditor.services import Services
from auditor.targets import Targets, port_of
from reports.explanation import EXPLANATIONS

INCOMPLETE = 4
AT_ONCE = 1_000
"""Answers that are written together."""


async def execute(flags: argparse.Namespace, words: Sequence[str], console: Console) -> int:
    """Explain one flow, or answer a batch of queries; 4 where part of the input was left out."""
    del words, console
    with uncollected():
        return await _explain(flags)


async def _explain(flags: argparse.Namespace) -> int:
    lines = _lines(flags)
    outputs = outputs_from(flags, EXPLANATIONS)
    check_files(outputs)
    found = await read_input(flags)
    say_problems(found.problems, quiet=flags.quiet)
    model = model_of(flags, found.snapshot)
    if lines is not None:
        _answer(model, lines)
        return _code(found)
    services = Services(model)
    targets = Targets(model, services, flags.namespace)
    protocol, port = port_of(flags.port, flags.proto)
    question = Question(
        targets.find(flags.src),
        targets.find(flags.dst),
        Protocol(protocol),
        port,
        by_service=flags.path == "service",
    )
    write(ask(model, services, question), outputs, EXPLANATIONS)
    return _code(found)


def _code(found: Input) -> int:
    return INCOMPLETE if found.incomplete else 0


def _lines(flags: argparse.Namespace) -> Iterable[bytes] | None:
    """The lines of a batch; None where one flow was asked for.  Raises UsageError for neither and for both."""
    given = [word for word in (flags.src, flags.dst, flags.port) if word is not None]
    if flags.batch is None and len(given) == 3:  # noqa: PLR2004  # SRC DST PORT
        return None
    if flags.batch is None or given:
        raise UsageError(
            "explain takes SRC, DST and PORT, or --batch and a file",
            why=f"{len(given)} of the three were given" + (" beside --batch" if flags.batch else ""),
            attempt="netaudit explain shop/web shop/db 5432",
        )
    if flags.batch == "-":
        if "-" in flags.filename:
            raise UsageError(
                "standard input cannot be both the manifests and the queries",
                why="-f - and --batch - were given",
                attempt="a file for one of them",
            )
        return sys.stdin.buffer
    try:
        return Path(flags.batch).read_bytes().splitlines()
    except OSError as error:
        raise UsageError(f"cannot read {flags.batch}", why=str(error), attempt="--batch with a file, or -") from error


def _answer(model: Model, lines: Iterable[bytes]) -> None:
    """Answer line by line, in the same order; a line that is no JSON gets an answer that says so."""
    oracle = Oracle(model)
    encoder, out = msgspec.json.Encoder(), sys.stdout.buffer
    pending: list[bytes] = []
    for query in _queries(lines):
        answer = oracle.answer(query) if not isinstance(query, Exception) else oracle.refuse(f"not JSON: {query}")
        pending.append(encoder.encode(answer))
        if len(pending) == AT_ONCE:
            out.write(b"\n".join(pending) + b"\n")
            pending.clear()
    if pending:
        out.write(b"\n".join(pending) + b"\n")
    out.flush()


def _queries(lines: Iterable[bytes]) -> Iterator[object]:
    decoder = msgspec.json.Decoder()
    for line in lines:
        try:
            yield decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            # A line without a query gets its answer too: whoever pairs lines with answers must not be led astray.
            yield error

"""`netaudit explain`: why a flow is allowed or denied; many at once with --batch."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from io import BufferedReader
from pathlib import Path

import msgspec
from rich.console import Console

from auditor.asking import Question, ask
from auditor.cluster.garbage import uncollected
from auditor.commands.source import Input, model_of, read_input, say_problems, stdin_stream
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
AT_ONCE = 1 << 16
"""Bytes of queries that are read at once, at most: what a pipe holds."""
NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


async def execute(flags: argparse.Namespace, words: Sequence[str], console: Console) -> int:
    """Explain one flow, or answer a batch of queries; 4 where part of the input, or a query, was left out."""
    del words, console
    with uncollected(), _queries(flags) as queries:
        return await _explain(flags, queries)


async def _explain(flags: argparse.Namespace, queries: BufferedReader | None) -> int:
    outputs = outputs_from(flags, EXPLANATIONS)
    check_files(outputs)
    found = await read_input(flags)
    say_problems(found.problems, quiet=flags.quiet)
    model = model_of(flags, found.snapshot)
    if queries is not None:
        refused = _answer(model, queries)
        if refused:
            sys.stderr.write(f"{refused} of the queries could not be asked: their answers have an error\n")
        return INCOMPLETE if refused else _code(found)
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


def _queries(flags: argparse.Namespace) -> AbstractContextManager[BufferedReader | None]:
    """The queries of a batch; None where one flow was asked for.  Raises UsageError for neither and for both."""
    given = [word for word in (flags.src, flags.dst, flags.port) if word is not None]
    if flags.batch is None and len(given) == 3:  # noqa: PLR2004  # SRC DST PORT
        return nullcontext()
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
        return nullcontext(stdin_stream())
    try:
        return Path(flags.batch).open("rb")
    except OSError as error:
        raise UsageError(f"cannot read {flags.batch}", why=str(error), attempt="--batch with a file, or -") from error


def _answer(model: Model, queries: BufferedReader) -> int:
    """Answer line by line, in the same order, all that has arrived before more is waited for; count what is refused."""
    oracle, encoder, out = Oracle(model), msgspec.json.Encoder(), sys.stdout.buffer
    refused = 0
    for lines in _arriving(queries):
        answers = [_answered(oracle, encoder, line) for line in lines]
        refused += sum(failed for _, failed in answers)
        out.write(b"".join(answer + b"\n" for answer, _ in answers))
        # Whoever asks may wait for this answer before the next question.
        out.flush()
    return refused


def _arriving(queries: BufferedReader) -> Iterator[list[bytes]]:
    """Lines as they come, those together that came together; the last one may have no end."""
    begun: list[bytes] = []
    while chunk := queries.read1(AT_ONCE):
        *ended, rest = chunk.split(b"\n")
        if ended:
            ended[0] = b"".join([*begun, ended[0]])
            begun.clear()
            yield ended
        if rest:
            begun.append(rest)
    if begun:
        yield [b"".join(begun)]


def _answered(oracle: Oracle, encoder: msgspec.json.Encoder, line: bytes) -> tuple[bytes, bool]:
    """The answer to a line, and whether it is a refusal; no line goes without, lest they be paired wrongly."""
    try:
        answer = oracle.answer(msgspec.json.decode(line))
        return encoder.encode(answer), "error" in answer
    except NOT_JSON as error:
        why = f"not JSON: {error}" if line.strip() else "an empty line is no query"
        return encoder.encode(oracle.refuse(why)), True

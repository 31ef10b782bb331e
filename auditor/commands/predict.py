"""`netaudit predict`: what the policies mean, without a packet."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console

from auditor.accord import predicted_answers
from auditor.change import compare_models, with_outside
from auditor.cluster.garbage import uncollected
from auditor.commands.expecting import expectations_from
from auditor.commands.source import Input, from_files, model_of, read_input, say_problems
from auditor.commands.writing import check_files, write
from auditor.errors import UsageError
from auditor.evaluate.model import Model
from auditor.expected import cover
from auditor.flags import outputs_from, parse_selector
from auditor.model.expectation import BROKEN, Accord, Answer
from auditor.model.flow import Protocol
from auditor.model.lint import LintSeverity
from auditor.model.matrix import Query
from auditor.model.prediction import Prediction
from auditor.prediction import Wanted, foresee
from auditor.services import Services
from auditor.targets import Targets, port_of
from reports.difference import DIFFERENCES
from reports.plain import plain
from reports.prediction import PREDICTIONS

FINDINGS, INCOMPLETE = 3, 4
TELLING = frozenset({"table", "json"})
"""Formats that tell the problems of the input themselves."""


async def execute(flags: argparse.Namespace, words: Sequence[str], console: Console) -> int:
    """Predict and write; 3 for findings or flows that differ, 4 where part of the input was left out."""
    del words, console
    with uncollected():
        return _difference(flags) if flags.diff else await _prediction(flags)


async def _prediction(flags: argparse.Namespace) -> int:
    """Predict the flows of one snapshot."""
    outputs = outputs_from(flags, PREDICTIONS)
    check_files(outputs)
    expectations = expectations_from(flags.expect)
    found = await read_input(flags)
    model = model_of(flags, found.snapshot)
    prediction = foresee(
        model,
        _wanted(flags, model),
        origin=found.origin,
        problems=found.problems,
        warnings=found.snapshot.warnings,
    )
    answers = predicted_answers(cover(model, prediction.matrix.identities, expectations))
    prediction = replace(prediction, expectations=answers)
    if not any(output.format in TELLING for output in outputs):
        say_problems(found.problems, quiet=flags.quiet)
        _say_broken(answers)
    write(prediction, outputs, PREDICTIONS)
    return _code(flags, found, prediction)


def _say_broken(answers: Sequence[Answer]) -> None:
    """Name on stderr what is not as expected, where no format of the answer does."""
    for answer in answers:
        if answer.accord is not Accord.KEPT:
            item = answer.expectation
            text = f"{item.place}: {item.title}: expected to be {item.wish.value}: {answer.worst.reason}"
            sys.stderr.write(f"{plain(text)}\n")


def _wanted(flags: argparse.Namespace, model: Model) -> Wanted:
    targets = Targets(model, Services(model))
    for name in flags.namespace:
        targets.namespace(name)
    return Wanted(
        namespaces=tuple(sorted(set(flags.namespace))),
        selector=parse_selector(flags.selector) if flags.selector else None,
        sources=tuple(targets.find(word) for word in flags.sources),
        destinations=tuple(targets.find(word) for word in flags.destinations),
        ports=_ports(flags),
    )


def _ports(flags: argparse.Namespace) -> tuple[tuple[Protocol, int | str], ...]:
    return tuple((Protocol(protocol), port) for protocol, port in (port_of(word, None) for word in flags.port))


def _code(flags: argparse.Namespace, found: Input, prediction: Prediction) -> int:
    if any(answer.accord in BROKEN for answer in prediction.expectations):
        return FINDINGS
    if flags.fail_on is not None:
        least = LintSeverity(flags.fail_on).rank
        if any(item.severity.rank >= least for item in prediction.findings):
            return FINDINGS
    is_open = any(answer.accord is Accord.INCONCLUSIVE for answer in prediction.expectations)
    return INCOMPLETE if found.incomplete or prediction.unread or is_open else 0


def _query(protocol: Protocol, port: int | str) -> Query:
    if isinstance(port, int):
        return protocol, port
    raise UsageError(
        f"--diff cannot follow the port name {port}",
        why="a name may stand for one number before and for another one after",
        attempt="--port with its number",
    )


def _difference(flags: argparse.Namespace) -> int:
    """Compare two sets of manifests; what -f names belongs to both."""
    _only_what_diff_honours(flags)
    outputs = outputs_from(flags, DIFFERENCES)
    check_files(outputs)
    old, new = (from_files([*flags.filename, path]) for path in flags.diff)
    queries = tuple(_query(protocol, port) for protocol, port in _ports(flags))
    before, after = model_of(flags, old.snapshot), model_of(flags, new.snapshot)
    difference = compare_models(
        before, after, names=(old.origin, new.origin), queries=queries, problems=(old.problems, new.problems)
    )
    difference = with_outside(before, after, difference, queries)
    write(difference, outputs, DIFFERENCES)
    if difference.opened or difference.closed or difference.other:
        return FINDINGS
    return INCOMPLETE if old.incomplete or new.incomplete or not difference.flows else 0


def _only_what_diff_honours(flags: argparse.Namespace) -> None:
    """Raise UsageError for a filter that a comparison would not heed."""
    filters = {
        "-n": flags.namespace,
        "-l": flags.selector,
        "--from": flags.sources,
        "--to": flags.destinations,
        "--fail-on": flags.fail_on,
        "--expect": flags.expect,
    }
    given = [name for name, value in filters.items() if value]
    if given:
        raise UsageError(
            f"--diff takes no {given[0]}",
            why="it compares every flow between two sets of manifests",
            attempt="--port to narrow it, or -o json and a filter of your own",
        )

"""The user's expectations as rows: what was expected, what came of it, and of how many flows.

Pure.  The same for audits, where packets have spoken, and for predictions, where only the model has.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from auditor.model.expectation import Accord
from auditor.model.report import ExpectationEntry, ExpectedFlowEntry
from reports import words
from reports.words import Sign

HEADERS = ("accord", "expectation", "expected", "flows kept", "because")
_KEPT = frozenset({Accord.KEPT.value, Accord.LATE.value})


@dataclass(frozen=True, slots=True)
class Expected:
    """One expectation with the flow that fared worst."""

    sign: Sign
    title: str
    entry: ExpectationEntry
    kept: str
    """Of its flows, in words."""
    because: str


def expected_rows(entries: Iterable[ExpectationEntry]) -> tuple[Expected, ...]:
    """The rows, worst first and then in the order of the files."""
    rows = [_row(entry) for entry in entries]
    return tuple(sorted(rows, key=lambda row: row.sign.rank))


def _row(entry: ExpectationEntry) -> Expected:
    kept = sum(flow.accord in _KEPT for flow in entry.flows)
    return Expected(
        sign=words.sign_of(words.ACCORDS, entry.accord),
        title=entry.name or f"{entry.source} to {entry.destination} on {entry.port}",
        entry=entry,
        kept=f"{kept:,} of {len(entry.flows):,}",
        because=f"{entry.meaning}; {_worst(entry)} ({entry.place})",
    )


def _worst(entry: ExpectationEntry) -> str:
    """The first flow that gave the expectation its accord, and how it did."""
    found = next((flow for flow in entry.flows if flow.accord == entry.accord), None)
    return "it covers no flow" if found is None else f"{_way(found)}: the model says {found.verdict}; {found.reason}"


def _way(flow: ExpectedFlowEntry) -> str:
    return f"{flow.source} to {flow.destination} on {flow.protocol} {flow.port}"


def sentence(rows: Sequence[Expected]) -> str:
    """How many there are, and of which kind."""
    parts = words.tally(row.sign.word for row in rows)
    return f"{words.plural(len(rows), 'expectation')}: {parts}."

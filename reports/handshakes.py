"""Handshakes with strangers as rows: what was expected, what came of it, and why.

Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from auditor.model.report import AuditReport, HandshakeEntry
from reports import words
from reports.words import Sign

HEADERS = ("result", "from", "to", "port", "expected", "because")


@dataclass(frozen=True, slots=True)
class Met:
    """One handshake."""

    sign: Sign
    source: str
    entry: HandshakeEntry
    port: str
    expected: str
    because: str


def handshake_rows(report: AuditReport) -> tuple[Met, ...]:
    """The rows, worst first and then in their order."""
    titles = {item.id: item.title for item in report.identities}
    nodes = {item.key: item.node for item in report.stand_ins}
    rows = [_row(item, titles, nodes) for item in report.handshakes]
    return tuple(sorted(rows, key=lambda row: row.sign.rank))


def _row(entry: HandshakeEntry, titles: dict[str, str], nodes: dict[str, str]) -> Met:
    sign = words.sign_of(words.ACCORDS if entry.accord else words.AGREEMENTS, entry.accord or entry.agreement)
    node = nodes.get(entry.source, "")
    source = titles.get(entry.source_identity, entry.source_identity)
    return Met(
        sign=sign,
        source=f"{source} on {node}" if node else source,
        entry=entry,
        port=f"{entry.port}/{entry.protocol}",
        expected=entry.expected or f"{entry.verdict}, by the policies",
        because=f"the policies say {entry.verdict}; {entry.reason}",
    )


def sentence(rows: Sequence[Met]) -> str:
    """How many there are, and of which kind."""
    parts = words.tally(row.sign.word for row in rows)
    return f"{words.plural(len(rows), 'handshake')}, nothing sent: {parts}."

"""ICMP as rows: pairs that came out alike together, with what that tells.

Pure.  A diagnostic: no sign here says that something is right or wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from auditor.model.ping import Echo, PingEntry
from auditor.model.report import AuditReport
from reports import words
from reports.words import Sign, plural

TITLE = "Ping (a diagnostic: NetworkPolicy says nothing about ICMP)"
HEADERS = ("ping", "between", "pairs", "for example", "what that tells")
MEANING = (
    "Nothing here is a verdict, and nothing else in this report hangs on it. Unpoliced twins are netaudit's own pods, "
    "one on each of the two nodes."
)
SHOWN = 2
"""Pairs that are named of each group."""
_ORDER = {item.value: number for number, item in enumerate(Echo)}


@dataclass(frozen=True, slots=True)
class Pings:
    """Pairs of one kind that came out alike."""

    sign: Sign
    between: str
    pairs: int
    examples: str
    told: str


def ping_rows(report: AuditReport) -> tuple[Pings, ...]:
    """The rows: twins first, of each kind what was answered first, and what tells something before what does not."""
    groups: dict[tuple[str, str, str], list[PingEntry]] = {}
    for entry in sorted(report.pings, key=_order):
        groups.setdefault((entry.between, entry.outcome, entry.meaning or _plain(entry)), []).append(entry)
    titles = {item.id: item.title for item in report.identities}
    return tuple(
        Pings(
            # Neutral on purpose: an echo is neither right nor wrong.
            sign=replace(words.NOT_TESTED, word=outcome),
            between=between,
            pairs=len(found),
            examples=_examples(found, titles),
            told=told,
        )
        for (between, outcome, told), found in groups.items()
    )


def _order(entry: PingEntry) -> tuple[bool, int, bool, str, int]:
    last = len(_ORDER)
    return entry.between == "probe pods", _ORDER.get(entry.outcome, last), not entry.meaning, entry.meaning, entry.id


def _plain(entry: PingEntry) -> str:
    """What was seen, where it tells nothing more; how an echo came back needs no words."""
    return "" if entry.outcome == Echo.ANSWERED.value else entry.reason


def _examples(found: Sequence[PingEntry], titles: dict[str, str]) -> str:
    # A pair of two families is named once.
    named = dict.fromkeys(_pair(entry, titles) for entry in found)
    more = f" and {len(named) - SHOWN:,} more" if len(named) > SHOWN else ""
    return "; ".join(list(named)[:SHOWN]) + more


def _pair(entry: PingEntry, titles: dict[str, str]) -> str:
    if entry.between != "probe pods":
        return f"{entry.source_node} to {entry.destination_node}"
    one, other = (titles.get(key, key) for key in (entry.source_identity, entry.destination_identity))
    return f"{one} on {entry.source_node} to {other} on {entry.destination_node}"


def sentence(rows: Sequence[Pings]) -> str:
    """How many pairs of each kind came out how."""
    parts = []
    for between in dict.fromkeys(row.between for row in rows):
        found = [row.sign.word for row in rows if row.between == between for _ in range(row.pairs)]
        parts.append(f"{between}: {plural(len(found), 'pair')}, {words.tally(found)}")
    return f"{'; '.join(parts)}."

"""Ways to netaudit's own pod as rows: through which Service, what the policies say, and what came of it.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from auditor.model.flow import Verdict
from auditor.model.report import NameEntry, ServicePathEntry
from auditor.model.service_path import Resolving
from reports import words
from reports.words import Sign, plural

HEADERS = ("result", "by", "from", "to", "policies say", "because")
MEANING = (
    "One pod of netaudit's own, met through Services of its own, without policies first and then with netaudit's own; "
    "a gated caller may use one port of it. The pod's own address stands beside the Services for comparison."
)
NAME_HEADERS = ("result", "name", "from", "time", "because")
NAMES_MEANING = (
    "Time to resolve a name, apart from connecting: until the first address, and the quickest of all tries. A name "
    "that does not resolve says nothing of a policy."
)
_JUDGED = frozenset({Verdict.ALLOWED.value, Verdict.DENIED.value})


@dataclass(frozen=True, slots=True)
class Crossing:
    """One path."""

    sign: Sign
    source: str
    target: str
    entry: ServicePathEntry


def path_rows(entries: Iterable[ServicePathEntry]) -> tuple[Crossing, ...]:
    """The rows, worst first and then in the order of the report."""
    rows = [_row(entry) for entry in entries]
    return tuple(sorted(rows, key=lambda row: row.sign.rank))


def _row(entry: ServicePathEntry) -> Crossing:
    door = f", the port of {entry.node}" if entry.node else ""
    behind = "" if entry.port == entry.target_port else f", which is {entry.target_port} of the pod"
    return Crossing(
        sign=_sign(entry),
        source=f"{entry.caller} pod on {entry.source_node}",
        target=f"{entry.address} port {entry.port}{door}{behind}",
        entry=entry,
    )


def _sign(entry: ServicePathEntry) -> Sign:
    """Where the API leaves the verdict open nothing is judged, and what was seen is the result."""
    if entry.verdict in _JUDGED:
        return words.sign_of(words.AGREEMENTS, entry.agreement)
    return replace(words.NOT_TESTED, word=f"not judged, {entry.outcome}")


def sentence(rows: Sequence[Crossing]) -> str:
    """How many paths there are, and what came of them."""
    parts = words.tally(row.sign.word for row in rows)
    return f"{plural(len(rows), 'path')}: {parts}."


@dataclass(frozen=True, slots=True)
class Naming:
    """One name."""

    sign: Sign
    time: str
    because: str
    entry: NameEntry


def name_rows(entries: Iterable[NameEntry]) -> tuple[Naming, ...]:
    """The rows, those without an address first, and then in the order of the report."""
    rows = [_name(entry) for entry in entries]
    return tuple(sorted(rows, key=lambda row: row.sign.rank))


def _name(entry: NameEntry) -> Naming:
    good = entry.outcome == Resolving.RESOLVED.value
    sign = replace(words.AS_EXPECTED if good else words.INCONCLUSIVE, word=entry.outcome)
    time = f"{entry.milliseconds:,} ms, quickest {entry.quickest_milliseconds:,} ms" if entry.milliseconds >= 0 else "-"
    told = f"it is {', '.join(entry.addresses)} ({entry.family})" if good else f"{entry.reason} ({entry.family})"
    return Naming(sign, time if good else "-", told, entry)

"""How soon policies held, as rows: what was changed, where, and how long it took.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from auditor.model.timing import Change, EnforcementEntry, Pace
from reports import words
from reports.words import Sign, plural

HEADERS = ("time to enforce", "change", "node", "direction", "tries", "because")
MEANING = (
    "New connections only, from or to a pod of netaudit's own on that node. A new policy counts from the API server's "
    "answer, a fresh pod from the start of its first process; what is said is the longest that it can have been."
)
_LATE = {
    Pace.AT_ONCE.value: words.AS_EXPECTED,
    Pace.AFTER.value: words.LATE,
    Pace.INCONCLUSIVE.value: words.INCONCLUSIVE,
}


@dataclass(frozen=True, slots=True)
class Timed:
    """One figure."""

    sign: Sign
    """Its word is the time, with what is not known of it."""
    entry: EnforcementEntry


def timed_rows(entries: Iterable[EnforcementEntry]) -> tuple[Timed, ...]:
    """The rows, worst first and then in the order of the report."""
    rows = [Timed(replace(_sign(entry), word=_time(entry)), entry) for entry in entries]
    return tuple(sorted(rows, key=lambda row: row.sign.rank))


def _sign(entry: EnforcementEntry) -> Sign:
    if entry.pace == Pace.NEVER.value:
        return words.BLOCKAGE if entry.change == Change.POLICY_REMOVED.value else words.LEAK
    if entry.pace == Pace.AFTER.value and entry.change != Change.FRESH_POD.value:
        # No engine can follow before it is told: only a pod that a policy selects already is to be denied at once.
        return words.AS_EXPECTED
    return words.sign_of(_LATE, entry.pace)


def _time(entry: EnforcementEntry) -> str:
    if entry.pace == Pace.NEVER.value:
        return f"never (within {entry.limit_seconds:g} s)"
    if entry.milliseconds < 0:
        return entry.pace
    if entry.pace == Pace.AT_ONCE.value:
        return f"at once (first try within {entry.milliseconds:,} ms)"
    return f"at most {entry.milliseconds:,} ms (-{entry.resolution_milliseconds:,})"


def sentence(rows: Sequence[Timed]) -> str:
    """How many figures there are, and of which kind."""
    parts = words.tally(row.entry.pace for row in rows)
    return f"{plural(len(rows), 'change')} timed: {parts}."

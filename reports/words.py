"""What results are called and which sign stands for them: one glyph and one word each, worst first.

Views add colour, never instead of these.  Values that a later version may add are shown under their own word and
treated with the caution of an inconclusive result.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from auditor.model.expectation import Accord
from auditor.model.finding import Agreement, Proof, Severity
from auditor.model.flow import Verdict
from auditor.model.probe import Outcome
from auditor.model.report import FlowEntry
from auditor.model.words import plural as plural  # noqa: PLC0414 - views take all their words from here


@dataclass(frozen=True, slots=True)
class Sign:
    """How one kind of result is shown; `key` names it for style sheets and paint."""

    key: str
    glyph: str
    word: str
    rank: int
    """0 is what a reader must see first."""


LEAK = Sign("leak", "!", "leak", 0)
BLOCKAGE = Sign("blockage", "×", "blockage", 1)
INCONCLUSIVE = Sign("inconclusive", "?", "inconclusive", 2)
LATE = Sign("late", "~", "late", 3)
AS_EXPECTED = Sign("expected", "✓", "as expected", 4)

AGREEMENTS: dict[str, Sign] = {
    Agreement.LEAK.value: LEAK,
    Agreement.BLOCKAGE.value: BLOCKAGE,
    Agreement.INCONCLUSIVE.value: INCONCLUSIVE,
    Agreement.LATE.value: LATE,
    Agreement.AS_EXPECTED.value: AS_EXPECTED,
}

SOME_REACHED = Sign("some-reached", "◐", "as expected, some reached", 4)
REACHED = Sign("reached", "●", "as expected, reached", 5)
NOT_REACHED = Sign("not-reached", "○", "as expected, not reached", 6)
NOT_TESTED = Sign("not-tested", "·", "not tested", 7)

CELL_SIGNS: tuple[Sign, ...] = (
    LEAK,
    BLOCKAGE,
    INCONCLUSIVE,
    LATE,
    SOME_REACHED,
    REACHED,
    NOT_REACHED,
    NOT_TESTED,
)
"""Everything that a cell of the pod matrix can say, worst first."""

PROOFS: dict[str, Sign] = {
    Proof.LEAKING.value: Sign("leak", "!", Proof.LEAKING.value, 0),
    Proof.NOT_PROVEN.value: Sign("inconclusive", "?", Proof.NOT_PROVEN.value, 1),
    Proof.PROVEN.value: Sign("expected", "✓", Proof.PROVEN.value, 2),
    Proof.UNTESTED.value: Sign("inconclusive", "–", Proof.UNTESTED.value, 1),
    Proof.NOT_CHOSEN.value: Sign("not-tested", "○", Proof.NOT_CHOSEN.value, 3),
    Proof.NOT_APPLICABLE.value: Sign("not-tested", "·", Proof.NOT_APPLICABLE.value, 3),
}

ACCORDS: dict[str, Sign] = {
    Accord.LEAK.value: LEAK,
    Accord.POLICIES_ALLOW.value: Sign("leak", "!", Accord.POLICIES_ALLOW.value, 0),
    Accord.BLOCKAGE.value: BLOCKAGE,
    Accord.POLICIES_FORBID.value: Sign("blockage", "×", Accord.POLICIES_FORBID.value, 1),
    Accord.AGAINST_POLICIES.value: Sign("inconclusive", "?", Accord.AGAINST_POLICIES.value, 2),
    Accord.INCONCLUSIVE.value: INCONCLUSIVE,
    Accord.LATE.value: Sign("late", "~", Accord.LATE.value, 3),
    Accord.KEPT.value: Sign("expected", "✓", Accord.KEPT.value, 4),
}
"""What user, model and packets say together."""

STATUSES: dict[str, Sign] = {
    "findings": Sign("leak", "!", "findings", 0),
    "incomplete": Sign("inconclusive", "?", "incomplete", 1),
    "clean": Sign("expected", "✓", "clean", 2),
}

VERDICTS: dict[Verdict, Sign] = {
    Verdict.ALLOWED: Sign("allowed", ".", Verdict.ALLOWED.value, 3),
    Verdict.DENIED: Sign("denied", "X", Verdict.DENIED.value, 2),
    Verdict.UNDEFINED: Sign("undefined", "?", Verdict.UNDEFINED.value, 1),
    Verdict.UNKNOWN: Sign("unknown", "~", Verdict.UNKNOWN.value, 0),
}
"""Cells of predictions.  ASCII: a cell is its sign alone, and a terminal that lacks a glyph shows `?` for it."""
MIXED = Sign("mixed", "%", "mixed", 1)
"""A cell for flows that have not all the same verdict."""
ITSELF = Sign("itself", "=", "only itself", 3)
"""A cell between a single pod and itself, which no policy forbids."""

SEVERITIES: tuple[str, ...] = tuple(severity.value for severity in Severity)


def sign_of(table: dict[str, Sign], value: str) -> Sign:
    """Look `value` up; one that this version does not know keeps its own word and the sign of doubt."""
    known = table.get(value)
    return replace(INCONCLUSIVE, word=value or "unknown") if known is None else known


def agreement_of(flow: FlowEntry) -> Sign:
    """How a flow was judged."""
    return sign_of(AGREEMENTS, flow.agreement)


def cell_sign_of(flow: FlowEntry) -> Sign:
    """How a flow shows in the pod matrix, where as expected is told apart by what was measured."""
    sign = agreement_of(flow)
    if sign is not AS_EXPECTED:
        return sign
    return REACHED if flow.outcome == Outcome.REACHED.value else NOT_REACHED


def severity_rank(severity: str) -> int:
    """0 for critical; a severity that this version does not know comes last."""
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def tally(names: Iterable[str]) -> str:
    """Count each word, in the order in which they first come: `3 leak, 1 late`."""
    return ", ".join(f"{number:,} {name}" for name, number in Counter(names).items())

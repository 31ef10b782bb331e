"""A walk through tiers: what is possible at its end, and what a reader is told."""

from __future__ import annotations

import pytest

from auditor.evaluate.end import Applied, End, Selection
from auditor.evaluate.match import Asked
from auditor.evaluate.reasons import decision
from auditor.evaluate.walk import walk
from auditor.model.flow import Direction, DirectionDecision, Family, PolicyRef, Protocol, Traffic, Verdict
from auditor.model.rules import (
    ADMIN,
    BASELINE,
    EVERYTHING_AT_ALL,
    MIDDLE,
    NOTHING,
    Action,
    Clause,
    EndKind,
    Match,
    Section,
    Tier,
    Unsure,
)

ENDS = End(EndKind.OUTSIDE, {}), End(EndKind.OUTSIDE, {})
ASKED = Asked(*ENDS, ENDS[0], Traffic(Family.IPV4, Protocol.TCP, 80))
YES, NO = EVERYTHING_AT_ALL, NOTHING
OPEN, UNKNOWN = (Unsure(match, f"is {match.name.lower()}", YES) for match in (Match.OPEN, Match.UNKNOWN))
ALLOW, DENY, PASS = Action.ALLOW, Action.DENY, Action.PASS
Clauses = list[tuple[Action, object]]


def section(
    tier: Tier, rank: float, clauses: Clauses, *, sure: bool = True, name: str = "", isolates: bool = True
) -> Applied:
    made = tuple(Clause(action, f"ingress[{it}]", peer) for it, (action, peer) in enumerate(clauses))  # type: ignore[arg-type]
    ref = PolicyRef("", name or f"{tier.name[0].lower()}{rank:g}")
    return Applied(Section(ref, Direction.INGRESS, tier, (rank, ""), YES, made, isolates), sure)


def decided(*sections: Applied) -> DirectionDecision:
    return decision(Direction.INGRESS, walk(Selection(sections), ASKED), ASKED)


@pytest.mark.parametrize(
    ("sections", "verdict"),
    [
        ([], Verdict.ALLOWED),
        ([(ADMIN, 1, [])], Verdict.ALLOWED),
        ([(MIDDLE, 1, [])], Verdict.DENIED),
        ([(MIDDLE, 1, [(ALLOW, YES)])], Verdict.ALLOWED),
        ([(MIDDLE, 1, [(ALLOW, NO)])], Verdict.DENIED),
        ([(MIDDLE, 1, [(ALLOW, OPEN)])], Verdict.UNDEFINED),
        ([(MIDDLE, 1, [(ALLOW, UNKNOWN)])], Verdict.UNKNOWN),
        ([(MIDDLE, 1, [(ALLOW, UNKNOWN), (ALLOW, YES)])], Verdict.ALLOWED),
        ([(ADMIN, 1, [(DENY, YES)]), (MIDDLE, 1, [(ALLOW, YES)])], Verdict.DENIED),
        ([(ADMIN, 1, [(ALLOW, YES)]), (MIDDLE, 1, [])], Verdict.ALLOWED),
        ([(ADMIN, 1, [(PASS, YES), (DENY, YES)]), (BASELINE, 1, [(ALLOW, YES)])], Verdict.ALLOWED),
        ([(ADMIN, 1, [(PASS, YES)]), (MIDDLE, 1, [])], Verdict.DENIED),
        ([(ADMIN, 1, [(PASS, OPEN), (DENY, YES)])], Verdict.UNDEFINED),
        ([(ADMIN, 1, [(DENY, OPEN)]), (MIDDLE, 1, [])], Verdict.DENIED),
        ([(ADMIN, 2, [(DENY, YES)]), (ADMIN, 1, [(ALLOW, YES)])], Verdict.ALLOWED),
        ([(ADMIN, 1, [(DENY, UNKNOWN)]), (ADMIN, 2, [(DENY, YES)])], Verdict.DENIED),
        ([(BASELINE, 1, [(DENY, YES)])], Verdict.DENIED),
        ([(MIDDLE, 1, [(ALLOW, YES)]), (BASELINE, 1, [(DENY, YES)])], Verdict.ALLOWED),
    ],
)
def test_first_match_decides_tier_by_tier(sections: list[tuple[Tier, int, Clauses]], verdict: Verdict) -> None:
    assert verdict is decided(*(section(*item) for item in sections)).verdict


def test_equal_ranks_that_differ_are_a_tie_with_names() -> None:
    found = decided(section(ADMIN, 1, [(ALLOW, YES)], name="a"), section(ADMIN, 1, [(DENY, YES)], name="b"))

    assert Verdict.UNDEFINED is found.verdict
    assert "a, b have equal priority and say different things; the API leaves the order to the engine" == found.reason


def test_equal_ranks_that_agree_are_no_tie() -> None:
    assert Verdict.DENIED is decided(section(ADMIN, 1, [(DENY, YES)]), section(ADMIN, 1, [(DENY, YES)])).verdict


def test_selection_that_was_not_read_leaves_both_possible() -> None:
    found = decided(section(MIDDLE, 1, [], sure=False))

    assert Verdict.UNKNOWN is found.verdict
    assert Verdict.DENIED is decided(section(MIDDLE, 1, [], sure=False), section(MIDDLE, 1, [], name="x")).verdict


def test_section_that_does_not_isolate_brings_no_denial() -> None:
    assert Verdict.ALLOWED is decided(section(MIDDLE, 1, [(ALLOW, NO)], isolates=False)).verdict


def test_reasons_name_who_decides() -> None:
    allowed = decided(section(MIDDLE, 1, [(ALLOW, YES), (ALLOW, YES)], name="p"))
    denied = decided(section(ADMIN, 1, [(DENY, YES)], name="p"))
    isolated = decided(section(MIDDLE, 1, [], name="p"))
    doubtful = decided(section(MIDDLE, 1, [(ALLOW, NO), (ALLOW, OPEN)], name="p"))

    assert ("allowed by p.ingress[0] and 1 more", ("p.ingress[0]", "p.ingress[1]")) == (
        allowed.reason,
        allowed.allowing,
    )
    assert ("denied by p.ingress[0]", ("p.ingress[0]",)) == (denied.reason, denied.denying)
    assert "1 policy isolates it for Ingress and no rule allows the flow" == isolated.reason
    assert ("p.ingress[1] is open", ("p.ingress[1]",)) == (doubtful.reason, doubtful.allowing)
    assert "no policy isolates it for Ingress" == decided().reason

"""Findings about policies that hold late or never."""

from __future__ import annotations

import pytest

from auditor.diagnosis import diagnose
from auditor.diagnosis.case import Case
from auditor.model.finding import Comparison, Confidence, Finding, Severity
from auditor.model.flow import Direction
from auditor.model.probe import ProbePlan
from auditor.model.timing import Change, Figure, Pace

NEW, FRESH, REMOVED = Change
LOW, MEDIUM, HIGH = Severity.LOW, Severity.MEDIUM, Severity.HIGH


def figure(change: Change, pace: Pace, milliseconds: int = 100, node: str = "n1") -> Figure:
    return Figure(change, node, Direction.INGRESS, pace, "as the test says", milliseconds, 90, 40)


def found(*figures: Figure, doubts: tuple[str, ...] = ()) -> tuple[Finding, ...]:
    return diagnose(Case(ProbePlan((), (), ()), {}, Comparison(()), {}, "uid", doubts, timed=figures))


@pytest.mark.parametrize(
    ("change", "pace", "milliseconds", "severity"),
    [
        (NEW, Pace.NEVER, 45_000, HIGH),
        (NEW, Pace.AFTER, 30_000, MEDIUM),
        (NEW, Pace.AFTER, 5_000, LOW),
        (NEW, Pace.AFTER, 4_999, None),
        (NEW, Pace.AT_ONCE, 90, None),
        (FRESH, Pace.NEVER, 45_000, HIGH),
        (FRESH, Pace.AFTER, 5_000, MEDIUM),
        (FRESH, Pace.AFTER, 1, LOW),
        (FRESH, Pace.AT_ONCE, 9_000, None),
        (REMOVED, Pace.NEVER, 45_000, MEDIUM),
        (REMOVED, Pace.AFTER, 40_000, None),
        *((change, Pace.INCONCLUSIVE, -1, None) for change in Change),
    ],
)
def test_how_bad_it_is(change: Change, pace: Pace, milliseconds: int, severity: Severity | None) -> None:
    assert [item.severity for item in found(figure(change, pace, milliseconds))] == [severity] * (severity is not None)


def test_one_finding_for_each_change_with_all_nodes_in_it() -> None:
    never = [figure(change, Pace.NEVER, 5_000, node) for change in (NEW, FRESH) for node in ("n1", "n2")]
    one, other = found(*never, figure(NEW, Pace.AFTER, 6_000, "n3"))

    assert {one.rule, other.rule} == {"enforcement"}
    assert sorted(len(item.evidence) for item in (one, other)) == [2, 3]
    assert all("n1 and n2" in item.title and "n3" not in item.title for item in (one, other))


def test_the_id_is_of_the_fault_and_not_of_the_node_or_the_time() -> None:
    ids = {found(figure(FRESH, Pace.AFTER, *one))[0].id for one in ((100, "n1"), (9_000, "n2"))}

    assert len(ids) == 1
    assert ids != {found(figure(NEW, Pace.NEVER))[0].id}


def test_what_was_not_read_makes_it_less_sure() -> None:
    (item,) = found(figure(NEW, Pace.NEVER), doubts=("clusternetworkpolicies: it answered 403",))

    assert item.confidence is Confidence.LIKELY
    assert "clusternetworkpolicies" in item.cause

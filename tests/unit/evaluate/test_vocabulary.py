"""What a predicate says of every pod of a namespace, and on which questions it still depends."""

from __future__ import annotations

import pytest

from auditor.evaluate.vocabulary import about_pods, at_home, homes_of, leaves
from auditor.model.cluster import Namespace
from auditor.model.labels import equals
from auditor.model.rules import (
    ANY_POD,
    EVERYTHING_AT_ALL,
    NOTHING,
    AllOf,
    AnyOf,
    InNamespace,
    Match,
    NamespaceLabels,
    NodeLabels,
    Not,
    OwnNode,
    PodLabels,
    Predicate,
    Unsure,
)

HOME = Namespace("shop", {"team": "a"})
HERE, THERE = InNamespace("shop"), InNamespace("ops")
WEB, TEAM = PodLabels(equals({"app": "web"})), NamespaceLabels(equals({"team": "a"}))


@pytest.mark.parametrize(
    ("predicate", "answer"),
    [
        (EVERYTHING_AT_ALL, Match.YES),
        (NOTHING, Match.NO),
        (ANY_POD, Match.YES),
        (HERE, Match.YES),
        (THERE, Match.NO),
        (TEAM, Match.YES),
        (NodeLabels(equals({})), Match.NO),
        (OwnNode(), Match.NO),
        (WEB, None),
        (Not(HERE), Match.NO),
        (Not(NodeLabels(equals({}))), Match.YES),
        (Not(WEB), None),
        (AllOf((HERE, WEB)), None),
        (AllOf((THERE, WEB)), Match.NO),
        (AllOf((HERE, Not(THERE))), Match.YES),
        (AnyOf((HERE, WEB)), Match.YES),
        (AnyOf((THERE, WEB)), None),
        (Unsure(Match.OPEN, "", HERE), None),
    ],
)
def test_answer_for_all_pods_of_a_namespace(predicate: Predicate, answer: Match | None) -> None:
    assert answer is at_home(predicate, HOME)


def test_labels_that_were_not_read_are_unknown() -> None:
    unread = Namespace("shop", labels_known=False)

    assert Match.UNKNOWN is at_home(TEAM, unread) is at_home(Not(TEAM), unread)


def test_settled_parts_ask_nothing_of_pods() -> None:
    assert [WEB] == list(about_pods(AllOf((HERE, WEB)), HOME))
    assert [] == list(about_pods(AllOf((THERE, WEB)), HOME))
    assert [] == list(about_pods(AnyOf((HERE, WEB)), HOME))
    assert [WEB] == list(about_pods(Not(AnyOf((THERE, WEB))), HOME))


def test_homes_are_those_of_alternatives() -> None:
    both = AllOf((HERE, WEB))

    assert [(both, "shop"), (WEB, None), (THERE, "ops")] == list(homes_of(AnyOf((both, AnyOf((WEB, THERE))))))


def test_leaves_have_no_parts() -> None:
    assert [HERE, WEB, TEAM, THERE] == list(
        leaves(AllOf((HERE, AnyOf((WEB, Not(TEAM))), Unsure(Match.OPEN, "", THERE))))
    )

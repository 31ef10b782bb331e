"""Policies of ordered kinds whose order is left to chance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations

from auditor.lint.case import Case, Hit, Lint
from auditor.lint.hints import listed
from auditor.lint.views import PolicyView, RuleView
from auditor.model.flow import Direction
from auditor.model.lint import LintSeverity
from auditor.model.rules import Ports, Tier
from auditor.model.words import plural

Rank = tuple[Tier, tuple[float, str], Direction]


def equal_priorities(case: Case) -> Iterator[Hit]:
    """Policies of one tier and one priority that do different things with the same traffic."""
    against: dict[int, list[PolicyView]] = defaultdict(list)
    for (_, _, direction), views in _ranks(case).items():
        for one, other in combinations(views, 2):
            if one.subject & other.subject and _contradict(one, other, direction):
                against[id(one)].append(other)
    for view in case.policies:
        if id(view) in against:
            yield _equal(case, view, against[id(view)])


def _ranks(case: Case) -> dict[Rank, list[PolicyView]]:
    """Policies of other kinds than NetworkPolicy, which has no order, by their place in it."""
    ranks: dict[Rank, list[PolicyView]] = defaultdict(list)
    for view in case.policies:
        for section in view.sections if view.policy is None else ():
            ranks[section.tier, section.rank, section.direction].append(view)
    return ranks


def _equal(case: Case, view: PolicyView, others: list[PolicyView]) -> Hit:
    section = view.sections[0]
    shared = 0
    for other in others:
        shared |= view.subject & other.subject
    names = listed(f"{other.ref.kind} {other.ref}" for other in others)
    return Hit(
        view.object,
        "spec.priority",
        f"has the priority of {names}, and what comes first is the engine's choice",
        (
            f"all are in the tier {section.tier.name} with priority {section.rank[0]:g}",
            f"they say different things of the same traffic for {plural(case.crowd.count(shared), 'pod')}",
        ),
        "give each its own priority",
        "priority:" + names,
    )


def _contradict(one: PolicyView, other: PolicyView, direction: Direction) -> bool:
    return any(
        mine.clause.action is not yours.clause.action and _meet(mine, yours)
        for mine in one.rules_of(direction)
        for yours in other.rules_of(direction)
    )


def _meet(one: RuleView, other: RuleView) -> bool:
    """Whether some traffic may be meant by both."""
    return bool(one.pods & other.pods or (one.beyond and other.beyond)) and _ports_meet(
        one.clause.ports, other.clause.ports
    )


def _ports_meet(one: tuple[Ports, ...], other: tuple[Ports, ...]) -> bool:
    plain = [ports for ports in (*one, *other) if not ports.inverted]
    if len(plain) < 2:  # noqa: PLR2004  # without two lists there is nothing that could differ
        return True
    return any(
        None in {mine.protocol, yours.protocol} or mine.protocol is yours.protocol
        for mine in plain[0].terms
        for yours in plain[1].terms
        if mine.name or yours.name or (mine.first <= yours.last and yours.first <= mine.last)
    )


EQUAL_PRIORITIES = Lint("priority-shared", "an order that is left to chance", LintSeverity.WARNING, equal_priorities)

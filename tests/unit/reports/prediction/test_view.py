"""Names, ports, order and grouping of what formats show."""

from __future__ import annotations

from dataclasses import replace

import pytest

from auditor.census import BIT, VERDICTS, Total
from auditor.model.flow import Direction, Family, Protocol
from auditor.model.lint import LintSeverity
from auditor.model.matrix import Query
from auditor.model.prediction import Coverage
from reports.prediction import view
from tests.builders import allow, block, pod, policy, selector
from tests.unit.reports.prediction.samples import finding, foreseen, shop

V4, V6 = Family.IPV4, Family.IPV6
WEB: Query = (Protocol.TCP, 80)
DNS: Query = (Protocol.UDP, 53)
ERROR, WARNING, INFO = LintSeverity


def test_each_verdict_has_a_sign_of_its_own_and_mixtures_another() -> None:
    single = [view.signs(bytes([BIT[verdict]])) for verdict in VERDICTS]

    assert [".", "X", "?", "~"] == single
    assert {"%"} == {view.signs(bytes([cell])) for cell in range(16) if cell.bit_count() > 1}


@pytest.mark.parametrize(
    ("asked", "families", "names"),
    [
        ([(V4, WEB)], (V4,), ("80/TCP",)),
        ([(V6, WEB)], (V6,), ("80/TCP",)),
        ([(V4, WEB), (V6, WEB)], (V4, V6), ("80/TCP",)),
        ([(V4, WEB)], (V4, V6), ("80/TCP IPv4",)),
        ([(V4, WEB), (V6, DNS), (V6, WEB)], (V4, V6), ("80/TCP", "53/UDP IPv6")),
        ([], (), ()),
    ],
)
def test_family_is_named_where_it_matters(
    asked: list[tuple[Family, Query]], families: tuple[Family, ...], names: tuple[str, ...]
) -> None:
    assert names == view.port_names(asked, families)


def test_total_names_its_family_where_there_are_several() -> None:
    assert "80/TCP IPv6" == view.total_name(Total(V6, WEB, ()), (V4, V6))
    assert "80/TCP" == view.total_name(Total(V6, WEB, ()), (V6,))


def test_identities_of_one_title_are_told_apart_by_labels() -> None:
    twins = (pod("a/x-1", owner="Deployment/x", app="x", tier="1"), pod("a/x-2", owner="Deployment/x", app="x"))

    found = foreseen(*twins, policy("a/p", selector(tier="1"), ingress=[allow()]))

    assert ["a/x", "a/x (tier=1)"] == sorted(view.names(found))


def test_identities_that_only_addresses_tell_apart_have_their_ids() -> None:
    twins = (pod("a/x-1", owner="Deployment/x", at=["10.1.0.1"]), pod("a/x-2", owner="Deployment/x", at=["10.2.0.1"]))
    found = foreseen(*twins, policy("a/p", ingress=[allow(block("10.1.0.0/16"))]))

    names = view.names(found)

    assert 2 == len(set(names))
    assert all(name.startswith("a/x") for name in names)


def test_directions_and_labels_are_told_in_order() -> None:
    web = shop().matrix.identities[3]

    assert ("ingress and egress", "app=web") == (view.isolated_text(web), view.labels_text(web))
    assert ("", "") == (view.isolated_text(shop().matrix.identities[0]), view.labels_text(shop().matrix.identities[0]))


def coverage(*rows: tuple[str, int, int, bool, int, bool]) -> list[str]:
    items = [
        Coverage(name, way, pods, isolated, deny)
        for name, pods, ingress, ingress_deny, egress, egress_deny in rows
        for way, isolated, deny in (
            (Direction.INGRESS, ingress, ingress_deny),
            (Direction.EGRESS, egress, egress_deny),
        )
    ]
    return [item.namespace for item in view.coverage(replace(shop(), coverage=tuple(items)))]


def test_namespaces_with_most_exposed_pods_come_first() -> None:
    assert ["open", "half", "in-only", "later", "a-closed", "closed"] == coverage(
        ("a-closed", 9, 9, True, 9, True),
        ("closed", 9, 9, True, 9, True),
        ("later", 9, 9, False, 9, False),
        ("in-only", 9, 9, True, 0, False),
        ("half", 9, 4, False, 0, False),
        ("open", 9, 0, False, 0, False),
    )


def test_a_direction_that_is_missing_isolates_nothing() -> None:
    only = Coverage("a", Direction.EGRESS, 3, 2, default_deny=True)

    assert (view.Covered("a", 3, 0, False, 2, True),) == view.coverage(replace(shop(), coverage=(only,)))


@pytest.mark.parametrize(
    ("covered", "closed"),
    [
        (view.Covered("a", 3, 3, True, 3, True), True),
        (view.Covered("a", 3, 3, False, 3, True), False),
        (view.Covered("a", 3, 3, True, 3, False), False),
        (view.Covered("a", 3, 2, True, 3, True), False),
        (view.Covered("a", 3, 3, True, 2, True), False),
    ],
)
def test_namespace_is_closed_when_nothing_is_left_to_be_done(covered: view.Covered, closed: bool) -> None:
    assert closed == covered.closed


def test_findings_stand_one_by_one_while_they_are_few() -> None:
    found = (*(finding(number, WARNING, "a") for number in range(3)), finding(9, INFO))

    told = view.oddities(replace(shop(), findings=found), 3)

    assert [(item, 1) for item in found[:3]] == [(item.first, item.times) for item in told]
    assert 1 == view.infos(replace(shop(), findings=found))


def test_many_findings_are_gathered_by_rule_worst_and_most_frequent_first() -> None:
    rules = (("a", WARNING), ("b", WARNING), ("b", WARNING), ("c", ERROR), ("d", INFO), ("d", INFO))
    found = tuple(finding(number, severity, rule) for number, (rule, severity) in enumerate(rules))

    told = view.oddities(replace(shop(), findings=found), 3)

    assert [("c", 1, 3), ("b", 2, 1), ("a", 1, 0)] == [
        (item.first.id, item.times, found.index(item.first)) for item in told
    ]


def test_identities_shown_are_those_at_either_end() -> None:
    assert (0, 2, 3) == view.shown(replace(shop(), sources=(3, 0), destinations=(2, 3)))

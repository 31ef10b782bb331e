"""What AdminNetworkPolicy and BaselineAdminNetworkPolicy are translated into, where their successor differs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from auditor.cluster.fields import FieldError
from auditor.model.flow import Direction, PolicyRef, Protocol
from auditor.model.labels import equals
from auditor.model.rules import (
    ADMIN,
    ANY_POD,
    BASELINE,
    EVERYTHING_AT_ALL,
    Action,
    Clause,
    Match,
    NamespaceLabels,
    PodLabels,
    Ports,
    PortTerm,
    Unsure,
    pods,
)
from tests.builders import Raw, named, selector
from tests.unit.policy.ordering import (
    ALL,
    admin,
    app,
    baseline,
    clauses,
    in_team,
    off_host,
    old_admin,
    old_baseline,
    rule,
    translated,
)


def test_admin_policy_stands_in_the_admin_tier() -> None:
    raw = old_admin("x", priority=7, ingress=[rule("Allow", ALL), rule("Deny", ALL)], egress=[rule("Pass", ALL)])
    into, out = translated(raw).sections

    assert (ADMIN, (7, ""), PolicyRef("", "x", "AdminNetworkPolicy")) == (into.tier, into.rank, into.ref)
    assert [Action.ALLOW, Action.DENY] == [clause.action for clause in into.clauses]
    assert [Action.PASS] == [clause.action for clause in out.clauses]
    assert not into.isolates


def test_baseline_stands_in_the_baseline_tier() -> None:
    (section,) = translated(old_baseline(subject=in_team("a"), ingress=[rule("Deny", ALL)])).sections

    assert (BASELINE, PolicyRef("", "default", "BaselineAdminNetworkPolicy")) == (section.tier, section.ref)
    assert off_host(NamespaceLabels(equals({"team": "a"}))) == section.subject
    assert not section.isolates


CILIUM = {**named("CiliumNetworkPolicy", "x/p"), "apiVersion": "cilium.io/v2", "spec": {"tier": "Baseline"}}


@pytest.mark.parametrize("others", [(), (admin(),), (old_admin(),), (CILIUM,)])
def test_baseline_alone_has_one_place(others: tuple[Raw, ...]) -> None:
    assert len(translated(old_baseline(ingress=[rule("Deny", ALL)]), *others).sections) == 1


def test_baseline_beside_its_successors_may_come_first_or_last() -> None:
    raw = old_baseline(ingress=[rule("Deny", ALL)], egress=[rule("Allow", ALL)])
    sections = translated(raw, baseline(priority=0)).sections

    ways = [(item.direction, item.rank < (0, ""), item.rank > (1000, "")) for item in sections]
    into, out = Direction.INGRESS, Direction.EGRESS
    assert [(into, True, False), (out, True, False), (into, False, True), (out, False, True)] == ways
    for perhaps, surely in zip(sections[:2], sections[2:], strict=True):
        assert "may come before or after" in perhaps.perhaps
        assert surely == replace(perhaps, rank=surely.rank, perhaps="")


@pytest.mark.parametrize(
    ("port", "expected"),
    [
        ({"portNumber": {"protocol": "UDP", "port": 53}}, PortTerm(Protocol.UDP, 53, 53)),
        ({"portNumber": {"port": 53}}, PortTerm(Protocol.TCP, 53, 53)),
        ({"portRange": {"protocol": "SCTP", "start": 5, "end": 7}}, PortTerm(Protocol.SCTP, 5, 7)),
        ({"portRange": {"start": 5, "end": 7}}, PortTerm(Protocol.TCP, 5, 7)),
        # Only a comment of this version asks for less than.
        ({"portRange": {"start": 5, "end": 5}}, PortTerm(Protocol.TCP, 5, 5)),
        ({"namedPort": "http"}, PortTerm(None, name="http")),
    ],
)
@pytest.mark.parametrize("make", [old_admin, old_baseline])
def test_ports(port: Raw, expected: PortTerm, make: Any) -> None:
    (clause,) = clauses(make(ingress=[rule("Deny", ALL, ports=[port])]))

    assert (Ports((expected,)),) == clause.ports


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        (ALL, ANY_POD),
        (in_team("a"), NamespaceLabels(equals({"team": "a"}))),
        (app("b", team="a"), pods(namespaces=equals({"team": "a"}), selector=equals({"app": "b"}))),
        # As v0.1.1 wrote them.
        ({"namespaces": {"namespaceSelector": {}}}, ANY_POD),
        ({"namespaces": {"namespaceSelector": selector(team="a")}}, NamespaceLabels(equals({"team": "a"}))),
        (
            {"pods": {"namespaces": {"namespaceSelector": selector(team="a")}, "podSelector": selector(app="b")}},
            pods(namespaces=equals({"team": "a"}), selector=equals({"app": "b"})),
        ),
    ],
)
@pytest.mark.parametrize("make", [old_admin, old_baseline])
@pytest.mark.parametrize("direction", Direction)
def test_pods_as_peers_of_all_releases(peer: Raw, expected: Any, make: Any, direction: Direction) -> None:
    way = direction.value.lower()

    assert (Clause(Action.DENY, f"{way}[0]", off_host(expected)),) == clauses(
        make(**{way: [rule("Deny", peer)]}), direction
    )


@pytest.mark.parametrize("field", ["sameLabels", "notSameLabels"])
def test_sets_that_the_api_gave_up_are_unknown_for_the_pods_they_may_mean(field: str) -> None:
    some: Raw = {field: ["team"]}
    raw = old_admin(
        ingress=[
            rule("Allow", {"namespaces": some}),
            rule("Allow", {"pods": {"namespaces": some, "podSelector": selector(app="b")}}),
        ]
    )

    by_namespace, by_pod = (clause.peer for clause in clauses(raw))
    assert isinstance(by_namespace, Unsure)
    assert isinstance(by_pod, Unsure)
    assert Match.UNKNOWN is by_namespace.answer is by_pod.answer
    assert off_host(ANY_POD) == by_namespace.where
    assert off_host(PodLabels(equals({"app": "b"}))) == by_pod.where
    assert f"namespaces.{field}," in by_namespace.reason
    assert f"pods.namespaces.{field}," in by_pod.reason


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        (old_admin(ingress=[rule("Accept", ALL)]), "ingress[0]: action: 'Accept' is not one of Allow, Deny, Pass"),
        (old_baseline(ingress=[rule("Pass", ALL)]), "ingress[0]: action: 'Pass' is not one of Allow, Deny"),
        (old_admin(ingress=[rule("Deny", ALL, ports=[{}])]), "ports[0]: none of portNumber, portRange, namedPort"),
        (
            old_admin(ingress=[rule("Deny", ALL, ports=[{"portNumber": {"port": 1, "protocol": "ICMP"}}])]),
            "ports[0]: portNumber: protocol: 'ICMP'",
        ),
        (old_admin(ingress=[rule("Deny", ALL, protocols=[])]), "protocols: a field that this version"),
        (
            old_admin(ingress=[rule("Deny", {"namespaces": {"namespaceSelector": {}, "matchLabels": {}}})]),
            "from[0]: namespaces: matchLabels: a field",
        ),
        (
            old_admin(ingress=[rule("Deny", {"pods": {"namespaces": {"sameLabels": ["a"]}, "namespaceSelector": {}}})]),
            "from[0]: pods: namespaceSelector: a field",
        ),
    ],
)
def test_what_this_version_does_not_know_leaves_one_rule_unknown(raw: Raw, place: str) -> None:
    found = translated(raw)

    assert [Action.ALLOW, Action.DENY] == [clause.action for clause in found.sections[0].clauses]
    assert all(EVERYTHING_AT_ALL == clause.peer and clause.unsure for clause in found.sections[0].clauses)
    (note,) = found.notes
    assert place in note


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        (old_admin(priority=None), "spec.priority: missing"),
        (old_admin(tier="Admin"), "spec: tier: a field"),
        (old_baseline(priority=1), "spec: priority: a field"),
        (old_baseline("mine"), "metadata.name: 'mine', but there is only one, named 'default'"),
        (old_admin(ingress=[rule("Deny", ALL, ports=[{"portNumber": {}}])]), "ports[0]: portNumber: port: None"),
        (
            old_admin(ingress=[rule("Deny", ALL, ports=[{"portRange": {"start": 2, "end": 1}}])]),
            "start 2 is above end 1",
        ),
        (
            old_admin(egress=[rule("Deny", {"networks": ["::/0"]}, ports=[{"namedPort": "http"}])]),
            "spec.egress[0]: ports: a name, but networks",
        ),
        (
            old_admin(ingress=[rule("Deny", {"pods": {"namespaces": [], "podSelector": {}}})]),
            "from[0]: pods: namespaces: expected an object",
        ),
    ],
)
def test_what_cannot_be_read_names_its_place(raw: Raw, place: str) -> None:
    with pytest.raises(FieldError) as caught:
        translated(raw)

    assert place in str(caught.value)

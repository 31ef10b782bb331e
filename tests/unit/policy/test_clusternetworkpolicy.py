"""What a ClusterNetworkPolicy is translated into: each field of the API, and what no version of it knows."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from auditor.cluster.fields import FieldError
from auditor.model.flow import Direction, PolicyRef, Protocol
from auditor.model.labels import LabelSelector, Operator, Requirement, equals
from auditor.model.policy import IPBlock
from auditor.model.rules import (
    ADMIN,
    ANY_POD,
    BASELINE,
    EVERYTHING_AT_ALL,
    NOTHING,
    Action,
    AnyOf,
    Clause,
    EndKind,
    InBlock,
    IsKind,
    Match,
    NamespaceLabels,
    NodeLabels,
    Ports,
    PortTerm,
    Tier,
    Unsure,
    pods,
)
from tests.builders import Raw, selector
from tests.unit.policy.ordering import ALL, admin, app, baseline, clauses, in_team, off_host, rule, translated

EGRESS = Direction.EGRESS
DENY_ALL = rule("Deny", ALL)


def test_each_direction_with_rules_is_a_section() -> None:
    found = translated(admin("x", ingress=[DENY_ALL, rule("Pass", ALL)], egress=[rule("Accept", ALL)]))

    into, out = found.sections
    assert (Direction.INGRESS, Direction.EGRESS) == (into.direction, out.direction)
    assert PolicyRef("", "x", "ClusterNetworkPolicy") == into.ref == out.ref
    assert ["ingress[0]", "ingress[1]", "egress[0]"] == [item.path for item in (*into.clauses, *out.clauses)]
    assert [Action.DENY, Action.PASS, Action.ALLOW] == [item.action for item in (*into.clauses, *out.clauses)]
    assert not into.isolates
    assert not out.isolates
    assert found.notes == ()


@pytest.mark.parametrize("nothing", [None, []])
def test_direction_without_rules_says_nothing(nothing: list[Raw] | None) -> None:
    assert translated(admin(ingress=nothing, egress=nothing)).sections == ()


@pytest.mark.parametrize(("make", "tier"), [(admin, ADMIN), (baseline, BASELINE)])
@pytest.mark.parametrize("priority", [0, 1000])
def test_tier_and_priority_place_it(make: Any, tier: Tier, priority: int) -> None:
    (section,) = translated(make(priority=priority, ingress=[DENY_ALL])).sections

    assert (tier, (priority, "")) == (section.tier, section.rank)


def test_what_lies_beyond_the_limits_means_what_it_says() -> None:
    # The server takes 25 rules and priorities up to 1000, but what more would mean is plain.
    (section,) = translated(admin(priority=10**400, ingress=[DENY_ALL] * 26)).sections

    assert section.rank > (1000, "")
    assert len(section.clauses) == 26


def test_subject_by_namespaces_or_pods() -> None:
    def subject(said: Raw) -> object:
        return translated(admin(subject=said, ingress=[DENY_ALL])).sections[0].subject

    assert off_host(ANY_POD) == subject(ALL)
    assert off_host(NamespaceLabels(equals({"team": "a"}))) == subject(in_team("a"))
    assert off_host(pods(namespaces=equals({"team": "a"}), selector=equals({"app": "b"}))) == subject(
        app("b", team="a")
    )


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        (ALL, ANY_POD),
        (in_team("a"), NamespaceLabels(equals({"team": "a"}))),
        (app("b", team="a"), pods(namespaces=equals({"team": "a"}), selector=equals({"app": "b"}))),
        # A selector that is left out selects all.
        ({"pods": {"podSelector": selector(app="b")}}, pods(selector=equals({"app": "b"}))),
        ({"pods": {"podSelector": selector(app="b"), "namespaceSelector": None}}, pods(selector=equals({"app": "b"}))),
        ({"pods": {}}, ANY_POD),
        (
            {"namespaces": selector(("team", "NotIn", ["a", "b"]))},
            NamespaceLabels(LabelSelector((Requirement("team", Operator.NOT_IN, frozenset("ab")),))),
        ),
    ],
)
@pytest.mark.parametrize("direction", Direction)
def test_pods_as_peers(peer: Raw, expected: Any, direction: Direction) -> None:
    way: Any = {direction.value.lower(): [rule("Deny", peer)]}

    assert (Clause(Action.DENY, f"{direction.value.lower()}[0]", off_host(expected)),) == clauses(
        admin(**way), direction
    )


def test_networks_hold_pods_and_nodes_too() -> None:
    (clause,) = clauses(admin(egress=[rule("Deny", {"networks": ["10.1.2.3/8", "fd00::/8"]})]), EGRESS)

    four, six = (IPBlock(ip_network(text)) for text in ("10.0.0.0/8", "fd00::/8"))
    blocks = AnyOf((InBlock(four, Match.YES, Match.YES), InBlock(six, Match.YES, Match.YES)))
    # The alternatives of a clause are its peers, of which this is one.
    assert AnyOf((blocks,)) == clause.peer


def test_nodes_are_peers_of_egress() -> None:
    (clause,) = clauses(admin(egress=[rule("Deny", {"nodes": selector(pool="a")})]), EGRESS)

    assert NodeLabels(equals({"pool": "a"})) == clause.peer


def test_any_peer_may_match() -> None:
    (clause,) = clauses(admin(ingress=[rule("Deny", in_team("a"), in_team("b"))]))

    assert AnyOf(tuple(off_host(NamespaceLabels(equals({"team": team}))) for team in "ab")) == clause.peer


@pytest.mark.parametrize("action", ["Accept", "Deny", "Pass"])
@pytest.mark.parametrize(
    ("names", "may_be_pods"),
    [
        (["example.org", "*.example.org"], False),
        (["svc.example.org", "web.pod.example"], True),
        (["localhost.example", "svc"], False),
        (["example.org", "web.shop.svc.k8s.example"], True),
        (["*.Cluster.LOCAL."], True),
    ],
)
def test_domain_names_are_unknown_where_they_may_lead(action: str, names: list[str], may_be_pods: bool) -> None:
    (clause,) = clauses(admin(egress=[rule(action, {"domainNames": names})]), EGRESS)

    reason = "has domainNames, and which addresses they stand for is not known"
    elsewhere = AnyOf((NodeLabels(LabelSelector()), IsKind(frozenset({EndKind.OUTSIDE}))))
    assert Unsure(Match.UNKNOWN, reason, EVERYTHING_AT_ALL if may_be_pods else elsewhere) == clause.peer


@pytest.mark.parametrize(
    ("protocol", "expected"),
    [
        ({"tcp": {"destinationPort": {"number": 80}}}, PortTerm(Protocol.TCP, 80, 80)),
        ({"udp": {"destinationPort": {"number": 65535}}}, PortTerm(Protocol.UDP, 65535, 65535)),
        ({"sctp": {"destinationPort": {"range": {"start": 1, "end": 2}}}}, PortTerm(Protocol.SCTP, 1, 2)),
        ({"tcp": {}}, PortTerm(Protocol.TCP)),
        ({"tcp": {"destinationPort": None}, "udp": None}, PortTerm(Protocol.TCP)),
        ({"destinationNamedPort": "http"}, PortTerm(None, name="http")),
    ],
)
def test_protocols(protocol: Raw, expected: PortTerm) -> None:
    (clause,) = clauses(admin(ingress=[rule("Deny", ALL, protocols=[protocol])]))

    assert (Ports((expected,)),) == clause.ports


def test_any_protocol_may_match_and_none_means_all() -> None:
    tcp, udp = {"tcp": {"destinationPort": {"number": 53}}}, {"udp": {"destinationPort": {"number": 53}}}
    both, every, null = clauses(
        admin(
            ingress=[rule("Deny", ALL, protocols=[tcp, udp]), rule("Deny", ALL), rule("Deny", ALL, protocols=None)],
        )
    )

    assert (Ports((PortTerm(Protocol.TCP, 53, 53), PortTerm(Protocol.UDP, 53, 53))),) == both.ports
    assert () == every.ports == null.ports


def test_empty_list_of_protocols_is_open() -> None:
    found = translated(admin("x", ingress=[rule("Deny", in_team("a"), protocols=[])]))

    (clause,) = found.sections[0].clauses
    assert isinstance(clause.peer, Unsure)
    assert (Match.OPEN, off_host(NamespaceLabels(equals({"team": "a"})))) == (clause.peer.answer, clause.peer.where)
    assert "empty list of protocols" in clause.peer.reason
    (note,) = found.notes
    assert note.startswith("ClusterNetworkPolicy x: spec.ingress[0] has an empty list")


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("Accept", Clause(Action.ALLOW, "egress[0]", NOTHING)),
        ("Deny", Clause(Action.DENY, "egress[0]", EVERYTHING_AT_ALL)),
        ("Pass", Clause(Action.DENY, "egress[0]", EVERYTHING_AT_ALL)),
    ],
)
@pytest.mark.parametrize("strange", [{}, {"someday": {"name": "x"}}, {"namespaces": None}])
def test_peer_without_a_known_field_closes_its_rule(action: str, expected: Clause, strange: Raw) -> None:
    # The whole rule: its other peers and its ports no longer count.
    rules = [rule(action, ALL, strange, protocols=[{"tcp": {}}])]
    found = translated(admin("x", egress=rules))

    assert (expected,) == found.sections[0].clauses
    (note,) = found.notes
    assert note.startswith("ClusterNetworkPolicy x: spec.egress[0].to[1] sets ")
    assert "fails closed" in note


@pytest.mark.parametrize("field", ["networks", "nodes", "domainNames"])
def test_ingress_knows_pods_only(field: str) -> None:
    (clause,) = clauses(admin(ingress=[rule("Deny", {field: ["10.0.0.0/8"]})]))

    assert Clause(Action.DENY, "ingress[0]", EVERYTHING_AT_ALL) == clause


@pytest.mark.parametrize(
    ("strange", "named"),
    [
        (rule("Log", ALL), "action: 'Log' is not one of Accept, Deny, Pass"),
        (rule("Deny", ALL, sources=[1]), "sources: a field that this version does not know"),
        (rule("Deny", ALL | {"someday": 1}), "from[0]: someday: "),
        (rule("Deny", {"pods": {"podSelector": {}, "someday": 1}}), "from[0]: pods: someday: "),
        (rule("Deny", {"namespaces": {"namespaceSelector": {}}}), "from[0]: namespaces: namespaceSelector: "),
        (rule("Deny", ALL, protocols=[{"icmp": {}}]), "protocols[0]: icmp: "),
        (rule("Deny", ALL, protocols=[{"tcp": {}}, {}]), "protocols[1]: none of tcp, udp, sctp"),
        (rule("Deny", ALL, protocols=[{"tcp": {"flags": 1}}]), "protocols[0]: tcp: flags: "),
        (rule("Deny", ALL, protocols=[{"tcp": {"destinationPort": {}}}]), "destinationPort: none of number, range"),
    ],
)
def test_what_no_version_knows_leaves_one_rule_unknown(strange: Raw, named: str) -> None:
    found = translated(admin("x", ingress=[DENY_ALL, strange, DENY_ALL]))

    first, *unknown, last = found.sections[0].clauses
    assert [Action.ALLOW, Action.DENY] == [item.action for item in unknown]
    for clause in unknown:
        assert (EVERYTHING_AT_ALL, (), "ingress[1]") == (clause.peer, clause.ports, clause.path)
        assert named in clause.unsure
    assert ("ingress[0]", "", "ingress[2]", "") == (first.path, first.unsure, last.path, last.unsure)
    (note,) = found.notes
    assert note.startswith("ClusterNetworkPolicy x: spec.ingress[1]: ")


def with_port(port: Any) -> Raw:
    return admin(ingress=[rule("Deny", ALL, protocols=[{"tcp": {"destinationPort": port}}])])


@pytest.mark.parametrize(
    ("raw", "named"),
    [
        ({**admin(), "spec": "all"}, "spec: expected an object"),
        (admin(subject=None), "spec.subject: none of namespaces, pods is set"),
        (admin(subject={}), "spec.subject: none of namespaces, pods is set"),
        (admin(subject=ALL | {"pods": {}}), "spec.subject: namespaces and pods are both set"),
        (admin(subject={"namespaces": "a"}), "spec.subject: namespaces: expected an object"),
        (admin(subject={"namespaces": selector(("a", "In"))}), "spec.subject: namespaces: "),
        (admin(priority=None), "spec.priority: missing"),
        (admin(priority="10"), "spec: priority: expected a whole number"),
        (admin(priority=True), "spec: priority: expected a whole number"),
        (admin(tier=None), "spec.tier: '' is not one of Admin, Baseline"),
        (admin(tier="Platform"), "spec.tier: 'Platform' is not one of Admin, Baseline"),
        (admin(tier=["Admin"]), "spec.tier: tier: expected a string"),
        (admin(someday={}), "spec: someday: a field that this version does not know"),
        (admin(ingress={}), "spec: ingress: expected a list"),
        (admin(ingress=["a"]), "spec: ingress[0]: expected an object"),
        (admin(egress=[DENY_ALL, rule("Deny")]), "spec.egress[1]: to: at least one peer"),
        (admin(egress=[{"action": "Deny"}]), "spec.egress[0]: to: at least one peer"),
        (admin(egress=[{"to": [ALL]}]), "spec.egress[0]: action: missing"),
        (admin(egress=[{"action": 1, "to": [ALL]}]), "spec.egress[0]: action: expected a string"),
        (admin(egress=[{"action": "Deny", "to": ALL}]), "spec.egress[0]: to: expected a list"),
        (
            admin(egress=[rule("Deny", {"networks": "10.0.0.0/8"})]),
            "spec.egress[0]: to[0]: networks: expected",
        ),
        (admin(egress=[rule("Deny", {"networks": []})]), "spec.egress[0]: to[0]: networks: at least one"),
        (admin(egress=[rule("Deny", {"networks": ["10.0.0.0"]})]), "spec.egress[0]: to[0]: networks: not a block"),
        (admin(egress=[rule("Deny", ALL | {"nodes": {}})]), "spec.egress[0]: to[0]: namespaces and nodes are both set"),
        (admin(egress=[rule("Deny", ALL, protocols={})]), "spec.egress[0]: protocols: expected a list"),
        (admin(egress=[rule("Deny", ALL, protocols=[{"tcp": {}, "udp": {}}])]), "protocols[0]: tcp and udp are both"),
        (with_port(80), "protocols[0]: tcp: destinationPort: expected an object"),
        (with_port({"number": "80"}), "number: expected a whole number"),
        (with_port({"number": 0}), "number: 0 is not between 1 and 65535"),
        (with_port({"number": 65536}), "number: 65536 is not between"),
        (with_port({"number": 1, "range": {"start": 1, "end": 2}}), "number and range are both set"),
        (with_port({"range": {"start": 80}}), "end: None is not between"),
        (with_port({"range": {"start": 80, "end": 80}}), "start 80 is not below end 80"),
        (with_port({"range": {"start": 81, "end": 80}}), "start 81 is not below end 80"),
        (
            admin(egress=[rule("Deny", ALL, {"nodes": {}}, protocols=[{"destinationNamedPort": "http"}])]),
            "spec.egress[0]: protocols: a name, but networks, nodes, domainNames have no named ports",
        ),
    ],
)
def test_what_cannot_be_read_names_its_place(raw: Raw, named: str) -> None:
    with pytest.raises(FieldError) as caught:
        translated(raw)

    assert named in str(caught.value)

"""What one rule of a Calico policy becomes: an action, the other end, the ports, and what it asks of its own pods."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from auditor.model.flow import Protocol
from auditor.model.labels import equals
from auditor.model.policy import IPBlock
from auditor.model.rules import (
    ANY_POD,
    EVERYTHING_AT_ALL,
    AccountIs,
    AccountLabels,
    Action,
    AllOf,
    AnyOf,
    Clause,
    EndKind,
    InBlock,
    InNamespace,
    IsKind,
    Match,
    NamespaceLabels,
    Not,
    PodLabels,
    Ports,
    PortTerm,
    Predicate,
    Unsure,
    all_of,
    pods,
)
from auditor.policy.ordered import BY_NAME
from tests.builders import Raw, pod, service
from tests.calico import network_set, only_section, policy, rule, translated

DB = PodLabels(equals({"app": "db"}))
RED = InNamespace("red")
OFFICE = "203.0.113.0/24"


def ruling(where: str, way: str, *rules: Raw) -> Raw:
    """A policy with rules for one direction."""
    spec: Raw = {way: list(rules), "types": [way.title()]}
    return policy(where, **spec)


def clause(said: Raw, *others: Raw, where: str = "red/p", way: str = "ingress") -> Clause:
    (found,) = only_section(ruling(where, way, said), *others).clauses
    return found


def peer(said: Raw, *others: Raw, where: str = "red/p") -> Predicate:
    return clause(rule(source=said), *others, where=where).peer


def block(text: str) -> InBlock:
    return InBlock(IPBlock(ip_network(text)))


def of_pods(*parts: Predicate) -> AllOf:
    found = all_of(ANY_POD, *parts)
    assert isinstance(found, AllOf)
    return found


@pytest.mark.parametrize(("said", "action"), [("Allow", Action.ALLOW), ("Deny", Action.DENY), ("Pass", Action.PASS)])
def test_action(said: str, action: Action) -> None:
    assert Clause(action, "ingress[0]") == clause(rule(said))


def test_logging_decides_nothing() -> None:
    section = only_section(policy("red/p", ingress=[rule("Log"), rule("Deny"), rule("Log")]))

    assert (Clause(Action.DENY, "ingress[1]"),) == section.clauses


SELECTED: dict[str, tuple[Raw, Predicate | None, Predicate | None]] = {
    # What is said, and what it means in a policy of namespace red and in one of the whole cluster.
    "nothing": ({}, EVERYTHING_AT_ALL, EVERYTHING_AT_ALL),
    "empty": ({"selector": "", "namespaceSelector": "", "nets": []}, EVERYTHING_AT_ALL, EVERYTHING_AT_ALL),
    "pods": ({"selector": "app == 'db'"}, of_pods(RED, DB), of_pods(DB)),
    "all": ({"selector": "all()"}, of_pods(RED), ANY_POD),
    "all of all namespaces": ({"namespaceSelector": "all()"}, ANY_POD, ANY_POD),
    "pods of all namespaces": (
        {"namespaceSelector": "all()", "selector": "app == 'db'"},
        of_pods(DB),
        of_pods(DB),
    ),
    "namespaces": (
        {"namespaceSelector": "env == 'test'"},
        of_pods(NamespaceLabels(equals({"env": "test"}))),
        of_pods(NamespaceLabels(equals({"env": "test"}))),
    ),
    "by name": (
        {"namespaceSelector": "projectcalico.org/name == 'blue'", "selector": "app == 'db'"},
        of_pods(InNamespace("blue"), DB),
        of_pods(InNamespace("blue"), DB),
    ),
    "in no namespace": (
        {"namespaceSelector": "global()"},
        of_pods(Not(EVERYTHING_AT_ALL)),
        of_pods(Not(EVERYTHING_AT_ALL)),
    ),
    "accounts": (
        {"serviceAccounts": {"names": ["web", "api"]}},
        of_pods(RED, AccountIs(frozenset({"web", "api"}))),
        of_pods(AccountIs(frozenset({"web", "api"}))),
    ),
    "accounts by label": (
        {"serviceAccounts": {"names": ["web"], "selector": "role == 'x'"}},
        of_pods(RED, AllOf((AccountLabels(equals({"role": "x"})), AccountIs(frozenset({"web"}))))),
        of_pods(AccountLabels(equals({"role": "x"})), AccountIs(frozenset({"web"}))),
    ),
    "no accounts": ({"serviceAccounts": {}}, EVERYTHING_AT_ALL, EVERYTHING_AT_ALL),
    "not": (
        {"notSelector": "app == 'db'"},
        AllOf((of_pods(RED), Not(of_pods(DB)))),
        Not(of_pods(DB)),
    ),
    "blocks": (
        {"nets": [OFFICE, "2001:db8::1"], "notNets": ["203.0.113.7"]},
        AllOf((AnyOf((block(OFFICE), block("2001:db8::1"))), Not(block("203.0.113.7")))),
        AllOf((AnyOf((block(OFFICE), block("2001:db8::1"))), Not(block("203.0.113.7")))),
    ),
    "block and pods": (
        {"nets": ["10.0.0.0/8"], "selector": "app == 'db'"},
        AllOf((block("10.0.0.0/8"), of_pods(RED, DB))),
        AllOf((block("10.0.0.0/8"), of_pods(DB))),
    ),
}


def flat(predicate: Predicate) -> Predicate:
    """In one of the forms that mean the same: no AND directly inside AND, no OR inside OR, parts in some order."""
    if isinstance(predicate, Not):
        return Not(flat(predicate.part))
    if not isinstance(predicate, AllOf | AnyOf):
        return predicate
    parts: set[Predicate] = set()
    for part in map(flat, predicate.parts):
        parts |= set(part.parts) if isinstance(part, AllOf | AnyOf) and type(part) is type(predicate) else {part}
    return type(predicate)(tuple(sorted(parts, key=repr)))


@pytest.mark.parametrize("name", SELECTED)
def test_peer(name: str) -> None:
    said, in_red, anywhere = SELECTED[name]

    assert in_red is not None
    assert anywhere is not None
    assert flat(in_red) == flat(peer(said))
    assert flat(anywhere) == flat(peer(said, where="g"))


def test_peer_of_a_namespace_takes_in_its_sets() -> None:
    others = network_set("blue/s", "192.0.2.1", app="db"), network_set("g", "192.0.2.2", app="db")

    found = peer({"selector": "app == 'db'"}, network_set("red/s", OFFICE, app="db"), *others)
    assert flat(AnyOf((of_pods(RED, DB), block(OFFICE)))) == flat(found)


def test_peer_of_a_global_policy_takes_in_all_sets() -> None:
    sets = network_set("red/s", OFFICE, app="db"), network_set("g", "192.0.2.1", app="db"), network_set("h", "10.0.0.1")
    expected = AnyOf((of_pods(DB), block("192.0.2.1"), block(OFFICE)))

    assert flat(expected) == flat(peer({"selector": "app == 'db'"}, *sets, where="g"))
    assert flat(Not(expected)) == flat(peer({"notSelector": "app == 'db'"}, *sets, where="g"))


def test_global_sets_alone() -> None:
    sets = (network_set("red/s", OFFICE, app="db"), network_set("g", "192.0.2.1", app="db"))

    found = peer({"namespaceSelector": "global()", "selector": "app == 'db'"}, *sets)
    assert isinstance(found, AnyOf)
    assert block("192.0.2.1") == found.parts[1]
    assert 2 == len(found.parts)


PORTS: dict[str, tuple[Raw, tuple[Ports, ...]]] = {
    "none": ({}, ()),
    "protocol": ({"protocol": "TCP"}, (Ports((PortTerm(Protocol.TCP),)),)),
    "by number": ({"protocol": 17}, (Ports((PortTerm(Protocol.UDP),)),)),
    "by number in quotes": ({"protocol": "132"}, (Ports((PortTerm(Protocol.SCTP),)),)),
    "any but one": ({"notProtocol": "UDP"}, (Ports((PortTerm(Protocol.UDP),), inverted=True),)),
    "any but what no flow has": ({"notProtocol": "ICMP"}, ()),
    "one and not the other": (
        {"protocol": "TCP", "notProtocol": "UDP"},
        (Ports((PortTerm(Protocol.TCP),)), Ports((PortTerm(Protocol.UDP),), inverted=True)),
    ),
    "ports": (
        {"protocol": "TCP", "destination": {"ports": [80, "443", "8000:8080", "web"]}},
        (
            Ports(
                (
                    PortTerm(Protocol.TCP, 80, 80),
                    PortTerm(Protocol.TCP, 443, 443),
                    PortTerm(Protocol.TCP, 8000, 8080),
                    PortTerm(Protocol.TCP, name="web"),
                )
            ),
        ),
    ),
    "other ports": (
        {"protocol": "UDP", "destination": {"notPorts": [53, "dns"]}},
        (
            Ports((PortTerm(Protocol.UDP),)),
            Ports((PortTerm(Protocol.UDP, 53, 53), PortTerm(Protocol.UDP, name="dns")), inverted=True),
        ),
    ),
    "some but not all": (
        {"protocol": "TCP", "destination": {"ports": ["1:100"], "notPorts": [22]}},
        (Ports((PortTerm(Protocol.TCP, 1, 100),)), Ports((PortTerm(Protocol.TCP, 22, 22),), inverted=True)),
    ),
}


@pytest.mark.parametrize("way", ["ingress", "egress"])
@pytest.mark.parametrize("name", PORTS)
def test_ports(name: str, way: str) -> None:
    said, expected = PORTS[name]
    found = clause(rule(**said), way=way)

    assert (expected, "", EVERYTHING_AT_ALL) == (found.ports, found.unsure, found.peer)


@pytest.mark.parametrize("protocol", ["ICMP", "ICMPv6", "UDPLite", 1, 58, 47, "255"])
def test_rule_about_other_protocols_decides_nothing(protocol: Any) -> None:
    said = rule("Deny", protocol=protocol, icmp={"type": 8})

    assert () == only_section(policy("red/p", ingress=[said])).clauses


@pytest.mark.parametrize(("version", "family"), [(4, "0.0.0.0/0"), (6, "::/0")])
def test_ip_version_is_asked_of_the_other_end(version: int, family: str) -> None:
    assert block(family) == clause(rule(ipVersion=version)).peer
    assert AllOf((block(family), block(OFFICE))) == clause(rule(ipVersion=version, source={"nets": [OFFICE]})).peer


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (rule(protocol="TCP", source={"ports": [1024]}), "source.ports: the port that a flow comes from is not known"),
        (
            rule(protocol="TCP", source={"notPorts": ["x"]}),
            "source.ports: the port that a flow comes from is not known",
        ),
        (rule(http={"methods": ["GET"]}), "http asks for what only an application layer proxy sees"),
        (rule(future=1), "future is not modelled"),
        (rule(source={"future": 1, "past": None}), "source.future is not modelled"),
        (
            rule(later=1, destination={"b": 1, "a": 2}),
            "; ".join(f"{key} is not modelled" for key in ("later", "destination.a", "destination.b")),
        ),
    ],
)
@pytest.mark.parametrize("way", ["ingress", "egress"])
def test_what_is_not_modelled_can_only_narrow_a_rule(said: Raw, reason: str, way: str) -> None:
    found = clause(said, way=way)

    assert reason == found.unsure
    assert Action.ALLOW is found.action


@pytest.mark.parametrize("key", ["metadata", "icmp", "notICMP", "source", "destination", "http", "protocol"])
def test_null_is_absent(key: str) -> None:
    assert Clause(Action.ALLOW, "ingress[0]") == clause({**rule(), key: None})


def serving(where: str, *ports: Raw, **selects: str) -> Raw:
    return {**service(where), "spec": {"selector": selects, "ports": list(ports)}}


SERVED = ({"port": 80, "targetPort": 8080}, {"port": 443, "targetPort": "tls"})
WEB = serving("red/web", *SERVED, app="web")


@pytest.mark.parametrize(("where", "said"), [("red/p", {"name": "web"}), ("g", {"name": "web", "namespace": "red"})])
def test_service_is_its_pods_and_their_ports(where: str, said: Raw) -> None:
    behind = pods("red", selector=equals({"app": "web"}))
    ports = (Ports((PortTerm(Protocol.TCP, 8080, 8080), PortTerm(Protocol.TCP, name="tls"))),)

    out = clause(rule(destination={"services": said}), WEB, where=where, way="egress")
    assert (behind, ports) == (out.peer, out.ports)
    into = clause(rule(source={"services": said}), WEB, where=where)
    assert (behind, ()) == (into.peer, into.ports)


def test_protocol_of_a_rule_holds_for_its_service_too() -> None:
    found = clause(rule(protocol="UDP", destination={"services": {"name": "web"}}), WEB, way="egress")

    assert Ports((PortTerm(Protocol.UDP),)) in found.ports
    assert 2 == len(found.ports)


@pytest.mark.parametrize(
    "others",
    [
        (),
        (serving("blue/web", *SERVED, app="web"),),
        (serving("red/web", *SERVED),),
        (serving("red/web", app="web"),),
        (WEB, pod("red/host", app="web", spec={"hostNetwork": True})),
    ],
    ids=["missing", "elsewhere", "without selector", "without ports", "on host network"],
)
def test_service_that_cannot_be_resolved_is_unknown(others: tuple[Raw, ...]) -> None:
    found = peer({"services": {"name": "web"}}, *others)

    assert isinstance(found, Unsure)
    assert (Match.UNKNOWN, EVERYTHING_AT_ALL) == (found.answer, found.where)
    assert "names Service red/web" in found.reason


def test_service_of_the_api_server_is_no_pod() -> None:
    found = peer({"services": {"name": "kubernetes", "namespace": "default"}}, serving("default/kubernetes", *SERVED))

    assert isinstance(found, Unsure)
    assert IsKind(frozenset({EndKind.NODE, EndKind.OUTSIDE})) == found.where


@pytest.mark.parametrize(
    ("names", "where"),
    [
        (["example.com"], BY_NAME),
        (["*.example.com"], BY_NAME),
        (["example.com", "db.red.svc.cluster.local"], EVERYTHING_AT_ALL),
        (["db.red.svc.corp.example"], EVERYTHING_AT_ALL),
        (["*"], EVERYTHING_AT_ALL),
    ],
)
def test_domain_names_are_not_resolved(names: list[str], where: Predicate) -> None:
    found = clause(rule(destination={"domains": names}), way="egress").peer

    assert isinstance(found, Unsure)
    assert (Match.UNKNOWN, where) == (found.answer, found.where)


OWN: dict[str, tuple[Raw, Predicate]] = {
    "selector": ({"selector": "app == 'db'"}, of_pods(RED, DB)),
    "elsewhere": ({"namespaceSelector": "env == 'test'"}, of_pods(NamespaceLabels(equals({"env": "test"})))),
    "account": ({"serviceAccounts": {"names": ["web"]}}, of_pods(RED, AccountIs(frozenset({"web"})))),
    "others": ({"notSelector": "app == 'db'"}, AllOf((of_pods(RED), Not(of_pods(DB))))),
    "block": ({"nets": ["10.0.0.0/8"], "notNets": ["10.0.0.1"]}, AllOf((block("10.0.0.0/8"), Not(block("10.0.0.1"))))),
}


@pytest.mark.parametrize(("way", "own"), [("ingress", "destination"), ("egress", "source")])
@pytest.mark.parametrize("name", OWN)
def test_demand_on_the_own_pods_becomes_a_section_of_theirs(name: str, way: str, own: str) -> None:
    said, expected = OWN[name]
    whole, part = translated(ruling("red/p", way, rule("Deny") | {own: said})).sections

    assert (RED, (), True) == (whole.subject, whole.clauses, whole.isolates)
    assert flat(all_of(RED, expected)) == flat(part.subject)
    assert ((Clause(Action.DENY, f"{way}[0]"),), False) == (part.clauses, part.isolates)
    assert whole.rank < part.rank


def test_addresses_of_own_pods_are_not_enough_with_two_families() -> None:
    dual = pod("red/dual", at=["10.0.0.1", "fd00::1"])
    _, part = translated(policy("red/p", ingress=[rule(destination={"nets": ["10.0.0.0/8"]})]), dual).sections

    assert isinstance(part.subject, AllOf)
    unsure = part.subject.parts[1]
    assert isinstance(unsure, Unsure)
    assert (Match.UNKNOWN, EVERYTHING_AT_ALL) == (unsure.answer, unsure.where)
    assert "destination.nets asks for addresses of the policy's own pods" == unsure.reason

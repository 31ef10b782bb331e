"""Raw NetworkPolicies into values: defaulted as the server does, refused where the server would refuse."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from auditor.cluster.decode_policy import decode_network_policy, decode_selector
from auditor.cluster.fields import FieldError
from auditor.model.flow import Direction, Protocol
from auditor.model.policy import IPBlock, NetworkPolicy, Peer, PolicyPort, Rule
from tests.builders import Raw, allow, block, policy, selector, tcp

BOTH = {"Ingress", "Egress"}


def read(spec: Any) -> NetworkPolicy:
    return decode_network_policy({"metadata": {"name": "p"}, "spec": spec})


@pytest.mark.parametrize(
    ("spec", "isolates"),
    [
        ({}, {"Ingress"}),
        (None, {"Ingress"}),
        ({"policyTypes": None}, {"Ingress"}),
        ({"policyTypes": []}, {"Ingress"}),
        ({"egress": []}, {"Ingress"}),
        ({"egress": None}, {"Ingress"}),
        ({"egress": [{}]}, BOTH),
        ({"ingress": [{}]}, {"Ingress"}),
        ({"policyTypes": ["Egress"]}, {"Egress"}),
        ({"policyTypes": ["Egress"], "ingress": [{}]}, {"Egress"}),
        ({"policyTypes": ["Ingress"], "egress": [{}]}, {"Ingress"}),
        ({"policyTypes": ["Ingress", "Ingress"]}, {"Ingress"}),
        ({"policyTypes": ["Egress", "Ingress"]}, BOTH),
    ],
)
def test_policy_types(spec: Any, isolates: set[str]) -> None:
    """S2, S3: Ingress always, Egress with at least one egress rule; types that are given win."""
    assert {direction.value for direction in read(spec).isolates} == isolates


def test_absent_selector_selects_the_namespace() -> None:
    """S1: no podSelector, a null one and an empty one are all pods."""
    specs: list[Raw] = [{}, {"podSelector": None}, {"podSelector": {}}]
    for spec in specs:
        assert read(spec).pod_selector.requirements == ()


@pytest.mark.parametrize("rules", [None, []])
def test_nil_and_empty_rules_are_the_same(rules: Any) -> None:
    """S6: an absent, null or empty list allows nothing."""
    assert read({"ingress": rules}).ingress == read({}).ingress == ()


@pytest.mark.parametrize("rule", [{}, {"from": None}, {"from": []}, {"from": None, "ports": []}, {"ports": None}])
def test_nil_and_empty_parts_of_a_rule_mean_any(rule: Raw) -> None:
    """S7: absent, null and empty peers or ports are the same."""
    assert read({"ingress": [rule]}).ingress == (Rule(),)


def test_nil_selector_of_a_peer_is_not_an_empty_one() -> None:
    """S8: a field that is not set differs from one that matches everything."""
    both = read({"ingress": [{"from": [{"podSelector": {}, "namespaceSelector": None}, {"namespaceSelector": {}}]}]})
    one, other = both.ingress[0].peers

    assert (one.namespace_selector, other.pod_selector) == (None, None)
    assert one.pod_selector == other.namespace_selector == decode_selector({})


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({}, PolicyPort()),
        ({"protocol": None, "port": None, "endPort": None}, PolicyPort()),
        (tcp(80), PolicyPort(Protocol.TCP, 80)),
        (tcp(80, protocol="SCTP"), PolicyPort(Protocol.SCTP, 80)),
        (tcp("http"), PolicyPort(Protocol.TCP, "http")),
        (tcp(80, 90), PolicyPort(Protocol.TCP, 80, 90)),
        (tcp(80, 80), PolicyPort(Protocol.TCP, 80, 80)),
        (tcp(65535), PolicyPort(Protocol.TCP, 65535)),
    ],
)
def test_ports(item: Raw, expected: PolicyPort) -> None:
    """S11: no protocol is TCP, no port is all, a range may have one member."""
    assert read({"egress": [{"ports": [item]}]}).egress[0].ports == (expected,)


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        (block("10.0.0.0/8"), IPBlock(ip_network("10.0.0.0/8"))),
        (block("10.1.2.3/8"), IPBlock(ip_network("10.0.0.0/8"))),
        (block("010.001.000.000/016"), IPBlock(ip_network("10.1.0.0/16"))),
        (block("10.0.0.0/8", "10.1.0.0/16"), IPBlock(ip_network("10.0.0.0/8"), (ip_network("10.1.0.0/16"),))),
        (block("::/0"), IPBlock(ip_network("::/0"))),
        ({"ipBlock": {"cidr": "0.0.0.0/0", "except": None}}, IPBlock(ip_network("0.0.0.0/0"))),
    ],
)
def test_blocks(peer: Raw, expected: IPBlock) -> None:
    """S14: host bits of stored blocks are masked, an absent except is none."""
    assert read({"ingress": [{"from": [peer]}]}).ingress[0].peers == (Peer(ip_block=expected),)


WRONG: list[tuple[str, Raw]] = [
    ("an unknown type", {"policyTypes": ["Ingress", "Forward"]}),
    ("rules that are an object", {"ingress": {}}),
    ("peers that are an object", {"ingress": [{"from": {}}]}),
    ("a rule that is null", {"ingress": [None]}),
    ("a peer with nothing set", {"ingress": [{"from": [{}]}]}),
    ("a peer with nulls only", {"ingress": [{"from": [{"podSelector": None}]}]}),
    ("a peer of a future kind", {"ingress": [{"from": [{"serviceAccountSelector": {}}]}]}),
    ("a peer with one future field more", {"ingress": [{"from": [{"podSelector": {}, "nodeSelector": {}}]}]}),
    ("a block beside a selector", {"ingress": [{"from": [{"podSelector": {}, **block("10.0.0.0/8")}]}]}),
    ("a block without cidr", {"ingress": [{"from": [{"ipBlock": {}}]}]}),
    ("a block of words", {"ingress": [{"from": [block("everything")]}]}),
    ("a block without a prefix", {"ingress": [{"from": [block("10.0.0.1")]}]}),
    ("a block with a netmask", {"ingress": [{"from": [block("10.0.0.0/255.0.0.0")]}]}),
    ("an IPv4-mapped block", {"ingress": [{"from": [block("::ffff:10.0.0.0/104")]}]}),
    ("an except of another family", {"ingress": [{"from": [block("10.0.0.0/8", "fd00::/8")]}]}),
    ("an except that is its block", {"ingress": [{"from": [block("10.0.0.0/8", "10.0.0.0/8")]}]}),
    ("an except that is larger", {"ingress": [{"from": [block("10.0.0.0/8", "0.0.0.0/0")]}]}),
    ("an except elsewhere", {"ingress": [{"from": [block("10.0.0.0/8", "11.0.0.0/16")]}]}),
    ("three types", {"policyTypes": ["Ingress", "Egress", "Ingress"]}),
    ("a port name with a dash at its end", {"ingress": [{"ports": [tcp("http-")]}]}),
    ("an except that is no block", {"ingress": [{"from": [block("10.0.0.0/8", "x")]}]}),
    ("a future field of a block", {"ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8", "zone": "a"}}]}]}),
    ("a future protocol", {"ingress": [{"ports": [{"protocol": "QUIC"}]}]}),
    ("a protocol in small letters", {"ingress": [{"ports": [{"protocol": "tcp"}]}]}),
    ("port 0", {"ingress": [{"ports": [tcp(0)]}]}),
    ("port 65536", {"ingress": [{"ports": [tcp(65536)]}]}),
    ("a port that is true", {"ingress": [{"ports": [{"port": True}]}]}),
    ("a port with a fraction", {"ingress": [{"ports": [{"port": 80.5}]}]}),
    ("a number in quotes", {"ingress": [{"ports": [tcp("80")]}]}),
    ("an empty port name", {"ingress": [{"ports": [tcp("")]}]}),
    ("a range without a beginning", {"ingress": [{"ports": [{"endPort": 90}]}]}),
    ("a range from a name", {"ingress": [{"ports": [tcp("http", 90)]}]}),
    ("a range that goes down", {"ingress": [{"ports": [tcp(80, 79)]}]}),
    ("a range beyond all ports", {"ingress": [{"ports": [tcp(80, 65536)]}]}),
    ("a future field of a port", {"ingress": [{"ports": [{"port": 80, "icmp": 8}]}]}),
    ("a future field of a rule", {"ingress": [{"action": "Deny"}]}),
    ("egress peers in an ingress rule", {"ingress": [{"to": [{"podSelector": {}}]}]}),
    ("a future field of the spec", {"podSelector": {}, "priority": 5}),
    ("a selector that is a list", {"podSelector": []}),
]


@pytest.mark.parametrize("spec", [row[1] for row in WRONG], ids=[row[0] for row in WRONG])
def test_what_cannot_be_read_is_an_error(spec: Raw) -> None:
    """Whatever would have to be guessed, or the server would refuse, is an error of this one policy."""
    with pytest.raises(FieldError):
        read(spec)


@pytest.mark.parametrize(
    "expression",
    [
        {"key": "app", "operator": "Like", "values": ["a"]},
        {"key": "app", "operator": "In"},
        {"key": "app", "operator": "In", "values": []},
        {"key": "app", "operator": "NotIn", "values": None},
        {"key": "app", "operator": "Exists", "values": ["a"]},
        {"key": "app", "operator": "DoesNotExist", "values": ["a"]},
        {"key": "app", "operator": "In", "values": [1]},
        {"operator": "Exists"},
        {"key": "app"},
        {"key": "app", "operator": "Exists", "caseSensitive": False},
    ],
)
def test_expressions_that_the_server_refuses(expression: Raw) -> None:
    """S9 and its validation: known operators, values exactly where they belong, a key."""
    with pytest.raises(FieldError):
        decode_selector({"matchExpressions": [expression]})


def test_selector_joins_labels_and_expressions() -> None:
    """Labels and expressions of one selector are ANDed."""
    found = decode_selector(selector(("tier", "NotIn", ["test"]), app="web"))

    assert found.matches({"app": "web"})
    assert not found.matches({"app": "web", "tier": "test"})
    assert not found.matches({})


def test_names_and_versions() -> None:
    """A manifest without a namespace stands in default, and both directions keep their rules."""
    made = decode_network_policy(policy("shop/p", ingress=[allow()], egress=[allow(ports=[tcp(1)]), allow()]))

    assert read({}).namespace == "default"
    assert (made.namespace, made.name, made.uid, made.version) == ("shop", "p", "uid-shop/p", "1")
    assert (len(made.rules(Direction.INGRESS)), len(made.rules(Direction.EGRESS))) == (1, 2)

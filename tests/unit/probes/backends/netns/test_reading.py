"""What is read from raw policies: defaults, lists that are missing, null or empty, peers and ports of every shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from probes.backends.netns.reading import Block, Pods, Port, Reading, Requirement, Rule, read, selects

ANYTHING = (Rule(None, None),)
WEB = (Requirement("app", "In", frozenset({"web"})),)
WEB_LABELS = {"matchLabels": {"app": "web"}}


def reading(spec: Mapping[str, Any] | None) -> Reading:
    return read({"metadata": {"namespace": "shop", "name": "one"}, "spec": spec})


def ingress_rule(raw: Mapping[str, Any] | None) -> Rule:
    found = reading({"policyTypes": ["Ingress"], "ingress": [raw]})
    assert found.ingress is not None
    (rule,) = found.ingress
    return rule


@pytest.mark.parametrize(
    ("spec", "ingress", "egress"),
    [
        (None, (), None),
        ({}, (), None),
        ({"policyTypes": None}, (), None),
        ({"policyTypes": []}, (), None),
        ({"egress": []}, (), None),
        ({"egress": None}, (), None),
        ({"egress": [{}]}, (), ANYTHING),
        ({"egress": [{}], "ingress": [{}]}, ANYTHING, ANYTHING),
        ({"policyTypes": ["Ingress"], "egress": [{}]}, (), None),
        ({"policyTypes": ["Egress"], "ingress": [{}]}, None, ()),
        ({"policyTypes": ["Egress"]}, None, ()),
        ({"policyTypes": ["Ingress", "Ingress"], "ingress": [{}]}, ANYTHING, None),
        ({"policyTypes": ["Ingress", "Egress"]}, (), ()),
        ({"policyTypes": ["Egress", "Ingress"], "ingress": None, "egress": [None]}, (), ANYTHING),
    ],
)
def test_directions(spec: Mapping[str, Any] | None, ingress: tuple[Rule, ...], egress: tuple[Rule, ...]) -> None:
    assert Reading("shop", (), ingress, egress) == reading(spec)


@pytest.mark.parametrize("spec", [{}, {"podSelector": None}, {"podSelector": {}}, {"podSelector": {"matchLabels": {}}}])
def test_no_selector_selects_every_pod(spec: Mapping[str, Any]) -> None:
    assert selects(reading(spec).pods, {})
    assert selects(reading(spec).pods, {"app": "web"})


@pytest.mark.parametrize("raw", [{}, None, {"from": [], "ports": []}, {"from": None, "ports": None}])
def test_missing_null_and_empty_lists_are_any(raw: Mapping[str, Any] | None) -> None:
    assert ingress_rule(raw) == Rule(None, None)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"podSelector": {}}, Pods(())),
        ({"podSelector": WEB_LABELS}, Pods(WEB)),
        ({"podSelector": WEB_LABELS, "namespaceSelector": None, "ipBlock": None}, Pods(WEB)),
        ({"namespaceSelector": {}}, Pods((), ())),
        ({"namespaceSelector": WEB_LABELS}, Pods((), WEB)),
        ({"namespaceSelector": {}, "podSelector": WEB_LABELS}, Pods(WEB, ())),
        ({"ipBlock": {"cidr": "10.0.0.0/8"}}, Block("10.0.0.0/8")),
        ({"ipBlock": {"cidr": "10.0.0.0/8", "except": None}}, Block("10.0.0.0/8")),
        ({"ipBlock": {"cidr": "::/0", "except": ["fd00::/8"]}}, Block("::/0", ("fd00::/8",))),
    ],
)
def test_peers(raw: Mapping[str, Any], expected: Block | Pods) -> None:
    assert ingress_rule({"from": [raw]}) == Rule((expected,), None)


def test_egress_has_its_peers_under_another_name() -> None:
    rule = {"to": [{"podSelector": WEB_LABELS}], "from": [{"podSelector": {}}]}

    assert (Rule((Pods(WEB),), None),) == reading({"egress": [rule]}).egress


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({}, Port("TCP")),
        (None, Port("TCP")),
        ({"protocol": None, "port": None}, Port("TCP")),
        ({"protocol": "UDP"}, Port("UDP", 0, 65535)),
        ({"port": 80}, Port("TCP", 80, 80)),
        ({"port": 80, "endPort": None}, Port("TCP", 80, 80)),
        ({"port": 80, "endPort": 80}, Port("TCP", 80, 80)),
        ({"protocol": "SCTP", "port": 80, "endPort": 90}, Port("SCTP", 80, 90)),
        ({"port": "http"}, Port("TCP", name="http")),
        ({"protocol": "UDP", "port": "dns"}, Port("UDP", name="dns")),
    ],
)
def test_ports(raw: Mapping[str, Any] | None, expected: Port) -> None:
    assert ingress_rule({"ports": [raw]}) == Rule(None, (expected,))


@pytest.mark.parametrize(
    ("operator", "values", "of_web", "of_db", "of_none"),
    [
        ("In", ["web", "api"], True, False, False),
        ("NotIn", ["web", "api"], False, True, True),
        ("Exists", None, True, True, False),
        ("DoesNotExist", [], False, False, True),
    ],
)
def test_operators(operator: str, values: list[str] | None, of_web: bool, of_db: bool, of_none: bool) -> None:
    requirement = {"key": "app", "operator": operator, "values": values}
    pods = reading({"podSelector": {"matchExpressions": [requirement]}}).pods

    assert (of_web, of_db, of_none) == (selects(pods, {"app": "web"}), selects(pods, {"app": "db"}), selects(pods, {}))


def test_all_requirements_must_hold() -> None:
    selector = WEB_LABELS | {"matchExpressions": [{"key": "tier", "operator": "Exists"}]}
    pods = reading({"podSelector": selector}).pods

    assert selects(pods, {"app": "web", "tier": "x"})
    assert not selects(pods, {"app": "web"})
    assert not selects(pods, {"tier": "x"})


def test_an_empty_value_is_a_value() -> None:
    pods = reading({"podSelector": {"matchLabels": {"tier": ""}}}).pods

    assert selects(pods, {"tier": ""})
    assert not selects(pods, {})


@pytest.mark.parametrize(
    ("rule", "word"),
    [
        ({"from": [{}]}, "a peer without"),
        ({"ports": [{"protocol": "ICMP"}]}, "protocol 'ICMP'"),
        ({"from": [{"podSelector": {"matchExpressions": [{"key": "a", "operator": "Like"}]}}]}, "operator 'Like'"),
    ],
)
def test_what_no_api_server_would_store_is_an_error(rule: Mapping[str, Any], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        ingress_rule(rule)

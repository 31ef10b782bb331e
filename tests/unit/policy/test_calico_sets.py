"""Calico's network sets, and which selectors select them."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from auditor.model.cluster import PolicyObject, Snapshot
from auditor.model.policy import IPBlock
from auditor.model.rules import EVERYTHING_AT_ALL, InBlock, Match, Unsure, any_of
from auditor.policy.calico_labels import of_namespaces
from auditor.policy.calico_selector import Expression, parse
from auditor.policy.calico_sets import read_sets
from auditor.policy.ordered import BY_NAME
from tests.builders import Raw, namespace
from tests.calico import made, network_set, snapshot

NET = "203.0.113.0/24"
BLOCK = InBlock(IPBlock(ip_network(NET)))


def selected(expression: Expression, *objects: Raw) -> list[Any]:
    return [predicate for item in read_sets(snapshot(*objects)) for predicate in item.predicates(expression)]


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("kind == 'office'", True),
        ("kind == 'home'", False),
        ("all()", True),
        ("!has(app)", True),
        ("has(projectcalico.org/namespace)", False),
        ("!has(projectcalico.org/orchestrator)", True),
        ("pcns.env == 'test'", False),
        ("pcns.env != 'test'", True),
    ],
)
def test_global_set_is_selected_by_its_own_labels(text: str, matches: bool) -> None:
    assert ([BLOCK] if matches else []) == selected(parse(text), network_set("g", NET, kind="office"))


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("kind == 'office'", True),
        ("projectcalico.org/namespace == 'red'", True),
        ("projectcalico.org/namespace == 'blue'", False),
        ("pcns.env == 'test'", True),
        ("pcns.env == 'mine'", False),
        ("pcns.projectcalico.org/name == 'red'", True),
        ("pcns.kubernetes.io/metadata.name == 'red'", True),
        ("has(pcsa.projectcalico.org/name)", False),
    ],
)
def test_set_of_a_namespace_inherits_its_labels(text: str, matches: bool) -> None:
    found = selected(parse(text), namespace("red", env="test"), network_set("red/s", NET, kind="office"))

    assert ([BLOCK] if matches else []) == found


@pytest.mark.parametrize(
    ("text", "which"),
    [("all()", "red"), ("global()", "everywhere"), ("env == 'test'", "red"), ("env != 'live'", "both")],
)
def test_namespace_selectors_tell_sets_apart(text: str, which: str) -> None:
    objects = (namespace("red", env="test"), network_set("red/s", "192.0.2.1"), network_set("g", "192.0.2.2"))
    one, other = InBlock(IPBlock(ip_network("192.0.2.1"))), InBlock(IPBlock(ip_network("192.0.2.2")))

    expected = {"red": {one}, "everywhere": {other}, "both": {one, other}}[which]
    assert expected == set(selected(of_namespaces(parse(text)), *objects))


def test_own_label_of_a_set_hides_the_inherited_one() -> None:
    found = made(
        "NetworkSet", "red/s", {"nets": [NET]}, labels={"pcns.env": "mine", "projectcalico.org/namespace": "x"}
    )

    assert [BLOCK] == selected(parse("pcns.env == 'mine'"), namespace("red", env="test"), found)
    assert [] == selected(parse("projectcalico.org/namespace == 'x'"), found)


def test_blocks_and_addresses_of_both_families() -> None:
    found = selected(parse("all()"), network_set("g", "10.0.0.1/8", "192.0.2.7", "2001:db8::/32", "2001:db8::1"))

    nets = [str(item.block.cidr) for item in found]
    assert ["10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32", "2001:db8::1/128"] == nets


def test_empty_set_holds_nothing() -> None:
    assert [] == selected(parse("all()"), network_set("g"))


def test_labels_of_a_stored_set_stand_in_an_annotation() -> None:
    kept = {"projectcalico.org/metadata": json.dumps({"labels": {"kind": "office"}, "creationTimestamp": None})}
    stored = made("GlobalNetworkSet", "g", {"nets": [NET]}, annotations=kept, labels={"kind": "old", "more": "x"})

    assert [BLOCK] == selected(parse("kind == 'office' && more == 'x'"), stored)


def test_domain_names_of_a_set_are_not_resolved() -> None:
    named = made("GlobalNetworkSet", "g", {"allowedEgressDomains": ["example.com"]})

    (found,) = selected(parse("all()"), named)
    assert (Match.UNKNOWN, BY_NAME) == (found.answer, found.where)
    assert [] == selected(parse("has(x)"), named)


@pytest.mark.parametrize(
    "broken",
    [
        {"spec": None, "metadata": {"name": "g", "labels": ["kind"]}},
        {"spec": []},
        {"spec": {"nets": "10.0.0.0/8"}},
        {"spec": {"nets": [None]}},
        {"spec": {"nets": ["10.0.0.0/33"]}},
        {"spec": {"nets": ["ten"]}},
        {"spec": {"nets": [NET], "ports": []}},
        {"spec": {"allowedEgressDomains": [3]}},
        {"metadata": {"name": "g", "annotations": {"projectcalico.org/metadata": "{"}}},
        {"metadata": {"name": "g", "annotations": {"projectcalico.org/metadata": "[" * 100_000}}},
        {"metadata": {"name": "g", "annotations": {"projectcalico.org/metadata": "3"}}},
        {"metadata": {"name": "g", "annotations": {"projectcalico.org/metadata": {}}}},
        {"metadata": {"name": "g", "annotations": []}},
    ],
)
def test_unreadable_set_may_hold_anything(broken: Raw) -> None:
    (found,) = selected(parse("has(x)"), {**network_set("g", NET), **broken}, network_set("h", NET))

    assert (Match.UNKNOWN, EVERYTHING_AT_ALL) == (found.answer, found.where)
    assert "GlobalNetworkSet g, which cannot be read" in found.reason


def without_labels(read: Snapshot) -> Snapshot:
    """A snapshot whose namespaces are known by name only."""
    return replace(read, namespaces=tuple(replace(item, labels={}, labels_known=False) for item in read.namespaces))


@pytest.mark.parametrize("lost", ["labels", "namespace"])
def test_unread_namespace_labels_leave_a_set_unsure(lost: str) -> None:
    read = snapshot(namespace("red", env="test"), network_set("red/s", NET, kind="office"))
    read = without_labels(read) if lost == "labels" else replace(read, namespaces=())
    (found,) = read_sets(read)

    (unsure,) = found.predicates(parse("pcns.env == 'test'"))
    assert isinstance(unsure, Unsure)
    assert (Match.UNKNOWN, any_of([BLOCK])) == (unsure.answer, unsure.where)
    assert [BLOCK] == list(found.predicates(parse("kind == 'office'")))
    assert [BLOCK] == list(found.predicates(parse("pcns.projectcalico.org/name == 'red'")))


def test_host_endpoints_are_sets_of_what_they_expect() -> None:
    raw = {
        "metadata": {"name": "h", "labels": {"role": "node"}},
        "spec": {"node": "n1", "expectedIPs": ["192.168.0.1"]},
    }
    item = PolicyObject("hostendpoints.crd.projectcalico.org", "HostEndpoint", "", "h", raw)
    (found,) = read_sets(Snapshot(objects=(item,)))

    assert [InBlock(IPBlock(ip_network("192.168.0.1")))] == list(found.predicates(parse("role == 'node'")))

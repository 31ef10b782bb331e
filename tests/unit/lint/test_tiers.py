"""Policies whose order is left to the engine."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.model.lint import LintSeverity
from tests.builders import Raw, named, selector
from tests.unit.lint.linting import SHOP, found, one, places

SHARED = "priority-shared"
ANYBODY: Raw = {"namespaces": {}}


def rule(action: str, *ports: Raw, **labels: str) -> Raw:
    peer = {"pods": {"namespaceSelector": {}, "podSelector": selector(**labels)}}
    return {"action": action, "peers": [peer]} | ({"ports": list(ports)} if ports else {})


def on(number: int, end: int | None = None, protocol: str = "TCP") -> Raw:
    if end:
        return {"portRange": {"start": number, "end": end, "protocol": protocol}}
    return {"portNumber": {"port": number, "protocol": protocol}}


def admin(name: str, *rules: Raw, priority: int = 1, subject: Raw = ANYBODY, way: str = "ingress", **more: Any) -> Raw:
    peers = "from" if way == "ingress" else "to"
    made = [{peers if key == "peers" else key: value for key, value in item.items()} for item in rules]
    return {**named("AdminNetworkPolicy", name), "spec": {"priority": priority, "subject": subject, way: made, **more}}


def test_policies_of_one_priority_that_contradict_each_other() -> None:
    finding = one(SHARED, *SHOP, admin("a", rule("Allow", app="web")), admin("b", rule("Deny")))

    assert (finding.object.name, finding.path, finding.severity) == ("a", "spec.priority", LintSeverity.WARNING)
    assert finding.message.startswith("has the priority of AdminNetworkPolicy b, ")
    assert finding.why[0] == "all are in the tier Admin with priority 1"


def test_each_is_named_once() -> None:
    three = [admin(name, rule(action)) for name, action in (("a", "Allow"), ("b", "Deny"), ("c", "Pass"))]

    assert places(found(SHARED, *SHOP, *three)) == [("/a", "spec.priority"), ("/b", "spec.priority")]
    assert "AdminNetworkPolicy b, AdminNetworkPolicy c" in found(SHARED, *SHOP, *three)[0].message


@pytest.mark.parametrize(
    "other",
    [
        admin("b", rule("Deny"), priority=2),
        admin("b", rule("Allow")),
        admin("b", rule("Deny"), way="egress"),
        admin("b", rule("Deny", app="api")),
        admin("b", rule("Deny"), subject={"namespaces": selector(team="x")}),
        admin("b", rule("Deny", on(81, 90), on(80, protocol="UDP"), app="web")),
    ],
    ids=["priority", "action", "direction", "peers", "subjects", "ports"],
)
def test_policies_that_never_meet(other: Raw) -> None:
    assert found(SHARED, *SHOP, admin("a", rule("Allow", on(80), app="web")), other) == ()


@pytest.mark.parametrize("port", [on(80), on(1, 100), {"namedPort": "http"}], ids=["number", "range", "name"])
def test_ports_that_meet(port: Raw) -> None:
    allowing = admin("a", rule("Allow", on(80), app="web"))

    assert len(found(SHARED, *SHOP, allowing, admin("b", rule("Deny", port)))) == 1

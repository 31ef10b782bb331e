"""Predicates and ports in words."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from auditor.evaluate.wording import describe, listed, ports_text, selector_text, term_text, wanted
from auditor.model.flow import Protocol
from auditor.model.labels import LabelSelector, Operator, Requirement, equals
from auditor.model.policy import IPBlock
from auditor.model.rules import (
    ANY_POD,
    EVERYTHING_AT_ALL,
    NOTHING,
    AccountIs,
    AccountLabels,
    AllOf,
    AnyOf,
    EndKind,
    InBlock,
    InNamespace,
    IsKind,
    Match,
    NamespaceLabels,
    NodeLabels,
    Not,
    OwnNode,
    PodLabels,
    Ports,
    PortTerm,
    Predicate,
    Unsure,
)

WEB = equals({"app": "web"})


@pytest.mark.parametrize(
    ("operator", "values", "text"),
    [
        (Operator.IN, ["a"], "app=a"),
        (Operator.IN, ["b", "a"], "app in (a, b)"),
        (Operator.IN, list("fedcba"), "app in (a, b, c, d, 2 more)"),
        (Operator.NOT_IN, ["a"], "app notin (a)"),
        (Operator.EXISTS, [], "app"),
        (Operator.DOES_NOT_EXIST, [], "!app"),
    ],
)
def test_requirements_are_written_as_kubectl_does(operator: Operator, values: list[str], text: str) -> None:
    requirement = Requirement("app", operator, frozenset(values))

    assert text == wanted(requirement) == selector_text(LabelSelector((requirement,)))


def test_empty_selector_says_so() -> None:
    assert "any labels" == selector_text(equals({}))


def test_few_values_are_listed_whole() -> None:
    assert ("a, b, c, d", "") == (listed(list("abcd")), listed([]))


BLOCK = IPBlock(ip_network("10.0.0.0/8"), (ip_network("10.1.0.0/16"),))


@pytest.mark.parametrize(
    ("predicate", "text"),
    [
        (EVERYTHING_AT_ALL, "anybody"),
        (NOTHING, "nothing"),
        (ANY_POD, "any pod"),
        (IsKind(frozenset({EndKind.NODE, EndKind.OUTSIDE})), "any node or any address outside"),
        (PodLabels(WEB), "pods with app=web"),
        (NamespaceLabels(WEB), "namespaces with app=web"),
        (NodeLabels(WEB), "nodes with app=web"),
        (AccountLabels(WEB), "service accounts with app=web"),
        (AccountIs(frozenset({"b", "a"})), "service account a, b"),
        (InNamespace("shop"), "namespace shop"),
        (OwnNode(), "the pod's own node"),
        (InBlock(BLOCK), "addresses in 10.0.0.0/8 except 10.1.0.0/16"),
        (Not(OwnNode()), "not (the pod's own node)"),
        (AllOf((InNamespace("shop"), PodLabels(WEB))), "namespace shop and pods with app=web"),
        (
            AnyOf(tuple(map(InNamespace, "abcdef"))),
            "namespace a or namespace b or namespace c or namespace d or 2 more",
        ),
        (Unsure(Match.OPEN, "why", ANY_POD), "something that is not certain (why)"),
    ],
)
def test_predicates(predicate: Predicate, text: str) -> None:
    assert text == describe(predicate)


@pytest.mark.parametrize(
    ("term", "text"),
    [
        (PortTerm(Protocol.TCP, 80, 80), "80/TCP"),
        (PortTerm(Protocol.UDP, 80, 90), "80-90/UDP"),
        (PortTerm(Protocol.SCTP), "any port/SCTP"),
        (PortTerm(None, 80, 80), "80/any protocol"),
        (PortTerm(Protocol.TCP, name="http"), "http/TCP"),
    ],
)
def test_ports(term: PortTerm, text: str) -> None:
    assert text == term_text(term) == ports_text((Ports((term,)),))


def test_rule_without_ports_is_about_any() -> None:
    assert "any port" == ports_text(())


def test_inverted_ports_are_said_to_be() -> None:
    low, high = PortTerm(first=1, last=9), PortTerm(first=5, last=5)

    assert "1-9/TCP and none of 5/TCP" == ports_text((Ports((low,)), Ports((high,), inverted=True)))

"""Calico's selectors as predicates on pods: their own labels, and those that Calico gives them."""

from __future__ import annotations

import pytest

from auditor.model.labels import LabelSelector, Operator, Requirement
from auditor.model.rules import (
    EVERYTHING_AT_ALL,
    NOTHING,
    AccountIs,
    AccountLabels,
    AllOf,
    AnyOf,
    InNamespace,
    NamespaceLabels,
    Not,
    PodLabels,
    Predicate,
)
from auditor.policy import calico_selector
from auditor.policy.calico_labels import PodFacts, of_accounts, of_namespaces, of_pods, read_facts
from auditor.policy.calico_selector import Term, parse
from tests.builders import pod
from tests.calico import snapshot

LONG = "a" * 63
FACTS = PodFacts(accounts=frozenset({"default", "web", "worker", LONG}))


def asks(key: str, operator: Operator, *values: str) -> LabelSelector:
    return LabelSelector((Requirement(key, operator, frozenset(values)),))


def term(operator: calico_selector.Operator, key: str, value: str) -> Term:
    return Term(operator, key, frozenset({value}))


OWN: dict[str, Predicate] = {
    "a == 'x'": PodLabels(asks("a", Operator.IN, "x")),
    "a != 'x'": PodLabels(asks("a", Operator.NOT_IN, "x")),
    "a in {'x', 'y'}": PodLabels(asks("a", Operator.IN, "x", "y")),
    "a not in {'x', 'y'}": PodLabels(asks("a", Operator.NOT_IN, "x", "y")),
    "a in {}": PodLabels(asks("a", Operator.IN)),
    "has(a)": PodLabels(asks("a", Operator.EXISTS)),
    "!has(a)": PodLabels(asks("a", Operator.DOES_NOT_EXIST)),
    "!(a == 'x')": Not(PodLabels(asks("a", Operator.IN, "x"))),
    "a contains 'x'": PodLabels(term(calico_selector.Operator.CONTAINS, "a", "x")),
    "all()": EVERYTHING_AT_ALL,
    "!all()": Not(EVERYTHING_AT_ALL),
    "a == 'x' && !has(b)": PodLabels(
        LabelSelector((*asks("a", Operator.IN, "x").requirements, *asks("b", Operator.DOES_NOT_EXIST).requirements))
    ),
    "a == 'x' && all()": PodLabels(asks("a", Operator.IN, "x")),
    "a == 'x' && b ends with 'y'": AllOf(
        (PodLabels(term(calico_selector.Operator.ENDS_WITH, "b", "y")), PodLabels(asks("a", Operator.IN, "x")))
    ),
    "a == 'x' || has(b)": AnyOf((PodLabels(asks("a", Operator.IN, "x")), PodLabels(asks("b", Operator.EXISTS)))),
}
GIVEN: dict[str, Predicate] = {
    "projectcalico.org/orchestrator == 'k8s'": EVERYTHING_AT_ALL,
    "projectcalico.org/orchestrator != 'k8s'": NOTHING,
    "has(projectcalico.org/orchestrator)": EVERYTHING_AT_ALL,
    "!has(projectcalico.org/orchestrator)": Not(EVERYTHING_AT_ALL),
    "projectcalico.org/namespace == 'red'": InNamespace("red"),
    "projectcalico.org/namespace != 'red'": Not(InNamespace("red")),
    "projectcalico.org/namespace in {'red', 'blue'}": AnyOf((InNamespace("blue"), InNamespace("red"))),
    "has(projectcalico.org/namespace)": EVERYTHING_AT_ALL,
    "projectcalico.org/namespace starts with 'r'": NamespaceLabels(
        term(calico_selector.Operator.STARTS_WITH, "kubernetes.io/metadata.name", "r")
    ),
    "pcns.projectcalico.org/name == 'red'": InNamespace("red"),
    "pcns.kubernetes.io/metadata.name == 'red'": InNamespace("red"),
    "pcns.env != 'test'": NamespaceLabels(asks("env", Operator.NOT_IN, "test")),
    "has(pcns.env)": NamespaceLabels(asks("env", Operator.EXISTS)),
    "!has(pcns.env)": Not(NamespaceLabels(asks("env", Operator.EXISTS))),
    "pcns.env contains 'est'": NamespaceLabels(term(calico_selector.Operator.CONTAINS, "env", "est")),
    "pcsa.role == 'x'": AccountLabels(asks("role", Operator.IN, "x")),
    "pcsa.role ends with 'x'": AccountLabels(term(calico_selector.Operator.ENDS_WITH, "role", "x")),
    "pcsa.projectcalico.org/name == 'web'": AccountIs(frozenset({"web"})),
    f"pcsa.projectcalico.org/name == '{LONG}'": AccountIs(frozenset({LONG})),
    "projectcalico.org/serviceaccount == 'web'": AccountIs(frozenset({"web"})),
    "projectcalico.org/serviceaccount != 'web'": Not(AccountIs(frozenset({"web"}))),
    "projectcalico.org/serviceaccount starts with 'w'": AccountIs(frozenset({"web", "worker"})),
    # A longer name than a label may have is in no label.
    f"projectcalico.org/serviceaccount == '{LONG}'": AccountIs(frozenset()),
    "has(projectcalico.org/serviceaccount)": AccountIs(frozenset({"default", "web", "worker"})),
    "a == 'x' && pcns.env == 'test'": AllOf(
        (NamespaceLabels(asks("env", Operator.IN, "test")), PodLabels(asks("a", Operator.IN, "x")))
    ),
}


@pytest.mark.parametrize("text", OWN | GIVEN)
def test_selector_becomes_predicate(text: str) -> None:
    assert (OWN | GIVEN)[text] == of_pods(parse(text), FACTS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("env == 'test'", "pcns.env == 'test'"),
        ("!has(env) || env in {'a', 'b'}", "!has(pcns.env) || pcns.env in {'a', 'b'}"),
        ("projectcalico.org/name == 'red'", "pcns.projectcalico.org/name == 'red'"),
        ("all()", "has(projectcalico.org/namespace)"),
        ("global()", "!has(projectcalico.org/namespace)"),
        ("!global() && all()", "!(!has(projectcalico.org/namespace)) && has(projectcalico.org/namespace)"),
    ],
)
def test_namespace_selector_asks_for_what_is_inherited(text: str, expected: str) -> None:
    assert parse(expected).matches({}) is of_namespaces(parse(text)).matches({})
    assert parse(expected).keys == of_namespaces(parse(text)).keys
    inherited = {"pcns.env": "test", "pcns.projectcalico.org/name": "red", "projectcalico.org/namespace": "red"}
    assert parse(expected).matches(inherited) is of_namespaces(parse(text)).matches(inherited)


def test_account_selector_asks_for_what_is_inherited() -> None:
    assert parse("pcsa.role == 'x' && all()") == of_accounts(parse("role == 'x' && all()"))


def test_facts_are_what_pods_wear_and_run_as() -> None:
    worn = {"pcns.env": "mine", "pcsa.role": "mine", "app": "a"}
    facts = read_facts(
        snapshot(pod("red/a", **worn), pod("red/b", app="b", spec={"serviceAccountName": "web"}))  # type: ignore[arg-type]
    )

    assert PodFacts(frozenset({"pcns.env", "pcsa.role"}), frozenset({"default", "web"})) == facts


def test_own_label_hides_the_inherited_one() -> None:
    facts = PodFacts(hiding=frozenset({"pcns.env"}))
    own, asked = PodLabels(asks("pcns.env", Operator.EXISTS)), parse("pcns.env == 'test'")

    assert AnyOf(
        (
            AllOf((own, PodLabels(asked))),
            AllOf((Not(own), NamespaceLabels(asks("env", Operator.IN, "test")))),
        )
    ) == of_pods(asked, facts)
    assert of_pods(asked, PodFacts()) == NamespaceLabels(asks("env", Operator.IN, "test"))

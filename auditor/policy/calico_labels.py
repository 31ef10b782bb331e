"""What Calico's selectors see of pods: their labels and some more.

Pure.  An endpoint bears its pod's labels, `projectcalico.org/namespace`, `orchestrator` and `serviceaccount`, and
inherits those of its namespace under `pcns.` and of its service account under `pcsa.`, each with its name as
`projectcalico.org/name`.  What a pod bears itself hides what it would inherit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from auditor.model.cluster import Snapshot
from auditor.model.labels import LabelSelector, Requirement
from auditor.model.labels import Operator as Wanted
from auditor.model.rules import (
    EVERYTHING_AT_ALL,
    NOTHING,
    AccountIs,
    AccountLabels,
    InNamespace,
    NamespaceLabels,
    Not,
    PodLabels,
    Predicate,
    Selector,
    all_of,
    any_of,
)
from auditor.policy.calico_selector import Expression, Junction, Negation, Operator, Term, rewritten

OF_NAMESPACE, OF_ACCOUNT = "pcns.", "pcsa."
NAMESPACE, ACCOUNT = "projectcalico.org/namespace", "projectcalico.org/serviceaccount"
ORCHESTRATOR, KUBERNETES = "projectcalico.org/orchestrator", "k8s"
NAME = "projectcalico.org/name"
METADATA_NAME = "kubernetes.io/metadata.name"
NAMESPACE_NAMES = frozenset({NAMESPACE, OF_NAMESPACE + NAME, OF_NAMESPACE + METADATA_NAME})
LONGEST_ACCOUNT = 62
"""A service account with a longer name is not put into a label; its own name label has no such limit."""
IN_A_NAMESPACE = Term(Operator.HAS, NAMESPACE)


@dataclass(frozen=True, slots=True)
class PodFacts:
    """What of a snapshot's pods bears on how a selector is read."""

    hiding: frozenset[str] = frozenset()
    """Labels of pods that hide inherited ones."""
    accounts: frozenset[str] = frozenset({"default"})
    """The names of the service accounts that pods run as."""


def read_facts(snapshot: Snapshot) -> PodFacts:
    """Find out what of a snapshot's pods bears on selectors."""
    keys = frozenset[str]().union(*(pod.labels for pod in snapshot.pods))
    return PodFacts(
        hiding=frozenset(key for key in keys if key.startswith((OF_NAMESPACE, OF_ACCOUNT))),
        accounts=frozenset({"default", *(pod.service_account for pod in snapshot.pods)}),
    )


def of_namespaces(expression: Expression) -> Expression:
    """What a namespace selector asks of the labels that endpoints inherit.

    `all()` means what is in any namespace, `global()` what is in none: network sets of the whole cluster and hosts.
    """

    def change(term: Term) -> Expression:
        if term.operator is Operator.ALL:
            return IN_A_NAMESPACE
        if term.operator is Operator.GLOBAL:
            return Negation(IN_A_NAMESPACE)
        return replace(term, key=OF_NAMESPACE + term.key)

    return rewritten(expression, change)


def of_accounts(expression: Expression) -> Expression:
    """What a service account selector asks of the labels that endpoints inherit."""
    return rewritten(expression, lambda term: replace(term, key=OF_ACCOUNT + term.key) if term.key else term)


def of_pods(expression: Expression, facts: PodFacts) -> Predicate:
    """Translate an expression into what holds of the pods that it selects; of what is no pod it may hold too.

    What a Kubernetes selector can say is said with one, because those are indexed.
    """
    if isinstance(expression, Junction):
        if not expression.every:
            return any_of(of_pods(part, facts) for part in expression.parts)
        read = [(part, _requirement(part)) for part in expression.parts]
        simple = LabelSelector(tuple(requirement for _, requirement in read if requirement))
        others = [of_pods(part, facts) for part, requirement in read if not requirement]
        return all_of(*others, PodLabels(simple) if simple.requirements else None)
    requirement = _requirement(expression)
    if requirement:
        return PodLabels(LabelSelector((requirement,)))
    if isinstance(expression, Negation):
        return Not(of_pods(expression.part, facts))
    return _of_term(expression, facts)


def _of_term(term: Term, facts: PodFacts) -> Predicate:
    if not term.key:
        return EVERYTHING_AT_ALL
    if not _is_given(term.key):
        return PodLabels(term)
    found = _given(term, facts)
    if term.key not in facts.hiding:
        return found
    own = PodLabels(LabelSelector((Requirement(term.key, Wanted.EXISTS),)))
    return any_of((all_of(own, PodLabels(term)), all_of(Not(own), found)))


_SAME = {Operator.IN: Wanted.IN, Operator.NOT_IN: Wanted.NOT_IN, Operator.HAS: Wanted.EXISTS}


def _requirement(expression: Expression) -> Requirement | None:
    """The same question about a pod's own labels as a Kubernetes selector asks it; None where it has none."""
    if isinstance(expression, Negation) and isinstance(expression.part, Term):
        absent = expression.part.operator is Operator.HAS and not _is_given(expression.part.key)
        return Requirement(expression.part.key, Wanted.DOES_NOT_EXIST) if absent else None
    if not isinstance(expression, Term) or expression.operator not in _SAME or _is_given(expression.key):
        return None
    return Requirement(expression.key, _SAME[expression.operator], expression.values)


def _selector(term: Term, prefix: str) -> Selector:
    """The same question about what an endpoint inherits, asked where it inherits it from."""
    key = term.key.removeprefix(prefix)
    if term.operator in _SAME:
        return LabelSelector((Requirement(key, _SAME[term.operator], term.values),))
    return replace(term, key=key)


def _is_given(key: str) -> bool:
    """Whether a label is one that Calico gives to an endpoint."""
    return key in {NAMESPACE, ACCOUNT, ORCHESTRATOR} or key.startswith((OF_NAMESPACE, OF_ACCOUNT))


def _given(term: Term, facts: PodFacts) -> Predicate:
    """Translate a question about one label that Calico gives."""
    if term.key == ORCHESTRATOR:
        return EVERYTHING_AT_ALL if term.matches({ORCHESTRATOR: KUBERNETES}) else NOTHING
    if term.key in NAMESPACE_NAMES:
        return _namespace_name(term)
    if term.key == ACCOUNT:
        return _account_name(term, facts, lambda name: len(name) <= LONGEST_ACCOUNT)
    if term.key == OF_ACCOUNT + NAME:
        return _account_name(term, facts, lambda _: True)
    if term.key.startswith(OF_NAMESPACE):
        return NamespaceLabels(_selector(term, OF_NAMESPACE))
    return AccountLabels(_selector(term, OF_ACCOUNT))


def _namespace_name(term: Term) -> Predicate:
    if term.operator is Operator.HAS:
        return EVERYTHING_AT_ALL
    if term.operator in {Operator.IN, Operator.NOT_IN}:
        found = any_of(InNamespace(name) for name in sorted(term.values))
        return found if term.operator is Operator.IN else Not(found)
    return NamespaceLabels(replace(term, key=METADATA_NAME))


def _account_name(term: Term, facts: PodFacts, is_label: Callable[[str], bool]) -> Predicate:
    """A question about the name, answered for every name in use, because predicates compare names only."""
    if term.operator is Operator.NOT_IN:
        return Not(AccountIs(frozenset(filter(is_label, term.values))))
    if term.operator is Operator.IN:
        return AccountIs(frozenset(filter(is_label, term.values)))
    return AccountIs(frozenset(name for name in facts.accounts if is_label(name) and term.matches({term.key: name})))

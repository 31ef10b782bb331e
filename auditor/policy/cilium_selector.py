"""Cilium's endpoint selectors: a pod by its own labels, its namespace's, its service account, its cluster.

Pure.  A key may say where its label comes from: `k8s:app` and `app` are a pod's, `reserved:host` is Cilium's own.  What
is not a pod has reserved labels only, so that conditions such as NotIn hold of it unless the selector means pods alone.

Source: Cilium's documentation (layer 3 policies, Kubernetes constructs) and the source of 1.19 where that is silent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from auditor.cluster import fields
from auditor.cluster.decode_policy import decode_selector
from auditor.cluster.fields import Raw
from auditor.model.labels import EVERYTHING, LabelSelector, Operator, Requirement
from auditor.model.rules import (
    ANY_POD,
    EVERYTHING_AT_ALL,
    NOTHING,
    AccountIs,
    EndKind,
    InNamespace,
    IsKind,
    Match,
    NamespaceLabels,
    NodeLabels,
    Not,
    OwnNode,
    PodLabels,
    Predicate,
    Unsure,
    all_of,
    any_of,
)
from auditor.policy.cilium_cluster import NOT_A_POD, OUTSIDE, Surroundings

NAMESPACE = "io.kubernetes.pod.namespace"
OF_NAMESPACE = "io.cilium.k8s.namespace.labels."
ACCOUNT = "io.cilium.k8s.policy.serviceaccount"
CLUSTER = "io.cilium.k8s.policy.cluster"
NAME_LABEL = "kubernetes.io/metadata.name"
RESERVED = "reserved"
OF_PODS = frozenset({"", "any", "k8s"})
"""Sources of labels that a pod can have in Kubernetes."""

NODE = IsKind(frozenset({EndKind.NODE}))
ENDPOINT = all_of(ANY_POD, Not(NodeLabels(EVERYTHING)))
"""A pod with a network of its own; one on its node's network is the node to Cilium."""
ENTITIES: Mapping[str, Callable[[Surroundings], Predicate]] = {
    "all": lambda _: EVERYTHING_AT_ALL,
    # It holds the API server too. An address outside is taken for the world's all the same: that it is the API server's
    # only its endpoints could tell, and else nothing could be said of any address.
    "cluster": lambda _: IsKind(frozenset({EndKind.POD, EndKind.NODE})),
    "host": lambda _: OwnNode(),
    "remote-node": lambda _: all_of(NODE, Not(OwnNode())),
    "kube-apiserver": lambda around: around.api_servers,
    "world": lambda _: OUTSIDE,
    "world-ipv4": lambda around: around.world(4),
    "world-ipv6": lambda around: around.world(6),
    # Ends that no snapshot has: Cilium's own endpoints, and pods that Cilium has yet to learn of.
    **dict.fromkeys(("health", "ingress", "init", "none", "unmanaged"), lambda _: NOTHING),
}


def split_key(text: str) -> tuple[str, str]:
    """The source of a label, which may be empty, and its key."""
    if text.startswith("$"):
        return RESERVED, text[1:]
    if text.startswith(f"{RESERVED}."):
        return RESERVED, text.removeprefix(f"{RESERVED}.")
    source, colon, key = text.partition(":")
    return (source, key) if colon else ("", text)


@dataclass(frozen=True, slots=True)
class _Condition:
    """A requirement and whose label it asks for."""

    source: str
    requirement: Requirement

    @property
    def key(self) -> str:
        return self.requirement.key

    @property
    def holds_without(self) -> bool:
        """Whether it holds of what lacks the label."""
        return self.requirement.matches({})


def _conditions(selector: LabelSelector) -> list[_Condition]:
    found = []
    for item in selector.requirements:
        source, key = split_key(item.key)
        found.append(_Condition(source, Requirement(key, item.operator, item.values)))
    return found


def subject(raw: Raw, namespace: str, around: Surroundings) -> Predicate:
    """The pods that a rule applies to; those of its own namespace alone, where it has one.

    Of `matchLabels`, the key of the namespace with its source is overwritten; in any other form it must hold as well.
    """
    if namespace:
        labels = fields.mapping(raw, "matchLabels")
        raw = {**raw, "matchLabels": {key: value for key, value in labels.items() if key != f"k8s:{NAMESPACE}"}}
    conditions = _conditions(decode_selector(raw))
    home = InNamespace(namespace) if namespace else None
    return all_of(home, ENDPOINT, *_of_pods(conditions, around), *_reserved(conditions, around))


def peer(raw: Raw, namespace: str, around: Surroundings) -> Predicate:
    """The ends that a selector among a rule's peers means.

    Without a word on namespaces: pods of the policy's own one, or of any where it has none.  Only a selector that names
    a reserved label, or whose every condition holds without a label, can mean what is not a pod.
    """
    conditions = _conditions(decode_selector(raw))
    home, others = _reach(conditions, namespace, around)
    found = all_of(home, ENDPOINT, *_of_pods(conditions, around))
    if all(item.holds_without for item in conditions if item.source != RESERVED):
        found = any_of(item for item in (found, others) if item != NOTHING)
    return all_of(found, *_reserved(conditions, around))


def _reach(conditions: list[_Condition], namespace: str, around: Surroundings) -> tuple[InNamespace | None, Predicate]:
    """The namespace to which pods are confined, and what a selector reaches besides pods if it reaches anything."""
    if any(item.source == RESERVED for item in conditions):
        return None, NOT_A_POD
    named = {item.key for item in conditions if item.source in OF_PODS}
    if NAMESPACE not in named:
        if not namespace:
            return None, NOTHING
        if not any(key.startswith(OF_NAMESPACE) for key in named):
            return InNamespace(namespace), NOTHING
    if CLUSTER in named or around.local_only is Match.NO:
        return None, NOT_A_POD
    if around.local_only is Match.YES:
        return None, NOTHING
    reason = "selects by what is missing, and policy-default-local-cluster, which may confine it to pods, was not read"
    return None, Unsure(Match.UNKNOWN, reason, NOT_A_POD)


def _of_pods(conditions: list[_Condition], around: Surroundings) -> list[Predicate]:
    """What is asked of pods; the labels of one owner in one selector."""
    own, home, rest = [], [], []
    for item in conditions:
        key = item.key
        if item.source == RESERVED:
            continue
        if item.source not in OF_PODS:
            rest.append(_foreign(item))
        elif key == NAMESPACE:
            home.append(Requirement(NAME_LABEL, item.requirement.operator, item.requirement.values))
        elif key.startswith(OF_NAMESPACE):
            found = item.requirement
            home.append(Requirement(key.removeprefix(OF_NAMESPACE), found.operator, found.values))
        elif key == ACCOUNT:
            rest.append(_account(item.requirement))
        elif key == CLUSTER:
            rest.append(_cluster(item.requirement, around))
        else:
            own.append(item.requirement)
    labels = [PodLabels(LabelSelector(tuple(own)))] if own else []
    return [*_home(home), *labels, *rest]


def _home(requirements: list[Requirement]) -> list[Predicate]:
    if len(requirements) == 1 and requirements[0].key == NAME_LABEL and requirements[0].operator is Operator.IN:
        return [any_of(InNamespace(name) for name in sorted(requirements[0].values))]
    return [NamespaceLabels(LabelSelector(tuple(requirements)))] if requirements else []


def _account(requirement: Requirement) -> Predicate:
    if requirement.operator is Operator.EXISTS:
        return EVERYTHING_AT_ALL
    if requirement.operator is Operator.DOES_NOT_EXIST:
        return NOTHING
    names = AccountIs(requirement.values)
    return names if requirement.operator is Operator.IN else Not(names)


def _cluster(requirement: Requirement, around: Surroundings) -> Predicate:
    """Every pod of a snapshot is of its cluster."""
    if not around.cluster and requirement.operator in {Operator.IN, Operator.NOT_IN}:
        return Unsure(Match.UNKNOWN, "names a cluster, and the name of this one was not read", ANY_POD)
    return EVERYTHING_AT_ALL if requirement.matches({CLUSTER: around.cluster}) else NOTHING


def _foreign(item: _Condition) -> Predicate:
    reason = f"selects by labels of the source {item.source!r}, which pods of Kubernetes do not have"
    return Unsure(Match.UNKNOWN, reason, EVERYTHING_AT_ALL)


def _reserved(conditions: list[_Condition], around: Surroundings) -> list[Predicate]:
    """What is asked of reserved labels, whose value is empty and of which a pod has none."""
    found: list[Predicate] = []
    for item in conditions:
        if item.source == RESERVED:
            wearers = ENTITIES[item.key](around) if item.key in RESERVED_LABELS else NOTHING
            with_it, without = item.requirement.matches({item.key: ""}), item.holds_without
            if with_it is not without:
                found.append(wearers if with_it else Not(wearers))
            elif not with_it:
                found.append(NOTHING)
    return found


RESERVED_LABELS = ENTITIES.keys() - {"all", "cluster"}

"""The scene of `--mode shadow`: audited namespaces once more, in netaudit's own, with copies of their NetworkPolicies.

Pure.  Nothing stands beside a workload, so nothing there can react; in return the pods measured are not in the
workload's namespace, and what is shown is the engine under an equal policy.  A flow whose verdict is another one than
between the workloads themselves is not tried.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from auditor.evaluate.model import Model
from auditor.evaluate.vocabulary import leaves, predicates
from auditor.identities import Relevance, find_identities
from auditor.model.cluster import Namespace, Pod, Snapshot
from auditor.model.dialect import API, Dialect
from auditor.model.flow import PolicyRef
from auditor.model.labels import LabelSelector, Requirement
from auditor.model.matrix import Identity, ReachabilityMatrix
from auditor.model.options import Mode, Options
from auditor.model.policy import NetworkPolicy, Peer, Rule
from auditor.model.probe import PlannedFlow, ProbePlan, Skip
from auditor.model.rules import NamespaceLabels
from auditor.plan import CONTROL_NAMESPACE, OWN_LABELS, is_audited, is_system, own_namespaces

FIRST = 3
"""Number of the first own namespace that stands for another; those before it are the controls' and the sentinels'."""
HOMES = 50
"""Namespaces that are stood for at most."""
NAME = "kubernetes.io/metadata.name"
DEFAULT_ACCOUNT = "default"


@dataclass(frozen=True, slots=True)
class Shadows:
    """A cluster in which netaudit's own namespaces stand for audited ones."""

    original: Model
    """What holds between the workloads themselves."""
    acted: Snapshot
    """The cluster with the copies in it; the policies that were copied are left out, and so is what they select."""
    homes: Mapping[str, str]
    """The own namespace by the one that it stands for."""
    policies: tuple[NetworkPolicy, ...]
    """The copies."""
    skipped: tuple[Skip, ...]

    @property
    def names(self) -> Mapping[str, str]:
        """The namespace that is stood for by the own one."""
        return {own: name for name, own in self.homes.items()}

    def covers(self, pod: Pod) -> bool:
        """Whether a pod of the scene is a shadow."""
        return pod.namespace in self.names

    def labels(self) -> dict[str, dict[str, str]]:
        """What each own namespace is to wear, but for what the API server adds."""
        worn = {item.name: item.labels for item in self.acted.namespaces if item.name in self.names}
        return {name: {key: text for key, text in labels.items() if key != NAME} for name, labels in worn.items()}


def shadows(found: Snapshot, options: Options, dialect: Dialect = API) -> Shadows:
    """Stand for each namespace that was asked for: those with policies first, where there are too many."""
    original = Model(found, own_namespaces(), dialect)
    skipped: list[Skip] = []
    options = replace(options, mode=Mode.CLONE)
    asked = [
        item
        for item in find_identities(original, lambda pod: not is_system(pod.namespace) or _is_named(pod, options))
        if is_audited(item, options)
    ]
    stood_for = list(_without_accounts(asked, Relevance(original), skipped))
    policed = {policy.namespace for policy in found.policies}
    order = sorted({item.namespace for item in stood_for}, key=lambda name: (name not in policed, name))
    homes = {name: f"netaudit-ctl-{FIRST + number}" for number, name in enumerate(sorted(order[:HOMES]))}
    left = [item for item in stood_for if item.namespace not in homes]
    skipped += [Skip(item.title, f"more than {HOMES} namespaces to stand for", identity=True) for item in left]
    policies = tuple(
        sorted((_copy(policy, homes) for policy in found.policies if policy.namespace in homes), key=_by_ref)
    )
    own, seen = set(homes.values()), _seen(original)
    acted = replace(
        found,
        namespaces=(
            *(item for item in found.namespaces if item.name not in own),
            *(_home(original.namespace(name), own_name, seen) for name, own_name in homes.items()),
        ),
        pods=(*(pod for pod in found.pods if pod.namespace not in own), *_pods(stood_for, homes)),
        policies=(*(item for item in found.policies if item.namespace not in {*homes, *own}), *policies),
    )
    return Shadows(original, acted, homes, policies, tuple(skipped))


def _is_named(pod: Pod, options: Options) -> bool:
    return pod.namespace in options.namespaces


def _by_ref(policy: NetworkPolicy) -> PolicyRef:
    return policy.ref


def _without_accounts(identities: Iterable[Identity], relevant: Relevance, skipped: list[Skip]) -> Iterator[Identity]:
    """Leave out those that policies know by a service account, which an own namespace does not have."""
    for item in identities:
        account = relevant.account(item.pods[0])
        if account in {"", DEFAULT_ACCOUNT}:
            yield item
        else:
            reason = f"policies select its service account {account}, which a shadow does not have"
            skipped.append(Skip(item.title, reason, identity=True))


def _pods(identities: Iterable[Identity], homes: Mapping[str, str]) -> Iterator[Pod]:
    """One pod of each identity for each node that runs one of them; one at least, so that it is accounted for."""
    for item in identities:
        if item.namespace in homes:
            first = {pod.node: pod for pod in reversed(item.pods) if pod.node} or {"": item.pods[0]}
            for node in sorted(first):
                yield replace(first[node], namespace=homes[item.namespace])


def _seen(model: Model) -> frozenset[str]:
    """The keys of the labels of namespaces that policies look at."""
    return frozenset(
        key
        for section in model.all_sections()
        for predicate in predicates(section)
        for leaf in leaves(predicate)
        if isinstance(leaf, NamespaceLabels)
        for key in leaf.selector.keys
    )


def _home(namespace: Namespace, name: str, seen: frozenset[str]) -> Namespace:
    """The own namespace that stands for another: with netaudit's labels, and of the other's those that policies see."""
    worn = {key: text for key, text in namespace.labels.items() if key in seen}
    return Namespace(name, {**worn, **OWN_LABELS, NAME: name}, labels_known=namespace.labels_known)


def _copy(policy: NetworkPolicy, homes: Mapping[str, str]) -> NetworkPolicy:
    """The same policy over the shadows: what names a namespace that is stood for names the own one."""
    return NetworkPolicy(
        namespace=homes[policy.namespace],
        name=policy.name,
        pod_selector=policy.pod_selector,
        isolates=policy.isolates,
        ingress=tuple(_rule(rule, homes) for rule in policy.ingress),
        egress=tuple(_rule(rule, homes) for rule in policy.egress),
    )


def _rule(rule: Rule, homes: Mapping[str, str]) -> Rule:
    return replace(rule, peers=tuple(_peer(peer, homes) for peer in rule.peers))


def _peer(peer: Peer, homes: Mapping[str, str]) -> Peer:
    selector = peer.namespace_selector
    if selector is None:
        return peer
    return replace(
        peer, namespace_selector=LabelSelector(tuple(_requirement(item, homes) for item in selector.requirements))
    )


def _requirement(item: Requirement, homes: Mapping[str, str]) -> Requirement:
    if item.key != NAME:
        return item
    return replace(item, values=frozenset(homes.get(value, value) for value in item.values))


# --- what of a plan is equivalent ---


def equivalent(plan: ProbePlan, scene: Shadows, matrix: ReachabilityMatrix) -> ProbePlan:
    """The plan with the copies, and without flows of which the workloads themselves have another verdict."""
    ends = _Ends(plan, scene, matrix)
    kept = tuple(flow for flow in plan.flows if ends.verdict(flow) is flow.predicted.verdict)
    lost = len(plan.flows) - len(kept)
    other = Skip(
        "flows that a shadow cannot stand for",
        "what decides about the workloads does not see copies",
        lost,
        unjudged=True,
    )
    used = {key for flow in kept for key in (flow.source, flow.destination)}
    nodes = {item.node for item in plan.stand_ins if item.key in used}
    return replace(
        plan,
        own_namespaces=(*plan.own_namespaces, *sorted(scene.homes.values())),
        labels=scene.labels(),
        # A control is everybody's twin on its node, whether a flow of its own is left or not.
        stand_ins=tuple(
            item for item in plan.stand_ins if item.key in used or (not item.identity and item.node in nodes)
        ),
        flows=kept,
        skipped=(*plan.skipped, *scene.skipped, *[other] * bool(lost)),
        policies=scene.policies if kept else (),
    )


class _Ends:
    """The workloads' pods behind the stand-ins of a plan."""

    def __init__(self, plan: ProbePlan, scene: Shadows, matrix: ReachabilityMatrix) -> None:
        self._model = scene.original
        names, known = scene.names, {(pod.namespace, pod.name): pod for pod in scene.original.snapshot.pods}
        members = {item.id: item.pods[0] for item in matrix.identities}
        borrowed = next((pod.addresses for pod in members.values() if pod.addresses), ())
        self._pods: dict[str, Pod] = {}
        for item in plan.stand_ins:
            shadow = members.get(item.identity)
            self._pods[item.key] = (
                Pod(CONTROL_NAMESPACE, item.key, {}, item.node, borrowed)
                if shadow is None
                else replace(known[names[shadow.namespace], shadow.name], node=item.node)
            )

    def verdict(self, flow: PlannedFlow) -> object:
        """The verdict of a flow between the workloads."""
        ends = self._pods[flow.source], self._pods[flow.destination]
        return self._model.decide(*ends, flow.family, flow.port, flow.protocol).verdict


def outdated(scene: Shadows, plan: ProbePlan, after: Iterable[NetworkPolicy]) -> dict[int, str]:
    """Flows with an end under a copy of policies that are other ones now, by id, and why they say nothing."""
    now = tuple(after)
    changed = {
        own for name, own in scene.homes.items() if _texts(scene.original.snapshot.policies, name) != _texts(now, name)
    }
    home = {item.key: item.namespace for item in plan.stand_ins}
    names = scene.names
    return {
        flow.id: f"policies of {names[own]} changed after they were copied"
        for flow in plan.flows
        for own in sorted(changed & {home[flow.source], home[flow.destination]})
    }


def _texts(policies: Iterable[NetworkPolicy], namespace: str) -> set[NetworkPolicy]:
    return {replace(item, uid="", version="") for item in policies if item.namespace == namespace}

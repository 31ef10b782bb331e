"""Snapshot into identities and verdicts.

Pure.  `decide` gives one flow's verdict with its reasons; `predict` gives the matrix of all identities.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from auditor.model.cluster import ContainerPort, Namespace, Owner, Pod, Snapshot
from auditor.model.flow import Decision, Direction, DirectionDecision, Family, Protocol, Verdict
from auditor.model.labels import LabelSelector
from auditor.model.matrix import CODES, NOT_ASKED, Identity, ReachabilityMatrix
from auditor.model.policy import NetworkPolicy
from auditor.policy.networkpolicy import End, Query, evaluate, match_peer, selects

OWN_NAMESPACE = "netaudit"
OWN_NAMESPACES = ("netaudit-ctl-", "netaudit-conf-")
OWN_POD = re.compile(r"(netaudit-[a-z0-9]+)-[a-z0-9]+-[0-9]+")
"""The name of a probe pod of any run, and in it that of its owner."""
UNNAMED_PORTS = (8642, 18642, 28642, 38642, 48642, 58642, 9753, 19753, 29753, 39753)
"""Candidates for the port that nobody declares or names; where policies name all of them, there is none to test."""


class Model:
    """A snapshot's policies, indexed for questions about flows between pods.

    `pods` given to it need not be part of the snapshot: a probe pod is judged as the API server stored it.
    """

    def __init__(self, snapshot: Snapshot, extra_namespaces: Iterable[Namespace] = ()) -> None:
        """Index `snapshot`; `extra_namespaces` are netaudit's own, which do not exist yet."""
        self.snapshot = snapshot
        self._namespaces = {item.name: item for item in (*extra_namespaces, *snapshot.namespaces)}
        self._policies: dict[str, list[NetworkPolicy]] = defaultdict(list)
        for policy in snapshot.policies:
            self._policies[policy.namespace].append(policy)
        self._everywhere = [spot.reason for spot in snapshot.blind_spots if spot.namespace is None]
        self._blind = {spot.namespace: spot.reason for spot in snapshot.blind_spots if spot.namespace is not None}

    def namespace(self, name: str) -> Namespace:
        """The namespace of that name; where none was read, flows that touch it are UNKNOWN anyway."""
        return self._namespaces.get(name) or Namespace(name)

    def policies(self, namespace: str) -> Sequence[NetworkPolicy]:
        """The NetworkPolicies of a namespace."""
        return self._policies.get(namespace, ())

    def isolates(self, pod: Pod) -> frozenset[Direction]:
        """The directions in which at least one policy selects the pod."""
        return frozenset(
            direction
            for policy in self.policies(pod.namespace)
            if selects(policy, pod)
            for direction in policy.isolates
        )

    def decide(self, source: Pod, destination: Pod, family: Family, port: int) -> Decision:
        """Predict one TCP flow between two pods, with what each end contributed.

        Denied by either end is DENIED, whatever the other one leaves open; an unmodelled object comes before all.
        """
        query = Query(
            End(source, self.namespace(source.namespace)),
            End(destination, self.namespace(destination.namespace)),
            family,
            Protocol.TCP,
            port,
        )
        egress = evaluate(self.policies(source.namespace), Direction.EGRESS, query)
        ingress = evaluate(self.policies(destination.namespace), Direction.INGRESS, query)
        for text in self._blindness(source, destination):
            return Decision(Verdict.UNKNOWN, egress, ingress, text)
        if _same_pod(source, destination):
            return Decision(Verdict.ALLOWED, _open(egress), _open(ingress), "a pod always reaches itself")
        if source.host_network or destination.host_network:
            reason = "the API leaves open what policies mean for pods on the host's network"
            return Decision(Verdict.UNDEFINED, egress, ingress, reason)
        return _combine(egress, ingress)

    def _blindness(self, source: Pod, destination: Pod) -> list[str]:
        ends = dict.fromkeys((source.namespace, destination.namespace))
        local = [self._blind[name] for name in ends if name in self._blind]
        unread = [f"the labels of namespace {name} were not read" for name in ends if name not in self._namespaces]
        return [*self._everywhere, *local, *unread]


def _same_pod(source: Pod, destination: Pod) -> bool:
    return (source.namespace, source.name) == (destination.namespace, destination.name)


def _open(end: DirectionDecision) -> DirectionDecision:
    return DirectionDecision(end.direction, Verdict.ALLOWED, (), (), "a pod always reaches itself")


def _combine(egress: DirectionDecision, ingress: DirectionDecision) -> Decision:
    for verdict in (Verdict.DENIED, Verdict.UNDEFINED):
        ends = [end for end in (egress, ingress) if end.verdict is verdict]
        if ends:
            return Decision(verdict, egress, ingress, "; ".join(f"{e.direction.value}: {e.reason}" for e in ends))
    return Decision(Verdict.ALLOWED, egress, ingress, f"Egress: {egress.reason}; Ingress: {ingress.reason}")


def predict(snapshot: Snapshot, covers: Callable[[Pod], bool]) -> ReachabilityMatrix:
    """Group the pods that `covers` accepts into identities and predict every TCP flow between them."""
    model = Model(snapshot)
    identities = find_identities(model, covers)
    families = tuple(family for family in Family if any(family in i.pods[0].families for i in identities))
    ports = tuple(sorted({port for identity in identities for port in identity.listens}))
    cells = bytes(
        _cell(model, source, destination, family, port)
        for family in families
        for port in ports
        for source in identities
        for destination in identities
    )
    return ReachabilityMatrix(identities, families, ports, cells)


def _cell(model: Model, source: Identity, destination: Identity, family: Family, port: int) -> int:
    one, other = source.pods[0], destination.pods[0]
    if port not in destination.listens or family not in one.families or family not in other.families:
        return NOT_ASKED
    if source is destination:
        # Another member of the same class, or a stand-in beside the workload: never the pod itself.
        one = _twin(one)
    return CODES.index(model.decide(one, other, family, port).verdict)


def _twin(pod: Pod) -> Pod:
    return Pod(pod.namespace, f"{pod.name} (another)", pod.labels, pod.node, pod.addresses, pod.ports, pod.owner)


def find_identities(model: Model, covers: Callable[[Pod], bool]) -> tuple[Identity, ...]:
    """Group pods by namespace, answers to every selector in use, named ports and address families; sorted."""
    classes: dict[tuple[object, ...], list[Pod]] = defaultdict(list)
    relevant = _Relevance(model)
    for pod in model.snapshot.pods:
        if pod.talks and not _is_ours(pod) and covers(pod):
            classes[relevant.key(pod)].append(pod)
    named = [_identity(model, relevant, members) for members in classes.values()]
    return tuple(sorted(named, key=lambda item: (item.namespace, item.title, item.id)))


def _is_ours(pod: Pod) -> bool:
    if pod.namespace == OWN_NAMESPACE or pod.namespace.startswith(OWN_NAMESPACES):
        return True
    name = OWN_POD.fullmatch(pod.name)
    return name is not None and pod.owner == Owner("Deployment", name[1])


class _Relevance:
    """The selectors and port names that some policy uses, by the namespace whose pods they can tell apart."""

    def __init__(self, model: Model) -> None:
        self._model = model
        policies = model.snapshot.policies
        self.port_names = frozenset(
            port.port
            for policy in policies
            for direction in Direction
            for rule in policy.rules(direction)
            for port in rule.ports
            if isinstance(port.port, str)
        )
        self._peers = [(policy, peer) for policy in policies for peer in _peers(policy) if peer[1] is not None]
        self._by_namespace: dict[str, tuple[LabelSelector, ...]] = {}

    def selectors(self, namespace: str) -> tuple[LabelSelector, ...]:
        """Every selector that pods of a namespace may be asked."""
        if namespace not in self._by_namespace:
            labels = self._model.namespace(namespace).labels
            found = {policy.pod_selector: None for policy in self._model.policies(namespace)}
            for policy, (namespaces, pods) in self._peers:
                reached = policy.namespace == namespace if namespaces is None else namespaces.matches(labels)
                if reached and pods is not None:
                    found[pods] = None
            self._by_namespace[namespace] = tuple(found)
        return self._by_namespace[namespace]

    def named_ports(self, pod: Pod) -> tuple[ContainerPort, ...]:
        """The pod's container ports whose names policies use, sorted."""
        return tuple(port for port in pod.ports if port.name in self.port_names)

    def labels(self, pod: Pod) -> tuple[tuple[str, str], ...]:
        """The labels that some selector can see; all others make no difference."""
        keys = {key for selector in self.selectors(pod.namespace) for key in selector.keys}
        return tuple(sorted((key, value) for key, value in pod.labels.items() if key in keys))

    def key(self, pod: Pod) -> tuple[object, ...]:
        """Equal for two pods exactly when no policy can tell them apart."""
        answers = tuple(selector.matches(pod.labels) for selector in self.selectors(pod.namespace))
        ports = tuple((port.name, port.number, port.protocol) for port in self.named_ports(pod))
        return pod.namespace, answers, ports, pod.families


def _peers(policy: NetworkPolicy) -> Iterable[tuple[LabelSelector | None, LabelSelector | None]]:
    for direction in Direction:
        for rule in policy.rules(direction):
            for peer in rule.peers:
                yield peer.namespace_selector, peer.pod_selector


def _identity(model: Model, relevant: _Relevance, members: Sequence[Pod]) -> Identity:
    first = members[0]
    # Members may wear different labels to which all selectors answer alike; the choice is the same in every run.
    labels = min(relevant.labels(pod) for pod in members)
    ports = relevant.named_ports(first)
    families = [family.value for family in first.families]
    text = repr((first.namespace, labels, [(port.name, port.number, port.protocol.value) for port in ports], families))
    return Identity(
        id=hashlib.sha256(text.encode()).hexdigest()[:12],
        namespace=first.namespace,
        labels=labels,
        named_ports=ports,
        pods=tuple(members),
        listens=interesting_ports(model, members),
        isolated=model.isolates(first),
    )


def interesting_ports(model: Model, members: Sequence[Pod]) -> tuple[int, ...]:
    """TCP ports to test towards these pods: declared, named by policies about them, and one that nobody names."""
    first = members[0]
    declared = {port.number for pod in members for port in pod.ports if port.protocol is Protocol.TCP}
    named = set(_ports_named_towards(model, first))
    return tuple(sorted({*declared, *named, *unnamed_port(model, declared)}))


def unnamed_port(model: Model, declared: Iterable[int] = ()) -> frozenset[int]:
    """A port that no policy names and that is not declared, as a set of one; empty where all candidates are named."""
    taken = set(declared)
    free = [port for port in UNNAMED_PORTS if port not in taken and not _is_named(model, port)]
    return frozenset(free[:1])


def same_class(model: Model, one: Pod, other: Pod) -> bool:
    """Whether no policy can tell two pods of one namespace apart by labels or named ports."""
    relevant = _Relevance(model)
    return relevant.key(one)[:-1] == relevant.key(other)[:-1]


def _ports_named_towards(model: Model, pod: Pod) -> Iterable[int]:
    end = End(pod, model.namespace(pod.namespace))
    for policy in model.snapshot.policies:
        rules = list(policy.ingress) if selects(policy, pod) else []
        family = pod.families[0]
        rules += [r for r in policy.egress if not r.peers or any(match_peer(policy, p, end, family) for p in r.peers)]
        for port in (port for rule in rules for port in rule.ports if port.protocol is Protocol.TCP):
            if isinstance(port.port, int):
                yield from {port.port, port.end_port or port.port}


def _is_named(model: Model, port: int) -> bool:
    return any(
        isinstance(item.port, int) and item.port <= port <= (item.end_port or item.port)
        for policy in model.snapshot.policies
        for direction in Direction
        for rule in policy.rules(direction)
        for item in rule.ports
    )

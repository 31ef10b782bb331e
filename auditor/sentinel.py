"""The plan of `--mode sentinel`: netaudit's own policies over its own pods, the same on every node.

Pure.  Nothing here says what a flow should do: policies and pods become a snapshot, and the model predicts as it does
for anybody's.  On each node stand four sentinels, each alone under one policy, and the two unpoliced controls; each
node meets itself and the next one, so that every node is source and destination across nodes as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

from auditor.coverage import bounded, judgeable
from auditor.evaluate.model import Model
from auditor.model.cluster import Namespace, Node, Owner, Pod, Snapshot, family_of
from auditor.model.dialect import API, Dialect
from auditor.model.flow import Direction, Family, Protocol
from auditor.model.labels import LabelSelector, equals
from auditor.model.matrix import Identity, ReachabilityMatrix, in_order
from auditor.model.options import Options
from auditor.model.policy import NetworkPolicy, Peer, PolicyPort, Rule
from auditor.model.probe import PlannedFlow, ProbePlan, Role, Skip, StandIn
from auditor.plan import controls_on, estimate, notes_on, own_namespaces
from auditor.rounds import Placement, running

POLICED = "netaudit-ctl-2"
"""Where sentinels stand; the controls' namespace holds no policy."""
LABEL = "netaudit/sentinel"
PORT = 8080
"""The one port that the gated sentinels may use with one peer."""
SEALED_IN, SEALED_OUT, GATED_IN, GATED_OUT = "sealed-in", "sealed-out", "gated-in", "gated-out"
LETTERS = {SEALED_IN: "p", SEALED_OUT: "q", GATED_IN: "r", GATED_OUT: "s"}
PER_NODE = len(LETTERS) + 2
TIMED_PER_NODE = 2
"""More pods for each node where `--enforce-time` is asked for."""
UNSEEN = (
    "other pods are not read in this mode: whether a node has room for {pods} more, with 10m CPU and 32Mi each, is not "
    "known"
)
EXAMPLES = {Family.IPV4: "192.0.2.1", Family.IPV6: "2001:db8::1"}
"""Addresses for pods that have none yet, of the ranges for documentation: no policy of netaudit's looks at them."""


def own_policies() -> tuple[NetworkPolicy, ...]:
    """Deny all ingress; deny all egress; one port from one label; one port to one label: each over a pod of its own.

    The peer of a gated sentinel is a sealed one that is free in the direction in question, so that each flow is decided
    at one end.  ipBlock is left out: the API leaves open whether it means pods.
    """
    gate = (PolicyPort(Protocol.TCP, PORT),)
    return (
        _policy(GATED_IN, Direction.INGRESS, Rule((Peer(pod_selector=_selects(SEALED_IN)),), gate)),
        _policy(GATED_OUT, Direction.EGRESS, Rule((Peer(pod_selector=_selects(SEALED_OUT)),), gate)),
        _policy(SEALED_IN, Direction.INGRESS),
        _policy(SEALED_OUT, Direction.EGRESS),
    )


def _policy(role: str, direction: Direction, *rules: Rule) -> NetworkPolicy:
    return NetworkPolicy(
        namespace=POLICED,
        name=f"netaudit-{role}",
        pod_selector=_selects(role),
        isolates=frozenset({direction}),
        ingress=rules if direction is Direction.INGRESS else (),
        egress=rules if direction is Direction.EGRESS else (),
    )


def _selects(role: str) -> LabelSelector:
    return equals({LABEL: role})


def sentinel_namespaces() -> tuple[Namespace, ...]:
    """The namespaces of a run in this mode."""
    return own_namespaces(POLICED)


def is_sentinel(pod: Pod) -> bool:
    """Whether a pod of a scene is a sentinel."""
    return pod.namespace == POLICED and LABEL in pod.labels


def scene(found: Snapshot, options: Options) -> Snapshot:
    """What was read of a cluster, with netaudit's own namespaces, policies and pods as they will be."""
    ours = own_policies()
    made = {policy.ref for policy in ours}
    namespaces = sentinel_namespaces()
    names = {namespace.name for namespace in namespaces}
    # An earlier run's policies are removed before this one makes its own; what anybody else put there stays in force.
    others = [policy for policy in found.policies if policy.namespace in names and policy.ref not in made]
    return replace(
        found,
        namespaces=(*(item for item in found.namespaces if item.name not in names), *namespaces),
        pods=tuple(
            Pod(
                namespace=POLICED,
                name=_key(number, role),
                labels={LABEL: role},
                node=node.name,
                addresses=tuple(EXAMPLES[family] for family in _families(found)),
                owner=Owner("Sentinel", role),
            )
            for number, node in enumerate(_chosen(found, options))
            for role in LETTERS
        ),
        policies=tuple(sorted((*others, *ours), key=lambda policy: policy.ref)),
    )


def _key(number: int, role: str) -> str:
    return f"s{number}{LETTERS[role]}"


def _usable(found: Snapshot) -> list[Node]:
    return [node for node in found.nodes if node.ready and node.hosts_probes]


def _chosen(found: Snapshot, options: Options) -> list[Node]:
    return _usable(found)[: options.max_pods // per_node(options)]


def per_node(options: Options) -> int:
    """Probe pods on each node."""
    return PER_NODE + (TIMED_PER_NODE if options.enforce_time else 0)


def _families(found: Snapshot) -> tuple[Family, ...]:
    """The families of the nodes' addresses: pods may have no others, and whether they have them is seen later."""
    seen = {family_of(address) for node in _usable(found) for address in node.addresses}
    return tuple(family for family in Family if family in seen) or (Family.IPV4,)


def sentinel_plan(acted: Snapshot, matrix: ReachabilityMatrix, options: Options, dialect: Dialect = API) -> ProbePlan:
    """Plan a scene: its pods, controls beside them, and the flows that show each policy on each node."""
    model = Model(acted, sentinel_namespaces(), dialect)
    nodes = [node.name for node in _chosen(acted, options)]
    controls = controls_on(nodes)
    cast = _Cast(model, matrix, controls, _families(acted))
    skipped: list[Skip] = []
    flows = bounded(judgeable(cast.flows(nodes), skipped), options, skipped)
    plan = ProbePlan(
        own_namespaces=tuple(namespace.name for namespace in sentinel_namespaces()),
        stand_ins=(*cast.sentinels, *(replace(control, listens=cast.ports) for control in controls)) if flows else (),
        flows=flows,
        skipped=tuple(
            sorted((*skipped, *_left_out(acted, nodes, len(flows), per_node(options))), key=lambda skip: skip.what)
        ),
        policies=own_policies() if flows else (),
        notes=(*notes_on(model), UNSEEN.format(pods=per_node(options))) if flows else notes_on(model),
    )
    return replace(plan, estimate=estimate(plan, options))


def _left_out(acted: Snapshot, nodes: Sequence[str], flows: int, pods: int) -> list[Skip]:
    # Whether that node enforces is what was asked, so its flows count as not judged.
    each = max(1, flows // max(1, len(nodes)))
    skips = [Skip("everything", "the cluster shows no ready Linux node")] if not _usable(acted) else []
    for node in acted.nodes:
        if not (node.ready and node.hosts_probes):
            skips.append(Skip(f"node {node.name}", node.unfit or "it is not ready", each, unjudged=True))
        elif node.name not in nodes:
            reason = f"more probe pods than --max-pods allows: {pods} for each node"
            skips.append(Skip(f"node {node.name}", reason, each, unjudged=True))
    return skips


@dataclass(frozen=True, slots=True)
class _Scene:
    """One end of a flow, as a stand-in and as the pod that it will be."""

    stand_in: StandIn
    pod: Pod


class _Cast:
    """The stand-ins of a scene, by node, and the flows between them."""

    def __init__(
        self, model: Model, matrix: ReachabilityMatrix, controls: Sequence[StandIn], families: Sequence[Family]
    ) -> None:
        self._model = model
        self._families = families
        identities = {pod.name: identity for identity in matrix.identities for pod in identity.pods}
        self.ports = in_order(query for identity in matrix.identities for query in identity.listens)
        self._sentinels = [self._sentinel(pod, identities) for pod in model.snapshot.pods]
        self.sentinels = tuple(item.stand_in for item in self._sentinels)
        addresses = tuple(EXAMPLES[family] for family in families)
        self._controls = {
            (item.node, item.key[-1]): _Scene(item, Pod(item.namespace, item.key, {}, item.node, addresses))
            for item in controls
        }

    def _sentinel(self, pod: Pod, identities: Mapping[str, Identity]) -> _Scene:
        stand_in = StandIn(
            key=pod.name,
            role=Role.SENTINEL,
            namespace=pod.namespace,
            node=pod.node,
            labels=tuple(sorted(pod.labels.items())),
            listens=self.ports,
            identity=identities[pod.name].id,
        )
        return _Scene(stand_in, pod)

    def flows(self, nodes: Sequence[str]) -> Iterable[PlannedFlow]:
        """Within each node and from each to the next, numbered from 1."""
        numbers = count(1)
        for one, other in self._pairs(nodes):
            for family in self._families:
                for protocol, port in self.ports:
                    decision = self._model.decide(one.pod, other.pod, family, port, protocol)
                    keys = one.stand_in.key, other.stand_in.key
                    yield PlannedFlow(next(numbers), *keys, family, protocol, port, decision)

    def _pairs(self, nodes: Sequence[str]) -> Iterable[tuple[_Scene, _Scene]]:
        on = {node: [item for item in self._sentinels if item.pod.node == node] for node in nodes}
        steps = sorted(
            {(here, there) for here, after in zip(nodes, _turned(nodes), strict=True) for there in (here, after)}
        )
        for here, there in steps:
            yield from ((self._controls[here, "a"], item) for item in on[there])
            yield from ((item, self._controls[there, "b"]) for item in on[here])
            yield from ((one, other) for one in on[here] for other in on[there] if one is not other)


def _turned(nodes: Sequence[str]) -> list[str]:
    return [*nodes[1:], *nodes[:1]]


def in_use(flows: Iterable[PlannedFlow], placement: Placement) -> tuple[tuple[PlannedFlow, ...], tuple[Skip, ...]]:
    """Leave out the flows of a family in which no probe pod has an address: pods here do not have it."""
    every = tuple(flows)
    seen = {family for item in running(placement).values() for family in item.pod.families} or set(Family)
    lost = {family: sum(flow.family is family for flow in every) for family in Family if family not in seen}
    skips = [
        Skip(f"{family.value} between pods", f"no probe pod has an {family.value} address", number)
        for family, number in lost.items()
        if number
    ]
    return tuple(flow for flow in every if flow.family in seen), tuple(skips)


def as_planned(found: Iterable[NetworkPolicy], planned: Iterable[NetworkPolicy]) -> tuple[NetworkPolicy, ...]:
    """Policies as read, where those that this run made are as it planned them: a uid and a version are no change."""
    ours = {policy.ref: policy for policy in planned}
    return tuple(
        ours[policy.ref] if replace(policy, uid="", version="") == ours.get(policy.ref) else policy for policy in found
    )

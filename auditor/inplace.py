"""The plan of `--mode inplace`: agents inside real pods, in ephemeral containers that stay until the pods go.

Pure.  One pod of each identity that was asked for, and one more where a node would go unproven; beside them the usual
controls.  An agent listens on one port that nobody declares, leads to, knocks at or names: what a policy names may be
what the workload listens on tomorrow, and a listener of ours there would keep it from that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from auditor.evaluate.model import Model
from auditor.hosts import Host, host_of, hosts
from auditor.identities import UNNAMED_PORTS, Unnamed
from auditor.model.cluster import Pod, Snapshot
from auditor.model.dialect import API, Dialect
from auditor.model.flow import Direction, Protocol
from auditor.model.matrix import Identity, Query, ReachabilityMatrix, in_order
from auditor.model.options import Options
from auditor.model.probe import ProbePlan, Role, Skip, StandIn
from auditor.plan import CONTROL_NAMESPACE, estimate, in_their_order, is_audited, own_namespaces, plan_between, replicas
from auditor.ports import RawSnapshot
from auditor.seats import CONTROLS, Seat, usable_nodes, within
from probes.capacity import Room

FREE_PORTS = range(1024, 32768)
"""Where an agent may listen: below it takes a right, above it the kernel gives ports to whoever connects."""
SHOWN = 3
"""Reasons that are told of one identity."""
OWN_PORTS = (
    "an agent in a real pod listens on no port that the pod or a policy names, since the workload may want it; "
    "--targets real tries the TCP ports that containers name by handshake"
)


def inplace_plan(
    snapshot: Snapshot,
    matrix: ReachabilityMatrix,
    options: Options,
    raw: RawSnapshot,
    dialect: Dialect = API,
    *,
    refused: Mapping[str, str] = MappingProxyType({}),
) -> ProbePlan:
    """Decide which real pods get an agent; `raw` holds the pods of the audited namespaces, whole.

    Pods of identities that are `refused`, by id with the reason, get none.
    """
    model = Model(snapshot, own_namespaces(), dialect)
    audited = [identity for identity in matrix.identities if is_audited(identity, options)]
    if not audited:
        return ProbePlan((), (), (), (Skip("everything", "no pod that policies apply to is in scope"),))
    skipped = [Skip(item.title, refused[item.id], identity=True) for item in audited if item.id in refused]
    inn = _Inn(snapshot, hosts(raw, snapshot), skipped)
    welcome = [item for item in audited if item.id not in refused]
    seats = within(inn.more(inn.first(welcome)), options.max_pods, frozenset(item.id for item in audited), skipped)
    cast = [inn.resident(seat, f"r{number}", model) for number, seat in enumerate(seats)]
    plan = plan_between(cast, model, matrix, options)
    made = {item.key for item in plan.stand_ins}
    plan = replace(
        plan,
        skipped=in_their_order((*skipped, *plan.skipped, *replicas(seats), *_untold(cast, seats))),
        notes=tuple(sorted({*plan.notes, *inn.risks(item for item in cast if item.key in made)})),
        near=_near(snapshot, plan),
    )
    return replace(plan, estimate=estimate(plan, options))


@dataclass(frozen=True, slots=True)
class _Guest:
    """A pod that may hold an agent."""

    pod: Pod
    host: Host


class _Inn:
    """The pods that may hold an agent, by identity and node."""

    def __init__(self, snapshot: Snapshot, found: Mapping[tuple[str, str], Host], skipped: list[Skip]) -> None:
        self._found = found
        self._skipped = skipped
        self._usable = usable_nodes(snapshot)
        self._room = Room(snapshot)
        self._leaving = {item.name for item in snapshot.namespaces if item.terminating}
        self._guests: dict[str, dict[str, _Guest]] = {}
        """By id of the identity and by node, the first choice among its pods there."""
        self._nodes: set[str] = set()
        """Nodes for whose controls there is room, and that are in use."""

    def first(self, audited: Sequence[Identity]) -> list[Seat]:
        """One seat for each identity, on the node with the fewest so far."""
        seats: list[Seat] = []
        load: Counter[str] = Counter()
        for identity in audited:
            reasons: Counter[str] = Counter()
            here = self._guests[identity.id] = dict(self._choose(identity, reasons))
            roomy = [node for node in here if self._has_room(node)]
            reasons.update(f"{node} has no room for two controls beside its pods" for node in here if node not in roomy)
            if not roomy:
                self._skipped.append(Skip(identity.title, _told(reasons), identity=True))
                continue
            node = min(roomy, key=lambda name: (load[name], name))
            load[node] += 1
            self._take(node)
            seats.append(Seat(identity, node))
        return seats

    def more(self, seats: Sequence[Seat]) -> list[Seat]:
        """The seats, with one more for each node and direction in which no isolated pod would be tried there."""
        every = list(seats)
        covered = {(seat.node, direction) for seat in seats for direction in seat.identity.isolated}
        for seat in seats:
            for node in sorted(self._guests[seat.identity.id].keys() - {seat.node}):
                news = {(node, direction) for direction in seat.identity.isolated} - covered
                if news and self._has_room(node):
                    covered |= news
                    self._take(node)
                    every.append(Seat(seat.identity, node, first=False))
        return every

    def resident(self, seat: Seat, key: str, model: Model) -> StandIn:
        """The agent in the pod that takes a seat."""
        guest = self._guests[seat.identity.id][seat.node]
        pod = guest.pod
        return StandIn(
            key=key if seat.first else f"{key}x",
            role=Role.RESIDENT,
            namespace=pod.namespace,
            node=seat.node,
            labels=tuple(sorted(pod.labels.items())),
            listens=_free(seat.identity, guest.host, model),
            named_ports=seat.identity.named_ports,
            identity=seat.identity.id,
            account=pod.service_account,
            pod=pod.name,
            uid=pod.uid,
        )

    def risks(self, cast: Iterator[StandIn]) -> Iterator[str]:
        """What the owners of the marked pods should know."""
        for item in cast:
            host = self._found[item.namespace, item.pod]
            if host.risk:
                yield f"pod {item.namespace}/{item.pod}: {host.risk}"

    def _choose(self, identity: Identity, reasons: Counter[str]) -> Iterator[tuple[str, _Guest]]:
        """The pod of each node: one that an earlier run marked already where there is one, so that no other is."""
        fit: list[_Guest] = []
        for pod in identity.pods:
            host = host_of(pod, self._found)
            reason = "its namespace is being deleted" if pod.namespace in self._leaving else host.refusal
            reason = reason or ("" if pod.node in self._usable else "its node is not ready, or no place for controls")
            if reason:
                reasons[reason] += 1
            else:
                fit.append(_Guest(pod, host))
        fit.sort(key=lambda guest: (not guest.host.known, guest.host.held, guest.pod.name))
        for node in sorted({guest.pod.node for guest in fit}):
            yield node, next(guest for guest in fit if guest.pod.node == node)

    def _has_room(self, node: str) -> bool:
        # The pod is there already: all that comes on top are the controls.
        return node in self._nodes or not self._room.lacks(node, CONTROL_NAMESPACE, CONTROLS - 1)

    def _take(self, node: str) -> None:
        if node not in self._nodes:
            self._room.take(CONTROL_NAMESPACE, node, CONTROLS)
            self._nodes.add(node)


def _told(reasons: Counter[str]) -> str:
    """Why no pod of an identity may hold an agent, what holds of most of them first."""
    found = [text for text, _ in sorted(reasons.items(), key=lambda item: (-item[1], item[0]))]
    more = f"; and {len(found) - SHOWN} more reasons" if len(found) > SHOWN else ""
    return f"no pod of it may hold an agent: {'; '.join(found[:SHOWN])}{more}"


def _free(identity: Identity, host: Host, model: Model) -> tuple[Query, ...]:
    """A port that nobody has to do with: it shows whatever is denied, or allowed, on all ports alike."""
    outside = {port for port in UNNAMED_PORTS if port not in FREE_PORTS}
    free = Unnamed(model).port(host.taken | outside)
    is_udp = any(protocol is Protocol.UDP for protocol, _ in identity.listens)
    return in_order({(protocol, port) for port in free for protocol in (Protocol.TCP, *[Protocol.UDP] * is_udp)})


def _untold(cast: Sequence[StandIn], seats: Sequence[Seat]) -> Iterator[Skip]:
    """The ports of each identity that are not listened on, and so are tried by nobody but for handshakes."""
    sources = len({item.identity for item in cast})
    for item, seat in zip(cast, seats, strict=True):
        if not seat.first:
            continue
        left = sorted({f"{port}/{protocol.value}" for protocol, port in {*seat.identity.listens} - {*item.listens}})
        if left:
            what = f"connections to {', '.join(left)} of {seat.identity.title}"
            yield Skip(what, OWN_PORTS, len(left) * max(1, sources - 1))
        if not item.listens and Direction.INGRESS in seat.identity.isolated:
            reason = "policies name, or its pod uses, every port that could be made up"
            yield Skip(f"connections to {seat.identity.title}", reason, max(1, sources - 1), unjudged=True)


def _near(snapshot: Snapshot, plan: ProbePlan) -> tuple[tuple[str, str], ...]:
    """What may react to an agent in a pod: autoscalers see what it uses."""
    homes = {item.namespace for item in plan.stand_ins if item.role is Role.RESIDENT}
    scaled = {item.namespace for item in snapshot.autoscalers}
    return tuple(sorted(("horizontalpodautoscalers", home) for home in homes & scaled))

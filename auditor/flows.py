"""The flows between a plan's stand-ins, each with its predicted decision.

Pure.  A stand-in has no address before it runs, so decisions made here borrow one; they are made again from the stored
pod before anything is judged.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, count

from auditor.evaluate.model import Model
from auditor.identities import beside_tcp, edges_of, unnamed_port
from auditor.model.cluster import Pod
from auditor.model.expectation import Demand
from auditor.model.flow import Direction, Family, Protocol
from auditor.model.matrix import Identity, Query, in_order
from auditor.model.probe import PlannedFlow, Role, StandIn


class FlowMaker:
    """Pairs stand-ins into flows: clones with each other, each clone with controls on its own and one other node."""

    def __init__(
        self,
        model: Model,
        identities: Mapping[str, Identity],
        clones: Sequence[StandIn],
        controls: Sequence[StandIn],
        audited: frozenset[str],
        *,
        demands: frozenset[Demand] = frozenset(),
    ) -> None:
        """Take the stand-ins; `audited` are the identities of which a flow must have at least one end, or be demanded.

        A demand about an identity that has no stand-in gives no flow.
        """
        self._model = model
        self._identities = identities
        self._clones = clones
        self._controls = controls
        self._audited = audited
        self._demands = demands
        self._identity = {clone.key: clone.identity for clone in clones}
        self._nodes = {stand_in.key: stand_in.node for stand_in in (*clones, *controls)}
        members = [identities[clone.identity].pods[0] for clone in clones]
        one_each = [next((pod.address(family) for pod in members if pod.address(family)), None) for family in Family]
        self._borrowed = tuple(address for address in one_each if address)
        self._families = tuple(
            family for family in Family if any(family in identities[c.identity].pods[0].families for c in clones)
        )

    def node_of(self, key: str) -> str:
        """The node on which a stand-in is to stand."""
        return self._nodes[key]

    def flows(self) -> Iterable[PlannedFlow]:
        """All flows in a fixed order, numbered from 1."""
        numbers = count(1)
        for source, destination, ports in chain(self._pairs(), self._demanded()):
            one, other = self._pod(source), self._pod(destination)
            for family in self._families:
                if family not in one.families or family not in other.families:
                    continue
                for protocol, port in ports:
                    decision = self._model.decide(one, other, family, port, protocol)
                    yield PlannedFlow(next(numbers), source.key, destination.key, family, protocol, port, decision)

    def is_demanded(self, flow: PlannedFlow) -> bool:
        """Whether a flow was asked for by name."""
        source, destination = (self._identity.get(key, "") for key in (flow.source, flow.destination))
        return Demand(source, destination, flow.protocol, flow.port) in self._demands

    def _demanded(self) -> Iterable[tuple[StandIn, StandIn, tuple[Query, ...]]]:
        """What is demanded and not among the pairs: ends beyond the audited ones, or a port of its own."""
        wanted: dict[tuple[str, str], set[Query]] = defaultdict(set)
        for demand in self._demands:
            wanted[demand.source, demand.destination].add((demand.protocol, demand.port))
        for source in self._clones if wanted else ():
            for destination in self._clones:
                ports = wanted.get((source.identity, destination.identity), set())
                seconds = (source.key.endswith("x"), destination.key.endswith("x"))
                if source.key == destination.key or (any(seconds) and source.identity != destination.identity):
                    continue
                known = set(destination.listens) if self._meet(source, destination) else set()
                if ports - known:
                    yield source, destination, in_order(ports - known)

    def _pairs(self) -> Iterable[tuple[StandIn, StandIn, tuple[Query, ...]]]:
        for source in self._clones:
            for destination in self._clones:
                if source.key != destination.key and self._meet(source, destination):
                    yield source, destination, destination.listens
        for clone in self._clones:
            if clone.identity in self._audited:
                for control in self._partners(clone, "a"):
                    yield control, clone, clone.listens
                for control in self._partners(clone, "b"):
                    yield clone, control, self._egress_ports(clone)

    def _meet(self, source: StandIn, destination: StandIn) -> bool:
        if not {source.identity, destination.identity} & self._audited:
            return False
        # A second stand-in of an identity proves its node with the controls, and what replicas may say to each other.
        seconds = [stand_in for stand_in in (source, destination) if stand_in.key.endswith("x")]
        return not seconds or source.identity == destination.identity

    def _partners(self, clone: StandIn, letter: str) -> list[StandIn]:
        """The controls of one letter on the clone's own node and on the next one."""
        fitting = [control for control in self._controls if control.key.endswith(letter)]
        own = [control for control in fitting if control.node == clone.node]
        later = [control for control in fitting if control.node > clone.node]
        others = [control for control in fitting if control.node < clone.node]
        return own + (later + others)[:1]

    def _egress_ports(self, clone: StandIn) -> tuple[Query, ...]:
        """Ports to try towards a control: those that egress rules about the clone name, and one that nobody names."""
        pod = self._pod(clone)
        unnamed = unnamed_port(self._model)
        if Direction.EGRESS not in self._model.isolates(pod):
            return tuple((Protocol.TCP, port) for port in unnamed)
        clauses = [
            clause
            for item in self._model.applied(self._model.end(pod), Direction.EGRESS)
            for clause in item.section.clauses
        ]
        named = {(Protocol.TCP, port) for port in edges_of(clauses) | unnamed}
        return in_order(named | beside_tcp(clauses, unnamed))

    def _pod(self, stand_in: StandIn) -> Pod:
        """The pod that a stand-in will be, with the addresses of someone whom policies treat alike."""
        if stand_in.role is Role.RESIDENT:
            return next(pod for pod in self._identities[stand_in.identity].pods if pod.name == stand_in.pod)
        if stand_in.role is Role.CLONE:
            addresses = self._identities[stand_in.identity].pods[0].addresses
        else:
            addresses = self._borrowed
        return Pod(
            namespace=stand_in.namespace,
            name=stand_in.key,
            labels=dict(stand_in.labels),
            node=stand_in.node,
            addresses=addresses,
            ports=stand_in.named_ports,
            service_account=stand_in.account or "default",
        )

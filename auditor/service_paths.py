"""Which paths lead through netaudit's own Services, and what policies say of each.

Pure.  Policies see the flow behind the translation: the pod and its port, never the Service's (KEP-2079).  Through a
node port the source may be rewritten on the way; where that makes a difference the verdict is UNDEFINED.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count

from auditor.evaluate.model import Model, combine, either
from auditor.model.cluster import Namespace, family_of
from auditor.model.ends import Address
from auditor.model.flow import Decision, DirectionDecision, Family, Protocol, Traffic, Verdict
from auditor.model.probe import Caller, Placed, ServicePlan, Way
from auditor.model.service_path import Crossing, Laid, LaidService, ServicePath
from auditor.rounds import Placement, running
from auditor.services import Services

ANY_SOURCE = (
    "through a node port the source may be rewritten on the way, or the node's own address be what is policed: the API "
    "leaves open which"
)


def with_own(model: Model, plan: ServicePlan, namespaces: Iterable[Namespace]) -> Model:
    """The model as it is with the plan's policies in place."""
    policies = (*model.snapshot.policies, *plan.policies)
    return Model(replace(model.snapshot, policies=policies), namespaces, model.dialect)


def paths_of(plan: ServicePlan, laid: Laid, placement: Placement, model: Model) -> tuple[ServicePath, ...]:
    """Every path between pods that run and through Services that were made, with the verdict for each."""
    here = running({**placement, **laid.placed})
    server = here.get(plan.server.key)
    if server is None:
        return ()
    numbers = count(1)
    found = []
    for caller in plan.callers:
        for key, gated in ((caller.free, False), (caller.gated.key, True)):
            if key not in here:
                continue
            maker = _Maker(model, laid, here[key], server, caller)
            found += [replace(path, id=next(numbers)) for path in maker.paths(_ports(plan, gated=gated))]
    return tuple(found)


def headless(plan: ServicePlan, seen: Crossing, placement: Placement, model: Model) -> tuple[ServicePath, ...]:
    """The paths by name, where the name leads to the server: nothing translates a port then."""
    laid = seen.laid
    here = running({**placement, **(laid.placed if laid else {})})
    numbers = count(len(seen.paths) + 1)
    found = []
    for named in seen.names:
        naming, told = named.naming, named.best
        caller = next((item for item in plan.callers if item.free == naming.source), None)
        if laid is None or caller is None or naming.source not in here or plan.server.key not in here:
            continue
        maker = _Maker(model, laid, here[naming.source], here[plan.server.key], caller)
        paths = maker.by_name(naming.family, _ports(plan, gated=False), told.addresses)
        found += [replace(path, id=next(numbers)) for path in paths]
    return tuple(found)


def _ports(plan: ServicePlan, *, gated: bool) -> tuple[int, ...]:
    """The server's ports that a caller tries: gated ones leave out what both ends deny, which would prove neither."""
    ports = tuple(port for _, port in plan.server.listens)
    if not gated:
        return ports
    shut = set(ports) - {port.port for policy in plan.policies for rule in policy.ingress for port in rule.ports}
    return tuple(port for port in ports if port not in shut)


@dataclass(frozen=True, slots=True)
class _Maker:
    """The paths from one pod to the server."""

    model: Model
    laid: Laid
    source: Placed
    server: Placed
    caller: Caller

    def paths(self, ports: Sequence[int]) -> Iterator[ServicePath]:
        """By family, port and way; their ids are given later."""
        for family in Family:
            if family in self.source.pod.families and family in self.server.pod.families:
                for port in ports:
                    yield self._path(Way.POD, family, port)
                    yield from self._by_cluster_ip(family, port)
                    yield from self._by_node_port(family, port)

    def by_name(self, family: Family, ports: Sequence[int], addresses: Sequence[str]) -> Iterator[ServicePath]:
        """By the address that a name gave, where it is the server's."""
        own = self.server.pod.address(family)
        if own is not None and own in addresses:
            yield from (self._path(Way.HEADLESS, family, port, (own, port)) for port in ports)

    def _by_cluster_ip(self, family: Family, port: int) -> Iterator[ServicePath]:
        service = self.laid.services.get(Way.CLUSTER_IP, LaidService())
        for text in service.addresses:
            if family_of(text) is family and port in service.ports:
                yield self._path(Way.CLUSTER_IP, family, port, (text, service.ports[port]))

    def _by_node_port(self, family: Family, port: int) -> Iterator[ServicePath]:
        service = self.laid.services.get(Way.NODE_PORT, LaidService())
        if family not in {family_of(text) for text in service.addresses} or port not in service.ports:
            return
        for door in self.caller.doors:
            text = _address(self.model, door, family)
            if text:
                path = self._path(Way.NODE_PORT, family, port, (text, service.ports[port]), door)
                yield replace(path, predicted=self._rewritten(path, text))

    def _path(
        self, way: Way, family: Family, port: int, via: tuple[str, int] | None = None, door: str = ""
    ) -> ServicePath:
        source, server = self.source, self.server
        traffic = Traffic(family, Protocol.TCP, port)
        decision = Services(self.model).through(source.pod, server.pod, traffic)
        keys = source.stand_in.key, source.pod.node, server.stand_in.key
        return ServicePath(0, way, *keys, server.pod.address(family) or "", family, port, via, door, decision)

    def _rewritten(self, path: ServicePath, address: str) -> Decision:
        """What policies say where any of the nodes on the way may stand for the source, and the node for the pod."""
        direct, model, server = path.predicted, self.model, self.server.pod
        if direct.verdict is Verdict.UNKNOWN or path.via is None:
            return direct
        nodes = dict.fromkeys((address, _address(model, path.source_node, path.family)))
        outer = model.decide(self.source.pod, Address(address), path.family, path.via[1])
        ways_in = [model.decide(Address(text), server, path.family, path.port) for text in nodes if text]
        pairs = _pairs([direct.egress, outer.egress], [direct.ingress, *(item.ingress for item in ways_in)])
        return either(pairs, ANY_SOURCE)


def _pairs(outs: Sequence[DirectionDecision], ins: Sequence[DirectionDecision]) -> list[Decision]:
    return [combine(egress, ingress) for egress in outs for ingress in ins]


def _address(model: Model, node: str, family: Family) -> str:
    """A node's first address of a family; empty where it has none."""
    found = [text for item in model.snapshot.nodes if item.name == node for text in item.addresses]
    return next((text for text in found if family_of(text) is family), "")

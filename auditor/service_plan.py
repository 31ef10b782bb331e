"""What `--targets service` adds to a plan: one server of netaudit's own, Services over it, and who tries them.

Pure.  All of it stands in netaudit's own namespaces.  The server takes connections on three ports: one that everybody
may use, one that its own ingress policy denies to all, and one that is left out of the egress policy of the gated
callers.  Services give each port another number, since policies speak of the pod's own (KEP-2079).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from auditor.model.cluster import ServicePort, Snapshot
from auditor.model.flow import Direction, Protocol
from auditor.model.labels import equals
from auditor.model.options import Options, Targets
from auditor.model.policy import NetworkPolicy, Peer, PolicyPort, Rule
from auditor.model.probe import Caller, OwnService, ProbePlan, Role, ServicePlan, Skip, StandIn, Way
from auditor.model.service_path import NO_DNS
from auditor.sentinel import POLICED, TIMED_PER_NODE
from probes.capacity import Room

LABEL = "netaudit/service"
SERVER, GATED = "server", "gated"
OPEN, SHUT, LIMITED = 8080, 8081, 8082
"""The server's ports: open to all, denied to all on its way in, denied to gated callers on their way out."""
SERVICE_PORTS = {OPEN: 80, SHUT: 81, LIMITED: 82}
LEAST_LIMIT = 5.0
"""Seconds that engine and cluster have at least, whatever `--settle` says."""
MOST_NODES = 8
"""Nodes from which Services are tried: what kube-proxy and engine do with them is the same on each by design."""
REQUESTS, REQUESTS_PER_NODE, SECONDS = 22, 12, 28
WHAT = "paths through Services"


def server_policy() -> NetworkPolicy:
    """Nothing in on one of the server's ports."""
    ports = tuple(PolicyPort(Protocol.TCP, port) for port in (OPEN, LIMITED))
    return NetworkPolicy(
        POLICED,
        "netaudit-service-in",
        equals({LABEL: SERVER}),
        frozenset({Direction.INGRESS}),
        ingress=(Rule((), ports),),
    )


def gated_policy() -> NetworkPolicy:
    """Nothing out of gated callers but to one port of the server, which is named by its label."""
    peers, ports = (Peer(pod_selector=equals({LABEL: SERVER})),), (PolicyPort(Protocol.TCP, OPEN),)
    return NetworkPolicy(
        POLICED,
        "netaudit-service-out",
        equals({LABEL: GATED}),
        frozenset({Direction.EGRESS}),
        egress=(Rule(peers, ports),),
    )


def own_services() -> tuple[OwnService, ...]:
    """One Service of each kind, apart from each other, so that one that is refused takes no other with it."""
    ports = tuple(ServicePort(number, port, Protocol.TCP, f"p{port}") for port, number in sorted(SERVICE_PORTS.items()))
    names = {
        Way.CLUSTER_IP: "netaudit-cluster-ip",
        Way.HEADLESS: "netaudit-headless",
        Way.NODE_PORT: "netaudit-node-port",
    }
    return tuple(OwnService(POLICED, name, way, ((LABEL, SERVER),), ports) for way, name in names.items())


def with_services(plan: ProbePlan, snapshot: Snapshot, options: Options) -> ProbePlan:
    """The plan with what is tried through Services, where the user asks for it and it has controls."""
    if options.targets is not Targets.SERVICE or not plan.stand_ins:
        return plan
    controls, skipped = _controls(plan, snapshot, options)
    if options.sandbox:
        skipped.append(Skip("a headless Service, which is a name and nothing else", NO_DNS))
    if not controls:
        return replace(plan, skipped=tuple(sorted((*plan.skipped, *skipped), key=_order)))
    services = _plan(controls, options)
    pods, cost = 1 + len(controls), plan.estimate
    return replace(
        plan,
        own_namespaces=tuple(sorted({*plan.own_namespaces, POLICED})),
        skipped=tuple(sorted((*plan.skipped, *skipped), key=_order)),
        services=services,
        estimate=replace(
            cost,
            pods=cost.pods + pods,
            namespaces=cost.namespaces + (POLICED not in plan.own_namespaces),
            requests=cost.requests + services.requests,
            seconds=cost.seconds + services.seconds,
        ),
    )


def _order(skip: Skip) -> tuple[str, str]:
    return skip.what, skip.reason


def _plan(controls: Sequence[StandIn], options: Options) -> ServicePlan:
    nodes = [control.node for control in controls]
    server = _stand_in("v", controls[0], SERVER)
    callers = tuple(
        Caller(
            node=control.node,
            free=control.key,
            gated=_stand_in(f"g{number}", control, GATED),
            # Its own, the next one's and the server's: each is met from inside and from outside.
            doors=tuple(sorted({control.node, nodes[(number + 1) % len(nodes)], nodes[0]})),
        )
        for number, control in enumerate(controls)
    )
    return ServicePlan(
        server=server,
        callers=callers,
        services=tuple(item for item in own_services() if not (options.sandbox and item.way is Way.HEADLESS)),
        policies=(server_policy(), gated_policy()),
        limit=max(LEAST_LIMIT, options.settle),
        requests=REQUESTS + REQUESTS_PER_NODE * len(controls),
        seconds=SECONDS,
    )


def _controls(plan: ProbePlan, snapshot: Snapshot, options: Options) -> tuple[list[StandIn], list[Skip]]:
    """The controls that open connections, on nodes that have room for one pod more, the first one for two."""
    room = Room(snapshot)
    for item in plan.stand_ins:
        room.take(item.namespace, item.node, 1)
    for timed in plan.timing.nodes if plan.timing else ():
        room.take(POLICED, timed.node, TIMED_PER_NODE)
    free = options.max_pods - plan.estimate.pods
    found: list[StandIn] = []
    skipped: list[Skip] = []
    for item in sorted(plan.stand_ins, key=lambda item: item.node):
        if item.role is not Role.CONTROL or not item.key.endswith("a"):
            continue
        more = 0 if found else 1
        lack = room.lacks(item.node, POLICED, more)
        reason = f"beyond the tenth that is left alone it has too little {lack}" if lack else ""
        if len(found) == MOST_NODES:
            reason = f"{MOST_NODES} nodes are enough to tell how Services and policies go together"
        elif free < 1 + more:
            reason = f"more probe pods than --max-pods {options.max_pods} allows"
        if reason:
            skipped.append(Skip(f"{WHAT} from {item.node}", reason))
            continue
        room.take(POLICED, item.node, 1 + more)
        free -= 1 + more
        found.append(item)
    return found, skipped


def _stand_in(key: str, beside: StandIn, label: str) -> StandIn:
    ports = (OPEN, SHUT, LIMITED) if label == SERVER else (OPEN,)
    return replace(
        beside,
        key=key,
        role=Role.SENTINEL,
        namespace=POLICED,
        labels=((LABEL, label),),
        listens=tuple((Protocol.TCP, port) for port in ports),
    )

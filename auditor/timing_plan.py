"""What `--enforce-time` adds to a plan: two pods for each node, and one policy that is made and removed over them.

Pure.  Everything stands in netaudit's own namespaces, beside controls that the plan has anyway.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

from auditor.model.cluster import Snapshot
from auditor.model.flow import Direction, Protocol
from auditor.model.labels import equals
from auditor.model.options import Options
from auditor.model.policy import NetworkPolicy
from auditor.model.probe import ProbePlan, Role, Skip, StandIn, TimedNode, Timing
from auditor.sentinel import POLICED, TIMED_PER_NODE
from probes.capacity import Room

LABEL = {"netaudit/timed": "yes"}
AT_ONCE = 8
"""Nodes that are timed side by side: their pods and execs must not wait for each other's turn."""
LEAST_LIMIT = 5.0
"""Seconds that an engine has at least, whatever `--settle` says; fewer and a busy node would look like a broken one."""
REQUESTS, REQUESTS_PER_NODE = 8, 10
"""About: policies made and removed; for each node two pods made, looked for and removed, and three execs."""
SECONDS = 20
"""For nodes that are timed side by side: two pods start one after the other, and each answer is watched for a while."""


def timed_policy() -> NetworkPolicy:
    """Deny all, both ways, to the pods that are timed."""
    return NetworkPolicy(POLICED, "netaudit-timed", equals(LABEL), frozenset(Direction))


def waves(timing: Timing) -> Iterable[tuple[TimedNode, ...]]:
    """The nodes in groups that are timed side by side."""
    return (timing.nodes[start : start + AT_ONCE] for start in range(0, len(timing.nodes), AT_ONCE))


def with_timing(plan: ProbePlan, snapshot: Snapshot, options: Options) -> ProbePlan:
    """The plan with what is to be timed, where the user asks for it and it has controls; what is left out is named."""
    if not options.enforce_time or not plan.stand_ins:
        return plan
    able, skipped = _nodes(plan, snapshot)
    nodes = tuple(able[: max(0, options.max_pods - len(plan.stand_ins)) // TIMED_PER_NODE])
    reason = f"more probe pods than --max-pods {options.max_pods} allows"
    skipped += [Skip(_title(item.node), reason) for item in able[len(nodes) :]]
    limit = max(LEAST_LIMIT, options.settle)
    groups = math.ceil(len(nodes) / AT_ONCE)
    requests = REQUESTS * groups + REQUESTS_PER_NODE * len(nodes)
    timing = Timing(timed_policy(), nodes, limit, options.connect_timeout, requests, SECONDS * groups)
    cost = plan.estimate
    return replace(
        plan,
        own_namespaces=tuple(sorted({*plan.own_namespaces, POLICED})),
        skipped=tuple(sorted((*plan.skipped, *skipped), key=lambda skip: (skip.what, skip.reason))),
        timing=timing if nodes else None,
        estimate=replace(
            cost,
            pods=cost.pods + TIMED_PER_NODE * len(nodes),
            namespaces=cost.namespaces + (POLICED not in plan.own_namespaces),
            requests=cost.requests + requests,
            seconds=cost.seconds + timing.seconds,
        ),
    )


def _title(node: str) -> str:
    return f"time to enforce on {node}"


def _nodes(plan: ProbePlan, snapshot: Snapshot) -> tuple[list[TimedNode], list[Skip]]:
    """The nodes that have both controls, with a TCP port that they take connections on, and room for the pods."""
    room = Room(snapshot)
    for item in plan.stand_ins:
        room.take(item.namespace, item.node, 1)
    controls = {(item.node, item.key[-1]): item for item in plan.stand_ins if item.role is Role.CONTROL}
    found: list[TimedNode] = []
    skipped: list[Skip] = []
    for number, node in enumerate(sorted({node for node, _ in controls})):
        caller, peer = controls.get((node, "a")), controls.get((node, "b"))
        ports, lack = _tcp(peer), room.lacks(node, POLICED, TIMED_PER_NODE - 1)
        if lack:
            skipped.append(Skip(_title(node), f"beyond the tenth that is left alone it has too little {lack}"))
            continue
        if caller is None or peer is None or not ports:
            skipped.append(Skip(_title(node), "its controls take no TCP connection in this plan"))
            continue
        steady, fresh = (_stand_in(f"t{number}{letter}", peer, ports[0]) for letter in "tf")
        found.append(TimedNode(node, caller.key, peer.key, ports[0], steady, fresh))
    return found, skipped


def _tcp(control: StandIn | None) -> Sequence[int]:
    return [port for protocol, port in control.listens if protocol is Protocol.TCP] if control else []


def _stand_in(key: str, beside: StandIn, port: int) -> StandIn:
    return replace(
        beside,
        key=key,
        role=Role.SENTINEL,
        namespace=POLICED,
        labels=tuple(sorted(LABEL.items())),
        listens=((Protocol.TCP, port),),
    )

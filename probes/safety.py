"""Which labels a probe pod may wear where, and why not.

Pure.  Law 2: where it cannot be shown beforehand that nothing real will react to a pod with these labels, the identity
is not tested and the report says so.  Adoption is excluded by the probe pod's controller owner, whatever selects it
(ReplicaSet, ReplicationController, StatefulSet, DaemonSet and Job share `controller_ref_manager.go`), and budgets are
proven harmless for that owner, so neither needs a rule here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from auditor.cluster.resources import MONITORS, VERTICAL
from auditor.model.cluster import Snapshot
from auditor.model.labels import Labels, LabelSelector
from auditor.model.matrix import Identity
from auditor.model.probe import StandIn
from probes.hazards import Hazard, Kind
from probes.operators import made_by_operators, member_hazards
from probes.watchers import autoscaler_hazards, monitor_hazards, vertical_hazards

WATCHERS: dict[str, Kind] = {
    "services": Kind.SERVICE,
    "horizontalpodautoscalers": Kind.HPA,
    "deployments": Kind.HPA,
    "statefulsets": Kind.HPA,
    "replicasets": Kind.HPA,
    "replicationcontrollers": Kind.HPA,
    VERTICAL: Kind.VPA,
    "daemonsets": Kind.AFFINITY,
    "jobs": Kind.AFFINITY,
    "cronjobs": Kind.AFFINITY,
}
"""Resources that can react to a pod by its labels, and what goes unseen without them."""
SHOWN = 3
"""Hazards of one identity that are told."""


def hazard(snapshot: Snapshot, identity: Identity, allowed: Collection[str] = ()) -> str | None:
    """Say why no probe pod may stand for this identity; None when it is safe, or all its hazards are `allowed`."""
    found = [item for item in hazards(snapshot, identity) if item.kind is None or item.kind.value not in allowed]
    if not found:
        return None
    kinds = sorted({item.kind.value for item in found if item.kind is not None})
    # What cannot be overruled stands in the way of all the rest.
    rest = all(item.kind is not None for item in found)
    flags = f" ({' '.join(f'--allow {kind}' for kind in kinds)} would test it all the same)" if rest else ""
    reasons = list(dict.fromkeys(item.reason for item in found))
    more = f"; and {len(reasons) - SHOWN} more" if len(reasons) > SHOWN else ""
    return "; ".join(reasons[:SHOWN]) + more + flags


def overruled(snapshot: Snapshot, identity: Identity, allowed: Collection[str]) -> tuple[str, ...]:
    """The hazards of this identity that are taken because their kinds are `allowed`, sorted."""
    found = (item for item in hazards(snapshot, identity) if item.kind is not None and item.kind.value in allowed)
    return tuple(sorted({f"--allow {item.kind.value}: {item.reason}" for item in found if item.kind is not None}))


def hazards(snapshot: Snapshot, identity: Identity) -> Iterable[Hazard]:
    """Everything that could react to a probe pod for this identity."""
    namespace, labels = identity.namespace, dict(identity.labels)
    names = [port.name for port in identity.named_ports]
    if len(set(names)) < len(names):
        yield Hazard(
            None, "policies name a port that its pods declare with several numbers, which one container cannot declare"
        )
    yield from _namespace_hazards(snapshot, namespace)
    yield from _unknowns(snapshot, namespace)
    if names and MONITORS in snapshot.unreadable:
        yield _unlisted(MONITORS, Kind.PODMONITOR)
    yield from worn_hazards(snapshot, namespace, labels)
    yield from monitor_hazards(snapshot, identity)
    yield from made_by_operators(snapshot, identity)


def worn_hazards(snapshot: Snapshot, namespace: str, labels: Labels) -> Iterable[Hazard]:
    """Everything that could react to a pod by the labels that it wears."""
    for service in snapshot.services:
        if service.namespace == namespace and service.publishes_not_ready and _matches(service.selector, labels):
            reason = f"Service {service.name} has publishNotReadyAddresses: it would send traffic to a never-ready pod"
            yield Hazard(Kind.SERVICE, reason)
    yield from autoscaler_hazards(snapshot, namespace, labels)
    yield from vertical_hazards(snapshot, namespace, labels)
    yield from _scheduling_hazards(snapshot, namespace, labels)
    yield from member_hazards(labels)


CLAIMING = {
    "ReplicaSet": "replicasets",
    "StatefulSet": "statefulsets",
    "ReplicationController": "replicationcontrollers",
}
"""Controllers that count the pods they select, and their resources."""


def near(snapshot: Snapshot, stand_ins: Iterable[StandIn]) -> tuple[tuple[str, str], ...]:
    """Resources whose objects see these stand-ins, as (resource, namespace), sorted: what a run has to watch."""
    found: set[tuple[str, str]] = set()
    for namespace, worn in {(item.namespace, item.labels) for item in stand_ins}:
        labels = dict(worn)
        services = (item for item in snapshot.services if item.namespace == namespace)
        if any(_matches(service.selector, labels) for service in services):
            found.add(("endpointslices", namespace))
        if any(autoscaler.namespace == namespace for autoscaler in snapshot.autoscalers):
            found.add(("horizontalpodautoscalers", namespace))
        for workload in snapshot.workloads:
            if workload.namespace == namespace and workload.kind in CLAIMING and workload.selector.matches(labels):
                found.add((CLAIMING[workload.kind], namespace))
    return tuple(sorted(found))


def _unknowns(snapshot: Snapshot, namespace: str) -> Iterable[Hazard]:
    if "resourcequotas" in snapshot.unreadable:
        reason = "resourcequotas could not be listed, so it cannot be shown that a probe pod leaves room for real ones"
        yield Hazard(Kind.QUOTA, reason)
    for resource in sorted(snapshot.unreadable & WATCHERS.keys()):
        yield _unlisted(resource, WATCHERS[resource])
    kinds = {**WATCHERS, "pods": Kind.AFFINITY, "resourcequotas": Kind.QUOTA}
    for resource, where in sorted(snapshot.unreadable_in):
        if where in {namespace, ""} and resource in kinds:
            reason = f"one of the {resource} in its namespace cannot be read: it might react to a pod with these labels"
            yield Hazard(kinds[resource], reason)


def _unlisted(resource: str, kind: Kind) -> Hazard:
    return Hazard(kind, f"{resource} could not be listed, so it cannot be shown that none of them would react")


def shunning(snapshot: Snapshot) -> dict[str, str]:
    """Nodes of pods that stay away from any pod like netaudit's controls, which wear no label, with the reason.

    A replacement of such a pod goes to a node like this one, and would find it taken.
    """
    return {
        pod.node: f"{pod.owner or pod.name} stays away from pods of any namespace that wear as little as our controls"
        for pod in snapshot.pods
        for term in pod.repelled_by
        if term.everywhere and not term.spread and term.selector.matches({})
    }


def _scheduling_hazards(snapshot: Snapshot, namespace: str, labels: Labels) -> Iterable[Hazard]:
    for pod in snapshot.pods:
        near = pod.namespace == namespace
        for term in pod.repelled_by:
            if (near or term.everywhere) and term.selector.matches(labels):
                yield _repulsion(str(pod.owner or pod.name), spread=term.spread)
    for template in snapshot.templates:
        near = template.namespace == namespace
        for term in template.repelled_by:
            if (near or term.everywhere) and term.selector.matches(labels):
                yield _repulsion(f"{template.kind.lower()}/{template.name}", spread=term.spread)


def _repulsion(workload: str, *, spread: bool) -> Hazard:
    how = "topology spread" if spread else "anti-affinity"
    reason = f"the scheduler counts pods with these labels when it places {workload} ({how})"
    return Hazard(Kind.TOPOLOGY if spread else Kind.AFFINITY, reason)


def _namespace_hazards(snapshot: Snapshot, name: str) -> Iterable[Hazard]:
    namespace = snapshot.namespace(name)
    if namespace is not None and namespace.terminating:
        yield Hazard(None, "its namespace is being deleted")


def _matches(selector: LabelSelector | None, labels: Labels) -> bool:
    return selector is not None and selector.matches(labels)

"""Which labels a probe pod may wear where, and why not.

Pure.  Law 2: where it cannot be shown beforehand that nothing real will react to a pod with these labels, the identity
is not tested and the report says so.  Adoption is excluded by the probe pod's controller owner, and budgets are proven
harmless for that owner, so neither needs a rule here.
"""

from __future__ import annotations

from collections.abc import Iterable

from auditor.model.cluster import Snapshot
from auditor.model.labels import Labels, LabelSelector
from auditor.model.matrix import Identity
from auditor.model.probe import StandIn

WATCHERS = frozenset({"services", "horizontalpodautoscalers", "deployments", "statefulsets", "replicasets"})
"""Resources that can react to a pod by its labels."""


def hazard(snapshot: Snapshot, identity: Identity) -> str | None:
    """Say why no probe pod may stand for this identity; None when it is safe."""
    return next(iter(_hazards(snapshot, identity)), None)


def _hazards(snapshot: Snapshot, identity: Identity) -> Iterable[str]:
    namespace, labels = identity.namespace, dict(identity.labels)
    yield from _unknowns(snapshot, namespace)
    names = [port.name for port in identity.named_ports]
    if len(set(names)) < len(names):
        yield "policies name a port that its pods declare with several numbers, which one container cannot declare"
    yield from _namespace_hazards(snapshot, namespace)
    for service in snapshot.services:
        if service.namespace == namespace and service.publishes_not_ready and _matches(service.selector, labels):
            yield f"Service {service.name} has publishNotReadyAddresses: it would send traffic to a never-ready pod"
    yield from _autoscaler_hazards(snapshot, namespace, labels)
    yield from _scheduling_hazards(snapshot, namespace, labels)


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


def _unknowns(snapshot: Snapshot, namespace: str) -> Iterable[str]:
    if "resourcequotas" in snapshot.unreadable:
        yield "resourcequotas could not be listed, so it cannot be shown that a probe pod leaves room for real ones"
    for resource in sorted(snapshot.unreadable & WATCHERS):
        yield f"{resource} could not be listed, so it cannot be shown that none of them would react"
    for resource, where in sorted(snapshot.unreadable_in):
        if where in {namespace, ""} and resource in WATCHERS | {"pods"}:
            yield f"one of the {resource} in its namespace cannot be read: it might react to a pod with these labels"


def _scheduling_hazards(snapshot: Snapshot, namespace: str, labels: Labels) -> Iterable[str]:
    for pod in snapshot.pods:
        near = pod.namespace == namespace
        if any((near or term.everywhere) and term.selector.matches(labels) for term in pod.repelled_by):
            workload = pod.owner or pod.name
            yield f"the scheduler counts pods with these labels when it places {workload} (anti-affinity or spread)"


def _namespace_hazards(snapshot: Snapshot, name: str) -> Iterable[str]:
    namespace = snapshot.namespace(name)
    if namespace is not None and namespace.terminating:
        yield "its namespace is being deleted"


def _matches(selector: LabelSelector | None, labels: Labels) -> bool:
    return selector is not None and selector.matches(labels)


def _autoscaler_hazards(snapshot: Snapshot, namespace: str, labels: Labels) -> Iterable[str]:
    for autoscaler in snapshot.autoscalers:
        if autoscaler.namespace != namespace:
            continue
        targets = [
            workload
            for workload in snapshot.workloads
            if (workload.namespace, workload.kind, workload.name)
            == (namespace, autoscaler.target.kind, autoscaler.target.name)
        ]
        if not targets:
            yield f"HorizontalPodAutoscaler {autoscaler.name} scales {autoscaler.target}, whose selector is not known"
        elif any(workload.selector.matches(labels) for workload in targets):
            yield f"HorizontalPodAutoscaler {autoscaler.name} would count a pod with these labels"

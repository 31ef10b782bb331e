"""Autoscalers and monitors that would count a probe pod.

Pure.  An autoscaler looks at all pods that its target's selector meets, whoever owns them; readiness does not help,
because a pod that is not ready counts as one of no usage when there is reason to scale up (`replica_calculator.go`).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from auditor.model.cluster import Autoscaler, Snapshot, Template, Workload
from auditor.model.labels import Labels, LabelSelector
from auditor.model.matrix import Identity
from probes.hazards import Hazard, Kind


def autoscaler_hazards(snapshot: Snapshot, namespace: str, labels: Labels) -> Iterable[Hazard]:
    """HorizontalPodAutoscalers whose arithmetic a pod with these labels would change."""
    for autoscaler in snapshot.autoscalers:
        if autoscaler.namespace == namespace and autoscaler.counts:
            yield from _met(snapshot, autoscaler, labels, Kind.HPA, "HorizontalPodAutoscaler")


def vertical_hazards(snapshot: Snapshot, namespace: str, labels: Labels) -> Iterable[Hazard]:
    """VerticalPodAutoscalers that would keep the usage of a pod with these labels in their history."""
    for autoscaler in snapshot.vertical_autoscalers:
        if autoscaler.namespace == namespace:
            yield from _met(snapshot, autoscaler, labels, Kind.VPA, "VerticalPodAutoscaler")


def _met(snapshot: Snapshot, autoscaler: Autoscaler, labels: Labels, kind: Kind, name: str) -> Iterable[Hazard]:
    selectors = list(_selectors(snapshot, autoscaler))
    if not selectors:
        yield Hazard(kind, f"{name} {autoscaler.name} scales {autoscaler.target}, whose selector is not known")
    elif any(selector.matches(labels) for selector in selectors):
        yield Hazard(kind, f"{name} {autoscaler.name} would count a pod with these labels")


def _selectors(snapshot: Snapshot, autoscaler: Autoscaler) -> Iterable[LabelSelector]:
    wanted = autoscaler.namespace, autoscaler.target.kind, autoscaler.target.name
    kept: Iterable[Workload | Template] = chain(snapshot.workloads, snapshot.templates)
    for item in kept:
        if (item.namespace, item.kind, item.name) == wanted:
            yield item.selector


def monitor_hazards(snapshot: Snapshot, identity: Identity) -> Iterable[Hazard]:
    """PodMonitors that would scrape a port which the probe pod has to declare."""
    declared = {part for port in identity.named_ports for part in (port.name, port.number)}
    labels = dict(identity.labels)
    for monitor in snapshot.pod_monitors:
        here = monitor.homes is None or identity.namespace in monitor.homes
        ports = sorted(map(str, monitor.ports & declared))
        if here and ports and monitor.selector.matches(labels):
            reason = f"PodMonitor {monitor.namespace}/{monitor.name} would scrape a pod with these labels on {ports[0]}"
            yield Hazard(Kind.PODMONITOR, reason)

"""Raw objects into a Snapshot.

Pure.  One bad object becomes one warning; where the bad object could decide about flows it becomes a blind spot too, so
that no verdict is guessed.  The same decoder serves live clusters, saved snapshots and test cases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_address
from typing import Any, TypeVar

from auditor.cluster import fields
from auditor.cluster.decode_policy import LAST_PORT, decode_network_policy, decode_selector
from auditor.cluster.fields import FieldError, Raw
from auditor.cluster.resources import FOREIGN_POLICIES, ForeignPolicy
from auditor.model.cluster import (
    Autoscaler,
    BlindSpot,
    ContainerPort,
    Namespace,
    Node,
    Owner,
    Pod,
    Repulsion,
    Service,
    Snapshot,
    Workload,
    port_order,
)
from auditor.model.flow import Protocol
from auditor.model.labels import equals
from auditor.model.policy import NetworkPolicy
from auditor.ports import RawSnapshot

T = TypeVar("T")
LONGEST_REASON = 300
WORKLOAD_KINDS = {
    "deployments": "Deployment",
    "statefulsets": "StatefulSet",
    "replicasets": "ReplicaSet",
    "replicationcontrollers": "ReplicationController",
}


class _Collector:
    """Decodes lists of objects and keeps what went wrong."""

    def __init__(self, raw: RawSnapshot) -> None:
        self.raw = raw
        self.warnings: list[str] = []
        self.blind: list[BlindSpot] = []
        self.lost: set[tuple[str, str]] = set()
        """Resource and namespace of each object that could not be read."""

    def each(self, resource: str, decode_one: Callable[[Raw], T]) -> list[T]:
        """Decode every object of a resource; what cannot be read is a warning, and a blind spot where it decides."""
        found: list[T] = []
        for item in self.raw.objects.get(resource) or ():
            try:
                found.append(decode_one(fields.an_object(item)))
            except (FieldError, AttributeError, TypeError, ValueError) as error:
                self._lose(resource, item, str(error)[:LONGEST_REASON])
        if resource in self.raw.unreadable:
            self.warnings.append(f"{resource} could not be listed: {self.raw.unreadable[resource]}")
        return found

    def _lose(self, resource: str, item: object, reason: str) -> None:
        self.warnings.append(f"{resource} {fields.name_of(item)} cannot be read: {reason}")
        self.lost.add((resource, fields.home_of(item) or ""))
        if resource == "networkpolicies":
            self.blind.append(
                BlindSpot(fields.home_of(item), f"NetworkPolicy {fields.name_of(item)} cannot be read: {reason}")
            )
        if resource == "namespaces":
            # Its labels may let other namespaces' policies match its pods, and nobody can tell which.
            where = fields.own_name_of(item)
            self.blind.append(BlindSpot(where, f"Namespace {fields.name_of(item)} cannot be read: {reason}"))


def decode(raw: RawSnapshot) -> Snapshot:
    """Turn what a source collected into a Snapshot, sorted by namespace and name."""
    collector = _Collector(raw)
    namespaces = collector.each("namespaces", decode_namespace)
    policies = collector.each("networkpolicies", decode_network_policy)
    pods = collector.each("pods", decode_pod)
    workloads = [
        workload
        for resource, kind in WORKLOAD_KINDS.items()
        for workload in collector.each(resource, lambda item, kind=kind: _workload(item, kind))  # type: ignore[misc]
    ]
    blind = [*collector.blind, *_unreadable_policies(raw), *_foreign(raw)]
    return Snapshot(
        namespaces=_sorted(namespaces, lambda item: item.name),
        pods=_sorted(pods, lambda item: (item.namespace, item.name)),
        services=_sorted(collector.each("services", decode_service), lambda item: (item.namespace, item.name)),
        nodes=_sorted(collector.each("nodes", decode_node), lambda item: item.name),
        policies=_sorted(policies, _policy_key),
        workloads=_sorted(workloads, lambda item: (item.namespace, item.kind, item.name)),
        autoscalers=_sorted(
            collector.each("horizontalpodautoscalers", _autoscaler), lambda item: (item.namespace, item.name)
        ),
        blind_spots=_sorted(set(blind), lambda item: (item.namespace or "", item.reason)),
        unreadable=frozenset(raw.unreadable),
        unreadable_in=frozenset(collector.lost),
        warnings=tuple(sorted(collector.warnings)),
        cluster_uid=_cluster_uid(raw),
        server_version=raw.server_version,
    )


def _sorted(items: Iterable[T], key: Callable[[T], Any]) -> tuple[T, ...]:
    return tuple(sorted(items, key=key))


def _policy_key(policy: NetworkPolicy) -> tuple[str, str]:
    return policy.namespace, policy.name


def _cluster_uid(raw: RawSnapshot) -> str:
    items: Iterable[object] = raw.objects.get("namespaces") or ()
    for item in items:
        metadata = item.get("metadata") if isinstance(item, Mapping) else None
        if isinstance(metadata, Mapping) and metadata.get("name") == "kube-system":
            return str(metadata.get("uid") or "")
    return ""


def _unreadable_policies(raw: RawSnapshot) -> list[BlindSpot]:
    return [
        BlindSpot(None, f"{resource} could not be listed: {reason}")
        for resource, reason in sorted(raw.unreadable.items())
        if resource in {"networkpolicies", "namespaces"} or resource in FOREIGN_POLICIES
    ]


def _foreign(raw: RawSnapshot) -> list[BlindSpot]:
    return [
        _foreign_blind_spot(kind, item)
        for resource, kind in FOREIGN_POLICIES.items()
        for item in raw.objects.get(resource) or ()
    ]


def _foreign_blind_spot(kind: ForeignPolicy, item: object) -> BlindSpot:
    namespace = fields.home_of(item) if kind.namespaced else None
    return BlindSpot(namespace, f"{kind.kind} {fields.name_of(item)} is not modelled")


def decode_namespace(raw: Raw) -> Namespace:
    """A `corev1.Namespace`."""
    metadata = fields.mapping(raw, "metadata")
    name = fields.text(metadata, "name")
    labels = fields.strings(metadata, "labels")
    # The API server sets this label on every namespace; manifests in files lack it.
    labels.setdefault("kubernetes.io/metadata.name", name)
    return Namespace(
        name=name,
        labels=labels,
        terminating=metadata.get("deletionTimestamp") is not None,
        version=fields.text(metadata, "resourceVersion"),
    )


def decode_pod(raw: Raw) -> Pod:
    """A `corev1.Pod`, with ports of containers and sidecars and its addresses."""
    metadata, spec, status = (fields.mapping(raw, key) for key in ("metadata", "spec", "status"))
    labels = fields.strings(metadata, "labels")
    namespace = fields.text(metadata, "namespace", "default")
    return Pod(
        namespace=namespace,
        name=fields.text(metadata, "name"),
        labels=labels,
        node=fields.text(spec, "nodeName"),
        addresses=_addresses(status),
        ports=tuple(sorted(_container_ports(spec), key=port_order)),
        owner=_owner(metadata, labels),
        phase=fields.text(status, "phase", "Pending"),
        host_network=fields.flag(spec, "hostNetwork"),
        terminating=metadata.get("deletionTimestamp") is not None,
        uid=fields.text(metadata, "uid"),
        repelled_by=tuple(_repelled_by(spec)),
    )


def _addresses(status: Raw) -> tuple[str, ...]:
    listed = [fields.text(item, "ip") for item in fields.objects(status, "podIPs")]
    found = tuple(text for text in (listed or [fields.text(status, "podIP")]) if text)
    for text in found:
        try:
            ip_address(text)
        except ValueError as error:
            raise FieldError(f"podIPs: not an address: {text!r}") from error
    return found


def _container_ports(spec: Raw) -> Iterable[ContainerPort]:
    sidecars = [item for item in fields.objects(spec, "initContainers") if item.get("restartPolicy") == "Always"]
    for container in (*fields.objects(spec, "containers"), *sidecars):
        for port in fields.objects(container, "ports"):
            value, protocol = fields.number(port, "containerPort"), fields.text(port, "protocol", "TCP")
            # A protocol of some future API is no reason to lose the pod, nor is a number that no port has.
            if value is not None and 1 <= value <= LAST_PORT and protocol in Protocol.__members__:
                yield ContainerPort(fields.text(port, "name"), value, Protocol(protocol))


def _owner(metadata: Raw, labels: Mapping[str, str]) -> Owner | None:
    controllers = [item for item in fields.objects(metadata, "ownerReferences") if fields.flag(item, "controller")]
    if not controllers:
        return None
    kind, name = fields.text(controllers[0], "kind"), fields.text(controllers[0], "name")
    hashed = labels.get("pod-template-hash")
    if kind == "ReplicaSet" and hashed and name.endswith(f"-{hashed}"):
        # A Deployment names its ReplicaSets after itself and the hash of the pod template.
        return Owner("Deployment", name.removesuffix(f"-{hashed}"))
    return Owner(kind, name)


def _repelled_by(spec: Raw) -> Iterable[Repulsion]:
    anti = fields.mapping(fields.mapping(spec, "affinity"), "podAntiAffinity")
    for term in fields.objects(anti, "requiredDuringSchedulingIgnoredDuringExecution"):
        if term.get("labelSelector") is not None:
            elsewhere = bool(term.get("namespaces")) or term.get("namespaceSelector") is not None
            yield Repulsion(decode_selector(fields.mapping(term, "labelSelector")), elsewhere)
    for constraint in fields.objects(spec, "topologySpreadConstraints"):
        hard = fields.text(constraint, "whenUnsatisfiable") == "DoNotSchedule"
        if hard and constraint.get("labelSelector") is not None:
            yield Repulsion(decode_selector(fields.mapping(constraint, "labelSelector")))


def decode_service(raw: Raw) -> Service:
    """A `corev1.Service`."""
    metadata, spec = fields.mapping(raw, "metadata"), fields.mapping(raw, "spec")
    selector = fields.strings(spec, "selector")
    return Service(
        namespace=fields.text(metadata, "namespace", "default"),
        name=fields.text(metadata, "name"),
        selector=equals(selector) if selector else None,
        publishes_not_ready=fields.flag(spec, "publishNotReadyAddresses"),
    )


def decode_node(raw: Raw) -> Node:
    """A `corev1.Node`; virtual and Windows nodes cannot host probes."""
    metadata, spec, status = (fields.mapping(raw, key) for key in ("metadata", "spec", "status"))
    labels = fields.strings(metadata, "labels")
    ready = any(
        item.get("type") == "Ready" and item.get("status") == "True" for item in fields.objects(status, "conditions")
    )
    virtual = labels.get("type") == "virtual-kubelet"
    return Node(
        name=fields.text(metadata, "name"),
        labels=labels,
        ready=ready,
        hosts_probes=labels.get("kubernetes.io/os", "linux") == "linux" and not virtual,
        provider_id=fields.text(spec, "providerID"),
    )


def _workload(raw: Raw, kind: str) -> Workload:
    metadata, spec = fields.mapping(raw, "metadata"), fields.mapping(raw, "spec")
    if kind == "ReplicationController":
        selector = equals(fields.strings(spec, "selector"))
    else:
        selector = decode_selector(fields.mapping(spec, "selector"))
    return Workload(kind, fields.text(metadata, "namespace", "default"), fields.text(metadata, "name"), selector)


def _autoscaler(raw: Raw) -> Autoscaler:
    metadata = fields.mapping(raw, "metadata")
    target = fields.mapping(fields.mapping(raw, "spec"), "scaleTargetRef")
    return Autoscaler(
        namespace=fields.text(metadata, "namespace", "default"),
        name=fields.text(metadata, "name"),
        target=Owner(fields.text(target, "kind"), fields.text(target, "name")),
    )

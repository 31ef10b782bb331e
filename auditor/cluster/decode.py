"""Raw objects into a Snapshot.

Pure.  One bad object becomes one warning; where the bad object could decide about flows it becomes a blind spot too, so
that no verdict is guessed.  The same decoder serves live clusters, saved snapshots and test cases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from auditor.cluster import fields
from auditor.cluster.decode_beside import (
    decode_autoscaler,
    decode_limits,
    decode_monitor,
    decode_scale,
    decode_vertical,
)
from auditor.cluster.decode_objects import (
    decode_account,
    decode_namespace,
    decode_node,
    decode_policy_object,
    decode_service,
    decode_settings,
    decode_slice,
    decode_workload,
)
from auditor.cluster.decode_pod import decode_pod
from auditor.cluster.decode_policy import decode_network_policy
from auditor.cluster.decode_quota import decode_quota
from auditor.cluster.decode_scheduling import decode_template
from auditor.cluster.fields import FieldError, Raw
from auditor.cluster.kinds import KINDS
from auditor.cluster.resources import FOREIGN_POLICIES, LEANING, LEANT_ON_BY, MONITORS, SCALES, SLICES, VERTICAL
from auditor.model.cluster import (
    BlindSpot,
    EndpointSlice,
    Namespace,
    PolicyObject,
    Service,
    ServiceAccount,
    Snapshot,
    Template,
    Workload,
)
from auditor.ports import RawSnapshot

T = TypeVar("T")
LONGEST_REASON = 300
WORKLOAD_KINDS = {
    "deployments": "Deployment",
    "statefulsets": "StatefulSet",
    "replicasets": "ReplicaSet",
    "replicationcontrollers": "ReplicationController",
}
OTHER_KINDS = {"daemonsets": "DaemonSet", "jobs": "Job", "cronjobs": "CronJob"}
"""Kinds that make pods and are no `Snapshot.workloads`."""


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
        if resource in self.raw.unreadable and resource != SLICES:
            self.warnings.append(f"{resource} could not be listed: {self.raw.unreadable[resource]}")
        return found

    def _lose(self, resource: str, item: object, reason: str) -> None:
        said = f"{_kind_name(resource)} {fields.name_of(item)} cannot be read: {reason}"
        self.warnings.append(said)
        self.lost.add((resource, fields.home_of(item) or ""))
        if resource == "networkpolicies":
            self.blind.append(BlindSpot(fields.home_of(item), said))
        if resource == "namespaces":
            # Its labels may let other namespaces' policies match its pods, and nobody can tell which.
            self.blind.append(BlindSpot(fields.own_name_of(item), said))
        kind = FOREIGN_POLICIES.get(resource)
        if kind is not None and (kind.decides or resource in LEANING):
            home = fields.home_of(item) if kind.namespaced else None
            self.blind.append(BlindSpot(home, said))


def _kind_name(resource: str) -> str:
    """The kind of a resource, as other messages name it."""
    if resource in FOREIGN_POLICIES:
        return FOREIGN_POLICIES[resource].kind
    return KINDS[resource].name if resource in KINDS else resource


def decode(raw: RawSnapshot) -> Snapshot:
    """Turn what a source collected into a Snapshot, sorted by namespace and name."""
    collector = _Collector(raw)
    namespaces = [*collector.each("namespaces", decode_namespace), *_unlisted_namespaces(raw)]
    pods = collector.each("pods", decode_pod)
    policies = collector.each("networkpolicies", decode_network_policy)
    objects, accounts = _policy_objects(collector), _accounts(collector)
    services, nodes = collector.each("services", decode_service), collector.each("nodes", decode_node)
    workloads, templates = _controllers(collector)
    autoscalers = collector.each("horizontalpodautoscalers", decode_autoscaler)
    verticals, monitors = collector.each(VERTICAL, decode_vertical), collector.each(MONITORS, decode_monitor)
    quotas, bounds = collector.each("resourcequotas", decode_quota), collector.each("limitranges", decode_limits)
    settings = dict(collector.each("configmaps", decode_settings))
    blind = [*collector.blind, *_unreadable_policies(raw)]
    return Snapshot(
        namespaces=_sorted(namespaces, lambda item: item.name),
        pods=_sorted(pods, _by_name),
        services=_sorted(services, _by_name),
        slices=_sorted(_slices(collector, services), lambda item: (item.namespace, item.service, item.name)),
        slices_unread=raw.unreadable.get(SLICES, ""),
        nodes=_sorted(nodes, lambda item: item.name),
        policies=_sorted(policies, _by_name),
        workloads=_sorted(workloads, lambda item: (item.namespace, item.kind, item.name)),
        autoscalers=_sorted(autoscalers, _by_name),
        vertical_autoscalers=_sorted(verticals, _by_name),
        templates=_sorted(templates, lambda item: (item.namespace, item.kind, item.name)),
        pod_monitors=_sorted(monitors, _by_name),
        quotas=_sorted(quotas, _by_name),
        bounds=tuple(
            bound for found in _sorted(bounds, lambda each: [_by_name(one) for one in each]) for bound in found
        ),
        objects=_sorted(objects, lambda item: (item.resource, item.namespace, item.name)),
        accounts=accounts,
        settings=dict(sorted(settings.items())),
        blind_spots=_sorted(set(blind), lambda item: (item.namespace or "", item.reason)),
        unreadable=frozenset(raw.unreadable) - {SLICES},
        unreadable_in=frozenset(collector.lost),
        doubts=tuple(f"{resource} could not be listed: {raw.unread[resource]}" for resource in sorted(raw.unread)),
        warnings=tuple(sorted(collector.warnings)),
        lost=tuple(raw.lost),
        cluster_uid=_cluster_uid(raw),
        server_version=raw.server_version,
    )


def _sorted(items: Iterable[T], key: Callable[[T], Any]) -> tuple[T, ...]:
    return tuple(sorted(items, key=key))


def _by_name(item: Any) -> tuple[str, str]:
    return item.namespace, item.name


def _unlisted_namespaces(raw: RawSnapshot) -> list[Namespace]:
    return [
        replace(decode_namespace({"metadata": {"name": name}}), labels_known=False) for name in raw.unlisted_namespaces
    ]


def _slices(collector: _Collector, services: Iterable[Service]) -> list[EndpointSlice]:
    """The EndpointSlices of Services without a selector, which are few; those of the others repeat what pods say."""
    wanted = {(item.namespace, item.name) for item in services if item.selector is None}
    found = collector.each(SLICES, partial(decode_slice, wanted=wanted))
    return [item for item in found if item is not None]


def _controllers(collector: _Collector) -> tuple[list[Workload], list[Template]]:
    """Controllers with selectors, and what pods are made from where somebody asks for it.

    Of kinds that are no `Snapshot.workloads` every template is kept, because their selectors stand nowhere else.
    """
    workloads = collector.each(SCALES, decode_scale)
    templates: list[Template | None] = []
    for resource, kind in WORKLOAD_KINDS.items():
        pairs = collector.each(resource, partial(_with_template, kind=kind))
        workloads += [workload for workload, _ in pairs]
        templates += [template for _, template in pairs if template is not None and template.repelled_by]
    for resource, kind in OTHER_KINDS.items():
        templates += collector.each(resource, partial(decode_template, kind=kind))
    return workloads, [item for item in templates if item is not None]


def _with_template(raw: Raw, kind: str) -> tuple[Workload, Template | None]:
    return decode_workload(raw, kind), decode_template(raw, kind)


def _policy_objects(collector: _Collector) -> list[PolicyObject]:
    return [
        item
        for resource, kind in FOREIGN_POLICIES.items()
        for item in collector.each(resource, partial(decode_policy_object, resource=resource, kind=kind))
    ]


def _accounts(collector: _Collector) -> tuple[ServiceAccount, ...] | None:
    """All service accounts, or None: where only some are known, a selector's answer about the others is not."""
    found = collector.each("serviceaccounts", decode_account)
    lost = any(resource == "serviceaccounts" for resource, _ in collector.lost)
    return None if lost or "serviceaccounts" not in collector.raw.objects else _sorted(found, _by_name)


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
        if _decides(resource, raw)
    ]


def _decides(resource: str, raw: RawSnapshot) -> bool:
    """Whether verdicts depend on a resource that could not be listed."""
    if resource in LEANING:
        return any(raw.objects.get(name) for name in LEANT_ON_BY)
    kind = FOREIGN_POLICIES.get(resource)
    return resource in {"networkpolicies", "namespaces"} or (kind is not None and kind.decides)

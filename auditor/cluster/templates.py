"""Workloads in manifests into the pods that their controllers would make.

Pure.  One pod stands for all replicas of a workload: policies cannot tell them apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from auditor.cluster import fields
from auditor.cluster.decode_pod import decode_pod, owner_of
from auditor.cluster.decode_policy import decode_selector
from auditor.cluster.fields import FieldError, Raw
from auditor.cluster.kinds import Kind
from auditor.model.cluster import Owner

WORKLOADS = frozenset(
    {"deployments", "statefulsets", "daemonsets", "replicasets", "replicationcontrollers", "jobs", "cronjobs"}
)
_SELECTING = frozenset({"deployments", "statefulsets", "daemonsets", "replicasets"})
_JOB_LABELS = ("batch.kubernetes.io/job-name", "job-name")
"""What the job controller adds to the labels of its pods."""


def planned_pod(raw: Raw, kind: Kind) -> Raw:
    """The pod of a workload, named as the workload; raises FieldError where the API server would refuse it."""
    metadata, template = fields.mapping(raw, "metadata"), _template(raw, kind)
    name, spec = fields.text(metadata, "name"), fields.mapping(template, "spec")
    labels = fields.strings(fields.mapping(template, "metadata"), "labels")
    if kind.resource in _SELECTING:
        _check_selector(fields.mapping(raw, "spec"), labels)
    if kind.resource == "jobs":
        labels |= dict.fromkeys(_JOB_LABELS, name)
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": fields.text(metadata, "namespace", "default"),
            "labels": labels,
            "ownerReferences": [{"kind": kind.name, "name": name, "controller": True}],
        },
        "spec": spec,
    }
    decode_pod(pod)
    return pod


def _template(raw: Raw, kind: Kind) -> Raw:
    spec = fields.mapping(raw, "spec")
    if kind.resource == "cronjobs":
        spec = fields.mapping(fields.mapping(spec, "jobTemplate"), "spec")
    if spec.get("template") is None:
        raise FieldError("a workload needs a pod template", spec, "template")
    return fields.mapping(spec, "template")


def _check_selector(spec: Raw, labels: Mapping[str, str]) -> None:
    if spec.get("selector") is None:
        raise FieldError("a workload needs a selector for its pods", spec, "selector")
    selector = decode_selector(fields.mapping(spec, "selector"))
    if not selector.requirements:
        raise FieldError("an empty selector would take all pods of the namespace", spec, "selector")
    if not selector.matches(labels):
        raise FieldError("the selector does not match the labels of the pod template", spec, "selector")


def makes_none(raw: Raw, kind: Kind) -> str:
    """Why a workload has no pods now; empty where it has."""
    spec = fields.mapping(raw, "spec")
    if kind.resource not in {"daemonsets", "jobs", "cronjobs"} and fields.number(spec, "replicas") == 0:
        return "it has 0 replicas"
    if kind.resource in {"jobs", "cronjobs"} and fields.flag(spec, "suspend"):
        return "it is suspended"
    if kind.resource == "jobs" and any(
        item.get("type") in {"Complete", "Failed"} and item.get("status") == "True"
        for item in fields.objects(fields.mapping(raw, "status"), "conditions")
    ):
        return "it has finished"
    return ""


def parent(raw: Raw) -> Owner | None:
    """The workload that controls this one, such as a Deployment its ReplicaSet."""
    metadata = fields.mapping(raw, "metadata")
    return owner_of(metadata, {})


def owners(pods: Iterable[Raw], parents: Mapping[tuple[str, Owner], Owner]) -> set[tuple[str, Owner]]:
    """The workloads that pods belong to, and what controls those, each with its namespace."""
    return {found for pod in pods for found in _chain(pod, parents)}


def _chain(pod: Raw, parents: Mapping[tuple[str, Owner], Owner]) -> Iterator[tuple[str, Owner]]:
    try:
        metadata = fields.mapping(pod, "metadata")
        namespace = fields.text(metadata, "namespace", "default")
        owner = owner_of(metadata, fields.strings(metadata, "labels"))
    except FieldError:
        return
    seen: set[Owner] = set()
    while owner is not None and owner not in seen:
        yield namespace, owner
        seen.add(owner)
        owner = parents.get((namespace, owner))

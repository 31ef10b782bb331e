"""What the scheduler counts when it places a pod, in pods and in the templates of pods to come.

Pure.  Only what can keep a pod from being scheduled is read: preferred anti-affinity and `ScheduleAnyway` choose among
nodes.  `minDomains` makes a hard constraint stricter and never lets it count other pods, so it changes nothing here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from auditor.cluster import fields
from auditor.cluster.decode_policy import decode_selector
from auditor.cluster.fields import Raw
from auditor.model.cluster import Repulsion, Template
from auditor.model.labels import Labels, LabelSelector, Operator, Requirement, equals

ADDED = frozenset(
    {
        "pod-template-hash",
        "controller-revision-hash",
        "pod-template-generation",
        "statefulset.kubernetes.io/pod-name",
        "apps.kubernetes.io/pod-index",
        "batch.kubernetes.io/controller-uid",
        "batch.kubernetes.io/job-name",
        "batch.kubernetes.io/job-completion-index",
        "controller-uid",
        "job-name",
    }
)
"""Labels that controllers add to what templates say."""


def repelled_by(spec: Raw, labels: Labels, added: frozenset[str] = frozenset()) -> Iterable[Repulsion]:
    """The hard terms of a pod's `spec`; of the keys `added` its labels will have some value that is not known yet."""
    if "affinity" in spec:
        anti = fields.mapping(fields.mapping(spec, "affinity"), "podAntiAffinity")
        for term in fields.objects(anti, "requiredDuringSchedulingIgnoredDuringExecution"):
            if term.get("labelSelector") is not None:
                elsewhere = bool(term.get("namespaces")) or term.get("namespaceSelector") is not None
                yield Repulsion(_selector(term, labels, added), elsewhere)
    for constraint in fields.objects(spec, "topologySpreadConstraints"):
        hard = fields.text(constraint, "whenUnsatisfiable") == "DoNotSchedule"
        if hard and constraint.get("labelSelector") is not None:
            yield Repulsion(_selector(constraint, labels, added), spread=True)


def _selector(term: Raw, labels: Labels, added: frozenset[str]) -> LabelSelector:
    """The term's selector with what its keys of labels add; a key that the pod lacks adds nothing."""
    parts = list(decode_selector(fields.mapping(term, "labelSelector")).requirements)
    for keys, operator in (("matchLabelKeys", Operator.IN), ("mismatchLabelKeys", Operator.NOT_IN)):
        for key in fields.words(term, keys):
            if key in added:
                # Some value of its own: what wears none is not meant by "the same", and is by "another".
                parts += [Requirement(key, Operator.EXISTS)] if operator is Operator.IN else []
            elif key in labels:
                parts.append(Requirement(key, operator, frozenset({labels[key]})))
    return LabelSelector(tuple(parts))


def decode_template(raw: Raw, kind: str) -> Template | None:
    """The pod template of a controller; None for a controller that makes no more pods."""
    metadata, spec = fields.mapping(raw, "metadata"), fields.mapping(raw, "spec")
    if _is_over(raw, kind, spec):
        return None
    if kind == "CronJob":
        spec = fields.mapping(fields.mapping(spec, "jobTemplate"), "spec")
    template = fields.mapping(spec, "template")
    labels = fields.strings(fields.mapping(template, "metadata"), "labels")
    return Template(
        kind,
        fields.text(metadata, "namespace", "default"),
        fields.text(metadata, "name"),
        _chooses(spec, kind, labels),
        tuple(repelled_by(fields.mapping(template, "spec"), labels, ADDED - labels.keys())),
    )


def _chooses(spec: Raw, kind: str, labels: Mapping[str, str]) -> LabelSelector:
    if kind == "ReplicationController":
        return equals(fields.strings(spec, "selector"))
    return equals(labels) if spec.get("selector") is None else decode_selector(fields.mapping(spec, "selector"))


def _is_over(raw: Raw, kind: str, spec: Raw) -> bool:
    """Whether it is an old ReplicaSet of a Deployment, or a Job that has ended."""
    if kind == "ReplicaSet":
        return fields.number(spec, "replicas") == 0
    conditions = fields.objects(fields.mapping(raw, "status"), "conditions") if kind == "Job" else ()
    return any(item.get("type") in {"Complete", "Failed"} and item.get("status") == "True" for item in conditions)

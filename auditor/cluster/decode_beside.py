"""What stands beside pods and may look at them: autoscalers, monitors, limits, scales.

Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from auditor.cluster import fields
from auditor.cluster.decode_policy import decode_selector
from auditor.cluster.decode_quota import quantity
from auditor.cluster.fields import FieldError, Raw
from auditor.model.cluster import Autoscaler, Bound, Owner, PodMonitor, Workload
from auditor.model.labels import LabelSelector, Operator, Requirement

BY_OTHERS = frozenset({"External", "Object"})
"""Metrics that are divided by ready pods or by the scale's own count (`replica_calculator.go`, getReadyPodsCount)."""
_PART = re.compile(r"\s*(!?)([^\s!=,()]+)\s*(?:(==?|!=)\s*([^\s!=,()]*)|(in|notin)\s*\(([^()]*)\))?\s*")


def decode_autoscaler(raw: Raw) -> Autoscaler:
    """An `autoscalingv2.HorizontalPodAutoscaler`."""
    metadata, spec = fields.mapping(raw, "metadata"), fields.mapping(raw, "spec")
    kinds = {fields.text(item, "type") for item in fields.objects(spec, "metrics")}
    return Autoscaler(
        namespace=fields.text(metadata, "namespace", "default"),
        name=fields.text(metadata, "name"),
        target=_target(spec, "scaleTargetRef"),
        # Without metrics it scales by CPU.
        counts=not kinds or bool(kinds - BY_OTHERS),
    )


def decode_vertical(raw: Raw) -> Autoscaler:
    """A VerticalPodAutoscaler of `autoscaling.k8s.io`, which reads the usage of all pods that its target selects."""
    metadata, spec = fields.mapping(raw, "metadata"), fields.mapping(raw, "spec")
    home, name = fields.text(metadata, "namespace", "default"), fields.text(metadata, "name")
    return Autoscaler(home, name, _target(spec, "targetRef"))


def _target(spec: Raw, key: str) -> Owner:
    target = fields.mapping(spec, key)
    return Owner(fields.text(target, "kind"), fields.text(target, "name"))


def decode_scale(raw: Raw) -> Workload:
    """An `autoscalingv1.Scale`, under the kind of the object that it scales."""
    metadata = fields.mapping(raw, "metadata")
    said = fields.text(fields.mapping(raw, "status"), "selector")
    if not said:
        raise FieldError("a scale without a selector does not say which pods it counts", raw, "status", "selector")
    home, name = fields.text(metadata, "namespace", "default"), fields.text(metadata, "name")
    return Workload(fields.text(raw, "kind"), home, name, selector_of(said))


def selector_of(text: str) -> LabelSelector:
    """A selector as `labels.Parse` reads it: `a=b,c!=d,e in (f,g),h notin (i),j,!k`; raises FieldError."""
    found, at = [], 0
    while at < len(text):
        match = _PART.match(text, at)
        if (
            match is None
            or text[match.end() : match.end() + 1] not in {"", ","}
            or (match[1] and (match[3] or match[5]))
        ):
            raise FieldError(f"expected a selector, found {text[:40]!r}")
        found.append(_requirement(match))
        at = match.end() + 1
    return LabelSelector(tuple(found))


def _requirement(match: re.Match[str]) -> Requirement:
    absent, key, sign, value, word, listed = match.groups()
    if sign:
        return Requirement(key, Operator.NOT_IN if sign == "!=" else Operator.IN, frozenset({value}))
    if word:
        values = frozenset(item.strip() for item in listed.split(","))
        return Requirement(key, Operator.IN if word == "in" else Operator.NOT_IN, values)
    return Requirement(key, Operator.DOES_NOT_EXIST if absent else Operator.EXISTS)


def decode_monitor(raw: Raw) -> PodMonitor:
    """A PodMonitor of `monitoring.coreos.com/v1`."""
    metadata, spec = fields.mapping(raw, "metadata"), fields.mapping(raw, "spec")
    home, where = fields.text(metadata, "namespace", "default"), fields.mapping(spec, "namespaceSelector")
    ports: set[str | int] = set()
    for endpoint in fields.objects(spec, "podMetricsEndpoints"):
        said = [endpoint.get(key) for key in ("port", "portNumber", "targetPort")]
        ports |= {port for port in said if isinstance(port, str | int) and port}
    return PodMonitor(
        namespace=home,
        name=fields.text(metadata, "name"),
        selector=decode_selector(fields.mapping(spec, "selector")),
        homes=None if fields.flag(where, "any") else frozenset(fields.words(where, "matchNames") or (home,)),
        ports=frozenset(ports),
    )


def decode_limits(raw: Raw) -> tuple[Bound, ...]:
    """A `corev1.LimitRange`, as far as it is about containers and pods; a probe pod has one container."""
    metadata = fields.mapping(raw, "metadata")
    home, name = fields.text(metadata, "namespace", "default"), fields.text(metadata, "name")
    return tuple(
        bound
        for item in fields.objects(fields.mapping(raw, "spec"), "limits")
        if fields.text(item, "type") in {"Container", "Pod"}
        for bound in _bounds(item, home, name)
    )


def _bounds(item: Raw, home: str, name: str) -> Iterable[Bound]:
    least, most, ratio = (fields.mapping(item, key) for key in ("min", "max", "maxLimitRequestRatio"))
    for resource in sorted({*least, *most, *ratio}):
        found = (quantity(part.get(resource)) for part in (least, most, ratio))
        yield Bound(home, name, str(resource), *found)

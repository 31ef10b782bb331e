"""What the API server refuses of a manifest's metadata and label selectors.

`decode*` refuse what they cannot read, and `ordered_shapes` what a CRD of the Network Policy API forbids.

Pure.  Asked of manifests only: what a server has stored, it took, perhaps under older and laxer rules
(`apimachinery/pkg/api/validation`, `pkg/apis/networking/validation`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from auditor.cluster import fields, ordered_shapes
from auditor.cluster.fields import FieldError, Raw, UnknownField
from auditor.cluster.kinds import Kind

LONGEST_SUBDOMAIN, LONGEST_LABEL = 253, 63
LARGEST_ANNOTATIONS = 262_144
"""Bytes of all keys and values together."""
OBJECT_FIELDS = frozenset({"apiVersion", "kind", "metadata", "spec", "status"})
METADATA_FIELDS = frozenset(
    {
        "annotations",
        "clusterName",
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "finalizers",
        "generateName",
        "generation",
        "labels",
        "managedFields",
        "name",
        "namespace",
        "ownerReferences",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(rf"{_LABEL.pattern}(\.{_LABEL.pattern})*")
_WORD = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_NARROW = frozenset({"namespaces", "services"})
"""Resources whose names hold no dot."""
_FLAT = frozenset({"pods", "networkpolicies", "deployments", "statefulsets", "daemonsets", "jobs", "cronjobs"})
"""Resources of which all fields stand below `spec`."""


def refusals(raw: Raw, kind: Kind) -> Iterator[FieldError]:
    """Everything that the API server, or kubectl for it, refuses; UnknownField is what only kubectl does."""
    metadata = fields.mapping(raw, "metadata")
    if not metadata:
        yield FieldError("an object needs metadata, with a name", raw, "metadata")
        return
    yield from _unknown(raw, metadata, kind)
    yield from _names(metadata, kind)
    yield from _labels(metadata)
    yield from _annotations(metadata)
    if kind.resource == "networkpolicies":
        for selector in _selectors(fields.mapping(raw, "spec")):
            yield from _selector(selector)
    if kind.group == ordered_shapes.GROUP:
        yield from ordered_shapes.refusals(raw, kind)


def _unknown(raw: Raw, metadata: Raw, kind: Kind) -> Iterator[FieldError]:
    for key in raw if kind.resource in _FLAT or kind.group == ordered_shapes.GROUP else ():
        if key not in OBJECT_FIELDS:
            yield UnknownField("no field of this kind", raw, key)
    for key in metadata:
        if key not in METADATA_FIELDS:
            yield UnknownField("no field of metadata", metadata, key)


def _names(metadata: Raw, kind: Kind) -> Iterator[FieldError]:
    name, namespace = fields.text(metadata, "name"), fields.text(metadata, "namespace")
    if not name and not fields.text(metadata, "generateName"):
        yield FieldError("an object needs a name", metadata, "name")
    narrow = kind.resource in _NARROW
    shape, longest = (_LABEL, LONGEST_LABEL) if narrow else (_SUBDOMAIN, LONGEST_SUBDOMAIN)
    if name and (len(name) > longest or not shape.fullmatch(name)):
        rest = "" if narrow else " and dots"
        reason = f"{_short(name)} is no name: small letters, digits, dashes{rest}, at most {longest} of them"
        yield FieldError(reason, metadata, "name")
    if kind.namespaced and namespace and (len(namespace) > LONGEST_LABEL or not _LABEL.fullmatch(namespace)):
        yield FieldError(f"{_short(namespace)} is no namespace's name", metadata, "namespace")


def _labels(metadata: Raw, field: str = "labels") -> Iterator[FieldError]:
    for key, value in fields.strings(metadata, field).items():
        wrong = wrong_key(key) or wrong_value(value)
        if wrong:
            yield FieldError(wrong, metadata, field, key)


def _annotations(metadata: Raw) -> Iterator[FieldError]:
    size = 0
    for key, value in fields.strings(metadata, "annotations").items():
        size += len(key.encode(errors="replace")) + len(value.encode(errors="replace"))
        wrong = wrong_key(key.lower())
        if wrong:
            yield FieldError(wrong, metadata, "annotations", key)
    if size > LARGEST_ANNOTATIONS:
        yield FieldError(f"{size:,} bytes, but at most {LARGEST_ANNOTATIONS:,} are taken", metadata, "annotations")


def _selectors(spec: Raw) -> Iterator[Raw]:
    yield fields.mapping(spec, "podSelector")
    for rules, peers in (("ingress", "from"), ("egress", "to")):
        for rule in fields.sequence(spec, rules):
            for peer in fields.sequence(rule, peers) if isinstance(rule, Mapping) else ():
                if isinstance(peer, Mapping):
                    yield from (fields.mapping(peer, key) for key in ("podSelector", "namespaceSelector"))


def _selector(selector: Raw) -> Iterator[FieldError]:
    yield from _labels(selector, "matchLabels")
    for expression in fields.objects(selector, "matchExpressions"):
        key = fields.text(expression, "key")
        wrong = wrong_key(key) if key else ""
        if wrong:
            yield FieldError(wrong, expression, "key")
        for position, value in enumerate(fields.words(expression, "values")):
            wrong = wrong_value(value)
            if wrong:
                yield FieldError(wrong, expression, "values", position)


def wrong_key(key: str) -> str:
    """Why a text is no label key (`IsQualifiedName`); empty where it is one."""
    prefix, slash, word = key.rpartition("/")
    if slash and (len(prefix) > LONGEST_SUBDOMAIN or not _SUBDOMAIN.fullmatch(prefix)):
        return f"the part of {_short(key)} before the slash is no domain name"
    if len(word) > LONGEST_LABEL or not _WORD.fullmatch(word):
        return f"{_short(key)} is no label key: letters, digits, - _ and . in at most {LONGEST_LABEL} characters"
    return ""


def wrong_value(value: str) -> str:
    """Why a text is no label value (`IsValidLabelValue`); empty where it is one."""
    if value and (len(value) > LONGEST_LABEL or not _WORD.fullmatch(value)):
        return f"{_short(value)} is no label value: letters, digits, - _ and . in at most {LONGEST_LABEL} characters"
    return ""


def _short(text: str) -> str:
    return repr(text if len(text) <= LONGEST_LABEL + 1 else f"{text[:LONGEST_LABEL]}...")

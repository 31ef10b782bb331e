"""The objects of files into a RawSnapshot: what a cluster would hold after `kubectl apply`.

Pure.  What the API server would refuse is left out and told, with its line; what only kubectl refuses is told and makes
flows UNKNOWN where it could decide about them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from auditor.cluster import complaints, fields, templates
from auditor.cluster.admission import refusals
from auditor.cluster.complaints import where
from auditor.cluster.decode_beside import decode_autoscaler, decode_limits
from auditor.cluster.decode_objects import (
    decode_account,
    decode_namespace,
    decode_node,
    decode_service,
    decode_slice,
    decode_workload,
)
from auditor.cluster.decode_pod import decode_pod
from auditor.cluster.decode_policy import decode_network_policy
from auditor.cluster.decode_quota import decode_quota
from auditor.cluster.documents import Item
from auditor.cluster.fields import FieldError, NullItem, Raw, UnknownField
from auditor.cluster.kinds import Kind, is_served, kind_of
from auditor.cluster.resources import FOREIGN_POLICIES, SETTINGS
from auditor.model.problem import Problem

Key = tuple[str, str]
"""Namespace, empty for objects of the whole cluster, and name."""
SETTINGS_NAMES = frozenset((path.split("/")[-3], path.split("/")[-1]) for path in SETTINGS.values())
MOST_ERRORS = 5
"""Errors of one object that are told."""

_DECODERS: Mapping[str, Callable[[Raw], Any]] = {
    "namespaces": decode_namespace,
    "nodes": decode_node,
    "pods": decode_pod,
    "services": decode_service,
    "endpointslices": decode_slice,
    "serviceaccounts": decode_account,
    "networkpolicies": decode_network_policy,
    "horizontalpodautoscalers": decode_autoscaler,
    "resourcequotas": decode_quota,
    "limitranges": decode_limits,
    "replicationcontrollers": partial(decode_workload, kind="ReplicationController"),
}


@dataclass(frozen=True, slots=True)
class Sorted:
    """Objects by resource and name, what is wrong with others, and namespaces whose own manifest was refused."""

    objects: Mapping[str, Mapping[Key, Item]]
    problems: tuple[Problem, ...]
    refused_namespaces: frozenset[str]
    homeless: tuple[Item, ...] = ()
    """Policies that name no namespace, and are taken to be in `default`."""


def sort_out(items: Iterable[Item]) -> Sorted:
    """Bring objects together by kind; of two with one name the later one counts, as it would with kubectl."""
    sorting = _Sorting()
    for item in items:
        sorting.add(item)
    return sorting.result()


def is_stored(raw: Raw) -> bool:
    """Whether an API server sent the object, which therefore took it."""
    metadata = raw.get("metadata")
    return isinstance(metadata, dict) and bool(metadata.get("uid"))


class _Sorting:
    """What was found so far."""

    def __init__(self) -> None:
        self._objects: dict[str, dict[Key, Item]] = {}
        self._problems: list[Problem] = []
        self._ignored: Counter[str] = Counter()
        self._refused: set[str] = set()
        self._homeless: list[Item] = []
        self._unnamed = 0

    def result(self) -> Sorted:
        """Everything, with one problem for all objects that do not matter."""
        problems = (*self._problems, *complaints.left_out(self._ignored))
        return Sorted(self._objects, problems, frozenset(self._refused), tuple(self._homeless))

    def add(self, item: Item) -> None:
        """Take an object in, or say why not."""
        version, name = item.value.get("apiVersion"), item.value.get("kind")
        if not (version and name and isinstance(version, str) and isinstance(name, str)):
            self._problems.append(complaints.nameless(item))
            return
        kind = kind_of(version, name)
        if kind is None or (kind.resource == "configmaps" and _key(item.value, kind) not in SETTINGS_NAMES):
            self._ignored[name[: fields.LONGEST_NAME]] += 1
            return
        if not is_stored(item.value) and not (
            self._takes_version(item, kind, version, name) and self._takes(item, kind)
        ):
            if kind.resource == "namespaces":
                self._refused.add(fields.own_name_of(item.value) or "")
            return
        self._put(item, kind)

    def _takes_version(self, item: Item, kind: Kind, version: str, name: str) -> bool:
        if is_served(kind, version, name):
            return True
        self._problems.append(complaints.unserved(item, kind, version, name))
        return kind.foreign

    def _takes(self, item: Item, kind: Kind) -> bool:
        """Whether the API server would take a manifest."""
        errors = dict.fromkeys(_errors(item.value, kind))
        refused = [error for error in errors if not isinstance(error, UnknownField | NullItem)]
        for error in (refused or list(errors))[:MOST_ERRORS]:
            self._problems.append(complaints.wrong(item, kind, error, refused=bool(refused)))
        return not refused

    def _put(self, item: Item, kind: Kind) -> None:
        metadata = item.value.get("metadata")
        if isinstance(metadata, dict):
            if metadata.get("namespace") in (None, "") and _is_policy_of_a_namespace(kind):
                self._homeless.append(item)
            self._complete(metadata, kind)
        key = _key(item.value, kind)
        known = self._objects.setdefault(kind.resource, {})
        if key in known:
            self._problems.append(complaints.again(item, known[key]))
        known[key] = item
        if kind.resource == "namespaces":
            self._problems += complaints.annotated(item, key[1])

    def _complete(self, metadata: dict[str, Any], kind: Kind) -> None:
        if kind.namespaced and metadata.get("namespace") in (None, ""):
            metadata["namespace"] = "default"
        if not metadata.get("name") and isinstance(metadata.get("generateName"), str):
            self._unnamed += 1
            metadata["name"] = f"{metadata['generateName']}{self._unnamed}"


def _is_policy_of_a_namespace(kind: Kind) -> bool:
    foreign = FOREIGN_POLICIES.get(kind.resource)
    return kind.resource == "networkpolicies" or (foreign is not None and foreign.decides and kind.namespaced)


def _key(raw: Raw, kind: Kind) -> Key:
    metadata = raw.get("metadata")
    found = metadata if isinstance(metadata, dict) else {}
    name, namespace = found.get("name"), found.get("namespace")
    if not isinstance(name, str) or not isinstance(namespace, str | None):
        return "", f"{id(raw)}"  # cannot be named, so it replaces nothing
    return (namespace or "default" if kind.namespaced else "", name)


def _errors(raw: Raw, kind: Kind) -> Iterator[FieldError]:
    """Everything wrong with a manifest, each error once."""
    seen: set[tuple[fields.Path, str]] = set()
    for error in (*_caught(refusals(raw, kind)), *_caught(_decoding(raw, kind))):
        at = where(raw, error)
        if at not in seen:
            seen.add(at)
            yield error


def _caught(errors: Iterator[FieldError]) -> list[FieldError]:
    found: list[FieldError] = []
    try:
        found.extend(errors)
    except FieldError as error:
        found.append(error)
    return found


def _decoding(raw: Raw, kind: Kind) -> Iterator[FieldError]:
    yield from ()
    decode = _DECODERS.get(kind.resource)
    if decode is not None:
        decode(raw)
    if kind.resource in templates.WORKLOADS:
        templates.makes_none(raw, kind)
        templates.planned_pod(raw, kind)

"""Names, labels and selectors of raw manifests, and the four answers that a question about them may have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

Raw = dict[str, Any]
Words = dict[str, str]

YES, UNKNOWN, OPEN, NO = "yes", "unknown", "open", "no"
"""UNKNOWN: nobody read what decides.  OPEN: the API leaves it to the engine."""

NAME_LABEL = "kubernetes.io/metadata.name"


def any_of(answers: Iterable[str]) -> str:
    """One YES is enough; else what nobody read weighs more than what the API leaves open."""
    found = list(answers)
    return next((answer for answer in (YES, UNKNOWN, OPEN) if answer in found), NO)


def all_of(answers: Iterable[str]) -> str:
    """One NO is enough."""
    found = list(answers)
    return next((answer for answer in (NO, OPEN, UNKNOWN) if answer in found), YES)


def tags(item: Raw) -> Words:
    found: Words | None = item["metadata"].get("labels")
    return found or {}


def home(item: Raw) -> str:
    return str(item["metadata"].get("namespace") or "default")


def home_and_name(item: Raw) -> tuple[str, str]:
    return home(item), str(item["metadata"]["name"])


def chosen(selector: Raw | None, have: Words) -> bool:
    """A label selector: all of matchLabels and all of matchExpressions."""
    selector = selector or {}
    for key, value in (selector.get("matchLabels") or {}).items():
        if have.get(key) != value:
            return False
    return all(holds(part, have) for part in selector.get("matchExpressions") or [])


def holds(part: Raw, have: Words) -> bool:
    key, values = part["key"], part.get("values") or []
    if part["operator"] == "In":
        return key in have and have[key] in values
    if part["operator"] == "NotIn":
        return not (key in have and have[key] in values)
    return (key in have) is (part["operator"] == "Exists")


def namespace_chosen(objects: Sequence[Raw], selector: Raw | None, name: str) -> str:
    """Whether a selector matches the namespace of that name.

    A namespace that is not among the objects: where the objects come from a cluster it exists and nobody read its
    labels, but for the one that every namespace has; where they are files, it will be made without further labels.
    """
    found = [item for item in objects if item["kind"] == "Namespace" and item["metadata"]["name"] == name]
    if found or not is_live(objects, name):
        labels = {NAME_LABEL: name, **(tags(found[0]) if found else {})}
        return YES if chosen(selector, labels) else NO
    known, others = by_name_alone(selector or {})
    if not chosen(known, {NAME_LABEL: name}):
        return NO
    return UNKNOWN if others else YES


def is_live(objects: Sequence[Raw], namespace: str) -> bool:
    """Whether something in that namespace comes from a running cluster, which gives every object a uid."""
    return any(item["metadata"].get("uid") and home(item) == namespace for item in objects if is_namespaced(item))


def is_namespaced(item: Raw) -> bool:
    return item["kind"] in {"Pod", "NetworkPolicy"}


def by_name_alone(selector: Raw) -> tuple[Raw, bool]:
    """The part of a selector that asks for the namespace's name, and whether there is any other."""
    labels, parts = selector.get("matchLabels") or {}, selector.get("matchExpressions") or []
    mine = {key: value for key, value in labels.items() if key == NAME_LABEL}
    ours = [part for part in parts if part["key"] == NAME_LABEL]
    return {"matchLabels": mine, "matchExpressions": ours}, len(mine) + len(ours) < len(labels) + len(parts)

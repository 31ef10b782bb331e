"""Manifests into a snapshot: what a cluster would hold after `kubectl apply` of them all.

Pure.  Controllers are taken to have made their pods, and namespaces that are only named to have been created plainly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from auditor.cluster import complaints, fields, templates
from auditor.cluster.documents import Item
from auditor.cluster.fields import FieldError, Raw
from auditor.cluster.kinds import KINDS, Kind
from auditor.cluster.manifests import Key, is_stored, sort_out
from auditor.model.cluster import Owner
from auditor.model.problem import LOST, Effect, Problem
from auditor.ports import RawSnapshot

MOST_NAMED = 5
"""Namespaces that are named in one problem."""


def applied(items: list[Item], problems: list[Problem]) -> tuple[RawSnapshot, tuple[Problem, ...]]:
    """The snapshot of these objects, and all problems: those of the files, of objects, of the whole."""
    found = sort_out(items)
    objects = {resource: [item.value for item in known.values()] for resource, known in found.objects.items()}
    planned, notes = _planned(found.objects)
    if planned:
        objects["pods"] = [*objects.get("pods", ()), *planned]
    assumed, unlisted = _implied(found.objects, found.refused_namespaces)
    if assumed:
        objects["namespaces"] = [*objects.get("namespaces", ()), *({"metadata": {"name": name}} for name in assumed)]
    if "serviceaccounts" in objects:
        objects["serviceaccounts"] += _default_accounts(found.objects)
    lost = [problem for problem in problems if problem.effect is Effect.UNSURE]
    unreadable = {"networkpolicies": "; ".join(f"{one.place}: {one.what}" for one in lost[:MOST_NAMED])} if lost else {}
    notes += _strays(found.homeless, objects.get("pods", ()))
    told = _in_order([*problems, *found.problems, *notes, *_namespaces_missing(assumed, unlisted)])
    missing = tuple(problem for problem in told if problem.effect in LOST)
    return RawSnapshot(objects, unreadable, unlisted_namespaces=frozenset(unlisted), lost=missing), told


def _in_order(problems: list[Problem]) -> tuple[Problem, ...]:
    """Files in the order in which they were read, lines in their order, the whole input last."""
    files = {file: number for number, file in enumerate(dict.fromkeys(problem.file for problem in problems))}
    return tuple(sorted(problems, key=lambda one: (not one.file, files[one.file], one.line or 0)))


Objects = Mapping[str, Mapping[Key, Item]]


def _planned(objects: Objects) -> tuple[list[Raw], list[Problem]]:
    """The pods of workloads that have none in the input, and why others have none at all."""
    if not templates.WORKLOADS & objects.keys():
        return [], []
    workloads = [
        (key, item, KINDS[resource])
        for resource in sorted(templates.WORKLOADS & objects.keys())
        for key, item in objects[resource].items()
    ]
    parents = {(key[0], Owner(kind.name, key[1])): parent for key, item, kind in workloads if (parent := _parent(item))}
    known = {(key[0], Owner(kind.name, key[1])) for key, _, kind in workloads}
    pods = objects.get("pods", {})
    have_pods = templates.owners([item.value for item in pods.values()], parents)
    made: list[Raw] = []
    notes: list[Problem] = []
    names = set(pods)
    for key, item, kind in workloads:
        owner = (key[0], Owner(kind.name, key[1]))
        made_by = (key[0], parents[owner]) if owner in parents else None
        if owner in have_pods or made_by in known:
            continue
        pod, note = _pod_of(item, kind)
        notes += note
        made += [_renamed(one, names, kind) for one in pod]
    return made, notes


def _parent(item: Item) -> Owner | None:
    try:
        return templates.parent(item.value)
    except FieldError:
        return None


def _pod_of(item: Item, kind: Kind) -> tuple[list[Raw], list[Problem]]:
    try:
        reason = templates.makes_none(item.value, kind)
        if not reason:
            return [templates.planned_pod(item.value, kind)], []
    except FieldError as error:
        reason = str(error)
    return [], [item.problem(Effect.NOTED, "this workload has no pods now", reason, "add a pod of it to see its flows")]


def _renamed(pod: Raw, names: set[Key], kind: Kind) -> Raw:
    """The pod, under a name that no other pod has."""
    metadata: dict[str, Any] = dict(pod["metadata"])
    wanted, number = metadata["name"], 0
    while (metadata["namespace"], metadata["name"]) in names:
        metadata["name"] = f"{wanted}-{kind.name.lower()}" + (f"-{number}" if number else "")
        number += 1
    names.add((metadata["namespace"], metadata["name"]))
    return {**pod, "metadata": metadata}


def _implied(objects: Objects, refused: frozenset[str]) -> tuple[list[str], list[str]]:
    """Namespaces that objects stand in and that are not in the input: to be assumed, and of unknown labels."""
    given = {name for _, name in objects.get("namespaces", {})}
    used: set[str] = set()
    stored: set[str] = set()
    for known in objects.values():
        for (namespace, _), item in known.items():
            if namespace and namespace not in given:
                used.add(namespace)
                if is_stored(item.value):
                    stored.add(namespace)
    unlisted = stored | (used & refused)
    return sorted(used - unlisted), sorted(unlisted)


def _strays(homeless: Iterable[Item], pods: Iterable[Raw]) -> Iterator[Problem]:
    """Policies without a namespace, where all pods of the input are in others than the one they get."""
    homes = {fields.home_of(pod) for pod in pods}
    if homes and "default" not in homes:
        yield from map(complaints.homeless, homeless)


def _default_accounts(objects: Objects) -> Iterator[Raw]:
    """The service accounts that every namespace has by itself."""
    given = objects["serviceaccounts"]
    homes = {namespace for known in objects.values() for namespace, _ in known if namespace}
    return (
        {"metadata": {"namespace": home, "name": "default"}} for home in sorted(homes) if (home, "default") not in given
    )


def _namespaces_missing(assumed: list[str], unlisted: list[str]) -> Iterator[Problem]:
    ordinary = [name for name in assumed if name != "default"]
    for names, why, attempt in (
        (
            ordinary,
            "they are taken as kubectl create namespace makes them, with no label but kubernetes.io/metadata.name",
            "add manifests of these namespaces, with their labels",
        ),
        (
            unlisted,
            "their labels are not known, so what selectors of namespaces say of them is UNKNOWN",
            "add them: kubectl get namespaces -o yaml",
        ),
    ):
        if names:
            more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
            what = f"namespaces are named that the input does not hold: {', '.join(names[:MOST_NAMED])}{more}"
            yield Problem(Effect.NOTED, "", None, "", what, why, attempt)

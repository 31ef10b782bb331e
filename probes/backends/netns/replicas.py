"""The pods of workloads that manifests give in one: as many as their controllers would make, at most one on a node.

Policies cannot tell replicas apart, so that one pod says what is predicted for all; packets between two of them, and
nodes that only another one stands on, need more.  Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from itertools import count
from typing import Any

Raw = Mapping[str, Any]
Objects = Mapping[str, Sequence[Raw]]
REPLICATED = {
    "Deployment": "deployments",
    "StatefulSet": "statefulsets",
    "ReplicaSet": "replicasets",
    "ReplicationController": "replicationcontrollers",
}
"""Kinds that say how many pods they want, and where objects of them are listed."""
EVERYWHERE = "DaemonSet"


def replicated(pods: Sequence[dict[str, Any]], objects: Objects, nodes: int, room: int) -> list[dict[str, Any]]:
    """Pods, each followed by its copies; `room` is for how many pods in all, and who comes last goes without.

    Pods that stand in the manifests themselves are left as they are: what a controller made is all there.
    """
    wanted = {
        (kind, _home(item), item["metadata"]["name"]): _replicas(item)
        for kind, resource in REPLICATED.items()
        for item in objects.get(resource, ())
    }
    names = {(_home(pod), pod["metadata"]["name"]) for pod in pods}
    left = room - len(pods)
    found = []
    for pod in pods:
        found.append(pod)
        kind, name = _planned_by(pod)
        number = nodes if kind == EVERYWHERE else min(wanted.get((kind, _home(pod), name), 1), nodes)
        more = max(0, min(number - 1, left))
        left -= more
        free = _free_names(pod, names)
        found += [_named(pod, next(free)) for _ in range(more)]
    return found


def _planned_by(pod: Raw) -> tuple[str, str]:
    """Kind and name of the workload that a pod was made up for; a pod that was stored knows its owner's uid."""
    for owner in pod["metadata"].get("ownerReferences") or ():
        if owner.get("controller") and not owner.get("uid"):
            return str(owner["kind"]), str(owner["name"])
    return "", ""


def _replicas(workload: Raw) -> int:
    said = (workload.get("spec") or {}).get("replicas")
    return 1 if said is None else int(said)


def _free_names(pod: Raw, names: set[tuple[str, str]]) -> Iterator[str]:
    """Names after the pod's own that no other pod has; each is taken by being given."""
    for number in count(2):
        name = f"{pod['metadata']['name']}-{number}"
        if (_home(pod), name) not in names:
            names.add((_home(pod), name))
            yield name


def _named(pod: dict[str, Any], name: str) -> dict[str, Any]:
    copy = deepcopy(pod)
    copy["metadata"]["name"] = name
    return copy


def _home(item: Raw) -> str:
    return str(item["metadata"].get("namespace") or "default")

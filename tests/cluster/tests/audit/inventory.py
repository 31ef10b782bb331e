"""Every object of a cluster, without what changes by itself: versions, heartbeats, Events."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any

from tests.cluster.api import Api
from tests.cluster.tests.audit.command import until

LEFT_OUT = frozenset({"events", "componentstatuses"})
"""A log, and a health check that only looks like a list."""
TRIGGER = "endpoints.kubernetes.io/last-change-trigger-time"
Inventory = dict[str, Any]


def take(api: Api) -> Inventory:
    """Read all objects of all listable resources in their groups' preferred versions; by resource and name."""
    found: Inventory = {}
    for path, resource in _listable(api):
        for item in api.get(f"{path}/{resource}")["items"]:
            meta = item["metadata"]
            found[f"{path}/{resource} {meta.get('namespace', '')}/{meta['name']}"] = plain(resource, item)
    return found


def take_settled(api: Api) -> Inventory:
    """Read all objects once nothing is on the move any more."""
    seen: list[Inventory] = [take(api)]

    def holds() -> bool:
        seen.append(take(api))
        return seen[-1] == seen[-2] and not _moving(seen[-1])

    until(holds, "the cluster is at rest")
    return seen[-1]


def await_equal(api: Api, before: Inventory, seconds: float = 60) -> None:
    """Wait until controllers have put the objects back to what they were; fails with the differences."""
    last: list[list[str]] = [[]]

    def holds() -> bool:
        last[0] = differences(before, take(api))
        return not last[0]

    try:
        until(holds, "the objects are what they were", seconds)
    except AssertionError as error:
        raise AssertionError("\n".join([str(error), *last[0]])) from None


def differences(before: Inventory, after: Inventory) -> list[str]:
    """What differs, in lines."""
    gone = [f"gone: {name}" for name in sorted(before.keys() - after.keys())]
    new = [f"new: {name}" for name in sorted(after.keys() - before.keys())]
    changed = [
        f"changed: {name}: {line}"
        for name in sorted(before.keys() & after.keys())
        for line in _changes("", before[name], after[name])
    ]
    return [*gone, *new, *changed]


def plain(resource: str, item: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out of an object what changes by itself."""
    kept: dict[str, Any] = copy.deepcopy(dict(item))
    meta = kept["metadata"]
    for field in ("managedFields", "resourceVersion"):
        meta.pop(field, None)
    if resource == "leases":
        kept.get("spec", {}).pop("renewTime", None)
    if resource == "nodes":
        for condition in kept["status"].get("conditions", ()):
            condition.pop("lastHeartbeatTime", None)
    if resource in {"endpoints", "endpointslices"}:
        _plain_endpoints(kept)
    return kept


def _plain_endpoints(kept: dict[str, Any]) -> None:
    """Both count their writes and note their time; the order of endpoints means nothing."""
    meta = kept["metadata"]
    meta.pop("generation", None)
    meta.get("annotations", {}).pop(TRIGGER, None)
    if not meta.get("annotations"):
        meta.pop("annotations", None)
    if isinstance(kept.get("endpoints"), list):
        kept["endpoints"].sort(key=json.dumps)


def _listable(api: Api) -> Iterator[tuple[str, str]]:
    groups = [group["preferredVersion"]["groupVersion"] for group in api.get("/apis")["groups"]]
    for path in ("/api/v1", *(f"/apis/{group}" for group in groups)):
        for resource in api.get(path)["resources"]:
            name = resource["name"]
            if "list" in resource["verbs"] and "/" not in name and name not in LEFT_OUT:
                yield path, name


def _moving(inventory: Inventory) -> bool:
    return any("deletionTimestamp" in item["metadata"] for item in inventory.values())


def _changes(place: str, before: Any, after: Any) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted(before.keys() | after.keys()):
            yield from _changes(f"{place}.{key}", before.get(key), after.get(key))
    elif before != after:
        yield f"{place}: {json.dumps(before)[:300]} became {json.dumps(after)[:300]}"

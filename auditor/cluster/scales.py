"""The scale subresources of what autoscalers name: which pods a controller of a foreign kind counts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from auditor.cluster.api import KubeApi
from auditor.cluster.resources import VERTICAL
from auditor.errors import ApiRefused

MOST = 50
"""Targets that are asked for; whoever has more of foreign kinds is told that their selectors are not known."""
KNOWN = frozenset({"", "apps", "batch"})
"""API groups whose controllers are listed anyway."""
_VERSION = re.compile(r"[a-z0-9][-a-z0-9.]*/[a-z0-9]+")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_TARGETS = (("horizontalpodautoscalers", "scaleTargetRef"), (VERTICAL, "targetRef"))
Target = tuple[str, str, str, str]
"""API version, kind, namespace, name."""


async def scales(api: KubeApi, objects: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Scales under the kind of what they scale; targets that cannot be read are left out, and stay unknown."""
    found: list[dict[str, Any]] = []
    plurals: dict[str, dict[str, str]] = {}
    for version, kind, namespace, name in targets(objects)[:MOST]:
        try:
            if version not in plurals:
                plurals[version] = _scaled(await api.get(f"/apis/{version}"))
            if kind in plurals[version]:
                path = f"/apis/{version}/namespaces/{namespace}/{plurals[version][kind]}/{name}/scale"
                found.append({**await api.get(path), "kind": kind})
        except ApiRefused:
            plurals.setdefault(version, {})
    return found


def targets(objects: Mapping[str, Sequence[Any]]) -> list[Target]:
    """What autoscalers scale and no list of ours holds, sorted; names that make no path are left out."""
    found: set[Target] = set()
    for resource, key in _TARGETS:
        for item in objects.get(resource) or ():
            target = _part(item, "spec", key)
            home = _part(item, "metadata").get("namespace")
            said = target.get("apiVersion"), target.get("kind"), home, target.get("name")
            version, kind, namespace, name = (part if isinstance(part, str) else "" for part in said)
            if _is_foreign(version, kind, namespace, name):
                found.add((version, kind, namespace, name))
    return sorted(found)


def _is_foreign(version: str, kind: str, namespace: str, name: str) -> bool:
    group = version.rpartition("/")[0]
    sane = _VERSION.fullmatch(version) and all(_NAME.fullmatch(part) for part in (namespace, name))
    return bool(sane and kind) and group not in KNOWN


def _scaled(listed: Mapping[str, Any]) -> dict[str, str]:
    """Plurals by kind, of resources of an `APIResourceList` that can be scaled."""
    resources = [item for item in listed.get("resources") or () if isinstance(item, Mapping)]
    names = {str(item.get("name")) for item in resources}
    return {str(item.get("kind")): str(item.get("name")) for item in resources if f"{item.get('name')}/scale" in names}


def _part(raw: object, *path: str) -> Mapping[str, Any]:
    for name in path:
        raw = raw.get(name) if isinstance(raw, Mapping) else None
    return raw if isinstance(raw, Mapping) else {}

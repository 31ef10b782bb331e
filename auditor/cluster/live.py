"""The SnapshotSource of a live cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from auditor.cluster.api import KubeApi
from auditor.cluster.resources import CORE, DECIDING, FOREIGN_POLICIES, NEEDED
from auditor.errors import ApiRefused, PermissionMissing
from auditor.ports import RawSnapshot

FORBIDDEN = 403
NOT_SERVED = 404
NEEDED_PATHS = frozenset(CORE[name] for name in NEEDED)


class LiveCluster:
    """Lists what the audit needs, paged and paced; what may not be read is noted and not fatal unless it is needed."""

    def __init__(self, api: KubeApi) -> None:
        """Read through `api`."""
        self._api = api
        self._foreign: dict[str, str] = {}

    async def collect(self) -> RawSnapshot:
        """List all resources of the snapshot; raises PermissionMissing where a needed one may not be read."""
        version = await self._api.get("/version")
        self._foreign = await self._foreign_paths()
        paths = CORE | self._foreign
        objects, unreadable = await self._list(paths)
        for resource in sorted(NEEDED & unreadable.keys()):
            raise PermissionMissing(
                f"cannot list {resource} in the whole cluster",
                why=unreadable[resource],
                attempt="kubectl apply -k deploy/kustomize/read-only, or use another context",
                status=FORBIDDEN,
            )
        return RawSnapshot(objects, unreadable, str(version.get("gitVersion", "")))

    async def collect_policies(self) -> RawSnapshot:
        """List again only namespaces and policies, those of kinds that are not modelled too."""
        objects, unreadable = await self._list({name: CORE[name] for name in DECIDING} | self._foreign)
        return RawSnapshot(objects, unreadable)

    async def _list(self, paths: dict[str, str]) -> tuple[dict[str, list[dict[str, Any]]], dict[str, str]]:
        names = sorted(paths)
        answers = await asyncio.gather(*(self._one(paths[name]) for name in names))
        objects = {name: items for name, items in zip(names, answers, strict=True) if isinstance(items, list)}
        unreadable = {name: text for name, text in zip(names, answers, strict=True) if isinstance(text, str)}
        return objects, unreadable

    async def _one(self, path: str) -> list[dict[str, Any]] | str:
        try:
            return await self._api.list_all(path)
        except ApiRefused as error:
            if error.status == NOT_SERVED:
                return error.why if path in NEEDED_PATHS else []
            if isinstance(error, PermissionMissing):
                return error.why
            raise

    async def _foreign_paths(self) -> dict[str, str]:
        """Where the policy kinds that are not modelled are served in this cluster."""
        groups = await self._api.get("/apis")
        served = {
            str(group.get("name")): [str(item.get("version")) for item in group.get("versions") or ()]
            for group in groups.get("groups") or ()
        }
        return dict(_served_paths(served))


def _served_paths(served: Mapping[str, Sequence[str]]) -> Iterable[tuple[str, str]]:
    for resource, kind in FOREIGN_POLICIES.items():
        versions = served.get(kind.group, ())
        # An object of a version that is not known here is not modelled either: any version will do to see it.
        version = next((item for item in (*kind.versions, *versions) if item in versions), None)
        if version is not None:
            yield resource, f"/apis/{kind.group}/{version}/{kind.plural}"

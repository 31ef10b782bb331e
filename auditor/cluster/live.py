"""The SnapshotSource of a live cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from auditor.cluster import fields
from auditor.cluster.api import KubeApi
from auditor.cluster.resources import (
    ACCOUNTS,
    BESIDE,
    CORE,
    DECIDING,
    FOREIGN_POLICIES,
    LEANT_ON_BY,
    NEEDED,
    OWNING_SERVICE,
    SCALES,
    SETTINGS,
    SLICES,
    SLICES_PATH,
)
from auditor.cluster.scales import scales
from auditor.errors import ApiRefused, PermissionMissing
from auditor.ports import RawSnapshot

FORBIDDEN = 403
NOT_SERVED = 404
NEEDED_PATHS = frozenset(CORE[name] for name in NEEDED)
FEW_PLACES = 8
"""Namespaces that are listed one by one."""
MOST_NAMES = 100
"""Services that are named in one request; their names make its URL long."""


class LiveCluster:
    """Lists what the audit needs, paged and paced; what may not be read is noted and not fatal unless it is needed."""

    def __init__(self, api: KubeApi) -> None:
        """Read through `api`."""
        self._api = api
        self._foreign: dict[str, str] = {}
        self._beside: dict[str, str] = {}
        self._settings: list[str] = []

    async def collect(self) -> RawSnapshot:
        """List all resources of the snapshot; raises PermissionMissing where a needed one may not be read."""
        version = await self._api.get("/version")
        await self._discover()
        objects, unreadable = await self._list(CORE | self._foreign | self._beside)
        for resource in sorted(NEEDED & unreadable.keys()):
            raise PermissionMissing(
                f"cannot list {resource} in the whole cluster",
                why=unreadable[resource],
                attempt="kubectl apply -k deploy/kustomize/read-only, or use another context",
                status=FORBIDDEN,
            )
        slices = await self._slices(objects.get("services", ()))
        if isinstance(slices, str):
            unreadable[SLICES] = slices
        else:
            objects[SLICES] = slices
        objects[SCALES] = await scales(self._api, objects)
        return RawSnapshot(objects | await self._helpful(objects), unreadable, str(version.get("gitVersion", "")))

    async def collect_policies(self) -> RawSnapshot:
        """List again only namespaces and policies, of every kind, and what policies lean on."""
        objects, unreadable = await self._list({name: CORE[name] for name in DECIDING} | self._foreign)
        return RawSnapshot(objects | await self._helpful(objects), unreadable)

    async def collect_pods(self, namespaces: Sequence[str], /) -> RawSnapshot:
        """List pods whole: in each namespace, or everywhere where there are many."""
        places = [f"/api/v1/namespaces/{name}/pods" for name in namespaces]
        paths = places if len(places) <= FEW_PLACES else [CORE["pods"]]
        # Under no resource's name an object is read whole, conditions and all.
        found = await asyncio.gather(*(self._api.list_all(path) for path in paths))
        return RawSnapshot({"pods": [item for items in found for item in items]})

    async def _list(self, paths: dict[str, str]) -> tuple[dict[str, list[dict[str, Any]]], dict[str, str]]:
        # Requests wait their turn: what takes longest, page after page, begins first.
        names = sorted(paths, key=lambda name: (name != "pods", name not in NEEDED, name))
        answers = await asyncio.gather(*(self._one(paths[name], name) for name in names))
        objects = {name: items for name, items in zip(names, answers, strict=True) if isinstance(items, list)}
        unreadable = {name: text for name, text in zip(names, answers, strict=True) if isinstance(text, str)}
        return objects, unreadable

    async def _one(self, path: str, resource: str) -> list[dict[str, Any]] | str:
        return await list_or_why(self._api, path, resource)

    async def _slices(self, services: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]] | str:
        """The EndpointSlices of Services without a selector, or why they cannot be listed.

        All of a cluster's are as many as its pods, and of the others nothing is needed.
        """
        names = sorted({name for item in services if (name := _led_by_slices(item))})
        if not names:
            return []
        try:
            if len(names) > MOST_NAMES:
                return await self._api.list_all(SLICES_PATH, SLICES)
            found = await self._api.get(SLICES_PATH, labelSelector=f"{OWNING_SERVICE} in ({','.join(names)})")
        except ApiRefused as error:
            # Not served is not the same as none there: such a Service may lead somewhere all the same.
            if error.status == NOT_SERVED or isinstance(error, PermissionMissing):
                return error.why
            raise
        return list(found.get("items") or ())

    async def _helpful(self, objects: Mapping[str, Sequence[Any]]) -> dict[str, list[dict[str, Any]]]:
        """Service accounts where a policy may select by their labels, and the engines' settings.

        What may not be read is left out: the flows that depend on it stay open by themselves.
        """
        found: dict[str, list[dict[str, Any]]] = {}
        if any(objects.get(resource) for resource in LEANT_ON_BY):
            accounts = await self._one(ACCOUNTS, "serviceaccounts")
            found |= {"serviceaccounts": accounts} if isinstance(accounts, list) else {}
        settings = [item for path in self._settings if (item := await self._one_object(path))]
        return found | ({"configmaps": settings} if settings else {})

    async def _one_object(self, path: str) -> dict[str, Any]:
        try:
            return await self._api.get(path)
        except ApiRefused as error:
            if error.status == NOT_SERVED or isinstance(error, PermissionMissing):
                return {}
            raise

    async def _discover(self) -> None:
        """Find where the policy kinds beside NetworkPolicy are served in this cluster, and whose settings to read."""
        served = await served_groups(self._api)
        self._foreign = dict(served_paths(served))
        self._beside = {
            name: f"/apis/{group}/{version}/{name.partition('.')[0]}"
            for name, (group, version) in BESIDE.items()
            if version in served.get(group, ())
        }
        self._settings = [path for group, path in SETTINGS.items() if group in served]


async def list_or_why(api: KubeApi, path: str, resource: str) -> list[dict[str, Any]] | str:
    """All objects under a path, or why they may not be listed."""
    try:
        return await api.list_all(path, resource)
    except ApiRefused as error:
        if error.status == NOT_SERVED:
            return error.why if path in NEEDED_PATHS else []
        if isinstance(error, PermissionMissing):
            return error.why
        raise


async def served_groups(api: KubeApi) -> dict[str, list[str]]:
    """The versions of each API group that a cluster serves."""
    groups = await api.get("/apis")
    return {
        str(group.get("name")): [str(item.get("version")) for item in group.get("versions") or ()]
        for group in groups.get("groups") or ()
    }


def _led_by_slices(service: object) -> str:
    """The name of a Service without a selector; empty for others, and where it cannot be told."""
    spec = service.get("spec") if isinstance(service, Mapping) else None
    if not isinstance(spec, Mapping) or spec.get("selector") or spec.get("type") == "ExternalName":
        return ""
    return fields.own_name_of(service) or ""


def served_paths(served: Mapping[str, Sequence[str]]) -> Iterable[tuple[str, str]]:
    """Where each policy kind beside NetworkPolicy is served in this cluster, by resource."""
    for resource, kind in FOREIGN_POLICIES.items():
        group = kind.group if kind.group in served else kind.other_group
        versions = served.get(group, ())
        # An object of a version that is not known here is not modelled either: any version will do to see it.
        version = next((item for item in (*kind.versions, *versions) if item in versions), None)
        if version is not None:
            yield resource, f"/apis/{group}/{version}/{kind.plural}"

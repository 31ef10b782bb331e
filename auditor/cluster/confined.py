"""The SnapshotSource of a run that may look at nothing but nodes and netaudit's own namespaces."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from auditor.cluster.api import KubeApi
from auditor.cluster.live import FORBIDDEN, NOT_SERVED, list_or_why, served_groups, served_paths
from auditor.cluster.resources import CORE, FOREIGN_POLICIES, LEANING, LEANT_ON_BY
from auditor.errors import ApiRefused, PermissionMissing
from auditor.ports import RawSnapshot

SYSTEM = "/api/v1/namespaces/kube-system"
Objects = dict[str, list[dict[str, Any]]]


class OwnNamespaces:
    """Lists nodes, the policies in some namespaces, and those of the whole cluster where that is allowed."""

    def __init__(self, api: KubeApi, namespaces: Sequence[str]) -> None:
        """Read through `api`; `namespaces` are netaudit's own, which need not exist yet."""
        self._api = api
        self._namespaces = tuple(namespaces)

    async def collect(self) -> RawSnapshot:
        """List nodes and policies; raises PermissionMissing where nodes or own policies may not be listed."""
        version = await self._api.get("/version")
        nodes = await list_or_why(self._api, CORE["nodes"], "nodes")
        if isinstance(nodes, str):
            raise _missing("nodes", nodes)
        policies = await self.collect_policies()
        objects = {**policies.objects, "nodes": nodes}
        return replace(policies, objects=objects, server_version=str(version.get("gitVersion", "")))

    async def collect_policies(self) -> RawSnapshot:
        """List the policies that can decide about pods in the namespaces; what may not be read is named."""
        paths = {"networkpolicies": CORE["networkpolicies"], **dict(served_paths(await served_groups(self._api)))}
        asked = [(name, place) for name, path in sorted(paths.items()) for place in self._places(name, path)]
        answers = await asyncio.gather(*(list_or_why(self._api, place, name) for name, place in asked))
        objects: Objects = {name: [] for name in paths}
        unread: dict[str, str] = {}
        for (name, _), answer in zip(asked, answers, strict=True):
            if isinstance(answer, str):
                unread[name] = answer
            else:
                objects[name] += answer
        if "networkpolicies" in unread:
            raise _missing("networkpolicies in netaudit's own namespaces", unread["networkpolicies"])
        # What policies that were read lean on is no doubt beside them: without it they cannot be read either.
        needed = LEANING if any(objects.get(name) for name in LEANT_ON_BY) else frozenset[str]()
        deciding = {name: why for name, why in unread.items() if FOREIGN_POLICIES[name].decides}
        return RawSnapshot(
            {**objects, "namespaces": await self._system()},
            {name: why for name, why in unread.items() if name in needed},
            unread=deciding,
        )

    async def collect_pods(self, _: Sequence[str], /) -> RawSnapshot:
        """Nothing: this run looks at nobody's pods."""
        return RawSnapshot({})

    def _places(self, resource: str, path: str) -> list[str]:
        """Where a resource is listed: in each namespace, if it stands in namespaces."""
        kind = FOREIGN_POLICIES.get(resource)
        if kind is not None and not kind.namespaced:
            return [path]
        group, _, plural = path.rpartition("/")
        return [f"{group}/namespaces/{name}/{plural}" for name in self._namespaces]

    async def _system(self) -> list[dict[str, Any]]:
        """The namespace whose UID tells clusters apart, if it may be read."""
        try:
            return [await self._api.get(SYSTEM)]
        except ApiRefused as error:
            if error.status == NOT_SERVED or isinstance(error, PermissionMissing):
                return []
            raise


def _missing(what: str, why: str) -> PermissionMissing:
    return PermissionMissing(
        f"cannot list {what}",
        why=why,
        attempt="kubectl apply -k deploy/kustomize/sentinel, or use another context",
        status=FORBIDDEN,
    )

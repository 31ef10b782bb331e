"""What stands around a run's probe pods, watched from before there is one until they are gone."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Mapping
from functools import partial
from typing import Any, TypeVar

from auditor.cluster.answers import MISSING
from auditor.cluster.api import GONE, KubeApi
from auditor.errors import ApiRefused, NetauditError, PermissionMissing, Withdrawn
from probes.guard import BUDGETS, PATHS, Guard

T = TypeVar("T")
Raw = Mapping[str, Any]
FEW = 2
"""Namespaces that are watched one by one; above this it costs fewer requests to watch all."""
RETRY = 1.0
"""Seconds before a list that failed is tried again."""


class Surroundings:
    """Lists and watches; the first reaction to our pods ends whatever is done through `unless_withdrawn`."""

    def __init__(self, api: KubeApi, guard: Guard, near: Iterable[tuple[str, str]]) -> None:
        """Take what the plan says is near: resources by namespace.  Budgets are looked for everywhere."""
        self._api = api
        self._guard = guard
        self._near = {*near, *((BUDGETS, namespace) for namespace in guard.namespaces)}
        self._tasks: list[asyncio.Task[None]] = []
        self._reaction: asyncio.Future[str] | None = None

    @property
    def reaction(self) -> str:
        """What reacted first; empty while nothing did."""
        found = self._reaction
        return found.result() if found is not None and found.done() else ""

    def report(self, text: str) -> None:
        """Note a reaction, if it is one and the first."""
        if text and self._reaction is not None and not self._reaction.done():
            self._reaction.set_result(text)

    async def watch(self) -> None:
        """Note how everything is, and follow it from there; raises PermissionMissing where that is not allowed."""
        self._reaction = asyncio.get_running_loop().create_future()
        paths = self._paths()
        versions = await asyncio.gather(*(self._look(path, resource) for path, resource in paths))
        opened: list[asyncio.Future[None]] = []
        for (path, resource), version in zip(paths, versions, strict=True):
            if version is not None and self._guard.concerns(resource):
                opened.append(asyncio.get_running_loop().create_future())
                self._tasks.append(asyncio.create_task(self._follow(path, resource, version, opened[-1])))
        # To list and to watch are two rights.
        await asyncio.gather(*opened)

    async def close(self) -> None:
        """Stop watching."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def unless_withdrawn(self, work: Awaitable[T]) -> T:
        """Do something, or stop it and raise Withdrawn as soon as something reacts to our pods."""
        task = asyncio.ensure_future(work)
        waited: set[asyncio.Future[Any]] = {task} | ({self._reaction} if self._reaction is not None else set())
        try:
            await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        if self.reaction:
            raise Withdrawn(self.reaction)
        return task.result()

    def _paths(self) -> list[tuple[str, str]]:
        """Where to look: each namespace, or the whole cluster where there are many."""
        found = []
        for resource in sorted({resource for resource, _ in self._near}):
            homes = sorted(namespace for kind, namespace in self._near if kind == resource)
            group = PATHS[resource]
            inside = [f"{group}/namespaces/{namespace}/{resource}" for namespace in homes]
            found += [(path, resource) for path in (inside if len(homes) <= FEW else [f"{group}/{resource}"])]
        return found

    async def _look(self, path: str, resource: str) -> str | None:
        """Note what is there; None where this API server does not know the resource."""
        try:
            items, version = await self._api.list_at(path)
        except PermissionMissing as error:
            raise _blind(resource, error) from error
        except ApiRefused as error:
            if error.status == MISSING:
                return None
            raise
        for item in items:
            self._guard.note(resource, item)
        return version

    async def _follow(self, path: str, resource: str, version: str, opened: asyncio.Future[None]) -> None:
        while True:
            try:
                # After a break everything is looked at once more: what happened in between cannot be watched any more.
                version = version or await self._again(path, resource)
                async for event in self._api.watch(path, version, on_open=partial(_resolve, opened)):
                    item = event.get("object") or {}
                    version = str((item.get("metadata") or {}).get("resourceVersion") or version)
                    if event.get("type") != "DELETED":
                        self.report(self._guard.reaction(resource, item))
            except PermissionMissing as error:
                if not opened.done():
                    opened.set_exception(_blind(resource, error))
                self.report(f"whether {resource} react to probe pods can no longer be watched: {error.why}")
                return
            except ApiRefused as error:
                version = "" if error.status == GONE else version
                _resolve(opened)
                await asyncio.sleep(RETRY)
            except (NetauditError, OSError, TimeoutError):
                _resolve(opened)
                await asyncio.sleep(RETRY)

    async def _again(self, path: str, resource: str) -> str:
        items, version = await self._api.list_at(path)
        for item in items:
            self.report(self._guard.reaction(resource, item))
        return version


def _resolve(opened: asyncio.Future[None]) -> None:
    # A fault that passes is no reason to wait: the watch goes on by itself, from where the list ended.
    if not opened.done():
        opened.set_result(None)


def _blind(resource: str, error: PermissionMissing) -> PermissionMissing:
    return PermissionMissing(
        f"cannot watch whether {resource} react to probe pods",
        why=error.why,
        attempt=error.attempt,
        status=error.status,
    )

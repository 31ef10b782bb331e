"""What becomes of a run's probe pods, followed by one list and watch for each namespace."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from auditor.cluster.api import KubeApi
from auditor.cluster.decode_pod import decode_pod
from auditor.cluster.fields import FieldError
from auditor.errors import ApiRefused, NetauditError
from auditor.model.probe import NotPlaced, Placed, StandIn
from probes.admitted import obstacle
from probes.placement import CONTAINER

HOPELESS = frozenset(
    {
        "ErrImageNeverPull",
        "ImagePullBackOff",
        "InvalidImageName",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
    }
)
"""Reasons for waiting that will not pass within a run; the kubelet has tried at least once before it gives them."""
EXTENSIONS = 5
Raw = Mapping[str, Any]


class PodFollower:
    """The stored state of all pods whose names begin with `prefix`, kept up to date until it is closed."""

    def __init__(
        self, api: KubeApi, prefix: str, on_pod: Callable[[Raw], None], also: Collection[tuple[str, str]] = ()
    ) -> None:
        """Follow nothing yet, of these pods and of `also`; `on_pod` hears of every state of each."""
        self._also = also
        self._on_pod = on_pod
        self._api = api
        self._prefix = prefix
        self._tasks: list[asyncio.Task[None]] = []
        self._changed = asyncio.Condition()
        self.pods: dict[tuple[str, str], Raw] = {}
        self.faults: dict[str, str] = {}
        """Namespaces that cannot be followed, with the reason."""

    def follow(self, namespaces: Iterable[str]) -> None:
        """Begin to follow these namespaces."""
        self._tasks += [asyncio.create_task(self._follow(namespace)) for namespace in sorted(set(namespaces))]

    async def close(self) -> None:
        """Stop following."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def wait(self, missing: Callable[[], int], seconds: float) -> bool:
        """Wait until nothing is `missing` from `pods`; false when the time is over first.

        The seconds count anew whenever less is missing than ever before, up to EXTENSIONS times of them in all: a slow
        cluster that gets on is waited for, one that does not is given up.
        """
        loop = asyncio.get_running_loop()
        last = loop.time() + EXTENSIONS * seconds
        try:
            async with asyncio.timeout(seconds) as clock, self._changed:
                least = missing()
                while least:
                    await self._changed.wait()
                    if missing() < least:
                        least = missing()
                        clock.reschedule(min(last, loop.time() + seconds))
        except TimeoutError:
            return not missing()
        return True

    async def _follow(self, namespace: str) -> None:
        path = f"/api/v1/namespaces/{namespace}/pods"
        while True:
            try:
                version = await self._relist(path, namespace)
                await self._watch(path, version)
            except ApiRefused as error:
                if error.status in {401, 403, 404}:
                    self.faults[namespace] = error.why
                    await self._notify()
                    return
                await asyncio.sleep(1)  # a watch that is too old, or a server in trouble: list again
            except (NetauditError, OSError, TimeoutError):
                await asyncio.sleep(1)

    async def _relist(self, path: str, namespace: str) -> str:
        answer = await self._api.get(path)
        ours = [item for item in answer.get("items") or () if self._is_ours(item)]
        for key in [key for key in self.pods if key[0] == namespace]:
            del self.pods[key]
        for item in ours:
            self.pods[namespace, item["metadata"]["name"]] = item
            self._on_pod(item)
        await self._notify()
        return str((answer.get("metadata") or {}).get("resourceVersion", ""))

    async def _watch(self, path: str, version: str) -> None:
        async for event in self._api.watch(path, version):
            item = event.get("object") or {}
            if not self._is_ours(item):
                continue
            key = item["metadata"]["namespace"], item["metadata"]["name"]
            if event.get("type") == "DELETED":
                self.pods.pop(key, None)
            else:
                self.pods[key] = item
                self._on_pod(item)
            await self._notify()

    def _is_ours(self, item: Raw) -> bool:
        metadata = item.get("metadata") or {}
        name = str(metadata.get("name", ""))
        return name.startswith(self._prefix) or (metadata.get("namespace"), name) in self._also

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()


def settled(stand_in: StandIn, raw: Raw | None, nonce: str) -> Placed | NotPlaced | None:
    """Say whether a stored pod runs as it should, never will, or None while that is open."""
    if raw is None:
        return None
    reason = _ended(raw) or obstacle(stand_in, raw) or _hopeless(raw)
    if reason:
        return NotPlaced(stand_in, reason)
    status = raw.get("status") or {}
    if "running" not in _container_state(status) or not status.get("podIP"):
        return None
    try:
        return Placed(stand_in, decode_pod(raw), nonce)
    except (FieldError, ValueError) as error:
        return NotPlaced(stand_in, f"the stored pod cannot be read: {error}")


def _ended(raw: Raw) -> str:
    status = raw.get("status") or {}
    if status.get("phase") in {"Failed", "Succeeded"}:
        return f"its pod ended: {status.get('reason') or ''} {status.get('message') or ''}".strip()
    return ""


def _hopeless(raw: Raw) -> str:
    """Why a pod's container will never run; empty while it may."""
    waiting = _container_state(raw.get("status") or {}).get("waiting") or {}
    if waiting.get("reason") in HOPELESS:
        return f"{waiting.get('reason')}: {waiting.get('message') or 'no message'}"
    return ""


def unsettled_reason(raw: Raw | None) -> str:
    """Say what a pod that does not run yet is waiting for."""
    if raw is None:
        return "its pod was removed by somebody else"
    status = raw.get("status") or {}
    waiting = _container_state(status).get("waiting") or {}
    text = waiting.get("message") or waiting.get("reason") or f"it is still {status.get('phase', 'unknown')}"
    return f"not running in time: {text}"


def _container_state(status: Raw) -> Raw:
    for item in status.get("containerStatuses") or ():
        if item.get("name") == CONTAINER:
            state: Raw = item.get("state") or {}
            return state
    return {}

"""One run at a time: the Lease in netaudit's namespace, and how a dead run's Lease is told from a live one's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from time import monotonic
from typing import Any

from auditor.cluster.api import KubeApi
from auditor.errors import ApiRefused, NetauditError, PermissionMissing, RunInProgress

NAME = "netaudit"
PATH = "/apis/coordination.k8s.io/v1/namespaces/netaudit/leases"
DURATION = 30
"""Seconds after the last renewal during which a Lease counts as held."""
RENEWAL = 10
BEYOND_DOUBT = 600
"""Seconds after which a Lease is dead whatever the clocks say."""
CONFLICT, MISSING = 409, 404
REMOVED = "somebody removed the Lease"
Clock = Callable[[], datetime]


async def wait_until_free(api: KubeApi, clock: Clock, say: Callable[[str], None]) -> dict[str, Any] | None:
    """Return the Lease once nobody holds it, None where there is none.

    A Lease that is not renewed until it expires belongs to a run that died; one that is renewed meanwhile belongs to
    one that lives: RunInProgress is raised then.
    """
    first: str | None = None
    end = 0.0
    while True:
        try:
            lease = await api.get(f"{PATH}/{NAME}")
        except ApiRefused as error:
            if error.status == MISSING:
                return None
            raise
        spec = lease.get("spec") or {}
        holder, renewed = str(spec.get("holderIdentity") or ""), str(spec.get("renewTime") or "")
        if first is not None and renewed != first:
            raise _busy(holder)
        if first is None:
            left = _seconds_to_watch(renewed, clock()) if holder else 0.0
            first, end = renewed, monotonic() + left
            if left:
                say(f"run {holder} holds the Lease: waiting at most {left:.0f} s to see whether it is still alive")
        if monotonic() >= end:
            return lease
        await asyncio.sleep(min(max(0.1, end - monotonic()), RENEWAL / 5))


def _seconds_to_watch(renewed: str, now: datetime) -> float:
    """How long a Lease must stay as it is until its run counts as dead.

    Clocks of two machines may differ, so an age near the limit is not believed: a run that lives renews within
    RENEWAL seconds of our own clock, whatever its own says.
    """
    try:
        age = (now - datetime.fromisoformat(renewed)).total_seconds()
    except (ValueError, TypeError):
        return float(DURATION)
    if age >= BEYOND_DOUBT:
        return 0.0
    return min(float(DURATION), max(DURATION - age, RENEWAL + 2.0))


def _busy(holder: str) -> RunInProgress:
    return RunInProgress(
        "another run of netaudit is at work in this cluster",
        why=f"run {holder} renewed its Lease netaudit/netaudit just now",
        attempt="wait until it has ended; netaudit cleanup --force removes its probes under it",
    )


class HeldLease:
    """The Lease of this run: taken, renewed in the background, given back."""

    def __init__(self, api: KubeApi, run: str, clock: Clock) -> None:
        """Prepare the Lease of `run`; nothing is taken yet."""
        self._api = api
        self._run = run
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self.lost = ""
        """Why the Lease is not ours any more; empty while it is."""
        self.refused = ""
        """Why it may not be renewed, so that another run may begin beside this one; empty while it may."""

    async def take(self, say: Callable[[str], None]) -> None:
        """Take the Lease; raises RunInProgress where another run is alive."""
        try:
            found = await wait_until_free(self._api, self._clock, say)
        except RunInProgress:
            self.lost = "another run has it"
            raise
        try:
            if found is None:
                await self._api.create(PATH, self._body(None))
            else:
                await self._api.replace(f"{PATH}/{NAME}", self._body(found))
        except ApiRefused as error:
            if error.status == CONFLICT:
                self.lost = "another run took it at the same moment"
                raise _busy("(one that began at the same moment)") from error
            raise
        self._task = asyncio.create_task(self._renew())

    @property
    def held_once(self) -> bool:
        """Whether this run ever had the Lease."""
        return self._task is not None

    @property
    def held(self) -> bool:
        """Whether this run has the Lease."""
        return self.held_once and not self.lost

    def stop_renewing(self) -> None:
        """Leave the Lease to run out: its namespace is about to go."""
        if self._task is not None:
            self._task.cancel()

    async def look(self) -> None:
        """Notice what became of the Lease since the last renewal."""
        lease = await self._stored()
        holder = self._run if lease is None else (lease.get("spec") or {}).get("holderIdentity")
        if holder != self._run:
            self.lost = f"run {holder} took the Lease"
            self.stop_renewing()
        elif lease is None and self.held:
            self.lost = REMOVED

    async def give_back(self) -> None:
        """Stop renewing and delete the Lease, unless another run has it: its namespace may be a new one by now."""
        self.stop_renewing()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
        lease = None if self.lost else await self._stored()
        if lease is not None and (lease.get("spec") or {}).get("holderIdentity") == self._run:
            await self._api.delete(f"{PATH}/{NAME}", preconditions={"uid": lease["metadata"]["uid"]})

    async def _stored(self) -> dict[str, Any] | None:
        try:
            return await self._api.get(f"{PATH}/{NAME}")
        except ApiRefused as error:
            if error.status == MISSING or not self.held_once:
                return None
            raise

    def _body(self, found: dict[str, Any] | None) -> dict[str, Any]:
        now = self._clock().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        metadata: dict[str, Any] = {"name": NAME, "namespace": "netaudit"}
        if found is not None:
            metadata["resourceVersion"] = found["metadata"]["resourceVersion"]
        spec = {"holderIdentity": self._run, "leaseDurationSeconds": DURATION, "renewTime": now, "acquireTime": now}
        return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEWAL)
            try:
                lease = await self._api.get(f"{PATH}/{NAME}")
                holder = (lease.get("spec") or {}).get("holderIdentity")
                if holder != self._run:
                    self.lost = f"run {holder} took the Lease"
                    return
                await self._api.replace(f"{PATH}/{NAME}", self._body(lease))
                self.refused = ""
            except NetauditError as error:
                # The next renewal may succeed; if none does, the Lease expires and says just that.
                self.refused = error.why if isinstance(error, PermissionMissing) else self.refused
                self.lost = "" if not isinstance(error, ApiRefused) else self._gone(error)

    def _gone(self, error: ApiRefused) -> str:
        return REMOVED if error.status == MISSING else ""

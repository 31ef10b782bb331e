"""Agents in real pods: put in by one patch each, awaited, ended when the run ends, and named for what they leave."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TypeVar

from auditor.cluster.api import KubeApi
from auditor.cluster.projection import MARKS
from auditor.errors import ApiRefused, NetauditError, PermissionMissing
from auditor.model.probe import Mark, NotPlaced, Placed, ProbePlan, Rehearsal, Role, StandIn
from probes.admitted import look_of
from probes.backends.kubernetes import sweep
from probes.backends.kubernetes.pods import HOPELESS, Raw
from probes.backends.kubernetes.rehearse import NO_DRY_RUN, is_passing
from probes.marking import (
    LONGEST,
    STATES,
    altered,
    container_name,
    ephemeral_container,
    is_marked,
    lost,
    marks_in,
    patch_of,
    path_of,
    reaction,
    rehearsal,
    settled,
    state_in,
    unsettled_reason,
)
from probes.placement import AgentSpec, Marks

T = TypeVar("T")
AT_ONCE = 8
"""Pods that are looked after side by side."""
STOP_SECONDS = 15.0
"""How long an exec that ends an agent may take."""
STOP_AGAIN = 5.0
GONE_SECONDS = 30.0
"""How long the kubelet may take to report the end of an agent."""
START_SECONDS = 5.0
"""How long a container that has not started is looked at before it is left to end by itself."""
NO_RIGHT = "cannot patch resource"
"""In what the API server answers where no role gives the right, whatever admission would say."""
ENDED = STATES["terminated"]


class Lodging:
    """The residents of one plan, from the first patch to the last look."""

    def __init__(self, api: KubeApi, plan: ProbePlan, marks: Marks, agent: AgentSpec, until: datetime) -> None:
        """Touch nothing yet; no agent outlives `until`, whenever it starts."""
        self._api = api
        self._marks = marks
        self._agent = agent
        self._until = until
        self.residents = tuple(item for item in plan.stand_ins if item.role is Role.RESIDENT)
        self._asked: dict[str, StandIn] = {}
        """Those whose patch was sent, by key, whatever came of it."""
        self._before: dict[tuple[str, str], Raw] = {}
        """The pods as they were when the container was accepted."""

    @property
    def pods(self) -> frozenset[tuple[str, str]]:
        """Namespaces and names of the pods."""
        return frozenset((item.namespace, item.pod) for item in self.residents)

    def container(self, stand_in: StandIn, nonce: str) -> dict[str, object]:
        """The container that a pod is to get."""
        return ephemeral_container(stand_in, self._marks, self._agent, nonce, int(self._until.timestamp()))

    async def rehearse(self, known: Mapping[str, Rehearsal]) -> Mapping[str, Rehearsal]:
        """Ask admission about each pod of which nothing is known, in a dry run.

        Raises ApiRefused where no namespace gives the right.
        """
        fresh = [item for item in self.residents if look_of(item) not in known]
        tried = await _side_by_side(self._rehearsed(item) for item in fresh)
        refused = [item for item in tried if isinstance(item, ApiRefused)]
        if refused and len(refused) == len(tried) and not known:
            raise refused[0]
        return {
            look_of(item): _refusal(item, found) if isinstance(found, ApiRefused) else found
            for item, found in zip(fresh, tried, strict=True)
        }

    async def _rehearsed(self, item: StandIn) -> Rehearsal | ApiRefused:
        sent = self.container(item, "")
        try:
            stored = await self._api.add_ephemeral(path_of(item), patch_of(item, sent), dry_run=True)
        except ApiRefused as error:
            if NO_RIGHT in error.why:
                return error
            if NO_DRY_RUN in error.why or is_passing(error):
                why = f"something that a dry run does not show: {error.why[:LONGEST]}"
                return Rehearsal(item.key, "", notes=(why,))
            return _refusal(item, error)
        return rehearsal(item, sent, stored)

    async def mark(self, item: StandIn, nonce: str) -> str:
        """Put an agent into a pod; why that failed, or it is not what was sent, empty where it is."""
        self._asked[item.key] = item
        sent = self.container(item, nonce)
        try:
            stored = await self._api.add_ephemeral(path_of(item), patch_of(item, sent))
        except NetauditError as error:
            return f"its pod accepts no ephemeral container: {error.why}"[:LONGEST]
        self._before[item.namespace, item.pod] = stored
        return altered(sent, stored)

    def settled(self, item: StandIn, raw: Raw | None, nonce: str) -> Placed | NotPlaced | None:
        """Whether an agent runs, never will, or None while that is open."""
        return settled(item, raw, container_name(item, self._marks), nonce, HOPELESS) if raw is not None else None

    def unsettled_reason(self, item: StandIn, raw: Raw | None) -> str:
        """What an agent that does not run yet waits for."""
        return unsettled_reason(raw, container_name(item, self._marks))

    def now(self, placed: Placed, raw: Raw | None) -> Placed | NotPlaced:
        """The resident as it is now."""
        reason = lost(placed, raw)
        return NotPlaced(placed.stand_in, f"{reason} during the run") if reason else placed

    def reaction(self, raw: Raw) -> str:
        """What befell a marked pod since; empty for others."""
        metadata = raw.get("metadata") or {}
        before = self._before.get((str(metadata.get("namespace")), str(metadata.get("name"))))
        return reaction(before, raw) if before is not None else ""

    async def end(self, pause: float) -> tuple[Sequence[Mark], Sequence[str]]:
        """End every agent, after a pause for patches that are under way: what stays marked, and what may still run."""
        if not self._asked:
            return (), ()
        await asyncio.sleep(pause)
        ended = [item for item in await _side_by_side(map(self._ended, self._asked.values())) if item is not None]
        alive = [f"agent in pod {item.namespace}/{item.pod}: {item.state}" for item in ended if item.state != ENDED]
        return tuple(sorted(ended, key=lambda item: (item.namespace, item.pod))), tuple(sorted(alive))

    async def _ended(self, item: StandIn) -> Mark | None:
        """End one agent; None where there is no such container, or no pod any more."""
        name = container_name(item, self._marks)
        try:
            return await self._watched_out(item, name)
        except ApiRefused as error:
            if error.status == sweep.MISSING:
                return None
            return self._mark(item, name, f"{self._may_run()}: {error.why}"[:LONGEST])
        except (NetauditError, OSError, TimeoutError) as error:
            return self._mark(item, name, f"{self._may_run()}: {error}"[:LONGEST])

    async def _watched_out(self, item: StandIn, name: str) -> Mark | None:
        loop = asyncio.get_running_loop()
        began = told = loop.time()
        while True:
            raw = await self._api.get(path_of(item))
            if (raw.get("metadata") or {}).get("uid") != item.uid or not is_marked(raw, name):
                return None
            state, passed = state_in(raw, name), loop.time() - began
            if "terminated" in state:
                return self._mark(item, name, ENDED)
            if "running" not in state and passed > START_SECONDS:
                return self._mark(item, name, f"it has not started; if it still does, {self._may_run()}")
            if passed > GONE_SECONDS:
                return self._mark(item, name, f"{self._may_run()}: it did not end when it was told to")
            # Once more where that was of no avail; the kubelet takes a moment to report an end.
            if "running" in state and loop.time() >= told:
                await self._stop(item, name)
                told = loop.time() + STOP_AGAIN
            await asyncio.sleep(sweep.POLL)

    async def _stop(self, item: StandIn, name: str) -> None:
        # What counts is the state that the kubelet reports, which is looked at next; the exec ends with the container.
        with suppress(NetauditError, OSError, TimeoutError):
            async with (
                asyncio.timeout(STOP_SECONDS),
                self._api.exec(item.namespace, item.pod, name, self._agent.stop) as channel,
            ):
                async for _ in channel.read():
                    pass

    def _may_run(self) -> str:
        return f"its agent may run until {self._until.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ} and then ends by itself"

    def _mark(self, item: StandIn, name: str, state: str) -> Mark:
        return Mark(item.namespace, item.pod, name, state)


async def marks_left(api: KubeApi, say: Callable[[str], None]) -> Sequence[Mark]:
    """The real pods that agents of whatever run left marked; nobody can remove these."""
    try:
        pods = await api.list_all("/api/v1/pods", MARKS)
    except PermissionMissing as error:
        say(f"which pods ephemeral containers of earlier runs left marked cannot be seen: {error.why}")
        return ()
    return [Mark(*found) for found in marks_in(pods)]


def _refusal(item: StandIn, error: ApiRefused) -> Rehearsal:
    return Rehearsal(item.key, f"its pod would accept no ephemeral container: {error.why[:LONGEST]}")


async def _side_by_side(works: Iterable[Awaitable[T]]) -> list[T]:
    room = asyncio.Semaphore(AT_ONCE)

    async def one(work: Awaitable[T]) -> T:
        async with room:
            return await work

    return await asyncio.gather(*(one(work) for work in works))

"""The end of a run: what it made is removed, however the run ends and whether or not anybody still listens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from auditor.cluster.api import KubeApi
from auditor.errors import NetauditError
from auditor.events import Event, StageStarted, Warned
from auditor.ports import OnEvent
from probes.backends.kubernetes import sweep
from probes.backends.kubernetes.homes import HOME
from probes.backends.kubernetes.lease import REMOVED, HeldLease
from probes.backends.kubernetes.pods import PodFollower
from probes.backends.kubernetes.residents import UNSEEN
from probes.backends.kubernetes.surroundings import Surroundings
from probes.placement import Marks

SWEEPS = 3
AGAIN_SECONDS = 5.0
"""How long what outlived the first sweep has to go in those that follow."""


def unfailing(on_event: OnEvent) -> OnEvent:
    """Tell events to somebody whose troubles do not become ours: a dead terminal must not end a clean-up."""

    def tell(event: Event) -> None:
        with suppress(Exception, SystemExit):
            on_event(event)

    return tell


async def to_the_end(work: Awaitable[None], tell: OnEvent) -> None:
    """Carry clean-up to its end although the run is being cancelled, and only then let the cancellation on."""
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            cancelled = error
            tell(Warned("still removing probe pods; netaudit cleanup would do the same later"))
    task.result()
    if cancelled is not None:
        raise cancelled


@dataclass(frozen=True, slots=True)
class Ending:
    """What a run has open, and where it looks for what it made."""

    api: KubeApi
    marks: Marks
    lease: HeldLease
    follower: PodFollower
    around: Surroundings
    homes: Sequence[str]
    """Namespaces in which something of it may be, for people who have to look themselves."""
    within: Sequence[str] | None
    """Where to look; None is everywhere."""
    tell: OnEvent

    async def clean_up(self, pause: float) -> Sequence[str]:
        """Remove what the run made, after a pause for requests that are under way; names what stays and why."""
        # It reacts to pods that go, too, and nobody is to be told of that.
        await self.around.close()
        self.tell(StageStarted("clean up"))
        await self.follower.close()
        await asyncio.sleep(pause)
        trouble: list[str] = []
        unseen: list[str] = []
        try:
            await self.lease.look()
            # Again, until there is nothing: a request that was under way when the run was cancelled may come through.
            for turn in range(SWEEPS):
                found = await self._own(with_home=turn == 0)
                # Nobody is known to live there, so that it stays is ours to tell.
                unseen = unseen or [f"namespace {name}: {why}" for name, why in found.kept if why.startswith(UNSEEN)]
                if not found.names():
                    break
                patience = sweep.GONE_SECONDS if turn == 0 else AGAIN_SECONDS
                trouble = [*await sweep.remove(self.api, found, _quiet, patience)]
            await self.lease.give_back()
            trouble = await sweep.still_there(self.api, trouble)
        except NetauditError as error:
            where = ", ".join(sorted(self.homes))
            trouble.append(f"what begins with {self.marks.holder} in {where}: {error.what}: {error.why}")
        return (*trouble, *unseen)

    async def _own(self, *, with_home: bool) -> sweep.Leftovers:
        """What bears this run's marks, and once the Lease's namespace, whichever run made it.

        Nothing else: as soon as that namespace is gone, the next run may be at work.
        """
        found = await sweep.find(self.api, self.marks.run, self.within)
        if self.lease.lost not in {"", REMOVED}:
            # Whoever has the Lease now lives in these namespaces, and removes them at its end.
            return replace(found, namespaces=())
        if with_home and self.lease.held:
            found = await sweep.with_namespace(self.api, found, HOME)
            for name, reason in found.kept:
                self.tell(Warned(f"the namespace {name} was made by a run and stays: {reason}"))
        if HOME in found.namespaces:
            self.lease.stop_renewing()
        return found


def _quiet(_: str) -> None:
    """Say nothing: the stage's own line is enough."""

"""Batches of probes, one for each source pod, carried out side by side within limits.

Knows nothing of Kubernetes: `execute` makes the attempts of one batch and gives their observations.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from auditor.model.probe import Observation
from probes.pace import Batch, Room

WORKERS = 64

Execute = Callable[[Batch], Awaitable[Sequence[Observation]]]


async def run_batches(
    batches: Sequence[Batch], room: Room, execute: Execute, done: Callable[[int], None]
) -> tuple[Observation, ...]:
    """Run each batch once there is room for it; `done` is told the number of finished probes after each."""
    waiting = iter(batches)
    changed = asyncio.Condition()
    seen: list[Observation] = []

    async def work() -> None:
        for batch in waiting:
            async with changed:
                await changed.wait_for(partial(room.fits, batch))
                room.take(batch)
            seen.extend(await execute(batch))
            async with changed:
                room.give(batch)
                changed.notify_all()
            done(len(seen))

    async with asyncio.TaskGroup() as group:
        for _ in range(min(WORKERS, len(batches))):
            group.create_task(work())
    return tuple(sorted(seen, key=_order))


def _order(seen: Observation) -> tuple[str, str, str, str, int]:
    probe = seen.probe
    return probe.source, probe.destination, probe.family.value, probe.protocol.value, probe.port

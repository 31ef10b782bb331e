"""Batches of probes, one for each source pod, carried out side by side within limits.

Knows nothing of Kubernetes: `execute` makes the attempts of one batch and gives their observations.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence

from auditor.model.probe import Observation, Probe

PER_NODE = 16
"""Batches at once on one node: more execs than that make container runtimes crawl."""
WORKERS = 64

Execute = Callable[[str, Sequence[Probe]], Awaitable[Sequence[Observation]]]


async def run_batches(
    probes: Sequence[Probe], node_of: Mapping[str, str], execute: Execute, done: Callable[[int], None]
) -> tuple[Observation, ...]:
    """Run one batch for each source; `done` is told the number of finished probes after each."""
    batches: dict[str, list[Probe]] = defaultdict(list)
    for probe in probes:
        batches[probe.source].append(probe)
    room = {node: asyncio.Semaphore(PER_NODE) for node in set(node_of.values())}
    waiting = iter(sorted(batches))
    seen: list[Observation] = []

    async def work() -> None:
        for source in waiting:
            async with room[node_of[source]]:
                seen.extend(await execute(source, batches[source]))
            done(len(seen))

    async with asyncio.TaskGroup() as group:
        for _ in range(min(WORKERS, len(batches))):
            group.create_task(work())
    return tuple(sorted(seen, key=_order))


def _order(seen: Observation) -> tuple[str, str, str, str, int]:
    probe = seen.probe
    return probe.source, probe.destination, probe.family.value, probe.protocol.value, probe.port

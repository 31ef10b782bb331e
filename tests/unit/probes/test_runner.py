"""Batches side by side within limits; every probe gets exactly one observation."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest

from auditor.model.probe import Observation, Outcome, Probe
from probes.pace import BOUNDS, EXECS_PER_NODE, Batch, Bound, Room, split
from probes.runner import WORKERS, run_batches
from tests.evidence import V4

SHELL = BOUNDS["shell"]


def probes(sources: int, each: int = 2) -> list[Probe]:
    return [Probe(f"i{s}", f"i{d}", V4, 80, (1.0,)) for s in range(sources) for d in range(min(each, sources))]


class Bench:
    """Executes batches that end only when told to, and counts who runs at once."""

    def __init__(self, nodes: int, sources: int, bound: Bound = SHELL) -> None:
        self.bound = bound
        self.node_of = {f"i{number}": f"n{number % nodes}" for number in range(sources)}
        self.running: Counter[tuple[str, str]] = Counter()
        self.most: Counter[tuple[str, str]] = Counter()
        self.at_once = 0
        self.batches: list[str] = []
        self.told: list[int] = []

    async def execute(self, batch: Batch) -> Sequence[Observation]:
        self.batches.append(batch.source)
        self.running.update(batch.claim)
        self.most |= self.running
        self.at_once = max(self.at_once, sum(count for (what, _), count in self.running.items() if what == "execs"))
        for _ in range(5):
            await asyncio.sleep(0)
        self.running.subtract(batch.claim)
        return [Observation(1, probe, (Outcome.REACHED,), "", 0.0) for probe in reversed(batch.probes)]

    def run(self, wanted: Sequence[Probe]) -> tuple[Observation, ...]:
        batches = split(wanted, self.node_of, self.bound)
        return asyncio.run(run_batches(batches, Room(self.bound), self.execute, self.told.append))

    def highest(self, what: str) -> int:
        return max(count for (name, _), count in self.most.items() if name == what)


@pytest.mark.parametrize(("sources", "nodes"), [(1, 1), (5, 2), (100, 1), (200, 3), (200, 100)])
def test_limits_hold_and_nothing_is_lost(sources: int, nodes: int) -> None:
    """Never more batches at once on a node, nor in all, than allowed; one batch for each source."""
    bench = Bench(nodes, sources)
    wanted = probes(sources)
    seen = bench.run(wanted)

    assert bench.highest("execs") <= EXECS_PER_NODE
    assert bench.at_once <= WORKERS
    assert sorted(bench.batches) == sorted(bench.node_of)
    assert sorted((item.probe.source, item.probe.destination) for item in seen) == sorted(
        (probe.source, probe.destination) for probe in wanted
    )
    assert bench.told == sorted(bench.told)
    assert bench.told[-1] == len(wanted)


@pytest.mark.parametrize(("sources", "nodes"), [(16, 1), (40, 2), (80, 20)])
@pytest.mark.parametrize("bound", [SHELL, Bound(8, 32), Bound(1, 1)])
def test_no_node_makes_or_takes_more_attempts_than_its_bound(sources: int, nodes: int, bound: Bound) -> None:
    """Whoever tries whom: what batches that run at once claim stays within the bound, and the bound is used."""
    bench = Bench(nodes, sources, bound)
    bench.run(probes(sources, each=sources))

    assert bench.highest("from") <= bound.per_node
    assert bench.highest("to") <= bound.per_node
    assert bench.highest("from") > bound.per_node / 2 or bench.at_once > 1


def test_result_is_sorted_whoever_ends_first() -> None:
    """The order of observations does not depend on which batch was quicker."""
    seen = Bench(2, 9).run(probes(9))

    assert [(item.probe.source, item.probe.destination) for item in seen] == sorted(
        (item.probe.source, item.probe.destination) for item in seen
    )


def test_no_probes_no_batches() -> None:
    """An empty round asks nobody."""
    bench = Bench(1, 1)

    assert bench.run([]) == ()
    assert bench.batches == []


def test_trouble_in_one_batch_ends_the_others() -> None:
    """An error that is no observation is not swallowed."""

    async def broken(batch: Batch) -> Sequence[Observation]:
        raise ValueError(batch.source)

    batches = split(probes(3), {f"i{n}": "n" for n in range(3)}, SHELL)
    with pytest.raises(ExceptionGroup):
        asyncio.run(run_batches(batches, Room(SHELL), broken, lambda _: None))

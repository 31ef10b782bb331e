"""Batches side by side within limits; every probe gets exactly one observation."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

import pytest

from auditor.model.probe import Observation, Outcome, Probe
from probes.runner import PER_NODE, WORKERS, run_batches
from tests.evidence import V4


def probes(sources: int, each: int = 2) -> list[Probe]:
    return [Probe(f"i{s}", f"c{d}", V4, 80, (1.0,)) for s in range(sources) for d in range(each)]


class Bench:
    """Executes batches that end only when told to, and counts who runs at once."""

    def __init__(self, nodes: int, sources: int) -> None:
        self.node_of = {f"i{number}": f"n{number % nodes}" for number in range(sources)}
        self.running: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.at_once = 0
        self.batches: list[str] = []

    async def execute(self, source: str, wanted: Sequence[Probe]) -> Sequence[Observation]:
        node = self.node_of[source]
        self.batches.append(source)
        self.running[node] += 1
        self.most[node] = max(self.most[node], self.running[node])
        self.at_once = max(self.at_once, self.running.total())
        for _ in range(5):
            await asyncio.sleep(0)
        self.running[node] -= 1
        return [Observation(1, probe, (Outcome.REACHED,), "", 0.0) for probe in reversed(wanted)]


@pytest.mark.parametrize(("sources", "nodes"), [(1, 1), (5, 2), (100, 1), (200, 3), (200, 100)])
def test_limits_hold_and_nothing_is_lost(sources: int, nodes: int) -> None:
    """Never more batches at once on a node, nor in all, than allowed; one batch for each source."""
    bench = Bench(nodes, sources)
    told: list[int] = []
    wanted = probes(sources)
    seen = asyncio.run(run_batches(wanted, bench.node_of, bench.execute, told.append))

    assert max(bench.most.values()) <= PER_NODE
    assert bench.at_once <= WORKERS
    assert sorted(bench.batches) == sorted(bench.node_of)
    assert sorted((item.probe.source, item.probe.destination) for item in seen) == sorted(
        (probe.source, probe.destination) for probe in wanted
    )
    assert told == sorted(told)
    assert told[-1] == len(wanted)


def test_result_is_sorted_whoever_ends_first() -> None:
    """The order of observations does not depend on which batch was quicker."""
    bench = Bench(2, 9)
    seen = asyncio.run(run_batches(probes(9), bench.node_of, bench.execute, lambda _: None))

    assert [(item.probe.source, item.probe.destination) for item in seen] == sorted(
        (item.probe.source, item.probe.destination) for item in seen
    )


def test_no_probes_no_batches() -> None:
    """An empty round asks nobody."""
    bench = Bench(1, 1)

    assert asyncio.run(run_batches([], bench.node_of, bench.execute, lambda _: None)) == ()
    assert bench.batches == []


def test_trouble_in_one_batch_ends_the_others() -> None:
    """An error that is no observation is not swallowed."""

    async def broken(source: str, wanted: Sequence[Probe]) -> Sequence[Observation]:
        raise ValueError(source)

    with pytest.raises(ExceptionGroup):
        asyncio.run(run_batches(probes(3), {f"i{n}": "n" for n in range(3)}, broken, lambda _: None))

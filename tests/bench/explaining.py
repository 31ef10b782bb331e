"""How long single flows take on the snapshot of 10,000 pods."""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench.apart import measure
from tests.bench.figures import Figure, fastest, yardstick
from tests.bench.predicting import seconds
from tests.bench.snapshots import file_of

QUERIES = 100_000


def figures() -> Iterator[Figure]:
    """Measure one explanation, and a batch without reading or writing it."""
    unit_of_work = fastest(yardstick)
    found = measure("explain", file_of("10k"), "8080/TCP")
    yield Figure("explain one flow of 10,000 pods", 1e3 * found.first, "ms", target=50, cpu=1e3 * found.cpu)
    found = measure("batch", file_of("10k"), str(QUERIES), repeats=1)
    yield seconds(f"answer {QUERIES:,} queries on 10,000 pods ({found.answer})", found, unit_of_work, 5)

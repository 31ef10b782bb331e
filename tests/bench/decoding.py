"""How long raw objects take to become a snapshot, and how that grows."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.cluster.decode import decode
from tests.bench.figures import Figure, timed
from tests.bench.snapshots import SHAPES

WORKS = {"1k": "decode 1,000 pods, 500 policies", "10k": "decode 10,000 pods, 5,000 policies"}


def figures() -> Iterator[Figure]:
    """Measure two sizes, so that the growth shows."""
    for shape, name in WORKS.items():
        raw = SHAPES[shape]()
        yield timed(name, lambda raw=raw: decode(raw))  # type: ignore[misc]

"""How long lint takes, and how that grows with policies."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.cluster.decode import decode
from auditor.lint import lint
from tests.bench.clusters import cluster
from tests.bench.figures import Figure, timed
from tests.bench.shapes import real

TARGET = 2.0
"""Seconds for the 10,000 pods and 5,000 policies of the first row."""


def figures() -> Iterator[Figure]:
    """Measure an ordinary cluster, and one with more policies than pods."""
    for raw, target in ((cluster(10_000, 500, 5_000), TARGET), (real(), None)):
        snapshot = decode(raw)
        found = len(lint(snapshot))
        work = f"lint {len(snapshot.pods):,} pods, {len(snapshot.policies):,} policies ({found:,} findings)"
        yield timed(work, lambda snapshot=snapshot: lint(snapshot), 1, target)  # type: ignore[misc]

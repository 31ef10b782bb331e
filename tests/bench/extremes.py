"""The matrix where clusters are at their worst: nothing alike, nothing shared, and tiers in a fixed order."""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench.figures import Figure
from tests.bench.predicting import TEN, Row, measured

BURNER = tuple(f"{number}/TCP" for number in range(1_000, 1_010))
ROWS = (
    Row("distinct", "predict 10,000 pods without two alike, 10,000 policies, 10 ports", TEN),
    Row("burner", "predict 100,000 rules of 10 ports without two alike, 10,000 pods", BURNER, repeats=1),
    Row("tiers-20x5", "predict 10,000 pods, 5,000 policies, 20 ClusterNetworkPolicies of 5 rules, 10 ports", TEN),
    Row("tiers-100x10", "the same under 100 of 10 rules", TEN),
    Row("tiers-1000x25", "the same under 1,000 of 25 rules", TEN),
)


def figures() -> Iterator[Figure]:
    """Measure each in a process of its own; nothing was promised of them."""
    for row in ROWS:
        yield from measured(row)

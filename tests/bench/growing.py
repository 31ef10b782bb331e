"""How the matrix grows with the cluster: seconds for each pod and policy stay about the same where growth is linear."""

from __future__ import annotations

from collections.abc import Iterator

from tests.bench.apart import measure
from tests.bench.figures import Figure
from tests.bench.predicting import THREE
from tests.bench.snapshots import file_of

SIZES = {"1k": 1_500, "10k": 15_000, "100k": 150_000}
"""Pods and policies of each shape."""


def figures() -> Iterator[Figure]:
    """Measure three sizes, each ten times the one before."""
    for shape, size in SIZES.items():
        found = measure("matrix", file_of(shape), *THREE, repeats=1 if shape == "100k" else 3)
        name = f"predict {shape} pods, 3 ports, for each pod and policy"
        yield Figure(name, 1e6 * found.best / size, "us", cpu=1e6 * found.cpu / size)

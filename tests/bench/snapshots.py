"""Snapshots of each shape, decoded once and kept as files for the processes that measure."""

from __future__ import annotations

import atexit
import pickle
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from auditor.cluster.decode import decode
from auditor.model.cluster import Snapshot
from auditor.ports import RawSnapshot
from tests.bench import shapes
from tests.bench.clusters import cluster

SHAPES: dict[str, Callable[[], RawSnapshot]] = {
    "1k": lambda: cluster(1_000, 100, 500),
    "10k": lambda: cluster(10_000, 500, 5_000),
    "100k": lambda: cluster(100_000, 5_000, 50_000),
    "real": shapes.real,
    "burner": shapes.burner,
    "distinct": shapes.distinct,
    "tiers-20x5": lambda: shapes.with_tiers(cluster(10_000, 500, 5_000), 20, 5),
    "tiers-100x10": lambda: shapes.with_tiers(cluster(10_000, 500, 5_000), 100, 10),
    "tiers-1000x25": lambda: shapes.with_tiers(cluster(10_000, 500, 5_000), 1_000, 25),
}


@cache
def folder() -> Path:
    """A folder for this process's time."""
    made = Path(tempfile.mkdtemp(prefix="netaudit-bench-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


@cache
def file_of(shape: str) -> Path:
    """The file that holds a shape's snapshot; raises ValueError where the generator makes what cannot be read."""
    path = folder() / f"{shape}.pickle"
    with path.open("wb") as stream:
        pickle.dump(snapshot_of(shape), stream, pickle.HIGHEST_PROTOCOL)
    return path


def snapshot_of(shape: str) -> Snapshot:
    """A shape's snapshot."""
    snapshot = decode(SHAPES[shape]())
    if snapshot.warnings:
        raise ValueError(f"{shape}: {snapshot.warnings[0]}")
    return snapshot

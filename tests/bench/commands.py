"""The commands end to end, from the files that kubectl writes for 10,000 pods to an answer."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import msgspec

from tests.bench.child import Ran, netaudit
from tests.bench.figures import Figure, fastest, yardstick
from tests.bench.manifests import write_folder
from tests.bench.predicting import TEN
from tests.bench.snapshots import SHAPES, folder, snapshot_of
from tests.bench.works import questions

QUERIES = 100_000
REPEATS = 3
ANSWER = 2.0


def figures() -> Iterator[Figure]:
    """Measure predict, explain and a batch, as processes."""
    files, size = manifests()
    source = ("-f", str(files))
    what = f"{size / 1e6:.0f} MB of pods"
    ports = [word for port in TEN for word in ("--port", port)]
    yield from ran(f"netaudit predict, {what}, one port", ANSWER, "predict", *source, "--port", "8080")
    yield from ran(f"netaudit predict, {what}, 10 ports", ANSWER, "predict", *source, *ports)
    yield from ran(f"netaudit predict, {what}, the ports that somebody declares or names", None, "predict", *source)
    yield from ran(f"netaudit explain, {what}", None, "explain", *ends(), "8080", *source)
    batch = queries()
    yield from ran(f"netaudit explain --batch, {what}, {QUERIES:,} queries", 5, "explain", "--batch", batch, *source)


def ran(name: str, target: float | None, *words: str) -> Iterator[Figure]:
    """The best of a few runs of one command."""
    unit_of_work = fastest(yardstick)
    best = min((netaudit(*words, output=folder() / "answer") for _ in range(REPEATS)), key=by_the_clock)
    yield Figure(name, best.seconds, "s", best.seconds / unit_of_work, target, cpu=best.cpu)
    yield Figure("  memory of the process", best.megabytes, "MB")


def by_the_clock(found: Ran) -> float:
    return found.seconds


@cache
def manifests() -> tuple[Path, int]:
    """A folder with pods, namespaces and policies, and the bytes of the pods."""
    made = folder() / "manifests"
    made.mkdir()
    return made, write_folder(SHAPES["10k"](), made)


def queries() -> str:
    """A file of queries, one for each line."""
    path = folder() / "queries.jsonl"
    lines = (msgspec.json.encode(query) for query in questions(snapshot_of("10k"), QUERIES))
    path.write_bytes(b"\n".join(lines) + b"\n")
    return str(path)


def ends() -> tuple[str, str]:
    """Two pods of different namespaces, by name."""
    pods = snapshot_of("10k").pods
    one, other = pods[len(pods) // 3], pods[len(pods) // 2]
    return f"{one.namespace}/{one.name}", f"{other.namespace}/{other.name}"

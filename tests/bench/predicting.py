"""How long the matrix of all pods takes, from the values of a snapshot on, and what memory above them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tests.bench.apart import REPEATS, Measured, measure
from tests.bench.figures import Figure, fastest, yardstick
from tests.bench.naive import seconds_for_all
from tests.bench.snapshots import file_of

TEN = (
    *("80/TCP", "443/TCP", "8080/TCP", "8443/TCP", "9090/TCP", "5432/TCP", "6379/TCP", "30050/TCP"),
    *("53/UDP", "3868/SCTP"),
)
THREE = ("8080/TCP", "8443/TCP", "53/UDP")


@dataclass(frozen=True, slots=True)
class Row:
    """A shape, what is asked of it, and what was promised."""

    shape: str
    name: str
    ports: tuple[str, ...]
    seconds: float | None = None
    megabytes: float | None = None
    repeats: int = REPEATS


ROWS = (
    Row("10k", "predict 10,000 pods, 500 namespaces, 5,000 policies, 10 ports", TEN, 0.5, 150),
    Row("real", "predict 5,413 pods, 604 namespaces, 13,678 policies, 10 ports", TEN, 1),
    Row("100k", "predict 100,000 pods, 5,000 namespaces, 50,000 policies, 3 ports", THREE, 8, repeats=1),
)


def figures() -> Iterator[Figure]:
    """Measure each in a process of its own."""
    for row in ROWS:
        naive = seconds_for_all(len(row.ports)) if row.shape == "10k" else None
        yield from measured(row, naive)


def measured(row: Row, naive: float | None = None) -> Iterator[Figure]:
    """Seconds and memory of one row; `naive` is how long the naive reading would take for the same."""
    file = file_of(row.shape)
    unit_of_work = fastest(yardstick)
    found = measure("matrix", file, *row.ports, repeats=row.repeats)
    yield seconds(f"{row.name} ({found.answer})", found, unit_of_work, row.seconds, naive)
    yield Figure("  memory above the snapshot", found.megabytes, "MB", target=row.megabytes)


def seconds(
    name: str, found: Measured, unit_of_work: float, target: float | None = None, naive: float | None = None
) -> Figure:
    """The figure of what a process of its own measured."""
    slower = naive / found.best if naive else None
    return Figure(name, found.best, "s", found.best / unit_of_work, target, slower, found.cpu)

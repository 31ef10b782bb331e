"""What is measured in a process of its own, by name."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from auditor.evaluate.model import Model
from auditor.evaluate.reach import Reach, reach
from auditor.explain import explain
from auditor.model.cluster import Snapshot
from auditor.model.flow import Family, Protocol, Traffic
from auditor.model.matrix import Query
from auditor.query import Oracle
from tests.bench.apart import Work
from tests.bench.clusters import SEED


def queries_of(words: Sequence[str]) -> list[Query]:
    """Ports as users write them: 8080/TCP."""
    split = [word.partition("/") for word in words]
    return [(Protocol(protocol), int(number)) for number, _, protocol in split]


def matrix(snapshot: Snapshot, words: Sequence[str]) -> Callable[[], Reach]:
    """Every flow between all pods, from the values of a snapshot on."""
    queries = queries_of(words)
    return lambda: reach(Model(snapshot), snapshot.pods, queries)


def classes_and_allowed(found: Reach) -> str:
    """How many classes there are, and which part of the flows between classes is allowed."""
    size = len(found.classes)
    allowed = sum(row.bit_count() for plane in found.planes.values() for row in plane.allowed)
    return f"{size:,} classes, {allowed / (size * size * len(found.planes)):.1%} allowed"


def one_flow(snapshot: Snapshot, words: Sequence[str]) -> Callable[[], object]:
    """The explanation of one flow between pods of different namespaces, from the values of a snapshot on."""
    source, destination = snapshot.pods[len(snapshot.pods) // 3], snapshot.pods[len(snapshot.pods) // 2]
    ((protocol, port),) = queries_of(words)
    return lambda: explain(Model(snapshot), source, destination, Traffic(Family.IPV4, protocol, port))


def batch(snapshot: Snapshot, words: Sequence[str]) -> Callable[[], dict[str, int]]:
    """Answers to so many queries, counted and not kept."""
    asked = questions(snapshot, int(words[0]))

    def answer() -> dict[str, int]:
        oracle, counts = Oracle(Model(snapshot)), dict[str, int]()
        for query in asked:
            word = str(oracle.answer(query).get("verdict"))
            counts[word] = counts.get(word, 0) + 1
        return counts

    return answer


def questions(snapshot: Snapshot, number: int) -> list[dict[str, Any]]:
    """Flows between any two pods, every tenth from an address outside."""
    chance = random.Random(SEED)  # noqa: S311  # shapes a benchmark, guards nothing
    names = [f"{pod.namespace}/{pod.name}" for pod in snapshot.pods]
    ports = [(80, "TCP"), (8080, "TCP"), (9090, "TCP"), (53, "UDP")]
    found = []
    for place in range(number):
        port, protocol = chance.choice(ports)
        source: Any = {"ip": f"203.0.113.{place % 250}"} if place % 10 == 0 else chance.choice(names)
        found.append({"src": source, "dst": chance.choice(names), "port": port, "protocol": protocol})
    return found


def verdicts(counts: dict[str, int]) -> str:
    return ", ".join(f"{number:,} {word}" for word, number in sorted(counts.items()))


WORKS = {
    "matrix": Work(matrix, classes_and_allowed),
    "explain": Work(one_flow, lambda found: type(found).__name__),
    "batch": Work(batch, verdicts),
}

"""What the naive reading of the tests would take for all flows: a sample is measured, the whole reckoned from it.

Asked with all objects it looks at each of them for every flow.  Asked with the policies of the two namespaces alone it
is what one would write first.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from tests.bench.clusters import SEED
from tests.bench.figures import Figure
from tests.bench.manifests import typed
from tests.bench.snapshots import SHAPES
from tests.oracle import Flow, verdict

SAMPLE = 400
WHOLE_SAMPLE = 5
PORTS = (80, 8080, 9090, 5432)
RESOURCES = ("namespaces", "pods", "networkpolicies")
Raw = dict[str, Any]


def figures() -> Iterator[Figure]:
    """How long one flow takes, in both ways."""
    yield Figure("naive reading, one flow of 10,000 pods: policies of both namespaces only", 1e6 * indexed(), "us")
    yield Figure("naive reading, one flow of 10,000 pods: all objects", 1e6 * over_all(), "us")


def seconds_for_all(ports: int) -> float:
    """Seconds for every pair of 10,000 pods and so many ports, with policies by namespace."""
    return indexed() * len(objects()["pods"]) ** 2 * ports


@cache
def objects() -> dict[str, list[Raw]]:
    raw = SHAPES["10k"]().objects
    return {resource: [typed(resource, item) for item in raw[resource]] for resource in RESOURCES}


@cache
def indexed() -> float:
    """Seconds for one flow when only what lies in the two namespaces is looked at."""
    by_home: dict[str, list[Raw]] = {}
    for item in objects()["networkpolicies"]:
        by_home.setdefault(item["metadata"]["namespace"], []).append(item)
    spaces = {item["metadata"]["name"]: item for item in objects()["namespaces"]}

    def about(flow: Flow) -> list[Raw]:
        homes = {end["metadata"]["namespace"] for end in (flow.source, flow.destination) if isinstance(end, dict)}
        return [item for home in homes for item in (spaces[home], *by_home.get(home, ()))]

    flows = sample(SAMPLE)
    known = [about(flow) for flow in flows]
    return timed([(items, flow) for items, flow in zip(known, flows, strict=True)])


@cache
def over_all() -> float:
    """Seconds for one flow when every object is looked at."""
    everything = [item for resource in RESOURCES for item in objects()[resource]]
    return timed([(everything, flow) for flow in sample(WHOLE_SAMPLE)])


def sample(number: int) -> list[Flow]:
    chance = random.Random(SEED)  # noqa: S311  # shapes a benchmark, guards nothing
    pods = objects()["pods"]
    return [Flow(chance.choice(pods), chance.choice(pods), 4, chance.choice(PORTS)) for _ in range(number)]


def timed(asked: Sequence[tuple[Sequence[Raw], Flow]]) -> float:
    started = time.perf_counter()
    for items, flow in asked:
        verdict(items, flow)
    return (time.perf_counter() - started) / len(asked)

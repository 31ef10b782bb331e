"""`netaudit predict` against a real API server that holds 10,000 pods: paging, decoding and the answer.

No kubelet and no controller runs there (`python -m tests.cluster up NAME --nodes 0`), so pods stay as they are written.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.child import netaudit
from tests.bench.commands import by_the_clock
from tests.bench.figures import Figure, fastest, yardstick
from tests.bench.snapshots import SHAPES, folder
from tests.cluster import artifacts, lifecycle
from tests.cluster.api import Api
from tests.cluster.populate import populate
from tests.cluster.spec import make_spec

NAME = "bench"
REPEATS = 3
ANSWER, MEMORY = 6.0, 400.0


def why_not() -> str:
    """What keeps the bench from running here; empty when nothing does."""
    if os.geteuid():
        return "it needs root"
    if artifacts.store().find("kube") is None:
        return "Kubernetes is not built: python -m tests.cluster.artifacts build kube"
    return ""


def figures() -> Iterator[Figure]:
    """Fill an API server, and ask it a few times."""
    try:
        kubeconfig = lifecycle.up(make_spec(NAME, nodes=0), lambda _: None).kubeconfig
        started = time.perf_counter()
        requests = populate(Api(kubeconfig), SHAPES["10k"]())
        yield Figure("write 10,000 pods, 500 namespaces, 5,000 policies", time.perf_counter() - started, "s")
        yield Figure("  requests for it", requests, "")
        yield from asked(kubeconfig)
    finally:
        lifecycle.down(NAME)


def asked(kubeconfig: Path) -> Iterator[Figure]:
    """The best of a few predictions, and the most memory that one took."""
    unit_of_work = fastest(yardstick)
    words = ("predict", "--kubeconfig", str(kubeconfig), "--port", "8080")
    ran = [netaudit(*words, output=folder() / "served") for _ in range(REPEATS)]
    best = min(ran, key=by_the_clock)
    name = "netaudit predict, API server with 10,000 pods, 5,000 policies"
    yield Figure(name, best.seconds, "s", best.seconds / unit_of_work, ANSWER, cpu=best.cpu)
    yield Figure("  memory of the process", max(item.megabytes for item in ran), "MB", target=MEMORY)

"""`netaudit run` against a real cluster where Cilium enforces: 10, 30 and 60 identities on 5 ports, with each agent.

Seconds are those of a whole run, pods included, at the default pace of requests; nothing there is a surprise, so that
the settle time is not waited for.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.figures import Figure
from tests.cluster import artifacts, lifecycle
from tests.cluster.cluster import Cluster, of_record
from tests.cluster.spec import make_spec
from tests.cluster.tests.audit.command import Command
from tests.cluster.tests.audit.requests import counting
from tests.cluster.tests.audit.site import Site, namespace, pod, policy

NAME = "bench"
IDENTITIES = (10, 30, 60)
PORTS = range(8080, 8085)
WORDS = ("run", "--coverage", "rules", "--rate", "20")
AGENTS = {"shell": (), "python": ("--image", "netaudit.test/netaudit-base:1", "--agent", "python")}
SECONDS = {30: 30.0}
"""The targets of design.md, section 7, by identities."""
PER_POD = 10
SETTINGS = {
    "api-rate-limit": "endpoint-create=rate-limit:20/s,rate-burst:20,parallel-requests:4,auto-adjust:false,"
    "max-wait-duration:60s"
}
"""By itself Cilium gives a node a new pod every two seconds, and that is all that a run would be waiting for."""


def why_not() -> str:
    """What keeps the bench from running here; empty when nothing does."""
    if os.geteuid():
        return "it needs root"
    if artifacts.store().find("cilium") is None:
        return "Cilium is not built: python -m tests.cluster.artifacts build"
    return ""


def figures() -> Iterator[Figure]:
    """Start a cluster, and audit it as it grows."""
    try:
        cluster = of_record(lifecycle.up(make_spec(NAME, engine="cilium", nodes=2, settings=SETTINGS), lambda _: None))
        site = Site(cluster)
        for number in IDENTITIES:
            grow(site, number)
            for agent in AGENTS:
                with TemporaryDirectory() as folder:
                    yield from audited(cluster, number, agent, Path(folder))
    finally:
        lifecycle.down(NAME)


def grow(site: Site, number: int) -> None:
    """Have so many pods that policies can tell apart, half of them on each node, open to their neighbour alone."""
    names = [f"row-{turn}" for turn in range(number)]
    site.apply(
        namespace("rows"),
        *(pod("rows", name, f"n{1 + turn % 2}", {"row": name}, PORTS) for turn, name in enumerate(names)),
        *(policy("rows", name, {"row": name}, ingress=[opened(names[turn - 1])]) for turn, name in enumerate(names)),
    )
    site.await_ready()


def opened(neighbour: str) -> dict[str, object]:
    """The one rule of a policy."""
    peer = {"podSelector": {"matchLabels": {"row": neighbour}}}
    return {"from": [peer], "ports": [{"port": port} for port in PORTS]}


def audited(cluster: Cluster, number: int, agent: str, folder: Path) -> Iterator[Figure]:
    """One run: how long it took, what it asked for and what it tried."""
    with counting(cluster.audit_log) as requests:
        started = time.perf_counter()
        result = Command(folder, cluster.kubeconfig).run(*WORDS, *AGENTS[agent])
        seconds = time.perf_counter() - started
    if result.code:
        raise RuntimeError(f"exit {result.code}: {result.err[-2000:]}")
    report = result.report.raw
    yield Figure(
        f"{agent}: audit of {number} identities x {len(PORTS)} ports", seconds, "s", target=SECONDS.get(number)
    )
    pods = len(report["stand_ins"])
    yield Figure("  probe pods", pods, "")
    yield Figure("  flows", len(report["flows"]), "")
    yield Figure("  requests for each probe pod", requests.total / pods, "", target=PER_POD)

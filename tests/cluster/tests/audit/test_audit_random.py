"""Random policies on real clusters: no verdict is wrong, whether all nodes enforce them, none does, or one does not."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.faults import inflict
from tests.cluster.fixtures import ClusterFactory
from tests.cluster.tests.audit.command import Command, Result
from tests.cluster.tests.audit.conftest import STANDING, standing
from tests.cluster.tests.audit.random_policies import POLICIES, World, as_cilium_reads, draw, wrong
from tests.cluster.tests.audit.site import Object, Site
from tests.cluster.tests.audit.tabling import Table, agreements, table
from tests.cluster.tests.audit.test_audit_model_cases import AGENT, UNHURRIED

SEEDS = range(20)
SWIFT = ("--rate", "100", "--budget", "25m", *AGENT)
HEADS = ["seed", "engine", "exit", "flows", "by agreement", "wrong", "opened by cilium#46305"]
WIDTHS = [5, 24, 4, 6, 60, 6, 12]

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def results(request: pytest.FixtureRequest) -> Iterator[Table]:
    """Collect what each seed gave."""
    title = f"{POLICIES} random policies, 20 identities, 10 ports, every pair"
    with table(request.config, title, HEADS, WIDTHS) as made:
        yield made


@pytest.fixture(scope="module", params=["none", "cilium"])
def site(request: pytest.FixtureRequest, cluster: ClusterFactory) -> Iterator[Site]:
    """Give a cluster without an engine, and then one with Cilium."""
    settings = {"api-rate-limit": UNHURRIED} if request.param == "cilium" else None
    mine = standing(request.param, cluster, settings)
    place = Site(mine)
    place.clear()
    yield place
    place.clear()
    if request.param == "cilium" and f"{STANDING}_CILIUM" not in os.environ:
        mine.down()


@pytest.fixture(scope="module")
def audited(site: Site, results: Table, tmp_path_factory: pytest.TempPathFactory) -> Callable[[int, str], None]:
    """Give what deploys a seed's policies, audits them once and holds every flow against the oracle."""

    def audit(seed: int, state: str) -> None:
        objects = draw(seed)
        folder = tmp_path_factory.mktemp("seed")
        result = Command(folder, site.cluster.kubeconfig).run("run", *SWIFT, *PATIENCE[state], timeout=1600)
        hold(objects, state, result, seed, results)

    return audit


PATIENCE = {"none": ("--settle", "1"), "cilium": ("--settle", "5"), "cilium, n2 switched off": ("--settle", "1")}
BLIND = {"none": ("n1", "n2"), "cilium": (), "cilium, n2 switched off": ("n2",)}
CODES = {"none": {3}, "cilium": {0, 3, 4}, "cilium, n2 switched off": {3}}


def hold(objects: list[Object], state: str, result: Result, seed: int, results: Table) -> None:
    """Hold a report against who must get through: zero wrong, and few flows left open."""
    report = result.report
    says = World(objects, report.raw)
    does = World(as_cilium_reads(objects), report.raw) if state != "none" else says
    bad = list(wrong(report.raw, says, does, BLIND[state]))
    found = agreements(report)
    named = sum(says.denied(flow) and not does.denied(flow) for flow in report.raw["flows"]) if state != "none" else 0
    results.add(seed, state, result.code, len(report.flows), dict(sorted(found.items())), len(bad), named)

    assert bad == []
    assert result.code in CODES[state], result.err
    assert (result.code == 3) == bool(found["leak"] or found["blockage"])
    open_for = Counter(flow.reason for flow in report.judged("inconclusive"))
    assert open_for.total() < 0.05 * len(report.flows), open_for.most_common(5)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_verdict_is_wrong(site: Site, audited: Callable[[int, str], None], seed: int) -> None:
    """Every flow of the seed's policies: as the oracle and the packets have it, with all nodes and with a bad one."""
    site.clear()
    site.apply(*draw(seed))
    site.await_ready()
    engine = site.cluster.record().spec.engine.value
    audited(seed, engine)
    if engine == "cilium":
        with switched_off(site.cluster, "n2"):
            audited(seed, "cilium, n2 switched off")


@contextmanager
def switched_off(cluster: Cluster, node: str) -> Iterator[None]:
    """Have a node's agent stop enforcing for as long as the block lasts; no object of the API tells."""
    inflict(cluster, "policy-off", node)
    try:
        yield
    finally:
        inflict(cluster, "policy-on", node)

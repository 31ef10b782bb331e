"""What befalls an engine and its policies while a run is at work: where Cilium enforces, denials hold or are left open.

Where its agent hangs, a node's last rules stay in force and no pod can start there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.cilium import reconfigure
from tests.cluster.cluster import Cluster, existing
from tests.cluster.fixtures import ClusterFactory
from tests.cluster.tests.audit import disturbing, vault
from tests.cluster.tests.audit.command import Command, Report, Result
from tests.cluster.tests.audit.disturbing import Befall
from tests.cluster.tests.audit.site import Object, Site, pod, policy
from tests.cluster.tests.audit.tabling import Table, table
from tests.cluster.tests.audit.vault import CLIENT, HOME, WEB

STANDING = "NETAUDIT_TEST_CILIUM"
"""Names a cluster of Cilium that stands already: handy while a test is being written."""
RIGHT, OPEN = "as-expected", "inconclusive"
SETTLE = ("--settle", "3", "--start-timeout", "40")
PORT = 8080
CLOSES = policy(HOME, "closed", {"app": "web"}, ingress=[])
ALL: dict[str, dict[str, Any]] = {
    "deny": {"ingressDeny": [{"fromEntities": ["all"]}], "egressDeny": [{"toEntities": ["all"]}]},
    "default-deny": {"ingress": [{}], "egress": [{}]},
}
"""Rules that let nobody talk to anybody."""

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def strict(cluster: ClusterFactory) -> Cluster:
    """Give the cluster where Cilium enforces."""
    name = os.environ.get(STANDING)
    return existing(name) if name else cluster(engine="cilium", nodes=2)


@pytest.fixture(scope="module")
def deployed(strict: Cluster) -> Iterator[Site]:
    """Deploy something to audit."""
    place = Site(strict)
    place.clear()
    vault.deploy(place)
    yield place
    place.clear()


@pytest.fixture(scope="module")
def results(request: pytest.FixtureRequest) -> Iterator[Table]:
    """Collect what each case gave."""
    with table(request.config, "What befell a run, on a cluster where Cilium enforces") as made:
        yield made


@pytest.fixture
def netaudit(strict: Cluster, tmp_path: Path) -> Command:
    """Give the command with the cluster's kubeconfig."""
    return Command(tmp_path, strict.kubeconfig)


def hanging(site: Site) -> AbstractContextManager[None]:
    """The policy agent of the node where the web server stands hangs."""
    return disturbing.stopped(site, "agent", "n1")


@contextmanager
def closing(site: Site) -> Iterator[None]:
    """The agent hangs, and a policy comes that closes what its rules leave open."""
    with hanging(site), disturbing.applied(site, CLOSES):
        yield


@contextmanager
def opening(site: Site) -> Iterator[None]:
    """The agent hangs, and the policy goes that its rules stand for."""
    with hanging(site):
        site.cluster.kubectl("delete", "networkpolicy", "-n", HOME, "web")
        try:
            yield
        finally:
            vault.deploy(site)


def check_held(result: Result) -> None:
    """Nothing is called what it is not: here every denial holds, and what is allowed gets through."""
    assert "Traceback" not in result.err + result.out
    report = result.report
    whole = report.summary["coverage"] == 1 and report.titles() == {WEB, CLIENT}
    assert {flow.agreement for flow in report.flows} <= {RIGHT, OPEN}
    assert result.code == (0 if whole else 4), result.err
    assert whole or "ncomplete" in report.summary["sentence"]


def swept(site: Site, netaudit: Command) -> None:
    """What is left goes once the agent is back."""
    done = netaudit.run("cleanup", "--force")
    assert done.code == 0, done.err
    assert site.traces() == []


@pytest.mark.parametrize("stage", ["", "probe ("])
def test_agent_that_hangs(deployed: Site, netaudit: Command, results: Table, stage: str) -> None:
    """From the start on, no flow of its node is judged; later on its last rules are those that should hold."""
    if stage:
        with netaudit.start("run", *SETTLE) as running:
            running.await_line(stage)
            with hanging(deployed):
                result = running.finish()
    else:
        with hanging(deployed):
            result = netaudit.run("run", *SETTLE)
    rest = deployed.traces()
    results.note(f"agent of n1 stopped {f'from {stage!r} on' if stage else 'beforehand'}", result, rest)
    swept(deployed, netaudit)

    check_held(result)
    assert not rest or result.report.raw["leftovers"]
    assert stage or {flow.agreement for flow in result.report.flows if WEB in flow.path} == {OPEN}


@pytest.mark.parametrize("change", [closing, opening], ids=["closing", "opening"])
def test_policies_that_change_while_an_agent_hangs(
    deployed: Site, netaudit: Command, results: Table, change: Befall
) -> None:
    """Rules that are out of date are no proof of the policies that are there."""
    with netaudit.start("run", *SETTLE) as running:
        running.await_line("check listeners")
        with change(deployed):
            result = running.finish()
    results.note(f"agent of n1 stopped, then a policy {change.__name__}", result, deployed.traces())
    swept(deployed, netaudit)

    assert result.code == 4
    assert {flow.agreement for flow in result.report.flows} == {OPEN}
    assert {flow.reason for flow in result.report.flows} == {"a policy of one end's namespace changed during the run"}


def listener() -> Object:
    """A real pod that answers on the node of which the agent hangs."""
    made = pod(HOME, "real", "n1", {"app": "real"}, [PORT])
    made["spec"]["containers"][0]["command"] = ["nc", "-lk", "-p", str(PORT), "-e", "cat"]
    return made


def test_rules_that_are_out_of_date_before_a_run(deployed: Site, netaudit: Command, results: Table) -> None:
    """A policy that came while the agent hung is not in force: real pods show it, where probe pods cannot start."""
    deployed.apply(listener())
    deployed.await_ready()
    try:
        with hanging(deployed), disturbing.applied(deployed, policy(HOME, "real", {"app": "real"}, ingress=[])):
            result = netaudit.run("run", *SETTLE, "--targets", "real")
    finally:
        deployed.cluster.kubectl("delete", "pod", "-n", HOME, "real", "--wait=false")
    results.note("agent of n1 stopped, then a policy, real targets", result, deployed.traces())
    swept(deployed, netaudit)

    met = [item for item in result.report.raw["handshakes"] if item["port"] == PORT]
    assert result.code == 3
    assert met
    assert {(item["verdict"], item["agreement"]) for item in met} <= {("denied", "leak"), ("denied", OPEN)}
    assert "leak" in {item["agreement"] for item in met}


@pytest.mark.parametrize("how", ALL)
def test_everything_is_denied_controls_included(deployed: Site, netaudit: Command, results: Table, how: str) -> None:
    """Where unpoliced pods cannot talk either, silence proves nothing, and that is what is said."""
    made = {"apiVersion": "cilium.io/v2", "kind": "CiliumClusterwideNetworkPolicy", "metadata": {"name": "nobody"}}
    with disturbing.applied(deployed, {**made, "spec": {"endpointSelector": {}, **ALL[how]}}):
        result = netaudit.run("run", *SETTLE)
    results.note(f"every pod shut off by {how}", result, deployed.traces())

    report = result.report
    assert result.code == 4
    assert {flow.verdict for flow in report.flows} == {"denied"}
    assert {flow.agreement for flow in report.flows} == {OPEN}
    assert all("unpoliced twins" in flow.reason for flow in report.flows)
    assert "nobody selects netaudit's controls too" in str(report.raw)
    assert deployed.traces() == []


@contextmanager
def answering(cluster: Cluster, how: str) -> Iterator[None]:
    """Cilium answers connections that policies deny to a pod's own side."""
    record = cluster.record()
    before = record.spec.settings
    reconfigure(record, {**before, "policy-deny-response": how})
    try:
        yield
    finally:
        reconfigure(record, before)


def test_denial_by_icmp(deployed: Site, netaudit: Command, results: Table) -> None:
    """Refusals beside twins that got through are proof as good as silence."""
    inside = policy(HOME, "inside", {"app": "client"}, egress=[{"to": [{"podSelector": {}}]}])
    with answering(deployed.cluster, "icmp"), disturbing.applied(deployed, inside):
        result = netaudit.run("run", *SETTLE)
    results.note("egress denied by ICMP", result, deployed.traces())

    assert result.code == 0, result.err
    assert outcomes(result.report, "denied") == {"silent", "refused"}
    assert {flow.agreement for flow in result.report.flows} == {RIGHT}
    assert deployed.traces() == []


def outcomes(report: Report, verdict: str) -> set[str]:
    """What flows of a verdict came to."""
    return {item["outcome"] for item in report.raw["flows"] if item["verdict"] == verdict}

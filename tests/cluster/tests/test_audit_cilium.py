"""The guides' examples where Cilium enforces, and where it only seems to: what leaks is just what nobody denies."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.faults import inflict
from tests.cluster.fixtures import ClusterFactory
from tests.cluster.tests.audit import guides
from tests.cluster.tests.audit.command import Command, Flow, Report, Result
from tests.cluster.tests.audit.site import Site

SETTLE = ("--settle", "3")
NEVER = {"enable-policy": "never"}
AUDIT = {"policy-audit-mode": "true"}
Key = tuple[tuple[str, str], int]
"""The two stand-ins of a flow and its port."""


@pytest.fixture
def deployed() -> Iterator[Callable[[Cluster], Site]]:
    """Deploy both examples in a cluster, and take them away again; a cluster of an odd kind goes with them."""
    places: list[Site] = []

    def deploy(cluster: Cluster) -> Site:
        place = Site(cluster)
        places.append(place)
        place.clear()
        place.apply(*guides.objects("staging", "three-tier"))
        place.await_ready()
        return place

    yield deploy
    for place in places:
        spec = place.cluster.record().spec
        if spec.settings or any(node.bare or node.settings for node in spec.nodes):
            place.cluster.down()
        else:
            place.clear()


def audit(cluster: Cluster, folder: Path) -> Result:
    """Run the command on a cluster."""
    return Command(folder, cluster.kubeconfig).run("run", *SETTLE)


def enforcers(report: Report, flow: Flow) -> set[str]:
    """The nodes that each alone would have to deny a flow: the source's for egress, the destination's for ingress."""
    nodes = {item["key"]: item["node"] for item in report.raw["stand_ins"]}
    policies = guides.deniers(flow.path)
    egress = {nodes[flow.keys[0]]} if guides.LIMIT in policies else set()
    return egress | ({nodes[flow.keys[1]]} if policies - {guides.LIMIT} else set())


def expected_leaks(report: Report, blind: set[str]) -> set[Key]:
    """The flows that only the blind nodes should deny."""
    return {
        (flow.keys, flow.port)
        for flow in report.flows
        if guides.deniers(flow.path) and enforcers(report, flow) <= blind
    }


def leaks(report: Report) -> set[Key]:
    """The flows that leaked."""
    return {(flow.keys, flow.port) for flow in report.judged("leak")}


def assert_only_leaks(result: Result, blind: set[str]) -> None:
    """Exit 3, and the leaks are exactly the flows that only the blind nodes should deny."""
    report = result.report

    assert result.code == 3
    assert leaks(report) == expected_leaks(report, blind) != set()
    assert {flow.agreement for flow in report.flows} == {"leak", "as-expected"}


def test_cilium_enforces_and_every_denial_is_proven(
    cluster: ClusterFactory, deployed: Callable[[Cluster], Site], tmp_path: Path
) -> None:
    """Under Cilium the run is clean, each denied flow is shown, and what no flow speaks for is listed."""
    mine = cluster(engine="cilium", nodes=2)
    deployed(mine)

    result = audit(mine, tmp_path)

    report = result.report
    denied = [flow for flow in report.flows if guides.deniers(flow.path)]
    claims = {item["subject"]: item["proof"] for item in report.raw["policies"]}
    assert (result.code, report.summary["coverage"], report.raw["findings"]) == (0, 1, [])
    assert {flow.agreement for flow in report.flows} == {"as-expected"}
    assert {flow.reason for flow in denied} == {"denied, with every piece of proof"}
    assert report.summary["proven_denials"] == len(denied)
    assert claims.pop("three-tier/default-deny-ingress") == "not separately proven"
    assert set(claims.values()) == {"proven"}
    assert "not separately proven" in result.out


def test_switch_without_trace_on_one_node(
    cluster: ClusterFactory, deployed: Callable[[Cluster], Site], tmp_path: Path
) -> None:
    """An agent told at run time to enforce nothing shows in packets alone, on its node alone."""
    mine = cluster(engine="cilium", nodes=2)
    deployed(mine)

    inflict(mine, "policy-off", "n2")
    try:
        result = audit(mine, tmp_path)
    finally:
        inflict(mine, "policy-on", "n2")

    assert_only_leaks(result, {"n2"})
    assert all("n2 does not enforce" in finding["cause"] for finding in result.report.raw["findings"])


@pytest.mark.long
@pytest.mark.parametrize("blind", [set[str](), {"n2"}], ids=["still enforced", "not any more on one node"])
def test_run_that_was_killed_at_its_end_is_gone_on_from(
    cluster: ClusterFactory, deployed: Callable[[Cluster], Site], tmp_path: Path, blind: set[str]
) -> None:
    """Denials with all their proof are taken over where enforcement goes on, and none where it has stopped since."""
    mine = cluster(engine="cilium", nodes=2)
    place = deployed(mine)
    command = Command(tmp_path, mine.kubeconfig)
    with command.start("run", *SETTLE) as killed:
        killed.await_line("clean up")
        killed.signal(signal.SIGKILL)
        killed.finish()

    for node in blind:
        inflict(mine, "policy-off", node)
    try:
        result = command.run("run", *SETTLE, "--resume", "last")
    finally:
        for node in blind:
            inflict(mine, "policy-on", node)

    report = result.report
    taken = [item for item in report.raw["flows"] if item["measured"]]
    print(report.summary, len(taken))  # noqa: T201
    assert [item for item in taken if item["verdict"] == "denied"]
    right = [flow for flow in report.judged("as-expected") if guides.deniers(flow.path)]
    assert not [flow for flow in right if enforcers(report, flow) <= blind]
    assert result.code == (3 if blind else 0)
    assert place.traces() == []


@pytest.mark.long
def test_node_config_that_switches_one_node_off(
    cluster: ClusterFactory, deployed: Callable[[Cluster], Site], tmp_path: Path
) -> None:
    """A CiliumNodeConfig that sets enable-policy to never makes exactly that node's denials leak."""
    mine = cluster(engine="cilium", nodes=2, node_settings={"n2": NEVER})
    deployed(mine)

    assert_only_leaks(audit(mine, tmp_path), {"n2"})


def test_node_without_agent(cluster: ClusterFactory, deployed: Callable[[Cluster], Site], tmp_path: Path) -> None:
    """A node without agent leaks, and its pods are strangers to the others: what selectors allow them is blocked."""
    mine = cluster(engine="cilium", nodes=2, bare=["n2"])
    deployed(mine)

    result = audit(mine, tmp_path)

    report = result.report
    nodes = {item["key"]: item["node"] for item in report.raw["stand_ins"]}
    blocked = report.judged("blockage")
    causes = [item["cause"] for item in report.raw["findings"] if item["rule"] == "blockage"]
    assert result.code == 3
    assert leaks(report) == expected_leaks(report, {"n2"}) != set()
    # Allowed by a selector that has to recognise a pod of the bare node, on the node that enforces.
    assert {(nodes[flow.keys[0]], nodes[flow.keys[1]]) for flow in blocked} == {("n2", "n1")}
    assert all(flow.destination in guides.GUARDS and not guides.deniers(flow.path) for flow in blocked)
    assert causes
    assert all("does not manage the pods on n2" in cause for cause in causes)


@pytest.mark.long
@pytest.mark.parametrize("settings", [NEVER, AUDIT], ids=["never", "audit-mode"])
def test_cluster_where_all_looks_healthy(
    cluster: ClusterFactory, deployed: Callable[[Cluster], Site], tmp_path: Path, settings: dict[str, str]
) -> None:
    """With enforcement set to never, or to audit mode, every denied flow leaks although all agents are well."""
    mine = cluster(engine="cilium", nodes=2, settings=settings)
    deployed(mine)

    assert_only_leaks(audit(mine, tmp_path), {"n1", "n2"})

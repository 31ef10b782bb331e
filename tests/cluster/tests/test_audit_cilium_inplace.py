"""`--mode inplace` where Cilium enforces: what real pods may not do is shown, and what they may gets through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.faults import inflict
from tests.cluster.fixtures import ClusterFactory
from tests.cluster.tests.audit.command import Command, Report, Result
from tests.cluster.tests.audit.conftest import standing
from tests.cluster.tests.audit.lodgers import agents, marks, restarts
from tests.cluster.tests.audit.site import RESTRICTED, Object, Site, namespace, pod, policy, secured

HOME = "shop"
SERVED = 8080
PLACES = {"web": "n1", "db": "n2", "job": "n2"}
WEB, DB, JOB = ({"app": name} for name in PLACES)
RUN = ("run", "--mode", "inplace", "-n", HOME, "--targets", "real", "--settle", "3")


def real(name: str, node: str, labels: Mapping[str, str]) -> Object:
    """A restricted pod that answers on its port, and is ready because it does."""
    made = pod(HOME, name, node, labels, [SERVED])
    spec = secured(made["spec"])
    spec["containers"][0] |= {
        "command": ["nc", "-lk", "-p", str(SERVED), "-e", "echo", "hello"],
        "readinessProbe": {"tcpSocket": {"port": SERVED}, "periodSeconds": 1},
    }
    return {**made, "spec": spec}


def peer(labels: Mapping[str, str]) -> dict[str, Any]:
    return {"podSelector": {"matchLabels": dict(labels)}}


def scene() -> Iterator[Object]:
    """Jobs talk to web alone, web to the database alone, and the database hears web on its own port alone."""
    yield namespace(HOME, **RESTRICTED)
    for name, node in PLACES.items():
        yield real(name, node, {"app": name})
    yield policy(HOME, "web", WEB, ingress=[{"from": [peer(JOB)]}], egress=[{"to": [peer(DB)]}])
    yield policy(HOME, "db", DB, ingress=[{"from": [peer(WEB)], "ports": [{"port": SERVED}]}])
    yield policy(HOME, "job", JOB, egress=[{"to": [peer(WEB)]}])


@pytest.fixture(scope="module")
def strict(cluster: ClusterFactory) -> Cluster:
    """Give the cluster where Cilium enforces."""
    return standing("cilium", cluster)


@pytest.fixture(scope="module")
def shop(strict: Cluster) -> Iterator[Site]:
    """Deploy it."""
    place = Site(strict)
    place.clear()
    place.apply(*scene())
    place.await_ready()
    yield place
    place.clear()


def denying(report: Report, item: Mapping[str, Any]) -> set[str]:
    """The nodes that would have to deny a flow or a handshake: the source's for egress, the other's for ingress."""
    nodes = {one["key"]: one["node"] for one in report.raw["stand_ins"]}
    target = (
        nodes[item["destination"]] if "destination" in item else PLACES[item["target"].removeprefix(f"pod {HOME}/")]
    )
    ends = {"Egress": nodes[item["source"]], "Ingress": target}
    return {ends[direction] for direction in item["denied_by"]}


def check_harmless(result: Result, site: Site) -> None:
    """No real pod was started again, and what stays of the agents, which have ended, is named, pod by pod."""
    told = {item["pod"]: item["container"] for item in result.report.raw["marked"]}
    there = marks(site, HOME)

    assert restarts(site, HOME) == {"web": 0, "db": 0, "job": 0}
    assert told.keys() == there.keys() == {"web", "db", "job"}
    assert all(container in there[name] and container in result.err for name, container in told.items())
    assert agents(site, HOME, "running") == []
    assert [line for line in site.traces() if line != "namespace netaudit"] == []


def test_denials_hold_from_and_to_the_pods_themselves(shop: Site, strict: Cluster, tmp_path: Path) -> None:
    """Exit 0: each denial has all its proof, on ports that are the pods' own by handshake, and nothing is blocked."""
    result = Command(tmp_path, strict.kubeconfig).run(*RUN)

    report = result.report
    reasons = {flow.reason for flow in report.flows if flow.verdict == "denied"}
    met = {(item["target"], item["verdict"], item["outcome"], item["agreement"]) for item in report.raw["handshakes"]}
    assert (result.code, report.summary["coverage"], report.raw["findings"]) == (0, 1, []), result.out
    assert {flow.agreement for flow in report.flows} == {"as-expected"}
    assert reasons == {"denied, with every piece of proof"}
    assert report.titles() == {f"{HOME}/{name}" for name in ("web", "db", "job")}
    assert {item["proof"] for item in [*report.raw["policies"], *report.raw["nodes"]]} == {"proven"}
    # To web and the database from a node where nobody may talk to them, too.
    assert {(target, agreement) for target, verdict, _, agreement in met if verdict == "denied"} == {
        (f"pod {HOME}/{name}", "as-expected") for name in ("web", "db", "job")
    }
    assert (f"pod {HOME}/db", "allowed", "reached", "as-expected") in met
    check_harmless(result, shop)


@pytest.mark.long
def test_what_one_node_does_not_enforce_leaks_and_no_more(shop: Site, strict: Cluster, tmp_path: Path) -> None:
    """Where one node's agent is told to enforce nothing, just what it alone should deny gets through."""
    inflict(strict, "policy-off", "n2")
    try:
        result = Command(tmp_path, strict.kubeconfig).run(*RUN)
    finally:
        inflict(strict, "policy-on", "n2")

    report = result.report
    assert result.code == 3
    for found in (report.raw["flows"], report.raw["handshakes"]):
        denied = [item for item in found if item["verdict"] == "denied"]
        open_ones = [item["id"] for item in denied if denying(report, item) <= {"n2"}]
        assert [item["id"] for item in denied if item["agreement"] == "leak"] == open_ones != []
        assert {item["agreement"] for item in found} == {"leak", "as-expected"}
    check_harmless(result, shop)

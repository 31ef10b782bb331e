"""Services of netaudit's own where nothing enforces: kube-proxy and CoreDNS lead to the pod, and each way is a leak."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

from tests.cluster.fixtures import ClusterFactory
from tests.cluster.tests.audit.accounts import as_account
from tests.cluster.tests.audit.command import Command

KUSTOMIZE = Path(__file__).parents[3] / "deploy/kustomize"
RBAC = [str(KUSTOMIZE / part / "rbac.yaml") for part in ("sentinel", "sentinel-services")]
WORDS = ("run", "--mode", "sentinel", "--no-enforce-time", "--targets", "service", "--settle", "0", "--rate", "200")
OWN = ("netaudit", "netaudit-ctl-1", "netaudit-ctl-2")
MADE = "services,pods,deployments,networkpolicies,leases"


def test_a_leak_through_each_way_is_told_and_nothing_stays(cluster: ClusterFactory, tmp_path: Path) -> None:
    """With the rights of the overlay alone; names are resolved on both nodes, apart from connecting."""
    mine = cluster(engine="none", nodes=2)
    for file in RBAC:
        mine.kubectl("apply", "-f", file)
    try:
        result = Command(tmp_path, as_account(mine, tmp_path)).run(*WORDS)
        left = [mine.kubectl("get", "-n", name, MADE, "-o", "name").stdout for name in OWN]
    finally:
        for file in reversed(RBAC):
            mine.kubectl("delete", "-f", file)
    raw = result.report.raw
    print(json.dumps([raw["summary"], raw["run"], raw["names"]]))  # noqa: T201

    assert result.code == 3, result.out + result.err
    found: dict[str, set[str]] = defaultdict(set)
    for item in raw["service_paths"]:
        found[item["way"]].add(f"{item['verdict']} {item['outcome']} {item['agreement']}")
    ways = {"pod address", "ClusterIP", "headless", "NodePort"}
    assert set(found) == ways
    for way in ways - {"NodePort"}:
        assert found[way] == {"allowed reached as-expected", "denied reached leak"}
    # What has no verdict, because the source may be rewritten, is told and not judged.
    assert found["NodePort"] == {
        "allowed reached as-expected",
        "denied reached leak",
        "undefined reached inconclusive",
    }
    titles = {item["title"] for item in raw["findings"] if item["rule"] == "service"}
    assert titles == {f"A policy does not hold for connections by {way}" for way in ways}
    assert {(item["source_node"], item["outcome"]) for item in raw["names"]} == {("n1", "resolved"), ("n2", "resolved")}
    assert all(item["milliseconds"] >= 0 for item in raw["names"])
    assert left == [""] * 3

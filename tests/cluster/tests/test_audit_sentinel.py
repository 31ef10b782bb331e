"""Sentinel runs with the rights of deploy/kustomize/sentinel alone, where nothing enforces and where Cilium does."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.cluster import Cluster
from tests.cluster.fixtures import ClusterFactory
from tests.cluster.tests.audit.accounts import as_account
from tests.cluster.tests.audit.command import Command, Result

RBAC = Path(__file__).parents[3] / "deploy/kustomize/sentinel/rbac.yaml"
NAMESPACES = ("netaudit", "netaudit-ctl-1", "netaudit-ctl-2")
MADE = "pods,deployments,networkpolicies,leases"


def confined(cluster: Cluster, folder: Path) -> Command:
    """Give the command as the service account that the kustomization makes."""
    cluster.kubectl("apply", "-f", str(RBAC))
    return Command(folder, as_account(cluster, folder))


def left(cluster: Cluster) -> list[str]:
    """Name what stands in netaudit's namespaces beside what the kustomization makes."""
    return [
        line
        for name in NAMESPACES
        for line in cluster.kubectl("get", "-n", name, MADE, "-o", "name").stdout.splitlines()
    ]


def proofs(result: Result, claims: str) -> set[tuple[str, str, str]]:
    """Give subject, direction and proof of each claim."""
    return {(item["subject"], item["direction"], item["proof"]) for item in result.report.raw[claims]}


def timed(result: Result) -> dict[str, list[dict[str, Any]]]:
    """Give the figures of each kind of change; all must be there, on both nodes and in both directions."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for item in result.report.raw["enforcement"]:
        found[item["change"]].append(item)
        print(item)  # noqa: T201
    places = [(node, way) for node in ("n1", "n2") for way in ("Egress", "Ingress")]
    assert {tuple((item["node"], item["direction"]) for item in items) for items in found.values()} == {tuple(places)}
    assert set(found) == {"new policy", "fresh pod", "policy removed"}
    return found


@pytest.mark.parametrize(("engine", "code", "proof"), [("none", 3, "leaking"), ("cilium", 0, "proven")])
def test_sentinels_tell_on_every_node_and_direction(
    cluster: ClusterFactory, tmp_path: Path, engine: str, code: int, proof: str
) -> None:
    """Where nothing enforces, it is told of policies that they never hold, too."""
    mine = cluster(engine=engine, nodes=2)
    before = mine.kubectl("get", "networkpolicies", "-A", "-o", "json").stdout
    words = ["--settle", "3", "--enforce-time" if engine == "none" else "--no-enforce-time"]
    try:
        result = confined(mine, tmp_path).run("run", "--mode", "sentinel", *words)
        rest = left(mine)
    finally:
        mine.kubectl("delete", "-f", str(RBAC))
    report = result.report

    print(json.dumps(report.summary | report.raw["run"]), report.raw["limits"][-1])  # noqa: T201
    assert result.code == code, result.out + result.err
    assert report.raw["run"]["mode"] == "sentinel"
    assert proofs(result, "nodes") == {(node, way, proof) for node in ("n1", "n2") for way in ("Egress", "Ingress")}
    assert {found for _, _, found in proofs(result, "policies")} == {proof}
    assert len(report.raw["policies"]) == 4
    assert report.summary["coverage"] == 1
    assert "not about this cluster's policies" in " ".join(result.out.split())
    assert rest == []
    names = {item["metadata"]["name"] for item in yaml.safe_load(before)["items"]}
    assert "netaudit-sealed-in" not in names
    if engine == "none":
        paces = {change: {item["pace"] for item in items} for change, items in timed(result).items()}
        assert paces == {"new policy": {"never"}, "fresh pod": {"never"}, "policy removed": {"inconclusive"}}
        assert [item["severity"] for item in report.raw["findings"] if item["rule"] == "enforcement"] == ["high"] * 2


PYTHON = ("--image", "netaudit.test/netaudit-base:1", "--agent", "python")


@pytest.mark.long
@pytest.mark.parametrize("agent", [(), PYTHON], ids=["shell", "python"])
def test_where_policies_hold_it_is_told_how_soon(
    cluster: ClusterFactory, tmp_path: Path, agent: tuple[str, ...]
) -> None:
    """A fresh pod is denied from its first try on; what takes its time takes milliseconds, and what goes comes back."""
    mine = cluster(engine="cilium", nodes=2)
    try:
        result = confined(mine, tmp_path).run("run", "--mode", "sentinel", "--enforce-time", "--settle", "20", *agent)
        rest = left(mine)
    finally:
        mine.kubectl("delete", "-f", str(RBAC))
    figures = timed(result)

    assert (result.code, rest) == (0, []), result.out + result.err
    assert {item["pace"] for item in figures["fresh pod"]} == {"at once"}
    assert {item["pace"] for items in figures.values() for item in items} <= {"at once", "after a while"}
    assert all(0 <= item["milliseconds"] < 5_000 for items in figures.values() for item in items)
    assert all(item["resolution_milliseconds"] <= 1_500 for item in figures["new policy"])

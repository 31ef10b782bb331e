"""A run of `--targets service` with just the rights of its overlay, and what came of each way."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from tests.cluster.cluster import Cluster
from tests.cluster.tests.audit.accounts import as_account
from tests.cluster.tests.audit.command import ROOT, Command, Result

WAYS = frozenset({"pod address", "ClusterIP", "headless", "NodePort"})
_RBAC = [str(ROOT / "deploy/kustomize" / part / "rbac.yaml") for part in ("sentinel", "sentinel-services")]
_WORDS = ("run", "--mode", "sentinel", "--no-enforce-time", "--targets", "service", "--settle", "0", "--rate", "200")
_OWN = ("netaudit", "netaudit-ctl-1", "netaudit-ctl-2")
_MADE = "services,pods,deployments,networkpolicies,leases"


class Crossed(NamedTuple):
    """What a run gave."""

    result: Result
    left: list[str]
    """What it left in its namespaces."""

    @property
    def found(self) -> dict[str, set[str]]:
        """By way: verdict, outcome and agreement of its paths."""
        found: dict[str, set[str]] = defaultdict(set)
        for item in self.result.report.raw["service_paths"]:
            found[item["way"]].add(f"{item['verdict']} {item['outcome']} {item['agreement']}")
        return found


def cross(cluster: Cluster, folder: Path, *words: str) -> Crossed:
    """Make the account, run with it, and take the account away again."""
    for file in _RBAC:
        cluster.kubectl("apply", "-f", file)
    try:
        result = Command(folder, as_account(cluster, folder)).run(*_WORDS, *words)
        listed = [cluster.kubectl("get", "-n", name, _MADE, "-o", "name").stdout for name in _OWN]
    finally:
        for file in reversed(_RBAC):
            cluster.kubectl("delete", "-f", file)
    raw = result.report.raw
    print(json.dumps([raw["summary"], raw["run"], raw["names"]]))  # noqa: T201 - what a failed test needs first
    return Crossed(result, [line for text in listed for line in text.splitlines()])


def check_names(crossed: Crossed) -> None:
    """The headless name was looked up on both nodes, apart from connecting."""
    names = crossed.result.report.raw["names"]
    assert {(item["source_node"], item["outcome"]) for item in names} == {("n1", "resolved"), ("n2", "resolved")}
    assert all(item["milliseconds"] >= 0 for item in names)

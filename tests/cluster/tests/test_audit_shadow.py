"""The usual shop, every workload of which has an autoscaler, stood for in netaudit's own namespaces."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.fixtures import ClusterFactory
from tests.cluster.tests.audit.accounts import as_account
from tests.cluster.tests.audit.command import QUICK, ROOT, Command
from tests.cluster.tests.audit.site import Object, Site, namespace, pod_spec, policy

RIGHTS = ROOT / "deploy/kustomize/shadow"
ADMIN = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ops"}}}
HOME = "shop"


def workload(home: str, name: str, node: str) -> list[Object]:
    """A Deployment with what usually stands beside it, all by one label."""
    labels = {"app": name}
    meta: Any = {"namespace": home, "name": name}
    spec = pod_spec() | {"nodeName": node}
    scaled = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": meta,
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": spec},
            },
        },
        {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": meta,
            "spec": {"scaleTargetRef": scaled, "maxReplicas": 3},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": meta,
            "spec": {"selector": labels, "ports": [{"port": 80}]},
        },
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": meta,
            "spec": {"selector": {"matchLabels": labels}, "maxUnavailable": "50%"},
        },
    ]


SHOP = [
    namespace(HOME),
    namespace("ops"),
    *workload(HOME, "web", "n1"),
    *workload(HOME, "db", "n2"),
    *workload("ops", "admin", "n2"),
    policy(HOME, "db", {"app": "db"}, ingress=[{"from": [{"podSelector": {"matchLabels": {"app": "web"}}}, ADMIN]}]),
    policy(HOME, "web", {"app": "web"}, egress=[{"to": [{"podSelector": {"matchLabels": {"app": "db"}}}]}]),
    policy("ops", "closed", {}, ingress=[]),
]


@pytest.fixture
def shop(cluster: ClusterFactory) -> Iterator[Site]:
    """Deploy the shop where Cilium enforces, with netaudit's rights."""
    place = Site(cluster(engine="cilium", nodes=2))
    place.clear()
    place.apply(*SHOP)
    place.cluster.kubectl("apply", "-k", str(RIGHTS))
    place.await_ready()
    yield place
    place.cluster.kubectl("delete", "-k", str(RIGHTS), "--ignore-not-found")
    place.clear()


def test_shadows_prove_what_nothing_may_stand_beside(shop: Site, tmp_path: Path) -> None:
    """Beside the workloads nothing may stand; their shadows prove every policy, by its own name."""
    command = Command(tmp_path, as_account(shop.cluster, tmp_path))

    forecast = command.run("run", "--dry-run").out
    result = command.run("run", "--mode", "shadow", *QUICK)
    report = result.report

    print(result.out)  # noqa: T201 - the coverage is the acceptance
    assert all(f"not tested: {name}: HorizontalPodAutoscaler" in forecast for name in ("shop/web", "shop/db"))
    assert (result.code, report.summary["coverage"]) == (0, 1), result.err
    assert report.titles() == {"shop/web", "shop/db", "ops/admin"}
    assert {item["subject"]: item["proof"] for item in report.raw["policies"]} == {
        "ops/closed": "proven",
        "shop/db": "proven",
        "shop/web": "proven",
    }
    assert {item["namespace"] for item in report.raw["stand_ins"]} == {
        "netaudit-ctl-1",
        "netaudit-ctl-3",
        "netaudit-ctl-4",
    }
    assert [line for line in shop.traces() if "netaudit-ctl" in line or "pod" in line] == []

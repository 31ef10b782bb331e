"""Law 2 on real objects: nothing real reacts to a run, and after it every object is what it was."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.tests.audit import guides, inventory
from tests.cluster.tests.audit.command import Command, Result, until
from tests.cluster.tests.audit.inventory import Inventory
from tests.cluster.tests.audit.site import Object, Site, namespace, pod_spec, policy
from tests.cluster.tests.audit.watching import Watched, watching

SHOP = "shop"
INTERRUPTED = 130
BUDGETS: dict[str, dict[str, Any]] = {
    "percent": {"minAvailable": "60%"},
    "integer": {"minAvailable": 2},
    "unavailable": {"maxUnavailable": 1},
}


def deployment(name: str) -> Object:
    """Three replicas behind a readiness check, spread by the scheduler over two nodes."""
    spec = pod_spec([80])
    spec["containers"][0]["readinessProbe"] = {"exec": {"command": ["true"]}, "periodSeconds": 1}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": SHOP, "labels": {"app": name}},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": spec},
        },
    }


def service(name: str) -> Object:
    """A Service in front of a Deployment."""
    spec = {"selector": {"app": name}, "ports": [{"port": 80}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": SHOP}, "spec": spec}


def budget(name: str) -> Object:
    """A PodDisruptionBudget over a Deployment."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name, "namespace": SHOP},
        "spec": {"selector": {"matchLabels": {"app": name}}, **BUDGETS[name]},
    }


def autoscaler(name: str) -> Object:
    """A HorizontalPodAutoscaler over a Deployment, which counts pods by their labels."""
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name, "namespace": SHOP},
        "spec": {"scaleTargetRef": target, "minReplicas": 3, "maxReplicas": 4},
    }


def shop() -> Iterator[Object]:
    """Three Deployments, one for each kind of budget, and one that is scaled by an autoscaler."""
    yield namespace(SHOP)
    for name in (*BUDGETS, "scaled"):
        yield deployment(name)
        yield service(name)
        yield policy(SHOP, name, {"app": name}, ingress=[{"ports": [{"port": 80}]}])
    yield from map(budget, BUDGETS)
    yield autoscaler("scaled")


@pytest.fixture(scope="module")
def deployed(site: Site) -> Site:
    """Deploy the shop and the guide's staging example, and wait until their controllers are content."""
    site.apply(*shop(), *guides.objects("staging"))
    site.await_ready()
    budgets = f"/apis/policy/v1/namespaces/{SHOP}/poddisruptionbudgets"
    until(lambda: all(item["status"]["currentHealthy"] == 3 for item in site.items(budgets)), "budgets count all pods")
    scaled = f"/apis/autoscaling/v2/namespaces/{SHOP}/horizontalpodautoscalers/scaled"
    until(lambda: site.api.get(scaled)["status"].get("conditions"), "the autoscaler has had its first look")
    return site


@pytest.fixture(scope="module")
def before(deployed: Site) -> Inventory:
    """Read every object of the cluster before the first run."""
    return inventory.take_settled(deployed.api)


@pytest.fixture(scope="module")
def watched(
    deployed: Site, before: Inventory, lax: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Watched, Result]:
    """Audit the cluster while everything real in it is watched."""
    folder = tmp_path_factory.mktemp("watched")
    with watching(lax, [SHOP, "staging"], folder) as seen:
        result = Command(folder, lax.kubeconfig).run("run", "--settle", "3")
        left = deployed.traces()
        inventory.await_equal(deployed.api, before)
    assert left == []
    return seen, result


def test_nothing_real_reacts_during_a_run(watched: tuple[Watched, Result]) -> None:
    """Ready addresses, budgets, Deployments, ReplicaSets, autoscalers and pods stay what they were at every event."""
    seen, result = watched

    assert result.code == 3, result.err
    assert {f"{SHOP}/{name}" for name in BUDGETS} <= result.report.titles()
    assert seen.changes() == {}


def test_watches_saw_everything_that_matters(watched: tuple[Watched, Result]) -> None:
    """The test above is not blind: each budget, Service, Deployment and replica shows up, and so do probe pods."""
    histories = watched[0].histories()
    kinds = [name.split("/namespaces/shop/")[1].split("/")[0] for name in histories if "/namespaces/shop/" in name]

    found = {kind: kinds.count(kind) for kind in set(kinds)}
    assert found == {
        "poddisruptionbudgets": 3,
        "deployments": 4,
        "replicasets": 4,
        "endpointslices": 4,
        "pods": 12,
        "horizontalpodautoscalers": 1,
    }
    assert watched[0].count() > len(histories) + len(BUDGETS)


def test_what_an_autoscaler_would_count_is_skipped(watched: tuple[Watched, Result]) -> None:
    """No probe pod wears the labels that a HorizontalPodAutoscaler counts, and the report says so."""
    assert "HorizontalPodAutoscaler scaled" in watched[1].report.skipped(f"{SHOP}/scaled")


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.long)], ids=lambda item: item.name
)
def test_interrupted_run_leaves_the_cluster_as_it_was(
    deployed: Site, before: Inventory, netaudit: Command, number: signal.Signals
) -> None:
    """Ctrl-C and SIGTERM among starting probe pods end the run, which removes all of them before it exits."""
    with netaudit.start("run") as running:
        until(lambda: deployed.probe_pods("Running"), "the first probe pod runs")
        running.signal(number)
        result = running.finish()

    assert result.code == INTERRUPTED
    assert "Traceback" not in result.err
    assert deployed.traces() == []
    inventory.await_equal(deployed.api, before)


def test_cleanup_after_a_killed_run_leaves_the_cluster_as_it_was(
    deployed: Site, before: Inventory, netaudit: Command, tmp_path: Path, lax: Cluster
) -> None:
    """After SIGKILL budgets and endpoints still hold; `netaudit cleanup` waits out the Lease and removes everything."""
    with watching(lax, [SHOP, "staging"], tmp_path) as seen:
        with netaudit.start("run") as running:
            until(lambda: deployed.probe_pods("Running"), "the first probe pod runs")
            running.signal(signal.SIGKILL)
            running.finish()
        left = deployed.traces()
        result = netaudit.run("cleanup")
        gone = deployed.traces()
        inventory.await_equal(deployed.api, before)

    assert left
    assert result.code == 0, result.err
    assert gone == []
    assert all(name in result.out for name in left)
    assert seen.changes() == {}


def test_a_budget_that_fails_ends_the_run(deployed: Site, netaudit: Command) -> None:
    """A pod whose owner cannot be scaled spoils a budget that our pods are under too: the run withdraws at once.

    Ours never spoil one, so somebody else's stands in for what must not happen.
    """
    deployed.apply(spoiler("ConfigMap"))
    uid = deployed.api.get(f"/api/v1/namespaces/{SHOP}/configmaps/spoiler")["metadata"]["uid"]
    with netaudit.start("run", "--settle", "300") as running:
        until(lambda: deployed.probe_pods("Running"), "the first probe pod runs")
        deployed.apply(spoiler("Pod", uid))
        result = running.finish()
    left = deployed.traces()
    deployed.cluster.kubectl("delete", "-n", SHOP, "--wait", "pod/spoiler", "configmap/spoiler")

    assert result.code == 4, result.err
    assert "cannot be computed any more, so that no eviction is allowed" in result.err
    assert left == []


def spoiler(kind: str, owner: str = "") -> Object:
    """A ConfigMap, or a pod of the `percent` Deployment's labels that belongs to it."""
    made: Object = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "spoiler", "namespace": SHOP}}
    if owner:
        reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "spoiler", "uid": owner, "controller": True}
        made["metadata"] |= {"labels": {"app": "percent"}, "ownerReferences": [reference]}
        made["spec"] = pod_spec()
    return made

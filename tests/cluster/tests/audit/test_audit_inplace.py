"""`--mode inplace` on real objects: agents in pods that nothing may stand beside, where nobody enforces."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.tests.audit.accounts import as_account
from tests.cluster.tests.audit.command import ROOT, Command, Result, until
from tests.cluster.tests.audit.lodgers import agents, marks, restarts
from tests.cluster.tests.audit.site import RESTRICTED, Object, Site, namespace, pod_spec, policy, secured
from tests.cluster.tests.audit.watching import Watched, watching

HOME = "shop"
RIGHTS = ROOT / "deploy/kustomize/inplace"
RUN = ("run", "--mode", "inplace", "-n", HOME, "--settle", "3")


def workload(name: str) -> Iterator[Object]:
    """A Deployment with what usually stands beside it, an autoscaler among that, in a restricted namespace."""
    labels, meta = {"app": name}, {"namespace": HOME, "name": name}
    spec = secured(pod_spec([8080]))
    spec["containers"][0] |= {
        "command": ["nc", "-lk", "-p", "8080", "-e", "echo", "hello"],
        "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
    }
    template = {"metadata": {"labels": labels}, "spec": spec}
    yield {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": meta,
        "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": template},
    }
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    scaled = {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 3}
    yield {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": meta, "spec": scaled}
    budget = {"selector": {"matchLabels": labels}, "maxUnavailable": 1}
    yield {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": meta, "spec": budget}
    led = {"selector": labels, "ports": [{"port": 80, "targetPort": 8080}]}
    yield {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": led}


@pytest.fixture(scope="module")
def shop(site: Site) -> Iterator[Site]:
    """Deploy the shop and the roles, and wait until autoscalers and budgets are content."""
    site.apply(
        namespace(HOME, **RESTRICTED),
        *(item for name in ("web", "db") for item in workload(name)),
        policy(HOME, "db", {"app": "db"}, ingress=[{"from": [{"podSelector": {"matchLabels": {"app": "web"}}}]}]),
        policy(HOME, "web", {"app": "web"}, egress=[{"to": [{"podSelector": {"matchLabels": {"app": "db"}}}]}]),
    )
    site.cluster.kubectl("apply", "-k", str(RIGHTS))
    site.await_ready()
    budgets = f"/apis/policy/v1/namespaces/{HOME}/poddisruptionbudgets"
    until(lambda: all(item["status"]["currentHealthy"] == 2 for item in site.items(budgets)), "budgets count all pods")
    scaled = f"/apis/autoscaling/v2/namespaces/{HOME}/horizontalpodautoscalers"
    until(lambda: all(item["status"].get("conditions") for item in site.items(scaled)), "autoscalers have looked")
    yield site
    site.cluster.kubectl("delete", "-k", str(RIGHTS), "--ignore-not-found")


@pytest.fixture(scope="module")
def watched(shop: Site, lax: Cluster, tmp_path_factory: pytest.TempPathFactory) -> tuple[Watched, Result, Result]:
    """Say what would be marked, then audit with the least rights while everything real is watched."""
    folder = tmp_path_factory.mktemp("watched")
    command = Command(folder, as_account(shop.cluster, folder))
    with watching(lax, [HOME], folder) as seen:
        forecast = command.run(*RUN, "--dry-run")
        assert marks(shop, HOME) == {}
        result = command.run(*RUN, "--targets", "real")
    return seen, forecast, result


def test_leaks_are_found_from_and_to_the_pods_themselves(watched: tuple[Watched, Result, Result]) -> None:
    """With autoscalers beside them, and in a restricted namespace; by handshake on the ports that they own."""
    result = watched[2]
    report = result.report

    assert result.code == 3, result.err
    assert report.titles() == {"shop/web", "shop/db"}
    assert report.summary["coverage"] == 1, report.summary
    leaks = {(flow.source, flow.destination) for flow in report.judged("leak")}
    assert {("control", "shop/db"), ("shop/web", "control")} <= leaks
    met = {(item["target"], item["port"], item["agreement"]) for item in report.raw["handshakes"]}
    assert any(
        target.startswith("pod shop/db-") and (port, agreement) == (8080, "leak") for target, port, agreement in met
    )


def test_nothing_real_reacts(watched: tuple[Watched, Result, Result], shop: Site) -> None:
    """Endpoints, budgets, autoscalers, replicas and conditions stay what they were, and no container restarts."""
    assert watched[0].changes() == {}
    assert watched[0].count() > 0
    assert list(restarts(shop, HOME).values()) == [0] * 4


def test_what_stays_marked_is_told_before_and_after(watched: tuple[Watched, Result, Result], shop: Site) -> None:
    """The same pods in the dry run, on stderr, in the report and in the cluster: one container each, and it ended."""
    _, forecast, result = watched
    told = {item["pod"]: item for item in result.report.raw["marked"]}

    assert {name: [told[name]["container"]] for name in told} == marks(shop, HOME)
    assert all(f"pod {HOME}/{name} on " in forecast.out for name in told)
    assert all(
        f"pod {HOME}/{name}, container {told[name]['container']}: its agent has ended" in result.err for name in told
    )
    assert "cannot be removed before these pods are replaced" in result.err
    assert agents(shop, HOME, "running") == []
    assert sorted(agents(shop, HOME, "terminated")) == sorted(item["container"] for item in told.values())
    assert [line for line in shop.traces() if line != "namespace netaudit"] == []


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.long)], ids=lambda item: item.name
)
def test_an_interrupted_run_ends_its_agents(shop: Site, netaudit: Command, number: signal.Signals) -> None:
    """The listeners are gone when the command is."""
    before: Any = marks(shop, HOME)
    with netaudit.start(*RUN) as running:
        until(lambda: agents(shop, HOME, "running"), "the first agent runs")
        running.signal(number)
        result = running.finish()

    assert result.code == 130
    assert agents(shop, HOME, "running") == []
    assert marks(shop, HOME).keys() == before.keys() or not before, "pods that are marked are taken before others"
    assert "stay marked by ephemeral containers" in result.err


@pytest.mark.long
def test_cleanup_names_what_it_cannot_remove(shop: Site, netaudit: Command) -> None:
    """After a kill the agents go on until their time is over, and are named with that."""
    with netaudit.start(*RUN, "--budget", "90") as running:
        until(lambda: agents(shop, HOME, "running"), "the first agent runs")
        running.signal(signal.SIGKILL)
        running.finish()
    result = netaudit.run("cleanup")

    assert result.code == 0, result.err
    assert all(name in result.err for names in marks(shop, HOME).values() for name in names)
    assert "cannot be removed before" in result.err
    until(lambda: not agents(shop, HOME, "running"), "the agents have ended by themselves")


def test_a_namespace_that_refuses_is_named(shop: Site, netaudit: Command, tmp_path: Path) -> None:
    """A quota on ephemeral containers does not exist, but an admission policy may forbid them: nothing is marked."""
    before = marks(shop, HOME)
    shop.apply(*forbidding())
    until(lambda: "would accept no ephemeral container" in netaudit.run(*RUN, "--settle", "0").out, "it is forbidden")
    result = netaudit.run(*RUN, "--settle", "0")
    for item in forbidding():
        shop.cluster.kubectl("delete", item["kind"], item["metadata"]["name"])

    assert result.code == 4, result.err
    assert marks(shop, HOME) == before


def forbidding() -> list[Object]:
    """A ValidatingAdmissionPolicy that forbids ephemeral containers in all pods, and its binding."""
    group = "admissionregistration.k8s.io"
    rule = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": ["UPDATE"],
        "resources": ["pods/ephemeralcontainers"],
    }
    return [
        {
            "apiVersion": f"{group}/v1",
            "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": "no-lodgers"},
            "spec": {
                "matchConstraints": {"resourceRules": [rule]},
                "validations": [{"expression": "false", "message": "no lodgers here"}],
            },
        },
        {
            "apiVersion": f"{group}/v1",
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": "no-lodgers"},
            "spec": {"policyName": "no-lodgers", "validationActions": ["Deny"]},
        },
    ]

"""Namespaces that let no probe pod in: their identities are named with the reason, and the audit is incomplete."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.tests.audit import killing
from tests.cluster.tests.audit.command import QUICK, Command, Report, Result, until
from tests.cluster.tests.audit.site import Object, Site, namespace, pod

HOSTILE = "<script>alert(1)</script> \x1b[2J\x1b[31m $(reboot)"
ADMISSION = "admissionregistration.k8s.io/v1"


def quota(home: str) -> Object:
    """A quota that the pods which are there use up."""
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "full", "namespace": home},
        "spec": {"hard": {"pods": "1"}},
    }


def gate(home: str) -> list[Object]:
    """An admission policy that lets no bare pod into a namespace, with a message made to do harm."""
    chosen = {"matchLabels": {"kubernetes.io/metadata.name": home}}
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    spec = {
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [{"expression": "!object.metadata.name.startsWith('netaudit-')", "message": HOSTILE}],
    }
    binding: dict[str, Any] = {"policyName": "no-probes", "validationActions": ["Deny"]}
    binding["matchResources"] = {"namespaceSelector": chosen}
    return [
        {"apiVersion": ADMISSION, "kind": kind, "metadata": {"name": "no-probes"}, "spec": body}
        for kind, body in (("ValidatingAdmissionPolicy", spec), ("ValidatingAdmissionPolicyBinding", binding))
    ]


@pytest.fixture(scope="module")
def guarded(site: Site) -> Site:
    """Deploy an open namespace, one whose quota is used up, and one whose admission refuses probe pods."""
    for home, node in (("open", "n1"), ("full", "n1"), ("gated", "n2")):
        site.apply(namespace(home), pod(home, "app", node))
    site.apply(quota("full"), *gate("gated"))
    site.await_ready()
    until(lambda: _used(site) == "1", "the quota counts the pod")
    until(lambda: _refuses(site), "the admission policy is in force")
    return site


def _used(site: Site) -> str:
    status = site.api.get("/api/v1/namespaces/full/resourcequotas/full")["status"]
    return str(status.get("used", {}).get("pods"))


def _refuses(site: Site) -> bool:
    status, _ = site.api.request("POST", "/api/v1/namespaces/gated/pods?dryRun=All", pod("gated", "netaudit-try", "n2"))
    return status not in {200, 201}


@pytest.fixture(scope="module")
def audited(guarded: Site, lax: Cluster, tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, str]:
    """Audit them once, and give the HTML page too."""
    folder = tmp_path_factory.mktemp("refused")
    page = folder / "report.html"
    result = Command(folder, lax.kubeconfig).run("run", *QUICK, "-o", f"html={page}")
    assert guarded.traces() == []
    return result, page.read_text()


def states(report: Report) -> dict[str, str]:
    """What became of the probe pod in each namespace."""
    return {item["namespace"]: item["state"] for item in report.raw["stand_ins"]}


def test_refused_pods_make_the_exit_code_4(audited: tuple[Result, str]) -> None:
    """When nothing else is wrong, probe pods that were not let in make the audit incomplete."""
    result, _ = audited

    assert result.code == 4
    assert "2 of 3 identities were not tested" in result.report.summary["sentence"]
    assert result.report.summary["findings"] == 0


def test_refused_pods_are_named_with_their_reason(audited: tuple[Result, str]) -> None:
    """A dry run tells what the API server would say, before anything is made; the rest is measured."""
    report = audited[0].report

    assert "no-probes" in report.skipped("gated/app")
    assert "gated" not in states(report)
    assert states(report)["open"] == "running"
    assert {flow.agreement for flow in report.flows} == {"as-expected"}


def test_namespaces_without_room_get_no_probe_pod(audited: tuple[Result, str]) -> None:
    """A quota that is used up is read before anything is created, and named."""
    report = audited[0].report

    assert "ResourceQuota full leaves 0 pods" in report.skipped("full/app")
    assert "full" not in states(report)


def test_what_the_api_server_says_does_no_harm(audited: tuple[Result, str]) -> None:
    """An admission message with markup and terminal codes is shown as text on the terminal and in the page."""
    result, page = audited

    assert "\x1b" not in result.out + result.err
    assert "<script>alert(1)" not in page
    assert "alert(1)" in result.report.skipped("gated/app")


def test_probe_pod_that_dies_at_once(guarded: Site, lax: Cluster, netaudit: Command, tmp_path: Path) -> None:
    """A probe pod whose agent dies before the flows are tried makes its flows inconclusive and the exit code 4."""
    with netaudit.start("run", *QUICK, "-n", "open") as running:
        mine: list[Object] = []

        def holds() -> bool:
            mine[:] = [item for item in guarded.probe_pods("Running") if item["metadata"]["namespace"] == "open"]
            return bool(mine)

        until(holds, "the probe pod runs")
        killing.kill(killing.places(lax, mine[0]))
        result = running.finish()

    assert result.code == 4
    hit = [flow for flow in result.report.flows if "open/app" in {flow.source, flow.destination}]
    assert {flow.agreement for flow in hit} == {"inconclusive"}
    assert guarded.traces() == []

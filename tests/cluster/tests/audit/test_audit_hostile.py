"""Hostile and odd objects: names at their limits, foreign policies, dying namespaces, Services that send too early."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.tests.audit.command import CONTROL, QUICK, Command, Result, until
from tests.cluster.tests.audit.site import MISSING, Object, Site, namespace, pod, policy

KEY = f"{'.'.join(['k' * 63, 'e' * 63, 'y' * 63, 's' * 61])}/{'n' * 63}"
VALUE = "V" * 63
LONG = f"{'a' * 63}.{'b' * 63}.{'c' * 40}"
LONGEST = ".".join(["l" * 63, "o" * 63, "n" * 63, "g" * 61])
EVIL = "a\n\"'`;|&\x1b[2J\x07 $(reboot) `reboot` ${IFS} <script>alert(1)</script> \u202e"
NAMED = "a-1-b-2-c-3-d-4"
CRD = "ciliumnetworkpolicies.cilium.io"


def odd() -> Iterator[Object]:
    """A namespace of evil annotations, long names and labels, and a policy that selects by them."""
    home = namespace("odd")
    home["metadata"]["annotations"] = {"evil": EVIL}
    yield home
    for name, node, labels in ((LONG, "n1", {KEY: VALUE}), ("plain", "n2", {}), (LONGEST, "n2", {KEY: VALUE})):
        item = pod("odd", name, node, labels)
        item["metadata"]["annotations"] = {"evil": EVIL}
        item["spec"]["containers"][0]["ports"] = [{"name": NAMED, "containerPort": 8081}]
        yield item
    yield policy("odd", LONGEST, {KEY: VALUE}, ingress=[{"ports": [{"port": NAMED}]}])


def foreign() -> Iterator[Object]:
    """A policy kind that is not modelled, with one object in one namespace."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v2", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    names = {"plural": "ciliumnetworkpolicies", "singular": "ciliumnetworkpolicy", "kind": "CiliumNetworkPolicy"}
    yield {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": CRD},
        "spec": {"group": "cilium.io", "scope": "Namespaced", "names": names, "versions": [version]},
    }
    yield namespace("foreign")
    yield pod("foreign", "app", "n1")


def unfamiliar() -> Object:
    """The object of that kind; what stands in it makes no sense."""
    return {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumNetworkPolicy",
        "metadata": {"name": "strange", "namespace": "foreign"},
        "spec": {"endpointSelector": None, "ingress": [{"fromEntities": {"no": ["list"]}}]},
        "specs": "neither",
    }


def early() -> Iterator[Object]:
    """A Service that sends traffic to pods that are not ready, and its pod."""
    yield namespace("early")
    yield pod("early", "app", "n1", {"app": "early"})
    spec = {"selector": {"app": "early"}, "publishNotReadyAddresses": True, "ports": [{"port": 80}]}
    yield {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "eager", "namespace": "early"}, "spec": spec}
    yield policy("early", "app", {"app": "early"}, ingress=[])


def dying() -> Iterator[Object]:
    """A namespace that is being deleted and does not end, because its pod takes an hour over it."""
    yield namespace("dying")
    item = pod("dying", "slow", "n2")
    item["spec"]["terminationGracePeriodSeconds"] = 3600
    yield item


@pytest.fixture(scope="module")
def deployed(site: Site) -> Iterator[Site]:
    """Deploy all of it, and begin to delete what is to be dying."""
    site.apply(*foreign(), *odd(), *early(), *dying())
    until(lambda: _created(site, unfamiliar()), "the new kind is served")
    site.await_ready(but=LONGEST)
    site.cluster.kubectl("delete", "namespace", "dying", "--wait=false")
    slow = "/api/v1/namespaces/dying/pods/slow"
    until(lambda: "deletionTimestamp" in site.api.get(slow)["metadata"], "the slow pod is being deleted")
    yield site
    site.cluster.kubectl("delete", "pod", "-n", "dying", "slow", "--force", "--grace-period=0")


def _created(site: Site, item: Object) -> bool:
    status, _ = site.api.request("POST", "/apis/cilium.io/v2/namespaces/foreign/ciliumnetworkpolicies", item)
    assert status in {201, 409, MISSING}
    return status != MISSING


@pytest.fixture(scope="module")
def audited(deployed: Site, lax: Cluster, tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, str]:
    """Audit it once, and give the HTML page too."""
    folder = tmp_path_factory.mktemp("hostile")
    page = folder / "report.html"
    result = Command(folder, lax.kubeconfig).run("run", *QUICK, "-o", f"html={page}")
    assert result.code == 3, result.err
    assert deployed.traces() == []
    return result, page.read_text()


def test_names_at_their_limits_are_audited(audited: tuple[Result, str]) -> None:
    """Pods and policies with the longest names and labels there are are tried like any other."""
    report = audited[0].report
    tall = next(title for title in report.titles() if LONG in title)
    leaks = {flow.path: flow.policies for flow in report.judged("leak")}

    assert leaks[CONTROL, tall, 8642] == leaks["odd/plain", tall, 8642] == {f"odd/{LONGEST}"}
    assert {flow.agreement for flow in report.flows} == {"leak", "as-expected"}
    labels = next(item["labels"] for item in report.raw["identities"] if item["title"] == tall)
    assert labels == {KEY: VALUE}


def test_evil_text_does_no_harm(audited: tuple[Result, str]) -> None:
    """No terminal code reaches the terminal, and no markup of an object the page."""
    result, page = audited

    assert "\x1b" not in result.out + result.err
    assert "<script>alert(1)" not in page
    assert "Traceback" not in result.err


def test_foreign_policies_leave_their_namespace_unknown(audited: tuple[Result, str]) -> None:
    """Flows of a namespace with a policy kind that is not modelled are counted, with the kind, and not judged."""
    report = audited[0].report
    about = [flow for flow in report.flows if "foreign/app" in {flow.source, flow.destination}]
    unknown = [item for item in report.raw["skipped"] if "UNKNOWN" in item["what"]]

    assert about == []
    assert "CiliumNetworkPolicy" in unknown[0]["reason"]
    assert sum(item["flows"] for item in unknown) > 0


def test_namespace_that_is_being_deleted_is_left_alone(audited: tuple[Result, str]) -> None:
    """No probe pod is put into a namespace that is being deleted, and the report says so."""
    assert audited[0].report.skipped("dying/slow") == "its namespace is being deleted"


def test_service_that_sends_to_unready_pods_is_respected(audited: tuple[Result, str]) -> None:
    """No probe pod stands where a Service with publishNotReadyAddresses would send it traffic; the Service is named."""
    reason = audited[0].report.skipped("early/app")

    assert "Service eager has publishNotReadyAddresses" in reason
    assert all("early/app" not in {flow.source, flow.destination} for flow in audited[0].report.flows)


def test_skipped_identities_make_the_audit_incomplete(audited: tuple[Result, str]) -> None:
    """The sentence counts what was left out, although leaks decide the exit code."""
    assert "identities were not tested" in audited[0].report.summary["sentence"]

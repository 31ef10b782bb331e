"""A cluster without an engine: it runs pods, connects them, guards its API, and enforces no policy."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.cluster import spec
from tests.cluster.cluster import Cluster
from tests.cluster.scene import IMAGE, Scene, scene
from tests.cluster.tests.conftest import PROVIDER_ID, VERSION, ZONE


@pytest.fixture(scope="module")
def pods(plain: Cluster) -> Iterator[Scene]:
    with scene(plain) as made:
        yield made


@pytest.mark.parametrize("family", [0, 1], ids=["IPv4", "IPv6"])
def test_accepts_a_policy_and_enforces_none(pods: Scene, family: int) -> None:
    pods.deny_all()
    try:
        pods.await_matrix(pods.all(reached=True), family)
    finally:
        pods.allow_all()


@pytest.mark.parametrize("server", [spec.DNS_V4, spec.DNS_V6])
def test_dns_knows_services_over_both_families(pods: Scene, server: str) -> None:
    found = pods.cluster.exec(pods.namespace, "client-n2", "nslookup", "kubernetes.default.svc.cluster.local", server)

    assert spec.API_SERVICE_V4 in found.stdout


def test_dns_is_a_service_with_endpoint_slices(plain: Cluster) -> None:
    query = ("get", "endpointslices", "-n", "kube-system", "-l", "k8s-app=kube-dns", "-o", "json")
    slices = json.loads(plain.kubectl(*query).stdout)["items"]

    assert {"IPv4", "IPv6"} == {one["addressType"] for one in slices}
    assert all(one["endpoints"][0]["conditions"]["ready"] for one in slices)


@pytest.mark.parametrize("address", [spec.OUTSIDE_V4, spec.OUTSIDE_V6])
def test_pods_reach_the_outside_host_under_their_own_addresses(pods: Scene, address: str) -> None:
    assert pods.cluster.exec(pods.namespace, "client-n1", "ping", "-c", "1", "-W", "2", address).returncode == 0


def test_there_is_no_way_out(plain: Cluster) -> None:
    devices = plain.on_machine("n1", "ip", "-o", "link").stdout

    assert not [
        line for line in devices.splitlines() if "link-netnsid" in line and "eth0" not in line and "veth" not in line
    ]
    assert plain.on_machine("cp", "ip", "route", "show", "default").stdout == ""


def test_reports_the_chosen_version_labels_and_provider(plain: Cluster) -> None:
    version = json.loads(plain.kubectl("get", "--raw", "/version").stdout)
    node = json.loads(plain.kubectl("get", "node", "n1", "-o", "json").stdout)

    assert version["gitVersion"] == VERSION
    assert node["metadata"]["labels"]["topology.kubernetes.io/zone"] == ZONE
    assert node["spec"]["providerID"] == PROVIDER_ID


def test_pod_security_refuses_a_privileged_pod(pods: Scene) -> None:
    label = ("label", "namespace", pods.namespace, "--overwrite", "pod-security.kubernetes.io/enforce")
    pods.cluster.kubectl(*label[:-1], f"{label[-1]}=restricted")
    try:
        run = ("run", "bold", "-n", pods.namespace, f"--image={IMAGE}", "--privileged")
        refused = pods.cluster.kubectl(*run, check=False)
    finally:
        pods.cluster.kubectl(*label[:-1], f"{label[-1]}-")

    assert refused.returncode == 1
    assert 'violates PodSecurity "restricted:latest"' in refused.stderr


def test_rights_are_what_roles_grant(pods: Scene) -> None:
    account = f"--as=system:serviceaccount:{pods.namespace}:default"
    may = ("auth", "can-i", "list", "pods", "-n", pods.namespace, account)
    assert pods.cluster.kubectl(*may, check=False).stdout.strip() == "no"

    grant = ("create", "rolebinding", "view", "--clusterrole=view", f"--serviceaccount={pods.namespace}:default")
    pods.cluster.kubectl(*grant, "-n", pods.namespace)

    assert pods.cluster.kubectl(*may).stdout.strip() == "yes"


def test_a_kubelet_may_not_give_itself_a_restricted_label(plain: Cluster) -> None:
    as_kubelet = ("--as=system:node:n1", "--as-group=system:nodes")
    label = "node-restriction.kubernetes.io/tenant=other"
    refused = plain.kubectl("label", "node", "n1", label, *as_kubelet, check=False)

    assert refused.returncode == 1
    assert "is not allowed to modify labels" in refused.stderr


def test_each_request_has_its_line_in_the_audit_log(plain: Cluster) -> None:
    path = "/api/v1/namespaces/default/configmaps/never-there"
    for _ in range(3):
        plain.kubectl("get", "--raw", path, check=False)

    assert plain.audit_log is not None
    events = [json.loads(line) for line in plain.audit_log.read_text().splitlines()]
    mine = [event for event in events if event["requestURI"] == path]
    assert [("get", "admin", 404)] * 3 == [
        (event["verb"], event["user"]["username"], event["responseStatus"]["code"]) for event in mine
    ]


def test_kubelets_ask_who_may_read_them(plain: Cluster) -> None:
    read = ("get", "--raw", "/api/v1/nodes/n1/proxy/stats/summary")
    assert json.loads(plain.kubectl(*read).stdout)["node"]["nodeName"] == "n1"

    assert plain.kubectl(*read, "--as=nobody", check=False).returncode == 1

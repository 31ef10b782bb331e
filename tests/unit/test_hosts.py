"""Which real pods may hold an agent, and which of their ports are somebody's."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.hosts import MANY, Host, host_of, hosts
from auditor.model.cluster import Pod
from tests.builders import Raw, namespace, node, pod, port, raw, service, snapshot
from tests.unit.test_reals import ready

NAME = ("shop", "web")


def a_pod(*, metadata: Any = None, status: Any = None, container: Any = None, **spec: Any) -> Raw:
    """A ready pod whose only container, spec, metadata and status say more."""
    made = ready(pod("shop/web", on="n1", ports=[port(8080, "http")], app="web"))
    containers = [{**made["spec"]["containers"][0], **(container or {})}]
    return {
        **made,
        "metadata": {**made["metadata"], **(metadata or {})},
        "spec": {**made["spec"], "containers": containers, **spec},
        "status": {**made["status"], **(status or {})},
    }


def host(made: Raw, *beside: Raw, unreadable: dict[str, str] | None = None) -> Host:
    read = raw(made)
    return hosts(read, snapshot(made, *beside, unreadable=unreadable))[NAME]


def limits(memory: str) -> Raw:
    return {"resources": {"limits": {"memory": memory}}}


def test_an_ordinary_pod_may_hold_an_agent() -> None:
    found = host(a_pod())

    assert (found.refusal, found.risk, found.held, found.known) == ("", "", 0, False)


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        (a_pod(metadata={"deletionTimestamp": "now"}), "being deleted"),
        (a_pod(status={"conditions": []}), "not running and ready"),
        (a_pod(status={"phase": "Pending"}), "not running and ready"),
        (a_pod(metadata={"annotations": {"kubernetes.io/config.mirror": "x"}}), "static pod"),
        (a_pod(hostNetwork=True), "hostNetwork"),
        (a_pod(hostPID=True), "hostPID"),
        (a_pod(os={"name": "windows"}), "Windows"),
        (a_pod(initContainers=[{"name": "istio-proxy", "restartPolicy": "Always"}]), "mesh (istio-proxy)"),
        (a_pod(metadata={"annotations": {"ambient.istio.io/redirection": "enabled"}}), "mesh (ambient)"),
        (a_pod(initContainers=[{"name": "in", "securityContext": {"privileged": True}}]), "container in may filter"),
        (
            a_pod(container={"securityContext": {"capabilities": {"add": ["CAP_NET_ADMIN"]}}}),
            "may filter the pod's own traffic",
        ),
        (a_pod(container={"securityContext": {"capabilities": {"add": ["ALL"]}}}), "may filter"),
        (a_pod(ephemeralContainers=[{"name": f"d{n}"} for n in range(MANY)]), "5 ephemeral containers already"),
        (
            a_pod(status={"ephemeralContainerStatuses": [{"name": "netaudit-a-r0", "state": {"running": {}}}]}),
            "still at work",
        ),
        (a_pod(container=limits("32Mi")), "32 MiB in all"),
        (a_pod(resources={"limits": {"memory": "48Mi"}}), "48 MiB in all"),
        (a_pod(container={"ports": {"containerPort": 1}}), "cannot be read"),
    ],
)
def test_what_speaks_against_a_pod(made: Raw, reason: str) -> None:
    """Each of them would be harmed, or would answer for somebody else."""
    assert reason in host(made).refusal


def test_a_mesh_may_take_a_whole_namespace() -> None:
    ambient = namespace("shop", **{"istio.io/dataplane-mode": "ambient"})

    assert "a mesh takes the traffic of its namespace" in host(a_pod(), ambient).refusal


def test_a_limit_counts_only_where_every_container_has_one() -> None:
    """Else the pod as a whole has none."""
    two = [{"name": "a", **limits("32Mi")}, {"name": "b"}]

    assert host(a_pod(containers=two)).refusal == ""
    assert "48 MiB" in host(a_pod(containers=[two[0], {"name": "b", **limits("16Mi")}])).refusal


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (a_pod(container=limits("128Mi")), True),
        (a_pod(container=limits("1Gi")), False),
        (a_pod(container=limits("1Gi"), status={"qosClass": "Guaranteed"}), True),
    ],
)
def test_little_memory_is_told(made: Raw, told: bool) -> None:
    """What an agent uses counts against the pod's limit, and a Guaranteed pod has no more than that."""
    assert ("counts against the" in host(made).risk) is told


def test_every_port_that_somebody_may_use_is_taken() -> None:
    """Declared, led to by Services, knocked at by probes and hooks, scraped."""
    knocks: Raw = {
        "livenessProbe": {"httpGet": {"port": 8641}},
        "readinessProbe": {"tcpSocket": {"port": 8643}},
        "startupProbe": {"grpc": {"port": 8644}},
        "lifecycle": {"preStop": {"httpGet": {"port": 8645}}},
        "ports": [{"name": "http", "containerPort": 8080, "hostPort": 8646}],
    }
    made = a_pod(container=knocks, metadata={"annotations": {"prometheus.io/port": "8647"}})
    led: Raw = service("shop/web", app="web")
    led["spec"]["ports"] = [{"port": 80, "targetPort": 8648}, {"port": 8649}, {"port": 81, "targetPort": "http"}]
    other: Raw = service("shop/other", app="db")
    other["spec"]["ports"] = [{"port": 8650}]

    found = host(made, led, other)

    assert found.taken == {8080, 8641, 8643, 8644, 8645, 8646, 8647, 8648, 8649}
    assert found.refusal == ""


def a_slice(made: Raw, *ports: Raw) -> tuple[Raw, Raw]:
    """A Service without a selector, and where it leads: to a pod."""
    bare: Raw = {**service("shop/bare"), "spec": {"ports": [{"port": 80}]}}
    piece = {
        "kind": "EndpointSlice",
        "metadata": {"namespace": "shop", "name": "bare-1", "labels": {"kubernetes.io/service-name": "bare"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [made["status"]["podIPs"][0]["ip"]], "conditions": {"ready": True}}],
        "ports": list(ports),
    }
    return bare, piece


def test_a_slice_of_a_service_without_a_selector_leads_to_pods_too() -> None:
    made = a_pod()

    assert 8651 in host(made, *a_slice(made, {"name": "", "port": 8651})).taken
    assert "leads to all of its ports" in host(made, *a_slice(made, {"name": ""})).refusal


def test_where_services_cannot_be_seen_no_port_is_free() -> None:
    assert "services could not be listed" in host(a_pod(), unreadable={"services": "403"}).refusal


def test_a_pod_of_the_same_name_is_another_one() -> None:
    """Between two readings a StatefulSet's pod may be replaced."""
    found = hosts(raw(a_pod()), snapshot(a_pod(), node("n1")))

    assert host_of(Pod(*NAME, uid="uid-shop/web"), found).refusal == ""
    assert "was replaced" in host_of(Pod(*NAME, uid="other"), found).refusal
    assert "was replaced" in host_of(Pod("shop", "gone"), found).refusal


def test_a_pod_that_a_run_marked_before_is_known() -> None:
    found = host(a_pod(ephemeralContainers=[{"name": "netaudit-a-r0"}, {"name": "debugger-x"}]))

    assert (found.held, found.known) == (2, True)

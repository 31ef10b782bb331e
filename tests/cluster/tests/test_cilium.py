"""Cilium enforces, save where its configuration, or a running agent without a trace, was told not to."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.cluster import cilium
from tests.cluster.cluster import Cluster
from tests.cluster.faults import inflict
from tests.cluster.faults.agents import in_agent
from tests.cluster.fixtures import ClusterFactory
from tests.cluster.scene import Scene, scene
from tests.cluster.tests.audit.command import until


@pytest.fixture(scope="module")
def healthy(cluster: ClusterFactory) -> Cluster:
    return cluster(engine="cilium", nodes=2)


@pytest.fixture(scope="module")
def pods(healthy: Cluster) -> Iterator[Scene]:
    with scene(healthy) as made:
        yield made


@pytest.fixture
def closed(pods: Scene) -> Iterator[Scene]:
    """The scene with its servers closed, and that seen."""
    pods.deny_all()
    pods.await_matrix(pods.all(reached=False))
    yield pods
    pods.allow_all()


def test_what_users_have_is_there(healthy: Cluster) -> None:
    system = ("-n", "kube-system", "-o", "json")
    daemon_set = json.loads(healthy.kubectl("get", "daemonset", "cilium", *system).stdout)
    settings = json.loads(healthy.kubectl("get", "configmap", "cilium-config", *system).stdout)["data"]

    assert 2 == daemon_set["status"]["numberReady"]
    assert "Helm" == daemon_set["metadata"]["labels"]["app.kubernetes.io/managed-by"]
    assert "default" == settings["enable-policy"]
    assert healthy.kubectl("get", "deployment", "cilium-operator", *system).returncode == 0
    assert "ciliumnetworkpolicies.cilium.io" in healthy.kubectl("get", "crd", "-o", "name").stdout


def test_a_policy_closes_and_its_end_opens(closed: Scene) -> None:
    closed.allow_all()

    closed.await_matrix(closed.all(reached=True))


@pytest.mark.long
def test_a_running_agent_is_told_to_enforce_nothing(closed: Scene) -> None:
    before = _configuration(closed.cluster)
    inflict(closed.cluster, "policy-off", "n2")
    try:
        closed.await_matrix(closed.only_to("n2"))
        assert before == _configuration(closed.cluster), "the API shows a trace"
    finally:
        inflict(closed.cluster, "policy-on", "n2")

    closed.await_matrix(closed.all(reached=False))


def test_an_agent_that_starts_again_enforces_again(closed: Scene) -> None:
    inflict(closed.cluster, "policy-off", "n2")
    closed.await_matrix(closed.only_to("n2"))

    inflict(closed.cluster, "kill", "n2", "agent")

    closed.await_matrix(closed.all(reached=False))


@pytest.mark.long
def test_one_endpoint_is_put_into_audit_mode(closed: Scene) -> None:
    pod = f"{closed.namespace}/server-n1"
    inflict(closed.cluster, "endpoint-audit", pod, "on")
    try:
        closed.await_matrix(closed.only_to("n1"))
    finally:
        inflict(closed.cluster, "endpoint-audit", pod, "off")

    closed.await_matrix(closed.all(reached=False))


def test_a_stopped_agent_leaves_its_last_rules_in_force(closed: Scene) -> None:
    inflict(closed.cluster, "stop", "n2", "agent")
    try:
        closed.allow_all()

        # n1 has the news, n2 has not: its agent is not told.
        closed.await_matrix(closed.only_to("n1"))
    finally:
        inflict(closed.cluster, "continue", "n2", "agent")

    closed.await_matrix(closed.all(reached=True))


def test_packets_between_two_nodes_are_dropped(pods: Scene) -> None:
    inflict(pods.cluster, "drop-between", "n1", "n2")
    try:
        pods.await_matrix({(source, target): source == target for source, target in pods.all(reached=True)})
    finally:
        inflict(pods.cluster, "drop-between", "n1", "n2", "--off")

    pods.await_matrix(pods.all(reached=True))


@pytest.mark.long
def test_agents_are_configured_to_enforce_nothing(closed: Scene) -> None:
    record = closed.cluster.record()
    endpoints = ("cilium-dbg", "endpoint", "list", "--no-headers")
    try:
        cilium.reconfigure(record, {"enable-policy": "never"})
        closed.await_matrix(closed.all(reached=True))
        assert "(Audit)" not in in_agent(closed.cluster, "n1", *endpoints).stdout
        # Both look the same from outside, so the agent itself has to tell that it is the other one by now.
        cilium.reconfigure(record, {"policy-audit-mode": "true"})
        until(lambda: "(Audit)" in in_agent(closed.cluster, "n1", *endpoints).stdout, "endpoints are in audit mode")
        closed.await_matrix(closed.all(reached=True))
    finally:
        cilium.reconfigure(record, {})

    closed.await_matrix(closed.all(reached=False))


def _configuration(cluster: Cluster) -> str:
    """What an administrator can read of Cilium's settings, without what changes by itself."""
    kinds = "configmaps,daemonsets,deployments,ciliumnodeconfigs"
    objects = json.loads(cluster.kubectl("get", kinds, "-n", "kube-system", "-o", "json").stdout)["items"]
    return json.dumps([{**one, "status": None} for one in objects], sort_keys=True)


@pytest.mark.long
@pytest.mark.parametrize("setting", ["enable-policy=never", "policy-audit-mode=true"])
def test_a_cluster_is_started_with_a_setting(cluster: ClusterFactory, setting: str) -> None:
    key, _, value = setting.partition("=")
    silenced = cluster(engine="cilium", nodes=2, settings={key: value})
    with scene(silenced) as pods:
        pods.deny_all()

        pods.await_matrix(pods.all(reached=True))

    silenced.down()

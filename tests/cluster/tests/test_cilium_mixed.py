"""One cluster with three kinds of node: a healthy one, one silenced by its configuration, one without an agent."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.fixtures import ClusterFactory
from tests.cluster.scene import Matrix, Scene, scene

ENFORCING, SILENCED, BARE = "n1", "n2", "n3"
pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def mixed(cluster: ClusterFactory) -> Iterator[Cluster]:
    settings = {SILENCED: {"enable-policy": "never"}}
    started = cluster(engine="cilium", nodes=3, dual_stack=True, bare=(BARE,), node_settings=settings)
    yield started
    started.down()


@pytest.fixture(scope="module")
def pods(mixed: Cluster) -> Iterator[Scene]:
    with scene(mixed) as made:
        yield made


def test_agents_stand_where_they_should(mixed: Cluster) -> None:
    query = ("get", "pods", "-n", "kube-system", "-l", "k8s-app=cilium", "-o", "json")
    agents = json.loads(mixed.kubectl(*query).stdout)["items"]

    assert {ENFORCING, SILENCED} == {pod["spec"]["nodeName"] for pod in agents}
    assert all(pod["status"]["containerStatuses"][0]["restartCount"] == 0 for pod in agents)


def test_the_silenced_node_has_its_node_configuration(mixed: Cluster) -> None:
    query = ("get", "ciliumnodeconfigs", "-n", "kube-system", "-o", "json")
    (found,) = json.loads(mixed.kubectl(*query).stdout)["items"]

    assert {"enable-policy": "never"} == found["spec"]["defaults"]


@pytest.mark.parametrize("family", [0, 1], ids=["IPv4", "IPv6"])
def test_only_the_healthy_node_enforces(pods: Scene, family: int) -> None:
    pods.await_matrix(pods.all(reached=True), family)
    pods.deny_all()
    try:
        pods.await_matrix(pods.only_to(SILENCED, BARE), family)
    finally:
        pods.allow_all()
    pods.await_matrix(pods.all(reached=True), family)


def test_pods_of_the_bare_node_are_strangers_to_a_policy_that_allows_them(pods: Scene) -> None:
    pods.deny_all()
    pods.allow_from_clients()
    try:
        pods.await_matrix(_without_strangers(pods))
    finally:
        pods.allow_all()


def _without_strangers(pods: Scene) -> Matrix:
    # Cilium knows pods by their endpoints: one on a node without an agent has none, whatever its labels say.
    everything = pods.all(reached=True)
    return {(source, target): (source, target) != (BARE, ENFORCING) for source, target in everything}

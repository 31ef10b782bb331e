"""Faults do what they say, on a plain cluster, and end when they are switched off."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from tests.cluster import node, provision
from tests.cluster.cluster import Cluster
from tests.cluster.errors import ClusterError
from tests.cluster.faults import FAULTS, inflict
from tests.cluster.faults.reject import reject_rule, split_target
from tests.cluster.faults.signals import processes_of
from tests.cluster.scene import IMAGE, Scene, eventually, scene


@pytest.fixture(scope="module")
def pods(plain: Cluster) -> Iterator[Scene]:
    with scene(plain) as made:
        yield made


@pytest.fixture
def undisturbed(plain: Cluster) -> Iterator[Cluster]:
    yield plain
    inflict(plain, "api", "off")


def version(cluster: Cluster, timeout: float = 20) -> subprocess.CompletedProcess[str]:
    return cluster.kubectl("get", "--raw", "/version", f"--request-timeout={timeout:.0f}s", check=False)


def test_each_fault_has_a_name_of_its_own() -> None:
    names = [fault.name for fault in FAULTS]

    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("program", ["kubelet", "containerd"])
def test_a_program_is_stopped_and_goes_on(plain: Cluster, program: str) -> None:
    (process,) = processes_of(plain, "n2", program)

    inflict(plain, "stop", "n2", program)
    eventually(process.stopped)
    inflict(plain, "continue", "n2", program)

    eventually(lambda: process.alive() and not process.stopped())


def test_a_node_without_an_agent_says_so(plain: Cluster) -> None:
    with pytest.raises(ClusterError, match="n1 has no policy agent"):
        inflict(plain, "policy-off", "n1")


def test_throttled_clients_are_told_to_wait(undisturbed: Cluster) -> None:
    inflict(undisturbed, "api", "throttle")
    refused = version(undisturbed)
    inflict(undisturbed, "api", "off")

    assert "TooManyRequests" in refused.stderr
    assert version(undisturbed).returncode == 0


def test_connections_are_reset(undisturbed: Cluster) -> None:
    inflict(undisturbed, "api", "reset")

    assert "connection reset by peer" in version(undisturbed).stderr


def test_connections_are_dropped_and_go_on_later(undisturbed: Cluster) -> None:
    watch = subprocess.Popen(
        ["kubectl", "get", "configmaps", "--watch", "-o", "name"],
        executable=str(provision.kube()),
        env=undisturbed.environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert watch.stdout is not None
        assert "configmap/kube-root-ca.crt" == watch.stdout.readline().strip()
        inflict(undisturbed, "api", "drop")
        assert version(undisturbed, timeout=2).returncode == 1
        inflict(undisturbed, "api", "off")
        undisturbed.kubectl("create", "configmap", "later")
        assert "configmap/later" == watch.stdout.readline().strip()
    finally:
        watch.send_signal(signal.SIGTERM)
        watch.communicate()


def test_requests_are_delayed(undisturbed: Cluster) -> None:
    inflict(undisturbed, "api", "delay", "400")
    began = time.monotonic()
    assert version(undisturbed).returncode == 0

    assert time.monotonic() - began > 0.8  # a handshake and a request, at least


def test_a_share_of_connections_is_hit(undisturbed: Cluster) -> None:
    inflict(undisturbed, "api", "reset", "--percent", "50")

    outcomes = [version(undisturbed).returncode for _ in range(6)]

    assert {0, 1} == set(outcomes)


@pytest.mark.parametrize("words", [("delay",), ("drop", "5")])
def test_milliseconds_belong_to_delay(plain: Cluster, words: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="milliseconds"):
        inflict(plain, "api", *words)


def test_a_full_node_takes_no_pod_until_it_is_emptied(pods: Scene) -> None:
    inflict(pods.cluster, "fill", "n2")
    extra = {"spec": {"nodeSelector": {"kubernetes.io/hostname": "n2"}, "terminationGracePeriodSeconds": 0}}
    run = (
        "run",
        "extra",
        "-n",
        pods.namespace,
        f"--image={IMAGE}",
        f"--overrides={json.dumps(extra)}",
        "--",
        "sleep",
        "9",
    )
    try:
        pods.cluster.kubectl(*run)
        events = ("get", "events", "-n", pods.namespace, "--field-selector", "involvedObject.name=extra", "-o", "name")
        reason = (*events[:-2], "-o", "jsonpath={.items[*].message}")
        eventually(lambda: "Too many pods" in pods.cluster.kubectl(*reason).stdout)
    finally:
        inflict(pods.cluster, "fill", "n2", "--off")

    pods.cluster.kubectl("wait", "--for=condition=Ready", "-n", pods.namespace, "pod/extra", "--timeout=60s")
    allocatable = ("get", "node", "n2", "-o", "jsonpath={.status.allocatable.pods}")
    assert str(node.MAX_PODS) == pods.cluster.kubectl(*allocatable).stdout
    pods.cluster.kubectl("delete", "pod", "extra", "-n", pods.namespace)


@pytest.mark.parametrize("manner", ["icmp", "reset"])
def test_a_pods_node_rejects(pods: Scene, manner: str) -> None:
    address = pods.addresses["n2"][0]
    fetch = ("wget", "-T", "30", "-O", "-", f"http://{address}:80/")
    inflict(pods.cluster, "reject", "n2", manner, f"{address}:80")
    try:
        refused = pods.cluster.exec(pods.namespace, "client-n1", *fetch, check=False)
    finally:
        inflict(pods.cluster, "reject", "n2", manner, f"{address}:80", "--off")

    assert "Connection refused" in refused.stderr
    pods.await_matrix(pods.all(reached=True))


def test_packets_between_two_nodes_are_dropped(pods: Scene) -> None:
    inflict(pods.cluster, "drop-between", "n2", "n1")
    try:
        pods.await_matrix({(source, target): source == target for source, target in pods.all(reached=True)})
    finally:
        inflict(pods.cluster, "drop-between", "n1", "n2", "--off")

    pods.await_matrix(pods.all(reached=True))


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [
        ("198.18.1.2", "198.18.1.2", ""),
        ("198.18.1.2:80", "198.18.1.2", "80"),
        ("2001:db8:1:1::2", "2001:db8:1:1::2", ""),
        ("[2001:db8:1:1::2]:80", "2001:db8:1:1::2", "80"),
    ],
)
def test_targets_are_read(text: str, address: str, port: str) -> None:
    assert (ip_address(address), port) == split_target(text)


def test_an_address_of_version_6_is_rejected_in_its_own_words() -> None:
    assert "icmp6-port-unreachable" == reject_rule(ip_address("2001:db8:1:1::2"), "", "icmp")[-1]

"""Where pods and nodes of a sandbox stand."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from probes.backends.netns.wires import MOST_NODES, MOST_PODS, NodeBerth, PodBerth, cable_lines, node_lines, pod_lines

NODES = [NodeBerth(index, index + 1) for index in range(MOST_NODES)]


def test_addresses_are_all_different_and_in_their_nodes_blocks() -> None:
    pods = [PodBerth(node, turn, turn, 0) for node in NODES for turn in (0, 1, MOST_PODS - 1)]
    found = [
        address
        for addresses in (*(it.addresses for it in NODES), *(it.addresses for it in pods))
        for address in addresses
    ]
    assert len(set(map(ip_address, found))) == len(found)
    assert [str(ip_address(text)) for text in found] == found
    for pod in pods:
        for address, block in zip(pod.addresses, pod.node.pods, strict=True):
            assert ip_address(address) in ip_network(block)


def test_interfaces_keep_within_15_bytes_and_apart() -> None:
    names = {PodBerth(NODES[0], 0, number, 0).interface for number in range(MOST_NODES * MOST_PODS)}
    assert len(names) == MOST_NODES * MOST_PODS
    assert max(map(len, names)) <= 15


@pytest.mark.parametrize("families", [1, 2])
def test_a_kernel_without_ipv6_is_asked_for_none(families: int) -> None:
    pod = PodBerth(NODES[1], 0, 7, 30)
    text = "\n".join(
        [*node_lines(NODES[1], NODES[:3], families), *cable_lines([pod], 3, families), *pod_lines(pod, families)]
    )
    assert (":" in text) is (families == 2)
    assert "route add 10.244.1.2 dev p7 src 172.18.0.3" in text
    assert "netns /proc/self/fd/3" in text

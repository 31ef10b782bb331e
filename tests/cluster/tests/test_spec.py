"""What is asked for is checked before anything starts, and the addresses that follow from it never meet."""

from __future__ import annotations

import ipaddress

import pytest

from tests.cluster import spec
from tests.cluster.spec import MAX_NODES, NodeOptions, make_spec


def test_nodes_are_numbered_and_carry_their_options() -> None:
    options = NodeOptions(bare=["n2"], labels={"n1": {"zone": "a"}}, provider_ids={"n1": "aws:///a/i-1"})

    first, second = make_spec("x", engine="cilium", nodes=2, per_node=options).nodes

    assert ("n1", "192.0.2.11", "198.18.1.0/24") == (first.name, first.v4, first.pods_v4)
    assert ({"zone": "a"}, "aws:///a/i-1", False) == (first.labels, first.provider_id, first.bare)
    assert second.bare


def test_pod_ranges_lie_in_the_clusters_range_and_apart() -> None:
    nodes = make_spec("x", nodes=MAX_NODES).nodes

    for ranges, whole in (
        ([node.pods_v4 for node in nodes], spec.PODS_V4),
        ([node.pods_v6 for node in nodes], spec.PODS_V6),
    ):
        networks = [ipaddress.ip_network(text) for text in ranges]
        assert len(set(networks)) == MAX_NODES
        assert all(network.subnet_of(ipaddress.ip_network(whole)) for network in networks)  # type: ignore[arg-type]


def test_no_node_has_the_address_of_another_machine() -> None:
    taken = {spec.API_V4, spec.OUTSIDE_GATEWAY_V4, spec.API_V6, spec.OUTSIDE_GATEWAY_V6}

    for node in make_spec("x", nodes=MAX_NODES).nodes:
        assert not {node.v4, node.v6} & taken


@pytest.mark.parametrize(
    ("name", "options", "complaint"),
    [
        ("Upper", {}, "not a cluster name"),
        ("x" * 21, {}, "not a cluster name"),
        ("x", {"nodes": -1}, "between 0 "),
        ("x", {"nodes": MAX_NODES + 1}, "between 0 "),
        ("x", {"nodes": 0, "engine": "cilium"}, "needs a node"),
        ("x", {"settings": {"enable-policy": "never"}}, "need --engine cilium"),
        ("x", {"engine": "cilium", "per_node": NodeOptions(bare=["n3"])}, "no such node: n3"),
        ("x", {"engine": "cilium", "per_node": NodeOptions(["n1"], settings={"n1": {"a": "b"}})}, "has no agent"),
    ],
)
def test_nonsense_is_refused_with_a_reason(name: str, options: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        make_spec(name, **options)  # type: ignore[arg-type]

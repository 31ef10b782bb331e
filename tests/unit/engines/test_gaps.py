"""What engines ignore of the policies that a cluster has, object by object."""

from __future__ import annotations

import pytest

from auditor.engines import ENGINES, unsupported
from auditor.engines.engine import Remark
from tests.builders import Raw, allow, block, named, policy, snapshot, tcp
from tests.cilium import cnp, config


def found(engine: str, *objects: Raw) -> tuple[Remark, ...]:
    return unsupported(ENGINES[engine], snapshot(*objects))


def told(engine: str, *objects: Raw) -> list[tuple[str, str, bool]]:
    return [(item.topic, item.path, item.sure) for item in found(engine, *objects)]


SCTP = policy("a/p", ingress=[allow(ports=[tcp(80), tcp(90, protocol="SCTP")])])
RANGE = policy("a/p", egress=[allow(), allow(ports=[tcp(80, to=90)])])
NAMED = policy("a/p", ingress=[allow(ports=[tcp("http")])])
BLOCK = policy("a/p", egress=[allow(block("10.0.0.0/8"), block("2001:db8::/32"))])


def test_sctp_under_cilium_depends_on_a_switch() -> None:
    path = "spec.ingress[0].ports[1].protocol"

    assert [] == told("cilium", SCTP, config(enable_sctp="true"))
    assert [("sctp", path, True)] == told("cilium", SCTP, config(enable_sctp="false"))
    assert [("sctp", path, True)] == told("cilium", SCTP, config())
    assert [("sctp", path, False)] == told("cilium", SCTP)


def test_range_under_cilium_depends_on_its_version() -> None:
    assert [("end-port", "spec.egress[1].ports[0].endPort", False)] == told("cilium", RANGE)


def test_port_name_may_open_a_whole_protocol() -> None:
    assert [("named-port", "spec.ingress[0].ports[0].port", False)] == told("ovn_kubernetes", NAMED)
    assert [] == told("calico", NAMED)


def test_block_of_ipv6_addresses() -> None:
    assert [("ipv6", "spec.egress[0].to[1].ipBlock", True)] == told("azure_npm", BLOCK)


def test_rules_of_a_direction_that_is_not_in_force_are_not_told() -> None:
    assert [] == told("ovn_kubernetes", policy("a/p", ingress=[allow(ports=[tcp("http")])], types=["Egress"]))


def test_engine_that_enforces_nothing_is_told_once_for_each_policy() -> None:
    assert [("enforcement", "", True)] == told("flannel", NAMED)


def test_kind_of_another_engine_has_no_effect() -> None:
    (one,) = found("calico", cnp("a/p", endpointSelector={}))

    assert ("layer", True, "CiliumNetworkPolicy a/p") == (one.topic, one.sure, str(one.object))
    assert "Calico does not enforce this kind" in one.text


def test_own_kinds_are_enforced() -> None:
    assert [] == told("cilium", cnp("a/p", endpointSelector={}), cnp("p", endpointSelector={}))


def test_object_that_decides_nothing_is_not_told() -> None:
    assert [] == told("calico", named("CiliumCIDRGroup", "group"))


@pytest.mark.parametrize(("engine", "sure"), [("calico", False), ("kindnet", True), ("cilium", False)])
def test_newer_apis_depend_on_the_engine(engine: str, sure: bool) -> None:
    assert [("layer", "", sure)] == told(engine, named("ClusterNetworkPolicy", "p"))


def test_switch_tells_whether_cilium_reads_cluster_network_policies() -> None:
    newer = named("ClusterNetworkPolicy", "p")

    assert [] == told("cilium", newer, config(enable_k8s_cluster_network_policy="true"))
    assert [("layer", "", True)] == told("cilium", newer, config())

"""Blocks that hold pods, hold Services, hold nothing, or are crooked."""

from __future__ import annotations

import pytest

from auditor.model.lint import LintSeverity
from tests.builders import Raw, allow, block, node, pod, pods, policy, selector
from tests.unit.lint.linting import found, one, places, service

PODS, SERVICES, EMPTY, BITS = "block-holds-pods", "block-holds-service", "block-is-empty", "block-has-host-bits"
WEB = pod("shop/web-1", at=["10.1.0.1"], app="web")
API = pod("shop/api-1", at=["10.1.0.2", "fd00::2"], app="api")
SHOP = (WEB, API)


def into(*peers: Raw) -> Raw:
    return policy("shop/in", ingress=[allow(*peers)])


def out_to(*peers: Raw) -> Raw:
    return policy("shop/out", egress=[allow(*peers)])


def test_block_that_holds_pods() -> None:
    finding = one(PODS, *SHOP, into(pods(app="x"), block("10.1.0.0/24", "10.1.0.128/25")))

    assert finding.path == "spec.ingress[0].from[1].ipBlock"
    assert finding.severity is LintSeverity.WARNING
    assert finding.message.startswith("10.1.0.0/24 except 10.1.0.128/25 holds the addresses of 2 pods")
    assert finding.why == (
        "such as shop/api-1, shop/web-1",
        "the API leaves open whether a block means pods: Cilium says no, Calico yes",
    )


def test_block_of_the_other_family() -> None:
    assert one(PODS, *SHOP, into(block("fd00::/64"))).why[0] == "such as shop/api-1"


def test_everything_is_meant_to_be_everything() -> None:
    assert one(PODS, *SHOP, into(block("0.0.0.0/0"))).severity is LintSeverity.INFO


def test_engine_that_is_known_settles_it() -> None:
    """What the engine says is worth knowing, and no longer open."""
    agent = pod("kube-system/cilium-1", owner="DaemonSet/cilium", spec={"hostNetwork": True})
    finding = one(PODS, *SHOP, agent, into(block("10.1.0.0/24")))

    assert finding.severity is LintSeverity.INFO
    assert finding.why[1] == "Cilium lets no block mean pods, and other engines do"


@pytest.mark.parametrize(
    "peers",
    [
        [block("192.0.2.0/24")],
        [block("10.1.0.0/24", "10.1.0.0/30")],
        [block("10.1.0.0/24"), pods()],
        [block("fd01::/64")],
    ],
    ids=["outside", "taken out", "let in by labels as well", "other family"],
)
def test_blocks_that_leave_nothing_open(peers: list[Raw]) -> None:
    assert found(PODS, *SHOP, into(*peers)) == ()


def test_manifests_have_no_addresses() -> None:
    planned = pod("shop/web-1", at=(), app="web")
    del planned["status"], planned["metadata"]["uid"]

    assert found(PODS, planned, into(block("10.0.0.0/8"))) == ()


def test_block_that_is_a_services_address() -> None:
    """The API server's Service is the classic."""
    api = service("default/kubernetes", {"port": 443, "targetPort": 6443}, at="10.96.0.1")
    finding = one(SERVICES, *SHOP, api, out_to(block("10.96.0.1/32")))

    assert finding.path == "spec.egress[0].to[0].ipBlock"
    assert finding.why[0] == "Service default/kubernetes"


def test_block_of_services_alone() -> None:
    services = [service(f"shop/s{number}", at=f"10.96.0.{number}") for number in (1, 2)]

    assert len(found(SERVICES, *SHOP, *services, out_to(block("10.96.0.0/16")))) == 1
    assert found(SERVICES, *SHOP, *services, out_to(block("10.0.0.0/8", "10.1.0.0/16"))) == ()


@pytest.mark.parametrize(
    "made",
    [into(block("10.96.0.1/32")), out_to(block("10.96.0.2/32")), out_to(block("10.0.0.0/8"))],
    ids=["ingress", "other address", "pods as well"],
)
def test_blocks_that_mean_more_than_services(made: Raw) -> None:
    assert found(SERVICES, *SHOP, service("default/kubernetes", at="10.96.0.1"), made) == ()


def test_block_with_a_node_is_not_about_services() -> None:
    worker = node("n1")
    worker["status"]["addresses"] = [{"type": "InternalIP", "address": "10.96.0.9"}]

    assert found(SERVICES, *SHOP, worker, service("a/b", at="10.96.0.1"), out_to(block("10.96.0.0/24"))) == ()


def test_block_of_which_nothing_is_left() -> None:
    finding = one(EMPTY, *SHOP, into(block("192.0.2.0/24", "192.0.2.0/25", "192.0.2.128/25")))

    assert finding.path == "spec.ingress[0].from[0].ipBlock.except"


@pytest.mark.parametrize("holes", [[], ["192.0.2.0/25"], ["192.0.2.0/25", "192.0.2.192/26"]], ids=len)
def test_block_of_which_something_is_left(holes: list[str]) -> None:
    assert found(EMPTY, *SHOP, into(block("192.0.2.0/24", *holes))) == ()


def test_bits_beyond_the_mask() -> None:
    finding = one(BITS, *SHOP, policy("shop/in", selector(app="x"), ingress=[allow(block("192.0.2.77/24"))]))

    assert places([finding]) == [("shop/in", "spec.ingress[0].from[0].ipBlock.cidr")]
    assert finding.severity is LintSeverity.INFO
    assert found(BITS, *SHOP, into(block("192.0.2.77/32"))) == ()

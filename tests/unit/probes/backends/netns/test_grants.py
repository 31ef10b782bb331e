"""What policies let through, as addresses and port numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from probes.backends.netns.grants import Grant, Policies
from probes.backends.netns.reading import read
from probes.backends.netns.spans import WHOLE, addresses, block
from probes.backends.netns.world import Seat
from tests.unit.probes.backends.netns.worlds import API, GUEST, WEB, WORLD, policy

HTTP_80, HTTP_8080, UDP_80 = (("TCP", ((80, 80),)),), (("TCP", ((8080, 8080),)),), (("UDP", ((80, 80),)),)


def of(*policies: Mapping[str, Any]) -> Policies:
    return Policies(WORLD, tuple(read(item) for item in policies))


def of_pods(*seats: Seat) -> tuple[Any, Any]:
    return addresses(text for seat in seats for text in seat.addresses)


def test_isolating_policies_are_those_of_the_pods_namespace_that_select_it() -> None:
    policies = of(
        policy(podSelector={"matchLabels": {"app": "web"}}),
        policy(policyTypes=["Egress"]),
        policy("guests", policyTypes=["Ingress", "Egress"]),
    )

    assert ((0,), (1,)) == policies.isolating(WEB)
    assert ((), (1,)) == policies.isolating(API)
    assert ((2,), (2,)) == policies.isolating(GUEST)


@pytest.mark.parametrize(
    ("peer", "seats"),
    [
        ({"podSelector": {}}, (WEB, API)),
        ({"podSelector": {"matchLabels": {"app": "web"}}}, (WEB,)),
        ({"namespaceSelector": {}}, (WEB, API, GUEST)),
        ({"namespaceSelector": {"matchLabels": {"team": "b"}}}, (GUEST,)),
        ({"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "web"}}}, (WEB, GUEST)),
        ({"namespaceSelector": {"matchLabels": {"team": "c"}}}, ()),
    ],
)
def test_peers_that_are_pods(peer: Mapping[str, Any], seats: tuple[Seat, ...]) -> None:
    (grant,) = of(policy(ingress=[{"from": [peer]}])).ingress(0, WEB)

    assert Grant(of_pods(*seats), None) == grant


def test_a_block_without_its_exceptions_joins_other_peers() -> None:
    peers = [{"ipBlock": {"cidr": "10.0.0.0/16", "except": ["10.0.2.0/24", "10.0.0.0/24"]}}, {"podSelector": {}}]
    (grant,) = of(policy(ingress=[{"from": peers}])).ingress(0, WEB)

    low, middle, high = (block(cidr)[1] for cidr in ("10.0.1.0/24", "10.0.3.0/24", "10.0.255.0/24"))
    web, api = of_pods(WEB), of_pods(API)
    assert grant.addresses == ((low, *api[0], (middle[0], high[1])), web[1] + api[1])


def test_no_peers_are_any_and_peers_that_match_nobody_are_none() -> None:
    nobody = {"podSelector": {"matchLabels": {"app": "nobody"}}}
    policies = of(policy(ingress=[{}, {"from": [nobody]}], egress=[{}, {"to": [nobody]}]))

    assert (Grant(None, None), Grant(((), ()), None)) == policies.ingress(0, WEB) == policies.egress(0)


def test_ports_are_joined_by_protocol() -> None:
    ports = [{"port": 80}, {"port": 81, "endPort": 90}, {"protocol": "UDP"}, {"port": 85}]
    (grant,) = of(policy(ingress=[{"ports": ports}])).ingress(0, WEB)

    assert grant.ports == (("TCP", ((80, 90),)), ("UDP", ((0, 65535),)))


def test_ingress_looks_names_up_at_the_pod_itself() -> None:
    policies = of(policy(ingress=[{"ports": [{"port": "http"}]}]))

    assert [HTTP_80] == [grant.ports for grant in policies.ingress(0, WEB)]
    assert [HTTP_8080] == [grant.ports for grant in policies.ingress(0, API)]
    assert [()] == [grant.ports for grant in policies.ingress(0, GUEST)]


def test_egress_looks_names_up_at_each_destination() -> None:
    ports = [{"port": "http"}, {"port": "http", "protocol": "UDP"}, {"port": 9}]

    found = of(policy(egress=[{"ports": ports, "to": [{"namespaceSelector": {}}]}])).egress(0)

    assert {
        Grant(of_pods(WEB, API, GUEST), (("TCP", ((9, 9),)),)),
        Grant(of_pods(WEB), HTTP_80),
        Grant(of_pods(API), HTTP_8080),
        Grant(of_pods(GUEST), UDP_80),
    } == set(found)


def test_a_name_means_something_at_pods_among_any_destinations() -> None:
    found = of(policy(egress=[{"ports": [{"port": "http"}]}])).egress(0)

    assert {Grant(of_pods(WEB), HTTP_80), Grant(of_pods(API), HTTP_8080)} <= set(found)
    assert all(grant.ports == () or grant.addresses not in {None, WHOLE} for grant in found)

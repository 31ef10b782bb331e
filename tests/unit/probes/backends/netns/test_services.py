"""What a Service says, and what an API server would give it."""

from __future__ import annotations

from typing import Any

import pytest

from probes.backends.netns.services import DOORS, FAMILIES, NoneLeftError, Port, allotted, is_led, read_service
from tests.unit.probes.backends.netns.worlds import service

BOTH = {"ipFamilyPolicy": "PreferDualStack"}


def given(*services: dict[str, Any], families: int = 2) -> list[dict[str, Any]]:
    return [dict(item["spec"]) for item in allotted(services, families=families)]


def doors(*specs: dict[str, Any]) -> list[int]:
    return [port["nodePort"] for spec in specs for port in spec["ports"]]


def test_each_service_gets_an_address_of_its_own() -> None:
    named = service("third", clusterIP="10.96.0.1")
    found = given(service("first"), service("second"), named)
    assert [spec["clusterIPs"] for spec in found] == [["10.96.0.2"], ["10.96.0.3"], ["10.96.0.1"]]
    assert [spec["clusterIP"] for spec in found] == ["10.96.0.2", "10.96.0.3", "10.96.0.1"]
    assert [spec["ipFamilies"] for spec in found] == [["IPv4"]] * 3


def test_what_is_there_already_is_left_alone() -> None:
    there = allotted([service("first", type="NodePort")])
    [found] = allotted([service("second", type="NodePort")], there)
    assert found["spec"]["clusterIP"] == "10.96.0.2"
    assert doors(there[0]["spec"], found["spec"]) == [30000, 30001]


@pytest.mark.parametrize(
    ("spec", "families", "addresses"),
    [
        ({}, ["IPv4"], ["10.96.0.1"]),
        (BOTH, ["IPv4", "IPv6"], ["10.96.0.1", "fd00:10:96::1"]),
        ({"ipFamilyPolicy": "RequireDualStack"}, ["IPv4", "IPv6"], ["10.96.0.1", "fd00:10:96::1"]),
        ({"ipFamilies": ["IPv6"]}, ["IPv6"], ["fd00:10:96::1"]),
        ({"ipFamilies": ["IPv6", "IPv4"]}, ["IPv6", "IPv4"], ["fd00:10:96::1", "10.96.0.1"]),
        (BOTH | {"ipFamilies": ["IPv6"]}, ["IPv6", "IPv4"], ["fd00:10:96::1", "10.96.0.1"]),
        (BOTH | {"clusterIP": "fd00::7"}, ["IPv6", "IPv4"], ["fd00::7", "10.96.0.1"]),
        ({"clusterIPs": ["10.7.0.1", "fd00::0:7"]}, ["IPv4", "IPv6"], ["10.7.0.1", "fd00::7"]),
        ({"clusterIP": "None"}, ["IPv4"], ["None"]),
        ({"clusterIP": "None"} | BOTH, ["IPv4", "IPv6"], ["None"]),
        ({"clusterIP": "None", "selector": None}, ["IPv4", "IPv6"], ["None"]),
    ],
    ids=str,
)
def test_families_and_addresses_are_those_asked_for(
    spec: dict[str, Any], families: list[str], addresses: list[str]
) -> None:
    [found] = given(service(**spec))
    assert (found["ipFamilies"], found["clusterIPs"], found["clusterIP"]) == (families, addresses, addresses[0])


def test_a_kernel_without_ipv6_has_services_without() -> None:
    both, alone = given(service(**BOTH), service("b", ipFamilies=["IPv6"]), families=1)
    assert (both["ipFamilies"], both["clusterIPs"]) == (["IPv4"], ["10.96.0.1"])
    assert (alone["ipFamilies"], "clusterIPs" in alone) == ([], False)


def test_another_name_for_something_outside_gets_nothing() -> None:
    outside = service(type="ExternalName", externalName="example.org", clusterIP="10.96.0.44")
    assert allotted([outside]) == (outside,)
    assert not read_service(outside).addresses
    assert not read_service(outside).selector
    assert not is_led(outside)
    assert is_led(service())


@pytest.mark.parametrize("kind", ["NodePort", "LoadBalancer"])
def test_ports_of_nodes_are_given_and_those_named_are_kept(kind: str) -> None:
    first, second = (
        service(
            name,
            type=kind,
            ports=[{"port": 1, "nodePort": 30001}, {"port": 2}, {"port": 2, "protocol": "UDP", "nodePort": 0}],
        )
        for name in ("a", "b")
    )
    second["spec"]["ports"][0]["nodePort"] = 31000
    found = given(first, second)
    assert doors(*found) == [30001, 30000, 30000, 31000, 30002, 30001]


def test_types_without_ports_of_nodes_get_none() -> None:
    kept = service("b", type="LoadBalancer", allocateLoadBalancerNodePorts=False)
    assert not any("nodePort" in port for spec in given(service(), kept) for port in spec["ports"])
    [left] = read_service(service(ports=[{"port": 80, "nodePort": 30007}])).ports
    assert left.door == 0


@pytest.mark.parametrize(
    ("services", "fault"),
    [
        ([service(clusterIP="somewhere")], "Service shop/web: 'somewhere' does not appear to be an IPv4 or IPv6"),
        ([service(clusterIP='fd00::7%"; flush ruleset')], "Service shop/web: .* has a zone"),
        ([service(clusterIP="10.244.3.9")], "Service shop/web: address 10.244.3.9 is one of the sandbox's own"),
        ([service(clusterIP="fd00:172:18::9")], "Service shop/web: address fd00:172:18::9 is one of the sandbox's"),
        (
            [service("a", clusterIP="fd00::7"), service("b", clusterIP="fd00::0:7")],
            "Service shop/b: address fd00::7 is that of shop/a already",
        ),
        (
            [service(name, type="NodePort", ports=[{"port": 80, "nodePort": 30007}]) for name in "ab"],
            "Service shop/b: node port 30007 is that of shop/a already",
        ),
        (
            [service(type="NodePort", ports=[{"port": 80, "nodePort": "many"}])],
            "Service shop/web: 'many' is not the number of a port",
        ),
    ],
    ids=lambda item: item[:40] if isinstance(item, str) else "",
)
def test_what_no_server_would_take_is_told(services: list[dict[str, Any]], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        allotted(services)


def test_more_node_ports_than_there_are_is_no_fault_of_a_service() -> None:
    many = service(type="NodePort", ports=[{"port": number} for number in range(1, len(DOORS) + 1)])
    [stored] = allotted([many])
    with pytest.raises(NoneLeftError, match=r"no TCP node port is left of 2,768, from 30000 to 32767"):
        allotted([service("late", type="NodePort")], [stored])


def test_what_a_service_says() -> None:
    ports = [
        {"port": 80},
        {"name": "dns", "protocol": "UDP", "port": 53, "targetPort": "dns", "nodePort": 30053},
        {"port": 0},
        {"port": 9, "protocol": "QUIC"},
        None,
    ]
    found = read_service(service(type="NodePort", clusterIPs=["10.96.0.9", "fd00::0:9"], ports=ports))
    assert found.ports == (Port("", "TCP", 80, 80), Port("dns", "UDP", 53, "dns", 30053))
    assert found.addresses == ("10.96.0.9", "fd00::9")
    assert (found.headless, found.unready, found.near_inside, found.near_outside) == (False, False, False, False)


def test_what_bears_on_who_is_behind() -> None:
    local = {"internalTrafficPolicy": "Local", "externalTrafficPolicy": "Local"}
    found = read_service(service(clusterIP="None", publishNotReadyAddresses=True, ipFamilies=[*FAMILIES], **local))
    assert (found.headless, found.unready, found.near_inside, found.near_outside) == (True, True, True, True)
    assert found.families == FAMILIES
    assert not found.addresses


def test_nothing_at_all_is_no_fault() -> None:
    empty = {"metadata": {"name": "bare"}, "spec": None}
    found = read_service(empty)
    assert (found.namespace, found.ports, found.selector) == ("default", (), {})
    assert not is_led(empty)

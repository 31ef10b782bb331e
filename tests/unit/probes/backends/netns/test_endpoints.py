"""What is behind a Service: the slices that are written, and what slices say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from probes.backends.netns.endpoints import MOST, End, ends_of, owner_of, slices_of
from probes.backends.netns.services import Port, Raw, allotted
from probes.backends.netns.world import World
from tests.unit.probes.backends.netns.worlds import WEB, WORLD, service

HTTP = Port("", "TCP", 80, "http")
BOTH = {"ipFamilyPolicy": "PreferDualStack"}


def written(*services: dict[str, Any], world: World = WORLD) -> tuple[Raw, ...]:
    return slices_of(replace(world, services=allotted(services)))


def addresses(piece: Raw) -> list[str]:
    return [text for endpoint in piece["endpoints"] for text in endpoint["addresses"]]


def test_a_slice_is_what_the_controller_would_write() -> None:
    [found] = written(service())
    assert found == {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "web-1",
            "namespace": "shop",
            "labels": {
                "kubernetes.io/service-name": "web",
                "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
            },
        },
        "addressType": "IPv4",
        "endpoints": [
            {
                "addresses": ["10.0.1.1"],
                "conditions": {"ready": True, "serving": True, "terminating": False},
                "nodeName": "n1",
                "targetRef": {"kind": "Pod", "namespace": "shop", "name": "web"},
            }
        ],
        "ports": [{"name": "", "protocol": "TCP", "port": 80}],
    }
    assert owner_of(found) == ("shop", "web")


def test_pods_of_other_namespaces_and_labels_are_not_behind() -> None:
    assert [addresses(piece) for piece in written(service(**BOTH))] == [["10.0.1.1"], ["fd00:1::1"]]


def test_pods_whose_named_port_differs_have_slices_of_their_own() -> None:
    found = written(service("all", selector={"part": "shop"}), world=part_of_shop())
    assert [(addresses(piece), [port["port"] for port in piece["ports"]]) for piece in found] == [
        (["10.0.1.1"], [80]),
        (["10.0.2.1"], [8080]),
    ]
    assert [piece["metadata"]["name"] for piece in found] == ["all-1", "all-2"]


def part_of_shop() -> World:
    return replace(WORLD, seats=tuple(replace(seat, labels={"part": seat.namespace}) for seat in WORLD.seats))


def test_a_name_that_a_pod_does_not_know_leads_nowhere_there() -> None:
    """The pod is listed without that port; of a name that it declares twice the first one counts."""
    twice = replace(WEB, ports=(("http", "UDP", 1), ("http", "TCP", 2), ("http", "TCP", 3)))
    ports = [{"name": "a", "port": 80, "targetPort": "http"}, {"name": "b", "port": 81, "targetPort": "none"}]
    [found] = written(service(ports=ports), world=replace(WORLD, seats=(twice,)))
    assert found["ports"] == [{"name": "a", "protocol": "TCP", "port": 2}]
    assert addresses(found) == ["10.0.1.1"]


def test_without_pods_there_is_an_empty_slice() -> None:
    [found] = written(service("nobody"))
    assert (found["endpoints"], found["ports"]) == ([], [])


def test_a_headless_service_has_slices_and_says_so() -> None:
    [found] = written(service(clusterIP="None", ports=None))
    assert found["metadata"]["labels"]["service.kubernetes.io/headless"] == ""
    assert addresses(found) == ["10.0.1.1"]


def test_pods_in_their_nodes_networks_are_behind_services_too() -> None:
    host = replace(WEB, name="host", addresses=("172.18.0.2",), interface="")
    assert [addresses(piece) for piece in written(service(), world=replace(WORLD, hosts=(host,)))] == [
        ["10.0.1.1", "172.18.0.2"]
    ]


@pytest.mark.parametrize(("published", "ready"), [(False, False), (True, True)])
def test_pods_that_are_not_ready_are_listed_and_lead_nowhere(published: bool, ready: bool) -> None:
    world = replace(WORLD, seats=(replace(WEB, ready=False),))
    found = written(service(publishNotReadyAddresses=published), world=world)
    assert found[0]["endpoints"][0]["conditions"]["ready"] is ready
    assert ends_of(HTTP, found, "IPv4") == ((End("10.0.1.1", 80, "n1"),) if ready else ())


def test_a_slice_holds_no_more_than_the_controllers() -> None:
    seats = tuple(replace(WEB, name=str(number), addresses=(f"10.0.7.{number}",)) for number in range(MOST + 1))
    assert [len(piece["endpoints"]) for piece in written(service(), world=replace(WORLD, seats=seats))] == [MOST, 1]


def test_slices_that_are_there_come_with_those_that_are_written() -> None:
    own = {"metadata": {"name": "by-hand"}}
    assert slices_of(replace(WORLD, slices=(own,))) == (own,)
    assert owner_of(own) == ("default", "")


def test_what_leads_nowhere_by_itself_is_written_no_slice() -> None:
    assert written(service(selector=None), service("out", type="ExternalName")) == ()


def by_hand(*endpoints: dict[str, Any], kind: str = "IPv4", **port: Any) -> dict[str, Any]:
    return {"metadata": {"name": "x"}, "addressType": kind, "endpoints": list(endpoints), "ports": [port]}


def at(text: str, **conditions: bool) -> dict[str, Any]:
    return {"addresses": [text, "10.9.9.9"], "conditions": conditions}


def test_ready_ones_count_and_without_them_those_that_leave() -> None:
    leaving = at("10.0.0.3", ready=False, serving=True, terminating=True)
    gone = at("10.0.0.4", ready=False, serving=False, terminating=True)
    waiting = at("10.0.0.5", ready=False)
    piece = by_hand(at("10.0.0.1"), at("10.0.0.2", ready=True), leaving, gone, waiting, port=9)
    assert [end.address for end in ends_of(HTTP, [piece], "IPv4")] == ["10.0.0.1", "10.0.0.2"]
    assert ends_of(HTTP, [by_hand(leaving, gone, waiting, port=9)], "IPv4") == (End("10.0.0.3", 9, ""),)


@pytest.mark.parametrize(
    ("port", "listed", "numbers"),
    [
        (HTTP, {"port": 9}, [9]),
        (HTTP, {"name": "", "protocol": "TCP", "port": 9}, [9]),
        (HTTP, {"name": "other", "port": 9}, []),
        (HTTP, {"protocol": "UDP", "port": 9}, []),
        (HTTP, {}, [80]),
        (Port("a", "UDP", 80, 8080), {"name": "a", "protocol": "UDP"}, [8080]),
    ],
    ids=str,
)
def test_ports_go_by_name_and_protocol(port: Port, listed: dict[str, Any], numbers: list[int]) -> None:
    assert [end.port for end in ends_of(port, [by_hand(at("10.0.0.1"), **listed)], "IPv4")] == numbers


def test_families_stay_apart_and_an_end_counts_once() -> None:
    four, six = by_hand(at("10.0.0.1"), port=9), by_hand(at("fd00::0:1"), port=9, kind="IPv6")
    names = by_hand({"addresses": ["example.org"]}, port=9, kind="FQDN")
    assert [end.address for end in ends_of(HTTP, [four, six, four, names], "IPv4")] == ["10.0.0.1"]
    assert [end.address for end in ends_of(HTTP, [four, six, names], "IPv6")] == ["fd00::1"]


def test_what_is_no_address_or_port_leads_nowhere() -> None:
    strange = [at('fd00::1%"; flush ruleset'), at("web"), {"addresses": None}, None]
    piece = {**by_hand(at("fd00::2"), port=9, kind="IPv6"), "ports": [None, {"port": 9}, {"port": 99999}]}
    piece["endpoints"] += strange
    assert ends_of(HTTP, [piece], "IPv6") == (End("fd00::2", 9, ""),)
    assert ends_of(Port("", "TCP", 80, 99999), [by_hand(at("10.0.0.1"))], "IPv4") == ()

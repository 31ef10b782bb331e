"""Each fault of the sandbox's engine shows in real packets."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from probes.backends.netns.faults import FAULTS
from tests.sandbox.packets import Flow
from tests.sandbox.policed import Realm, policed_realm
from tests.sandbox.policing import API, CLIENT, TO_HTTP, WEB, Case, egress, ingress, shown
from tests.sandbox.spaces import SEATS, WORLD


@pytest.fixture(scope="module")
def realm() -> Iterator[Realm]:
    with policed_realm() as made:
        yield made


FAULTY = {
    "nothing-enforced": Case(
        "", [ingress({}), egress({})], "client>web 80,client>api 80 v6,out>web udp 53,web>out icmp", ""
    ),
    "ingress-only": Case("", [ingress(WEB), egress(WEB)], "web>client 80,web>far 80 v6", "client>web 80,far>web 80"),
    "node-without-agent": Case(
        "",
        [ingress({}), egress(API)],
        "client>api 80,api>guest 80,out>api 80 v6",
        "api>web 80,client>web 80,guest>web 80",
    ),
    "except-ignored": Case(
        "",
        [ingress(WEB, {"from": [{"ipBlock": {"cidr": "10.9.1.0/24", "except": ["10.9.1.3/32"]}}]})],
        "client>web 80,guest>web 80",
        "far>web 80,client>web 80 v6",
    ),
    "named-port-ignored": Case(
        "",
        [ingress(WEB, TO_HTTP), ingress(API, {"ports": [{"port": "http"}, {"port": 9000}]}), egress(CLIENT, TO_HTTP)],
        "web>api 9000",
        "api>web 80,web>api 8080,client>web 80,client>far 80",
    ),
    "named-port-widened": Case(
        "",
        [ingress(WEB, TO_HTTP), egress(CLIENT, TO_HTTP)],
        "api>web 80,api>web 8080,client>far 9000,client>web 9000 v6",
        "api>web udp 53,client>far udp 53,api>web icmp",
    ),
    "endport-ignored": Case(
        "",
        [ingress(WEB, {"ports": [{"port": 8080, "endPort": 8082}, {"port": 80}, {"protocol": "UDP"}]})],
        "client>web 80,client>web 8080,client>web udp 53",
        "client>web 8081,client>web 8082",
    ),
    "udp-ignored": Case(
        "", [ingress(WEB), egress(WEB)], "client>web udp 53,web>api udp 80 v6", "client>web 80,web>api 80,api>web icmp"
    ),
    "ipv6-ignored": Case(
        "",
        [ingress(WEB), egress(WEB)],
        "client>web 80 v6,web>api udp 80 v6,out>web icmp v6",
        "client>web 80,web>api 80",
    ),
    "source-lost": Case(
        "",
        [
            ingress(WEB, {"from": [{"podSelector": {}}]}),
            ingress(API, {"from": [{"ipBlock": {"cidr": "192.0.2.1/32"}}]}),
            egress(CLIENT, {"to": [{"podSelector": {}}]}),
        ],
        "client>web 80,web>api 80,client>api 80,web>far 80 v6,web>cloud udp 53",
        "api>web 80,api>web udp 53 v6,guest>web 80,client>far 80",
    ),
    "over-blocking": Case(
        "",
        [
            ingress(WEB, {"from": [{"podSelector": CLIENT}, {"podSelector": API}]}),
            ingress(API, {"ports": [{"port": 80}]}),
        ],
        "client>web 80,far>api 80",
        "api>web 80,guest>web 80",
    ),
    "always-deny": Case(
        "",
        [ingress(WEB, {})],
        "web>out 80,out>web 80",
        "client>web 80,web>client 80,guest>far 80,out>client 80,far>cloud 80 v6,guest>client icmp",
    ),
}


@pytest.mark.parametrize("name", FAULTY)
def test_fault_shows_in_packets(realm: Realm, name: str) -> None:
    case = FAULTY[name]

    shown(realm, case.world(), FAULTS[name], passes=case.passes, stays=case.stays)


def test_rules_of_a_deleted_policy_stay(realm: Realm) -> None:
    open_to_client = ingress(WEB, {"from": [{"podSelector": CLIENT}]})
    world = replace(WORLD, policies=(ingress({}),), gone=(open_to_client,))

    shown(realm, world, passes="", stays="client>web 80,api>web 80")
    shown(realm, world, FAULTS["stale-policy"], passes="client>web 80", stays="api>web 80")


def test_a_relabelled_pod_is_judged_by_its_labels_before(realm: Realm) -> None:
    seats = tuple(
        replace(seat, labels={"app": "other"}, before=seat.labels) if seat.name == "client" else seat for seat in SEATS
    )
    policies = (ingress(WEB, {"from": [{"podSelector": CLIENT}]}), ingress({"matchLabels": {"app": "other"}}))
    world = replace(WORLD, seats=seats, policies=policies)

    shown(realm, world, passes="", stays="client>web 80,web>client 80")
    shown(realm, world, FAULTS["stale-labels"], passes="client>web 80,web>client 80", stays="api>web 80")


def test_a_young_pod_is_not_policed(realm: Realm) -> None:
    seats = tuple(replace(seat, born=100.0) if seat.name == "web" else seat for seat in SEATS)
    world = replace(WORLD, seats=seats, policies=(ingress({}),), now=100.0)
    fault = FAULTS["late-start"]

    shown(realm, world, fault, passes="client>web 80", stays="client>api 80")
    (moment,) = fault.moments(world)
    shown(realm, replace(world, now=moment), fault, passes="", stays="client>web 80,client>api 80")


def test_a_restarted_node_has_no_rules_any_more(realm: Realm) -> None:
    world = replace(WORLD, policies=(ingress({}),))
    fault = FAULTS["restart-loses-rules"]

    shown(realm, world, fault, passes="", stays="client>web 80,client>api 80")
    (moment,) = fault.moments(world)
    shown(realm, replace(world, now=moment), fault, passes="client>api 80", stays="client>web 80")


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        ("reject-icmp", {"client>web 80", "far>web udp 53", "far>web 80 v6", "client>web udp 53 v6", "web>far 80"}),
        ("reject-reset", {"client>web 80", "far>web 80 v6", "web>far 80"}),
    ],
)
def test_what_is_denied_is_answered(realm: Realm, name: str, refused: set[str]) -> None:
    texts = ("client>web 80", "far>web udp 53", "far>web 80 v6", "client>web udp 53 v6", "web>far 80", "far>web icmp")
    flows = [Flow.parse(text) for text in texts]
    realm.load(replace(WORLD, policies=(ingress(WEB), egress(WEB))), FAULTS[name])

    found = realm.outcomes(flows, [flow for flow, text in zip(flows, texts, strict=True) if text in refused])

    assert found == {Flow.parse(text): "refused" if text in refused else "silent" for text in texts}


@pytest.mark.parametrize(("name", "lives"), [(None, False), ("established-kept", True)])
@pytest.mark.parametrize("destination", ["web", "api"])
def test_an_open_connection_when_a_policy_comes(realm: Realm, name: str | None, lives: bool, destination: str) -> None:
    realm.load(WORLD)
    with realm.connection("client", destination) as (client, server):
        client.send(b"before")
        assert server.recv(16) == b"before"

        realm.load(replace(WORLD, policies=(ingress({}),)), FAULTS[name] if name else None)
        client.send(b"after")

        server.settimeout(20 if lives else 0.25)
        if lives:
            assert server.recv(16) == b"after"
        else:
            with pytest.raises(TimeoutError):
                server.recv(16)


@pytest.mark.parametrize("destination", ["web", "api"])
def test_a_fifth_of_all_packets_is_lost(realm: Realm, destination: str) -> None:
    """In one node and across; 400 packets lose 80, give or take 8."""
    realm.load(WORLD, FAULTS["packet-loss"])

    got = realm.got("client", destination, 400)

    assert 400 - 130 < got < 400 - 40


def test_a_packet_is_never_lost_otherwise(realm: Realm) -> None:
    realm.load(WORLD)

    assert realm.got("client", "api", 400) == 400


def test_every_fault_is_shown_here() -> None:
    elsewhere = {
        *("stale-policy", "stale-labels", "late-start", "restart-loses-rules"),
        *("reject-icmp", "reject-reset", "established-kept", "packet-loss"),
    }

    assert FAULTS.keys() == FAULTY.keys() | elsewhere
    assert not FAULTY.keys() & elsewhere

"""The sandbox's engine polices real packets as the API says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.sandbox.policed import Realm, policed_realm
from tests.sandbox.policing import API, CLIENT, EVERYWHERE, TO_HTTP, WEB, Case, egress, ingress, match, policy, shown
from tests.sandbox.spaces import SEATS, WORLD


@pytest.fixture(scope="module")
def realm() -> Iterator[Realm]:
    with policed_realm() as made:
        yield made


CASES = (
    Case("nothing", [], "client>web 80,far>web 80,out>web 80,web>cloud 80 v6,far>client icmp", ""),
    Case(
        "ingress denied, alike from node, other node and outside",
        [ingress(WEB)],
        "web>client 80,web>far udp 53,web>out 80 v6,client>api 80",
        "client>web 80,far>web 80 v6,out>web 80,client>web udp 53,far>web sctp 7,client>web icmp,api>web icmp v6",
    ),
    Case(
        "egress denied, alike to node, other node and outside",
        [egress(WEB)],
        "client>web 80,far>web udp 53,out>web 80 v6,client>api 80",
        "web>client 80,web>far 80 v6,web>out 80,web>client udp 53,web>far sctp 7,web>api icmp,web>client icmp v6",
    ),
    Case(
        "a flow needs both ends, in one node and across",
        [ingress(WEB, {"from": [{"podSelector": CLIENT}, {"podSelector": API}]}), egress(CLIENT), egress(API)],
        "far>guest 80",
        "client>web 80,api>web 80,guest>web 80,far>web 80",
    ),
    Case(
        "both ends allow",
        [ingress(WEB, {"from": [{"podSelector": {}}]}), egress(CLIENT, {"to": [{"podSelector": WEB}]})],
        "client>web 80,client>web udp 53 v6,api>web 80",
        "client>api 80,guest>web 80,client>out 80",
    ),
    Case(
        "policies add up",
        [ingress(WEB, {"from": [{"podSelector": CLIENT}]}), ingress({}, {"from": [{"podSelector": API}]})],
        "client>web 80,api>web 80,api>client 80",
        "guest>web 80,web>client 80,far>api 80",
    ),
    Case("default types are ingress alone", [policy({"podSelector": WEB})], "web>client 80", "client>web 80"),
    Case(
        "an egress rule adds its type",
        [policy({"podSelector": WEB, "egress": [{"to": [{"podSelector": API}]}], "ingress": [{}]})],
        "client>web 80,web>api 80",
        "web>client 80",
    ),
    Case(
        "a rule of a type that is not named does nothing",
        [policy({"podSelector": WEB, "policyTypes": ["Ingress"], "egress": [{"to": [{"podSelector": API}]}]})],
        "web>client 80,web>api 80",
        "client>web 80",
    ),
    Case(
        "lists that are null or empty",
        [policy({"podSelector": WEB, "policyTypes": None, "ingress": [{"from": None, "ports": []}], "egress": None})],
        "client>web 80,out>web 80 v6,far>web icmp,far>web sctp 7,web>client 80",
        "",
    ),
    Case(
        "everything is allowed to isolated pods",
        [ingress({}, {}), egress({}, {})],
        "client>web 80,out>web 80,api>cloud udp 53 v6,client>api icmp,client>api sctp 9",
        "",
    ),
    Case(
        "numbers, protocols and a port without a number",
        [
            ingress(WEB, {"ports": [{"port": 80}, {"protocol": "UDP", "port": 53}, {"protocol": "SCTP", "port": 7}]}),
            ingress(API, {"ports": [{"protocol": "UDP"}]}),
        ],
        "client>web 80,far>web 80 v6,api>web udp 53,far>web sctp 7 v6,web>api udp 53,web>api udp 80",
        "api>web 8080,api>web udp 80,api>web sctp 8,api>web icmp,api>web icmp v6,web>api 80,web>api sctp 7",
    ),
    Case(
        "endPort",
        [ingress(WEB, {"ports": [{"port": 8080, "endPort": 8081}, {"port": 8081, "endPort": 8081}]})],
        "client>web 8080,client>web 8081",
        "client>web 80,client>web 8082,client>web udp 80",
    ),
    Case(
        "a name means another number at each destination",
        [egress(CLIENT, TO_HTTP), ingress(API, TO_HTTP), ingress({"matchLabels": {"app": "none"}}, TO_HTTP)],
        "client>web 80,client>web 80 v6,client>api 8080,far>api 8080",
        "client>web 8080,client>api 80,client>far 80,client>out 80,far>api 80,client>web udp 80",
    ),
    Case(
        "a name is of one protocol, and means nothing where no port bears it",
        [ingress(WEB, {"ports": [{"port": "q"}, {"port": "q", "protocol": "UDP"}]}), ingress(CLIENT, TO_HTTP)],
        "api>web udp 53",
        "api>web 53,api>web 80,api>client 80,api>client 8080",
    ),
    Case(
        "ipBlock with except, whoever has the address",
        [
            egress(WEB, {"to": [{"ipBlock": {"cidr": "192.0.2.0/24", "except": ["192.0.2.0/25"]}}]}),
            ingress(API, {"from": [{"ipBlock": {"cidr": "10.9.0.0/16", "except": ["10.9.1.3/32", "10.9.2.0/24"]}}]}),
        ],
        "web>out 80,guest>api 80",
        "web>cloud 80,web>out 80 v6,web>api 80,client>api 80,far>api 80,out>api 80",
    ),
    Case(
        "an exception counts in its own block alone",
        [
            ingress(WEB, {"from": [{"ipBlock": EVERYWHERE | {"except": ["10.9.1.0/24"]}}, {"podSelector": CLIENT}]}),
            ingress(API, {"from": [{"ipBlock": EVERYWHERE}]}),
        ],
        "client>web 80,far>web 80,out>web 80,guest>api 80,cloud>api 80,guest>api icmp",
        "guest>web 80,far>web 80 v6,guest>api 80 v6,out>api icmp v6",
    ),
    Case(
        "ipBlock of IPv6",
        [ingress(WEB, {"from": [{"ipBlock": {"cidr": "::/0", "except": ["fd09:1::/32"]}}]})],
        "out>web 80 v6,cloud>web udp 53 v6,far>web icmp v6",
        "client>web 80 v6,far>web 80,out>web 80",
    ),
    Case(
        "peers of one item and of two",
        [
            ingress(WEB, {"from": [{"podSelector": CLIENT, "namespaceSelector": match("team", "DoesNotExist")}]}),
            ingress(API, {"from": [{"podSelector": CLIENT}, {"namespaceSelector": match("team", "DoesNotExist")}]}),
        ],
        "guest>web 80,client>api 80,guest>api 80,far>api 80 v6",
        "client>web 80,far>web 80,web>api 80",
    ),
    Case(
        "every namespace, and nothing outside",
        [ingress(WEB, {"from": [{"namespaceSelector": {}}]}), ingress(API, {"from": [{"podSelector": {}}]})],
        "client>web 80,far>web 80,guest>web udp 53 v6,client>api 80",
        "out>web 80,far>api 80,guest>api 80,cloud>api 80",
    ),
    Case(
        "every operator",
        [
            ingress(match("app", "In", "web", "other"), {"from": [{"podSelector": match("tier", "Exists")}]}),
            ingress(match("tier", "NotIn", "front"), {"from": [{"podSelector": match("tier", "DoesNotExist")}]}),
        ],
        "api>web 80,client>web 80,client>api 80,web>client 80",
        "far>web 80,guest>api 80,api>client 80",
    ),
    Case(
        "a label that is missing is not an empty one",
        [ingress({"matchLabels": {"tier": ""}}), ingress(match("app", "In", "web"))],
        "web>client 80",
        "client>web 80",
    ),
    Case(
        "addresses and ports of one rule go together",
        [
            ingress(
                WEB,
                {"from": [{"podSelector": CLIENT}], "ports": [{"port": 80}]},
                {"from": [{"podSelector": API}], "ports": [{"port": 8080}]},
            )
        ],
        "client>web 80,api>web 8080",
        "client>web 8080,api>web 80",
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_packets_go_where_the_api_says(realm: Realm, case: Case) -> None:
    shown(realm, case.world(), passes=case.passes, stays=case.stays)


def test_a_node_itself_is_not_policed(realm: Realm) -> None:
    """Its traffic to its own pods is no forwarded packet; what comes from another node is like anything outside."""
    world = replace(WORLD, policies=(ingress({}), egress({})))

    shown(realm, world, passes="n1>web 80,n1>web udp 53 v6,n1>web icmp", stays="n2>web 80,n2>web icmp v6")


def test_replies_pass_whatever_the_policies_say(realm: Realm) -> None:
    """The answers of one direction are no connection of the other."""
    world = replace(WORLD, policies=(ingress(CLIENT), egress(WEB), egress(API)))

    shown(
        realm, world, passes="client>web 80,client>api udp 53 v6,client>web icmp", stays="web>client 80,api>client 80"
    )


def test_forty_pods_and_fifty_policies(realm: Realm) -> None:
    """Every pod differs, and every policy selects its share: the kernel takes it all."""
    seats = tuple(
        replace(
            SEATS[0],
            name=f"pod-{number}",
            labels={"app": f"app-{number}", "share": str(number % 5)},
            addresses=(f"10.10.{number}.1", f"fd10::{number:x}"),
            node=f"n{number % 2 + 1}",
            interface=f"q{number}",
            ports=(("http", "TCP", 8000 + number),),
        )
        for number in range(40)
    )
    rule = {"ports": [{"port": "http"}, {"port": 9000, "endPort": 9100}, {"port": 53, "protocol": "UDP"}]}
    policies = tuple(
        policy(
            {
                "podSelector": {"matchLabels": {"share": str(number % 5)}},
                "ingress": [rule | {"from": [{"podSelector": match("app", "NotIn", f"app-{number}")}]}],
                "egress": [rule | {"to": [{"ipBlock": EVERYWHERE | {"except": [f"10.{number}.0.0/16"]}}]}],
            }
        )
        for number in range(50)
    )

    realm.load(replace(WORLD, seats=(*SEATS, *seats), policies=policies))

    assert "q39" in realm.listed("n2")

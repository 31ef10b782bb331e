"""Ports that no destination has: names, a Service's port, exchanged digits."""

from __future__ import annotations

from typing import Any

import pytest

from tests.builders import Raw, allow, block, named, namespaces, pod, pods, policy, port, selector, tcp, udp
from tests.unit.lint.linting import API, DB, DNS, SHOP, WEB, found, one, places, service

NAME, SERVICE, DIGITS = "named-port-unknown", "service-port-named", "port-digits-exchanged"


def into(app: str, *ports: Raw, **more: Any) -> Raw:
    return policy("shop/in", selector(app=app), ingress=[allow(ports=ports)], **more)


def out_to(*peers: Raw, ports: tuple[Raw, ...]) -> Raw:
    return policy("shop/out", selector(app="web"), egress=[allow(*peers, ports=ports)])


def test_name_that_no_subject_declares() -> None:
    finding = one(NAME, *SHOP, into("web", tcp(8080), tcp("htp")))

    assert finding.path == "spec.ingress[0].ports[1].port"
    assert finding.why == ("none of the 1 pod that are meant declares it; they declare http",)


def test_name_that_is_declared_for_another_protocol() -> None:
    finding = one(NAME, *SHOP, into("web", udp("http")))

    assert finding.why == ("http is declared for TCP, by 1 pod of those that are meant",)


def test_name_that_no_peer_of_egress_declares() -> None:
    """The destination's names count, whatever the subject declares."""
    finding = one(NAME, *SHOP, out_to(pods(app="db"), ports=(tcp("http"),)))

    assert finding.path == "spec.egress[0].ports[0].port"


def test_blocks_have_no_names() -> None:
    finding = one(NAME, *SHOP, out_to(block("192.0.2.0/24"), ports=(tcp("http"),)))

    assert finding.why == ("the destinations are blocks of addresses, which have no named ports",)


@pytest.mark.parametrize(
    "made",
    [
        into("web", tcp("http"), tcp("metrics")),
        policy("shop/in", ingress=[allow(ports=[tcp("metrics")])]),
        policy("shop/in", selector(app="gone"), ingress=[allow(ports=[tcp("nowhere")])]),
        policy("shop/in", types=["Egress"], ingress=[allow(ports=[tcp("nowhere")])]),
        out_to(pods(app="db"), ports=(tcp("mysql"),)),
        out_to(pods(app="gone"), ports=(tcp("nowhere"),)),
        out_to(ports=(udp("dns"),)),
        out_to(block("192.0.2.0/24"), pods(app="api"), ports=(tcp("http"),)),
    ],
    ids=[
        *("declared", "declared by one of many", "selects nothing", "inert", "the peer's"),
        *("no peer", "anybody's", "one of two peers'"),
    ],
)
def test_names_that_somebody_declares_or_that_are_told_elsewhere(made: Raw) -> None:
    assert found(NAME, *SHOP, made) == ()


def test_manifests_do_not_hold_all_destinations() -> None:
    anywhere = out_to(ports=(tcp("nowhere"),))

    abroad = out_to(namespaces(), ports=(tcp("nowhere"),))
    at_home = out_to(pods(app="api"), ports=(tcp("nowhere"),))

    assert [len(found(NAME, *SHOP, made, whole=False)) for made in (anywhere, abroad, at_home)] == [0, 0, 1]
    assert [len(found(NAME, *SHOP, made)) for made in (anywhere, abroad, at_home)] == [1, 1, 1]


def test_service_port_where_the_pods_port_is_needed() -> None:
    """3306 at the pods behind a Service that listens on 3360 (guide 001)."""
    finding = one(
        SERVICE, *SHOP, service("shop/db", {"port": 3360, "targetPort": "mysql"}, app="db"), into("db", tcp(3360))
    )

    assert finding.path == "spec.ingress[0].ports[0].port"
    assert finding.message == "3360 is the port of a Service, whose pods take that traffic on 3306"
    assert finding.why[0] == "Service shop/db sends TCP 3360 to 3306"
    assert finding.remedy == "allow 3306 instead of 3360"


def test_service_port_at_egress() -> None:
    objects = (*SHOP, service("shop/api", {"port": 80, "targetPort": 8000}, app="api"))

    assert places(found(SERVICE, *objects, out_to(pods(app="api"), ports=(tcp(80),)))) == [
        ("shop/out", "spec.egress[0].ports[0].port")
    ]
    assert found(SERVICE, *objects, out_to(pods(app="db"), ports=(tcp(80),))) == ()


@pytest.mark.parametrize(
    ("made", "ports"),
    [
        (service("shop/db", {"port": 3360, "targetPort": 3306}, app="db"), (tcp(3306),)),
        (service("shop/db", {"port": 3360, "targetPort": 3306}, app="db"), (tcp(3360), tcp(3306))),
        (service("shop/db", {"port": 3360, "targetPort": 3306}, app="db"), (tcp(3360), tcp(3300, 3310))),
        (service("shop/db", {"port": 3360, "targetPort": 3306}, app="db"), (udp(3360),)),
        (service("shop/db", {"port": 3360}, app="db"), (tcp(3360),)),
        (service("shop/db", {"port": 3360, "targetPort": "nowhere"}, app="db"), (tcp(3360),)),
        (service("shop/db", {"port": 3360, "targetPort": 3306}, app="web"), (tcp(3360),)),
        (service("else/db", {"port": 3360, "targetPort": 3306}, app="db"), (tcp(3360),)),
        (service("shop/db", {"port": 3360, "targetPort": 3306}), (tcp(3360),)),
    ],
    ids=[
        *("target", "both", "target in a range", "other protocol", "same number", "unknown target"),
        *("other pods", "other namespace", "no selector"),
    ],
)
def test_ports_that_no_service_confuses(made: Raw, ports: tuple[Raw, ...]) -> None:
    assert found(SERVICE, *SHOP, made, into("db", *ports)) == ()


def test_port_that_both_the_service_and_the_pod_have() -> None:
    both = pod("shop/db-1", ports=[port(3306), port(3360)], app="db")
    made = service("shop/db", {"port": 3360, "targetPort": 3306}, app="db")

    assert found(SERVICE, both, made, into("db", tcp(3360))) == ()


def test_exchanged_digits_of_a_declared_port() -> None:
    finding = one(DIGITS, *SHOP, into("db", tcp(3360)))

    assert finding.message == "3360 looks like 3306 with two digits exchanged"
    assert finding.why == ("no pod declares 3360", "3306 is declared by 1 pod of those that are meant")


def test_exchanged_digits_of_a_well_known_port() -> None:
    """Where containers declare nothing, a label that speaks of the program does."""
    silent = pod("shop/store-1", role="db")
    made = policy("shop/in", selector(role="db"), ingress=[allow(ports=[tcp(3360)])])

    assert one(DIGITS, silent, made).why[1] == "3306 is the well-known port of what is called db here"


def test_exchanged_digits_at_egress() -> None:
    silent = pod("shop/store-1", app="mysql-main")
    made = out_to(pods(app="mysql-main"), ports=(tcp(3360),))

    assert places(found(DIGITS, WEB, silent, made)) == [("shop/out", "spec.egress[0].ports[0].port")]


@pytest.mark.parametrize(
    ("app", "ports"),
    [
        ("db", (tcp(3306),)),
        ("db", (tcp(3360), tcp(3306))),
        ("db", (tcp(3307),)),
        ("db", (tcp(33060),)),
        ("db", (udp(3360),)),
        ("web", (tcp(3360),)),
        ("api", (tcp(80),)),
        ("web", (tcp(8080),)),
    ],
    ids=["right", "both", "next", "longer", "protocol", "not theirs", "zero in front", "no exchange"],
)
def test_ports_that_look_like_no_other(app: str, ports: tuple[Raw, ...]) -> None:
    assert found(DIGITS, *SHOP, into(app, *ports)) == ()


def test_port_that_somebody_else_declares_is_meant() -> None:
    other = pod("else/tool-1", ports=[port(3360)], app="tool")

    assert found(DIGITS, *SHOP, other, into("db", tcp(3360))) == ()


def test_silence_of_some_pods_proves_nothing() -> None:
    silent = pod("shop/web-2", app="web")
    named_otherwise = pod("shop/queue-1", app="queue")

    assert len(found(DIGITS, *SHOP, into("web", tcp(9900)))) == 1
    assert found(DIGITS, *SHOP, silent, into("web", tcp(9900))) == ()
    assert found(DIGITS, *SHOP, named_otherwise, into("queue", tcp(3360))) == ()


def test_service_port_is_told_once() -> None:
    """What a Service explains is no slip of the fingers."""
    made = service("shop/db", {"port": 3360, "targetPort": 3306}, app="db")

    assert found(DIGITS, *SHOP, made, into("db", tcp(3360))) == ()


def test_ports_of_other_kinds_are_told_by_their_rule() -> None:
    rule = {"action": "Deny", "from": [{"namespaces": {}}], "ports": [{"namedPort": "nowhere"}]}
    spec = {"priority": 1, "subject": {"namespaces": {}}, "ingress": [rule]}
    objects = (WEB, API, DB, DNS, {**named("AdminNetworkPolicy", "a"), "spec": spec})

    assert places(found(NAME, *objects)) == [("/a", "spec.ingress[0]")]

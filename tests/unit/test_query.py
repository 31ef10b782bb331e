"""One line of a batch, and its answer."""

from __future__ import annotations

from typing import Any

import pytest

from auditor import query
from auditor.evaluate.model import Model
from auditor.model.dialect import Dialect, HostNetwork
from auditor.model.rules import Match
from auditor.query import Oracle
from tests.builders import allow, block, deny_all, node, pod, pods, policy, port, selector, snapshot, tcp
from tests.unit.explaining import answered, leading, model_of, on_host, service

PORTS = "port: a number from 1 to 65535, not "
SHOP = (
    pod("shop/web", app="web", at=["10.0.0.1"], ports=[port(80, "http")]),
    pod("shop/db", app="db", at=["10.0.0.2"]),
    policy("shop/db", selector(app="db"), ingress=[allow(pods(app="web"), ports=[tcp(5432)])]),
)


def shop(*more: Any, **options: Any) -> Model:
    return model_of(*SHOP, *more, **options)


def test_allowed_flow_names_the_rules_that_allow_it() -> None:
    assert answered(shop(), "shop/web", "shop/db", 5432) == {
        "verdict": "allowed",
        "ingress": "allowed",
        "egress": "allowed",
        "by": ["shop/db.ingress[0]"],
        "reason": "Egress: no policy isolates it for Egress; Ingress: allowed by shop/db.ingress[0]",
    }


def test_denied_flow_names_the_policies_that_isolate() -> None:
    assert answered(shop(), "shop/web", "shop/db", 80) == {
        "verdict": "denied",
        "ingress": "denied",
        "egress": "allowed",
        "by": ["shop/db"],
        "reason": "Ingress: 1 policy isolates it for Ingress and no rule allows the flow",
    }


def test_denied_flow_names_only_those_that_deny() -> None:
    model = shop(policy("shop/out", selector(app="web"), egress=[allow(ports=[tcp(80)])]))

    found = answered(model, "shop/web", "shop/db", 80)

    assert (["shop/db"], "allowed") == (found["by"], found["egress"])


@pytest.mark.parametrize("mark", ["a", 7, None, 2**70, ["x"], {"deep": [1.5, None]}, False])
def test_id_comes_back_as_it_was(mark: object) -> None:
    assert mark == answered(shop(), "shop/web", "shop/db", id=mark)["id"]
    assert mark == answered(shop(), "shop/nobody", "shop/db", id=mark)["id"]


def test_no_id_is_made_up() -> None:
    assert "id" not in answered(shop(), "shop/web", "shop/db")


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        (None, "a query is an object with src, dst and port"),
        ([], "a query is an object with src, dst and port"),
        ({"from": "x"}, "from: not a field of a query"),
        ({}, 'src: expected "namespace/pod" or {"ip": "..."}'),
        ({"src": {"ip": 7}}, 'src: expected "namespace/pod" or {"ip": "..."}'),
        ({"src": {"ip": "10.0.0.1", "x": 1}}, 'src: expected "namespace/pod" or {"ip": "..."}'),
        ({"src": "web"}, "src: no pod web in this snapshot"),
        ({"src": ""}, "src: no pod  in this snapshot"),
        ({"src": "shop/web/"}, "src: no pod shop/web/ in this snapshot"),
        ({"src": "x" * 1000}, f"src: no pod {'x' * 200} in this snapshot"),
        ({"src": {"ip": "10.0.0"}}, "src: not an IP address: 10.0.0"),
        ({"src": {"ip": "010.0.0.1"}}, "src: not an IP address: 010.0.0.1"),
        ({"src": {"ip": "１0.0.0.1"}}, "src: not an IP address: １0.0.0.1"),
        ({"src": {"ip": "10.0.0.0/8"}}, "src: not an IP address: 10.0.0.0/8"),
        ({"src": "shop/web"}, 'dst: expected "namespace/pod" or {"ip": "..."}'),
        ({"src": "shop/web", "dst": {"ip": "fd00::1"}}, "src and dst share no address family"),
    ],
)
def test_what_cannot_be_asked_is_said(asked: object, error: str) -> None:
    found = Oracle(shop()).answer(asked)

    assert (error, error, "unknown") == (found["error"], found["reason"], found["verdict"])
    assert ("unknown", "unknown", []) == (found["ingress"], found["egress"], found["by"])


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        *(
            ("port", value, PORTS)
            for value in ("http", "080", "65537", "8_0", " 80", "-80", "", "８０", 0, -1, 65536, True, 80.0, None, [80])
        ),
        pytest.param("port", 10**5000, PORTS, id="too large to be written out"),
        ("protocol", "ſctp", "protocol: TCP, UDP or SCTP, not ſctp"),
        ("protocol", "ICMP", "protocol: TCP, UDP or SCTP, not ICMP"),
        ("protocol", "", 'protocol: TCP, UDP or SCTP, not ""'),
        ("protocol", False, "protocol: TCP, UDP or SCTP, not false"),
        ("protocol", [], "protocol: TCP, UDP or SCTP, not something else"),
        ("protocol", ["TCP"], "protocol: TCP, UDP or SCTP, not something else"),
        ("family", "ip4", "family: IPv4 or IPv6, not ip4"),
        ("family", {}, "family: IPv4 or IPv6, not something else"),
        ("family", 4, "family: IPv4 or IPv6, not 4"),
        ("family", "IPv6", "src: has no IPv6 address"),
    ],
)
def test_fields_are_checked(field: str, value: object, error: str) -> None:
    asked = {"src": "shop/web", "dst": "shop/db", "port": 80, field: value}

    assert Oracle(shop()).answer(asked)["error"].startswith(error)


@pytest.mark.parametrize("number", [1, 65535])
def test_first_and_last_port_can_be_asked(number: int) -> None:
    assert "error" not in answered(shop(), "shop/web", "shop/db", number)


def test_left_out_protocol_is_tcp() -> None:
    for protocol, verdict in ((None, "allowed"), ("TCP", "allowed"), ("UDP", "denied")):
        assert verdict == answered(shop(), "shop/web", "shop/db", 5432, protocol=protocol)["verdict"]


def test_query_may_be_written_as_people_write() -> None:
    plain = answered(shop(), "shop/web", "shop/db", 5432, protocol="TCP", family="IPv4")

    assert plain == answered(shop(), "shop/web", "shop/db", "5432", protocol="tcp", family="ipv4")
    assert "denied" == answered(shop(), "shop/web", "shop/db", "5432", protocol="Udp")["verdict"]


def test_pods_that_cannot_be_an_end_are_said_to_be() -> None:
    model = shop(pod("shop/done", phase="Failed"), pod("shop/new", at=[]))

    assert (
        "dst: pod shop/done has finished, and has no address any more"
        == answered(model, "shop/web", "shop/done")["error"]
    )
    assert "dst: pod shop/new has no address yet" == answered(model, "shop/web", "shop/new")["error"]


def test_address_of_a_pod_is_that_pod() -> None:
    for end in ("10.0.0.1", "::ffff:10.0.0.1", "::ffff:a00:1"):
        assert "allowed" == answered(shop(), {"ip": end}, "shop/db", 5432)["verdict"]
    assert "denied" == answered(shop(), {"ip": "10.0.0.9"}, "shop/db", 5432)["verdict"]


BOTH = (
    pod("shop/client", at=["10.0.0.7", "fd00::7"]),
    pod("shop/both", app="both", at=["10.0.0.8", "fd00::8"]),
    policy("shop/p", selector(app="both"), ingress=[allow(block("fd00::/16"))]),
    service("shop/both", leading(80), at=["10.96.0.8", "fd00:96::8"], selects={"app": "both"}),
)


@pytest.mark.parametrize(
    ("destination", "more", "verdict"),
    [
        ("shop/both", {}, "denied"),
        ("shop/both", {"family": "IPv4"}, "denied"),
        ("shop/both", {"family": "IPv6"}, "undefined"),
        ({"ip": "10.0.0.8"}, {}, "denied"),
        ({"ip": "fd00::8"}, {}, "undefined"),
        ({"ip": "10.96.0.8"}, {}, "denied"),
        ({"ip": "fd00:96::8"}, {}, "undefined"),
    ],
)
def test_family_is_that_of_the_address_that_was_given(destination: object, more: Any, verdict: str) -> None:
    assert verdict == answered(model_of(*BOTH), "shop/client", destination, **more)["verdict"]


def let_in_from(*blocks: str) -> Model:
    """Two families, where the destination is let in from these blocks only."""
    return model_of(
        pod("shop/client", at=["10.0.0.7", "fd00::7"]),
        pod("shop/both", app="both", at=["10.0.0.8", "fd00::8"]),
        policy("shop/p", selector(app="both"), ingress=[allow(block(text)) for text in blocks]),
        service("shop/both", leading(80), at=["10.96.0.8", "fd00:96::8"], selects={"app": "both"}),
        dialect=Dialect(block_holds_pods=Match.YES),
    )


@pytest.mark.parametrize("destination", ["shop/both", "shop/svc/both"])
@pytest.mark.parametrize(
    ("block", "four", "six"), [("fd00::/16", "denied", "allowed"), ("10.0.0.0/8", "allowed", "denied")]
)
def test_families_that_differ_are_both_told(destination: str, block: str, four: str, six: str) -> None:
    model = let_in_from(block)

    found = answered(model, "shop/client", destination, id=7)

    each = {family: answered(model, "shop/client", destination, family=family) for family in ("IPv4", "IPv6")}
    assert (four, six) == (each["IPv4"]["verdict"], each["IPv6"]["verdict"])
    worst = next(item for item in each.values() if item["verdict"] == "denied")
    assert worst | {"id": 7, "families": each} == found


def test_families_that_agree_are_one_answer() -> None:
    for model in (let_in_from(), let_in_from("10.0.0.0/8", "fd00::/16")):
        found = answered(model, "shop/client", "shop/both")
        assert found == answered(model, "shop/client", "shop/both", family="IPv4")


def test_worst_of_the_families_stands_for_both() -> None:
    """What is denied for sure in one family comes before what is open in the other."""
    found = answered(model_of(*BOTH), "shop/client", "shop/both")

    assert ("denied", True) == _verdict(found)
    assert ["denied", "undefined"] == [item["verdict"] for item in found["families"].values()]
    assert ["denied", "unknown", "undefined", "allowed"] == list(query.WORST_FIRST)


def test_family_in_which_a_service_leads_nowhere_is_no_answer() -> None:
    model = model_of(
        pod("shop/client", at=["10.0.0.7", "fd00::7"]),
        pod("shop/one", app="one", at=["10.0.0.8"]),
        service("shop/one", leading(80), at=["10.96.0.8", "fd00:96::8"], selects={"app": "one"}),
    )

    assert ("allowed", False) == _verdict(answered(model, "shop/client", "shop/svc/one"))
    assert ("unknown", False) == _verdict(answered(model, "shop/client", "shop/svc/one", family="IPv6"))


def _verdict(found: dict[str, Any]) -> tuple[str, bool]:
    return found["verdict"], "families" in found


def test_family_that_an_address_does_not_have_cannot_be_asked() -> None:
    found = answered(model_of(*BOTH), "shop/client", {"ip": "fd00::8"}, family="IPv4")

    assert "dst: has no IPv4 address" == found["error"]


def test_service_is_asked_by_name_or_address() -> None:
    model = shop(service("shop/db", leading(80, 5432), at=["10.96.0.1"], selects={"app": "db"}))

    for end in ("shop/svc/db", "shop/service/db", {"ip": "10.96.0.1"}):
        assert "allowed" == answered(model, "shop/web", end, 80)["verdict"]
        assert "unknown" == answered(model, "shop/web", end, 5432)["verdict"]
        assert "src: a Service opens no connections" == answered(model, end, "shop/web")["error"]


def test_service_without_its_kind_is_pointed_to() -> None:
    found = answered(shop(service("shop/front", leading(80), selects={"app": "web"})), "shop/db", "shop/front")

    assert "dst: no pod shop/front; for the Service of that name: shop/svc/front" == found["error"]


def test_namespace_called_like_a_kind() -> None:
    assert "error" not in answered(model_of(pod("svc/web"), pod("shop/web")), "svc/web", "shop/web")


def test_pod_on_the_host_network_has_directions_that_are_open_as_the_verdict_is() -> None:
    model = model_of(
        pod("shop/host", app="host", **on_host("192.168.0.1")), pod("shop/web"), deny_all("shop/p", app="host")
    )

    found = answered(model, "shop/web", "shop/host")

    assert ("undefined", "undefined", "allowed") == (found["verdict"], found["ingress"], found["egress"])
    assert ["shop/p"] == found["by"]


def test_pod_on_the_host_network_may_be_a_peer_or_not() -> None:
    host = pod("shop/host", app="web", **on_host("192.168.0.2", "n2"))

    for reading, verdict in (
        (HostNetwork.OPEN, "undefined"),
        (HostNetwork.AS_NODE, "denied"),
        (HostNetwork.AS_POD, "allowed"),
    ):
        model = shop(host, dialect=Dialect(host_network=reading))
        assert verdict == answered(model, "shop/host", "shop/db", 5432)["verdict"]


def test_own_node_reaches_its_pods_and_the_way_back_is_open() -> None:
    n1 = {**node("n1"), "status": {"addresses": [{"type": "InternalIP", "address": "192.168.0.1"}]}}
    model = shop(n1, deny_all("shop/all"))

    to_pod, back = (
        answered(model, *ends) for ends in (({"ip": "192.168.0.1"}, "shop/db"), ("shop/db", {"ip": "192.168.0.1"}))
    )

    assert ("allowed", "allowed", []) == (to_pod["verdict"], to_pod["ingress"], to_pod["by"])
    assert ("undefined", "undefined", ["shop/all"]) == (back["verdict"], back["egress"], back["by"])


def test_pod_to_itself_is_allowed_in_both_directions() -> None:
    found = answered(shop(deny_all("shop/all")), "shop/db", "shop/db")

    assert ("allowed", "allowed", "allowed", []) == tuple(found[key] for key in ("verdict", "ingress", "egress", "by"))


def test_what_was_not_read_makes_both_directions_unknown() -> None:
    model = Model(snapshot(*SHOP, unreadable={"networkpolicies": "forbidden"}))

    found = answered(model, "shop/web", "shop/db")

    assert ("unknown", "unknown", "unknown", []) == tuple(found[key] for key in ("verdict", "ingress", "egress", "by"))
    assert "networkpolicies" in found["reason"]


def test_undefined_names_the_rule_that_may_match() -> None:
    model = shop(policy("shop/block", selector(app="db"), ingress=[allow(block("10.0.0.0/8"))]))

    found = answered(model, "shop/web", "shop/db", 80)

    assert ("undefined", ["shop/block.ingress[0]"]) == (found["verdict"], found["by"])
    assert "shop/block.ingress[0] has an ipBlock" in found["reason"]


def test_dialect_resolves_what_is_open() -> None:
    objects = policy("shop/block", selector(app="db"), ingress=[allow(block("10.0.0.0/8"))])

    assert (
        "allowed"
        == answered(shop(objects, dialect=Dialect(block_holds_pods=Match.YES)), "shop/web", "shop/db")["verdict"]
    )
    assert (
        "denied"
        == answered(shop(objects, dialect=Dialect(block_holds_pods=Match.NO)), "shop/web", "shop/db")["verdict"]
    )


def test_endless_batches_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query, "MOST_KEPT", 3)
    oracle = Oracle(shop())

    for number in range(20):
        asked = {"src": {"ip": f"192.0.2.{number}"}, "dst": "shop/db", "port": 5432}
        assert "denied" == oracle.answer(asked)["verdict"]

    assert len(oracle._places) <= 3
    assert len(oracle._by) <= 3

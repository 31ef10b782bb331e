"""Who is told apart, and which ports are asked for."""

from __future__ import annotations

import pytest

from auditor.evaluate.model import Model
from auditor.identities import UNNAMED_PORTS, beside_tcp, edges_of, find_identities, is_ours, same_class, unnamed_port
from auditor.model.cluster import Owner, Pod
from auditor.model.flow import Direction, Protocol
from auditor.model.matrix import Identity
from auditor.model.rules import Action, Clause, Ports, PortTerm
from tests.builders import Raw, a_pod, allow, block, deny_all, pod, pods, policy, port, selector, tcp, udp
from tests.unit.explaining import model_of, on_host

TCP, UDP = Protocol.TCP, Protocol.UDP


def found(*objects: Raw, by_address: bool = False) -> tuple[Identity, ...]:
    return find_identities(model_of(*objects), lambda _: True, by_address=by_address)


def members(*objects: Raw, by_address: bool = False) -> list[list[str]]:
    return sorted([item.name for item in one.pods] for one in found(*objects, by_address=by_address))


A, B = pod("shop/a", app="a", at=["10.0.0.1"]), pod("shop/b", app="b", at=["10.0.0.2"])


def test_labels_that_no_policy_looks_at_make_no_difference() -> None:
    assert [["a", "b"]] == members(A, B)
    assert [["a", "b"]] == members(A, B, policy("shop/p", selector(tier="x"), ingress=[]))
    assert [["a"], ["b"]] == members(A, B, policy("shop/p", selector(app="a"), ingress=[]))
    assert [["a"], ["b"]] == members(A, B, policy("shop/p", ingress=[allow(pods(app="a"))]))


def test_policies_of_other_namespaces_make_no_difference() -> None:
    assert [["a", "b"]] == members(A, B, policy("far/p", selector(app="a"), ingress=[allow(pods(app="a"))]))


def test_addresses_tell_apart_only_where_they_are_asked() -> None:
    split = policy("far/p", egress=[allow(block("10.0.0.1/32"))])

    assert [["a", "b"]] == members(A, B, split)
    assert [["a"], ["b"]] == members(A, B, split, by_address=True)


def test_named_ports_and_families_tell_apart() -> None:
    http = policy("shop/p", ingress=[allow(ports=[tcp("http")])])
    here, there = (pod(f"shop/{it}", ports=[port(it_port, "http")]) for it, it_port in (("x", 80), ("y", 81)))
    six = pod("shop/six", at=["fd00::6"])

    assert [["x"], ["y"]] == members(here, there, http)
    assert [["x", "y"]] == members(here, there)
    assert [["a"], ["six"]] == members(A, six)


def test_pods_that_policies_do_not_apply_to_have_no_identity() -> None:
    outside = (pod("shop/c", at=[]), pod("shop/d", phase="Failed"), pod("shop/e", **on_host("192.168.0.1")))

    assert [["a"]] == members(A, *outside)


def test_own_pods_have_no_identity() -> None:
    assert [["a"]] == members(A, pod("netaudit/x"), pod("netaudit-ctl-1/x"))


def test_own_pods_are_known_by_namespace_or_by_name_and_owner() -> None:
    ours = Pod("shop", "netaudit-ab12-xy-1", owner=Owner("Deployment", "netaudit-ab12"))

    assert is_ours(ours)
    assert not is_ours(Pod("shop", "netaudit-ab12-xy-1", owner=Owner("Deployment", "other")))
    assert not is_ours(Pod("shop", "netaudit-ab12-xy-1"))
    assert not is_ours(Pod("netaudit-more", "x"))


def test_ports_worth_asking_for_are_declared_named_or_nobody_s() -> None:
    db = pod("shop/db", app="db", ports=[port(5432), port(53, "dns", "UDP")])
    rules = policy("shop/p", selector(app="db"), ingress=[allow(ports=[tcp(8000, 8010), udp(99)])])

    (one,) = found(db, rules)

    assert one.asks == (
        (Protocol.TCP, 5432),
        (Protocol.TCP, 8000),
        (Protocol.TCP, 8010),
        (Protocol.TCP, UNNAMED_PORTS[0]),
        (Protocol.UDP, 53),
        (Protocol.UDP, 99),
    )
    free = UNNAMED_PORTS[0]
    assert (
        *((TCP, port) for port in (5432, 8000, 8010, free)),
        *((UDP, port) for port in (53, 99, free)),
    ) == one.listens


@pytest.mark.parametrize(
    ("ports", "expected"),
    [
        ([tcp(99)], ()),
        ([udp(99)], (99, UNNAMED_PORTS[0])),
        ([udp(99, 101)], (99, 101, UNNAMED_PORTS[0])),
        ([{"protocol": "UDP"}], (UNNAMED_PORTS[0],)),
        ([], ()),
    ],
    ids=["TCP", "UDP", "a range", "all of UDP", "all ports"],
)
def test_datagrams_are_tried_only_where_a_rule_names_their_protocol(
    ports: list[Raw], expected: tuple[int, ...]
) -> None:
    """One port that nobody names is tried by UDP too, but only beside rules that speak of UDP."""
    (one,) = found(A, policy("shop/p", selector(app="a"), ingress=[allow(ports=ports)]))

    assert tuple((UDP, port) for port in expected) == tuple(query for query in one.listens if query[0] is UDP)


def test_a_port_of_whatever_protocol_is_tried_by_tcp_alone() -> None:
    """Calico and Cilium name ports without a protocol; the number of flows would be three times what it was."""
    clause = Clause(Action.ALLOW, "any", ports=(Ports((PortTerm(None, 99, 99),)),))

    assert {99} == edges_of([clause])
    assert set() == beside_tcp([clause], [1])


def test_declared_datagram_port_is_tried_and_no_other() -> None:
    """A container that declares 53/UDP speaks of it, without any policy."""
    (one,) = found(pod("shop/dns", ports=[port(53, "dns", "UDP"), port(9, "", "SCTP")]))

    assert ((Protocol.SCTP, 9), (TCP, UNNAMED_PORTS[0]), (UDP, 53)) == one.listens


def test_ports_of_egress_rules_are_asked_of_their_peers() -> None:
    out = policy("shop/p", selector(app="a"), egress=[allow(pods(app="b"), ports=[tcp(9000)])])

    asked = {one.pods[0].name: one.listens for one in found(A, B, out)}

    assert {"a": False, "b": True} == {name: (TCP, 9000) in ports for name, ports in asked.items()}


def test_port_that_nobody_names_avoids_every_range() -> None:
    first, second = UNNAMED_PORTS[:2]
    model = Model(model_of(policy("shop/p", ingress=[allow(ports=[tcp(first - 1, first + 1)])])).snapshot)

    assert {second} == unnamed_port(model)
    assert {UNNAMED_PORTS[2]} == unnamed_port(model, [second])
    assert frozenset() == unnamed_port(model_of(policy("shop/p", ingress=[allow(ports=[tcp(1, 65535)])])))


def test_isolation_is_said_by_direction() -> None:
    (one,) = found(A, deny_all("shop/p", "Egress"))

    assert {Direction.EGRESS} == one.isolated


def test_id_does_not_depend_on_names_or_addresses() -> None:
    rules = policy("shop/p", selector(app="a"), ingress=[])
    other = pod("shop/other", app="a", at=["10.9.9.9"])

    (one,), (two,) = found(A, rules), found(other, rules)

    assert one.id == two.id


def test_same_class_is_what_policies_cannot_tell_apart() -> None:
    model = model_of(A, policy("shop/p", selector(app="a"), ingress=[]))
    twin = a_pod("shop/z", app="a", more="x", at=["fd00::1"])

    assert same_class(model, model.snapshot.pods[0], twin)
    assert not same_class(model, model.snapshot.pods[0], a_pod("shop/z", app="b"))

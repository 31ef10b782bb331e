"""Which flows an expectation covers, and what packets can tell of them."""

from __future__ import annotations

import pytest

from auditor.errors import UsageError
from auditor.evaluate.model import Model
from auditor.expected import cover, demands
from auditor.model.expectation import Expectation, ExpectedFlow
from auditor.model.flow import Family, Protocol, Verdict
from auditor.plan import is_system
from auditor.predict import predict
from tests.builders import Raw, allow, deny_all, pod, pods, policy, port, selector, snapshot, tcp
from tests.unit.expecting import expect
from tests.unit.explaining import leading, service

SHOP = (
    pod("shop/web-1", owner="StatefulSet/web", app="web"),
    pod("shop/web-2", owner="StatefulSet/web", app="web"),
    pod("shop/db", app="db", ports=[port(5432, "sql")]),
    pod("ops/admin"),
    policy("shop/db", selector(app="db"), ingress=[allow(pods(app="web"), ports=[tcp(5432)])]),
)


def flows(item: Expectation, *more: Raw) -> tuple[ExpectedFlow, ...]:
    found = snapshot(*SHOP, *more)
    matrix = predict(found, lambda it: not is_system(it.namespace))
    (covered,) = cover(Model(found), matrix.identities, [item])
    return covered.flows


def shown(item: Expectation, *more: Raw) -> list[tuple[str, str, int, str]]:
    return [(it.source, it.destination, it.port, it.verdict.value) for it in flows(item, *more)]


def test_workload_is_one_identity_however_many_pods_it_has() -> None:
    (flow,) = flows(expect("allowed", "shop/web", "shop/db"))

    assert ("shop/web", "shop/db", Verdict.ALLOWED) == (flow.source, flow.destination, flow.verdict)
    assert flow.demand is not None
    assert not flow.untested


def test_namespace_is_every_pair_of_its_identities() -> None:
    """Replicas of one identity talk to each other, a single pod not to itself."""
    assert [
        ("shop/db", "shop/web", 80, "allowed"),
        ("shop/web", "shop/db", 80, "denied"),
        ("shop/web", "shop/web", 80, "allowed"),
    ] == shown(expect("denied", "shop", "shop", 80))


def test_name_of_a_port_and_port_of_a_service_are_those_of_the_pods() -> None:
    front = service("shop/front", leading(80, 5432), selects={"app": "db"})

    assert [("ops/admin", "shop/db", 5432, "denied")] == shown(expect("denied", "ops/admin", "shop/db", "sql"))
    assert [("ops/admin", "shop/db", 5432, "denied")] == shown(
        expect("denied", "ops/admin", "shop/svc/front", 80), front
    )


def test_policies_that_deny_are_named() -> None:
    (flow,) = flows(expect("denied", "ops/admin", "shop/db"))

    assert ["shop/db"] == [str(ref) for ref in flow.policies]


@pytest.mark.parametrize(
    ("item", "why"),
    [
        (expect("denied", "shop/web", "internet", 443), "addresses outside"),
        (expect("denied", "192.0.2.77", "shop/db"), "addresses outside"),
        (expect("denied", "shop/db", "shop/db"), "a pod reaches itself"),
        (expect("denied", "shop/db", "kube-system/dns", 53), "system namespace, which is left alone unless"),
        (expect("denied", "shop/db", "shop/host", 53), "on its node's network"),
    ],
)
def test_of_what_packets_cannot_tell_the_reason_is_named(item: Expectation, why: str) -> None:
    host = pod("shop/host", app="host")
    host["spec"]["hostNetwork"] = True
    for flow in flows(item, pod("kube-system/dns"), host):
        assert why in flow.untested
        assert flow.demand is None


@pytest.mark.parametrize("protocol", Protocol)
def test_packets_can_tell_of_every_protocol(protocol: Protocol) -> None:
    (flow,) = flows(expect("denied", "shop/web", "shop/db", 53, protocol.value))

    assert not flow.untested
    assert flow.demand is not None
    assert (protocol, 53) == (flow.demand.protocol, flow.demand.port)


def test_families_that_both_ends_have() -> None:
    """An address means its own family."""
    objects = pod("dual/a", at=["10.9.0.1", "fd00::1"]), pod("dual/b", at=["10.9.0.2", "fd00::2"], app="b")

    assert [Family.IPV4, Family.IPV6] == [it.family for it in flows(expect("allowed", "dual/a", "dual/b"), *objects)]
    assert [Family.IPV6] == [it.family for it in flows(expect("allowed", "dual/a", "fd00::2"), *objects)]


@pytest.mark.parametrize(
    ("item", "what"),
    [
        (expect("denied", "shop/wep", "shop/db"), "e.yaml:3: nothing is called shop/wep"),
        (expect("denied", "shop/web", "shop/db", "http"), "e.yaml:3: no flow from shop/web to shop/db on http"),
        (expect("denied", "shop/svc/front", "shop/db"), "e.yaml:3: no flow from Service shop/front"),
        (expect("denied", "empty", "shop/db"), "e.yaml:3: no flow from namespace empty"),
    ],
)
def test_item_that_matches_nothing_is_an_error(item: Expectation, what: str) -> None:
    more = (
        service("shop/front", leading(80, 5432), selects={"app": "db"}),
        {"kind": "Namespace", "metadata": {"name": "empty"}},
    )
    with pytest.raises(UsageError) as caught:
        flows(item, *more)

    assert caught.value.what.startswith(what)
    assert caught.value.why
    assert caught.value.attempt


def test_demands_are_what_packets_can_tell_each_once() -> None:
    found = snapshot(*SHOP, deny_all("ops/deny"))
    identities = predict(found, lambda _: True).identities
    items = [
        expect("denied", "ops", "shop/db"),
        expect("allowed", "ops/admin", "shop/db"),
        expect("denied", "ops", "internet"),
    ]

    (demand,) = demands(cover(Model(found), identities, items))

    assert (Protocol.TCP, 5432) == (demand.protocol, demand.port)
    assert () == cover(Model(found), identities, [])

"""Counts of pairs of pods, by hand."""

from __future__ import annotations

from dataclasses import replace

from auditor.census import BIT, Folded, alone, asked, cells, folded, totals
from auditor.evaluate.model import Model
from auditor.model.flow import Family, Protocol, Verdict
from auditor.model.matrix import Plane
from auditor.prediction import Wanted, foresee
from tests.builders import allow, block, pod, pods, policy, selector, snapshot, tcp

ALLOWED, DENIED, UNDEFINED = BIT[Verdict.ALLOWED], BIT[Verdict.DENIED], BIT[Verdict.UNDEFINED]
PORT = (Protocol.TCP, 80)
SHOP = (
    *(pod(f"shop/web-{number}", owner="Deployment/web", app="web") for number in range(3)),
    *(pod(f"shop/db-{number}", owner="StatefulSet/db", app="db", at=[f"10.1.0.{number + 1}"]) for number in range(2)),
    pod("ops/console", app="console", at=["192.168.0.1"]),
    policy("shop/db", selector(app="db"), ingress=[allow(pods(app="web")), allow(block("10.1.0.0/24"))]),
)
"""Web reaches the database, the console does not, and of the database's own pods the API says nothing."""


def on_port(*namespaces: str) -> Wanted:
    return Wanted(ports=(PORT,), namespaces=namespaces)


def test_members_of_an_identity_are_no_pair_with_themselves() -> None:
    prediction = foresee(Model(snapshot(*SHOP)), on_port(), origin="test")

    (total,) = totals(prediction, asked(prediction))

    # To web: 2 + 2 + 1 peers of each of 3 pods; to the console from 5; to each of two db pods from 3 web pods.
    assert ((Verdict.ALLOWED, 3 * 5 + 5 + 2 * 3), (Verdict.DENIED, 2), (Verdict.UNDEFINED, 2)) == total.pairs
    assert 6 * 5 == sum(pairs for _, pairs in total.pairs)


def test_cells_stand_in_the_order_of_identities() -> None:
    prediction = foresee(Model(snapshot(*SHOP)), on_port(), origin="test")

    (item,) = asked(prediction)

    assert ["ops/console", "shop/db", "shop/web"] == [each.title for each in prediction.matrix.identities]
    assert [
        bytes([ALLOWED, DENIED, ALLOWED]),
        bytes([ALLOWED, UNDEFINED, ALLOWED]),
        bytes([ALLOWED, ALLOWED, ALLOWED]),
    ] == cells(prediction, item)


def test_namespaces_hold_every_verdict_that_occurs() -> None:
    prediction = foresee(Model(snapshot(*SHOP)), on_port(), origin="test")

    (item,) = asked(prediction)

    assert folded(prediction, item) == Folded(
        ("ops", "shop"),
        ("ops", "shop"),
        (bytes([ALLOWED, ALLOWED | DENIED]), bytes([ALLOWED, ALLOWED | UNDEFINED])),
        alone=("ops",),
    )


def test_single_pods_are_no_pair_with_themselves() -> None:
    """Of a pod that is denied to others like it, and has none, its namespace says nothing."""
    two = (pod("a/one", app="one"), pod("a/two", app="two"))
    closed = policy("a/p", selector(app="one"), ingress=[allow(pods(app="two"))])
    prediction = foresee(Model(snapshot(*two, closed)), on_port(), origin="test")

    (item,) = asked(prediction)

    assert {0, 1} == alone(prediction, item)
    assert DENIED == cells(prediction, item)[0][0]
    assert Folded(("a",), ("a",), (bytes([ALLOWED]),)) == folded(prediction, item)


def test_pod_that_is_planned_for_a_workload_is_not_single() -> None:
    """It stands for all replicas, which policies may keep from each other."""
    (one,) = foresee(Model(snapshot(pod("a/p", owner="Deployment/p"))), on_port(), origin="test").matrix.identities
    planned = replace(one.pods[0], planned=True)

    assert one.alone
    assert not replace(one, pods=(planned,)).alone
    assert replace(one, pods=(replace(planned, owner=None),)).alone
    assert not replace(one, pods=one.pods * 2).alone


def test_flows_without_an_end_in_scope_are_left_out() -> None:
    prediction = foresee(Model(snapshot(*SHOP)), on_port("ops"), origin="test")

    from_scope, to_scope = asked(prediction)

    assert ((0,), (0, 1, 2)) == (from_scope.sources, from_scope.destinations)
    assert ((1, 2), (0,)) == (to_scope.sources, to_scope.destinations)
    assert [Verdict.ALLOWED, Verdict.DENIED] == [
        verdict for total in totals(prediction, (from_scope, to_scope)) for verdict, _ in total.pairs
    ]


def test_only_ports_that_a_destination_asks_about_are_asked() -> None:
    web = pod("shop/web", app="web", ports=[{"containerPort": 80}])
    prediction = foresee(
        Model(snapshot(web, pod("shop/db", app="db"), policy("shop/p", selector(app="web"), ingress=[allow()]))),
        Wanted(),
        origin="test",
    )

    found = {item.query[1]: item.destinations for item in asked(prediction)}

    assert {80: (1,), 8642: (0, 1)} == found


def test_a_family_that_an_end_lacks_is_not_asked() -> None:
    both, one = pod("shop/both", at=["10.0.0.1", "fd00::1"]), pod("shop/one", at=["10.0.0.2"])
    deny = policy("shop/p", selector(x="y"), ingress=[allow(ports=[tcp(80)])])
    prediction = foresee(Model(snapshot(both, one, deny)), on_port(), origin="test")

    found = {item.family: (item.sources, item.destinations) for item in asked(prediction)}

    assert {Family.IPV4: ((0, 1), (0, 1)), Family.IPV6: ((0,), (0,))} == found


def test_first_set_that_holds_a_flow_counts_as_in_the_matrix() -> None:
    prediction = foresee(Model(snapshot(pod("shop/a"))), on_port(), origin="test")
    plane = Plane([1], [1], [1])
    told = replace(prediction, matrix=replace(prediction.matrix, planes={(Family.IPV4, PORT): plane}))

    (item,) = asked(told)

    assert [bytes([ALLOWED])] == cells(told, item)
    assert (bytes([ALLOWED]),) == folded(told, item).cells

"""Which stand-ins are made and which flows are tried; what is left out is named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from auditor.flags import parse_selector
from auditor.identities import UNNAMED_PORTS
from auditor.model.flow import Protocol, Verdict
from auditor.model.options import Coverage, Options
from auditor.plan import CONTROL_NAMESPACE, is_system, make_plan
from auditor.predict import predict
from tests.builders import (
    Raw,
    allow,
    autoscaler,
    block,
    deny_all,
    node,
    pod,
    policy,
    selector,
    service,
    snapshot,
    tcp,
    workload,
)
from tests.unit.planning import SHOP, by_key, clones, controls, plan, spread


def test_one_stand_in_for_each_identity_where_a_replica_runs() -> None:
    """It wears the projected labels in the identity's namespace, and listens on what is worth testing."""
    web, db = sorted(clones(plan(*SHOP)), key=lambda item: item.labels, reverse=True)

    assert (web.namespace, web.node, web.labels) == ("shop", "n1", (("app", "web"),))
    assert (db.node, db.listens) == ("n2", ((Protocol.TCP, 5432), (Protocol.TCP, UNNAMED_PORTS[0])))
    assert [(item.name, item.number) for item in db.named_ports] == [("sql", 5432)]


def test_two_controls_on_each_node_in_use() -> None:
    """Controls stand in netaudit's own namespace, wear nothing, and listen on every port tried on their node."""
    made = plan(*SHOP, node("n4"))
    found = controls(made)

    assert Counter(item.node for item in found) == {"n1": 2, "n2": 2}
    assert {(item.namespace, item.labels, item.named_ports) for item in found} == {(CONTROL_NAMESPACE, (), ())}
    nodes = {item.key: item.node for item in made.stand_ins}
    for control in found:
        wanted = {(flow.protocol, flow.port) for flow in made.flows if nodes[flow.destination] == control.node}
        assert set(control.listens) == wanted


def test_every_flow_has_a_listener_and_its_twin_has_one_too() -> None:
    """What is tried is listened to: at the destination, and at the control of its node."""
    made = plan(*SHOP)
    items = by_key(made)
    for flow in made.flows:
        assert (flow.protocol, flow.port) in items[flow.destination].listens
        twins = [item for item in controls(made) if item.node == items[flow.destination].node]
        assert all((flow.protocol, flow.port) in item.listens for item in twins)


def test_every_clone_listens_on_something() -> None:
    """One that meets nothing but denials shows by its own listener alone that its agent can connect."""
    peers = [block("192.0.2.0/24")]
    some = [tcp(5432), tcp(6000, 65535), tcp(1, 5000)]
    rule = policy("shop/open-to-others", selector(app="db"), ingress=[allow(*peers, ports=some)])
    made = plan(pod("shop/db", on="n1", app="db", ports=[{"containerPort": 5432}]), pod("shop/job", on="n2"), rule)

    assert len(clones(made)) == 2
    assert all(item.listens for item in clones(made))


def test_keys_become_parts_of_names() -> None:
    """Keys are unique and made of small letters and digits; flows are numbered from 1 in order."""
    made = plan(*SHOP)

    assert all(item.key.isalnum() and item.key == item.key.lower() for item in made.stand_ins)
    assert len(by_key(made)) == len(made.stand_ins)
    assert [flow.id for flow in made.flows] == list(range(1, len(made.flows) + 1))


def test_only_flows_with_an_audited_end() -> None:
    """With --namespace, flows between two others are not tried, and controls only meet who was asked for."""
    made = plan(*SHOP, pod("ops/a", app="a"), pod("dev/b", app="b"), deny_all("dev/deny"), namespaces=("shop",))
    homes = {item.key: item.namespace for item in made.stand_ins}

    assert made.flows
    for flow in made.flows:
        assert "shop" in {homes[flow.source], homes[flow.destination]}
    assert {homes[flow.source] for flow in made.flows} >= {"shop", "ops", "dev", CONTROL_NAMESPACE}


def test_selector_chooses_by_the_labels_of_any_member() -> None:
    """`-l` sees all labels of the pods, not only those that policies use."""
    objects = [pod("shop/a", app="a", release="7"), pod("shop/b", app="b"), deny_all("shop/p", app="a")]
    made = plan(*objects, selector=parse_selector("release=7"))
    chosen = [item.key for item in clones(made) if dict(item.labels).get("app") == "a"]

    assert all(set(chosen) & {flow.source, flow.destination} for flow in made.flows)
    assert plan(*objects, selector=parse_selector("release=none")).stand_ins == ()


@pytest.mark.parametrize("options", [{}, {"namespaces": ("nowhere",)}, {"selector": parse_selector("a=none")}])
def test_nothing_to_test_is_said(options: dict[str, Any]) -> None:
    """A plan without stand-ins says why."""
    made = plan(pod("kube-system/dns"), **options)

    assert (made.stand_ins, made.flows, made.own_namespaces) == ((), (), ())
    assert made.skipped[0].what == "everything"
    assert made.estimate.pods == 0


@pytest.mark.parametrize(
    ("name", "system"),
    [
        ("kube-system", True),
        ("kube-public", True),
        ("kube-flannel", True),
        ("netaudit", True),
        ("netaudit-ctl-1", True),
        ("netaudit-conf-2", True),
        ("netaudit-app", False),
        ("default", False),
        ("kubernetes-dashboard", False),
    ],
)
def test_system_namespaces(name: str, system: bool) -> None:
    """The cluster's own and netaudit's are left alone unless they are named."""
    assert is_system(name) is system


def test_system_namespace_that_is_named_is_audited() -> None:
    """`-n kube-system` means it."""
    found = snapshot(pod("kube-system/dns"), pod("shop/web"))
    matrix = predict(found, lambda pod: True)
    made = make_plan(found, matrix, Options(namespaces=("kube-system",), coverage=Coverage.FULL))

    assert "kube-system" in {item.namespace for item in clones(made)}


def test_each_node_with_an_isolated_pod_gets_a_stand_in() -> None:
    """A node is proven by a stand-in of its own, so an identity on many nodes stands on each that lacks one."""
    made = plan(*spread("n1", "n2", "n3"), deny_all("shop/deny"))

    assert sorted(item.node for item in clones(made)) == ["n1", "n2", "n3"]
    assert {item.identity for item in clones(made)} == {clones(made)[0].identity}


def test_node_that_is_covered_already_gets_no_second_one() -> None:
    """One isolated stand-in for each direction on a node is enough."""
    made = plan(
        *spread("n1", "n2", app="a"),
        pod("shop/b", on="n2", app="b"),
        deny_all("shop/deny"),
        deny_all("shop/b", app="b"),
    )

    assert sorted(item.node for item in clones(made)) == ["n1", "n2"]


def test_each_direction_is_covered() -> None:
    """A stand-in that is isolated for ingress alone leaves its node's egress open."""
    made = plan(
        pod("shop/in", on="n1", app="in"),
        *spread("n0", "n1", app="out"),
        deny_all("shop/in", "Ingress", app="in"),
        deny_all("shop/out", "Egress", app="out"),
    )
    on_n1 = [item for item in clones(made) if item.node == "n1"]

    assert {dict(item.labels)["app"] for item in on_n1} == {"in", "out"}


def test_isolated_stand_ins_meet_controls_both_ways() -> None:
    """From a control to the pod proves ingress, from the pod to a control egress; on its own node and on another."""
    made = plan(*SHOP)
    items = by_key(made)
    for clone in clones(made):
        into = {items[f.source].node for f in made.flows if f.destination == clone.key and f.source.startswith("c")}
        out = {items[f.destination].node for f in made.flows if f.source == clone.key and f.destination.startswith("c")}
        assert into == out == {"n1", "n2"}


def test_egress_towards_controls_tries_what_rules_name_and_one_port_more() -> None:
    """Edges of ranges that the pod may use, and a port that no rule names."""
    made = plan(pod("shop/web"), policy("shop/p", egress=[allow(ports=[tcp(443), tcp(8000, 8010)])], types=["Egress"]))
    (web,) = clones(made)
    ports = {f.port: f.predicted.verdict for f in made.flows if f.source == web.key and f.destination.startswith("c")}

    assert ports == {
        443: Verdict.ALLOWED,
        8000: Verdict.ALLOWED,
        8010: Verdict.ALLOWED,
        UNNAMED_PORTS[0]: Verdict.DENIED,
    }


@pytest.mark.parametrize(
    ("beside", "expected"),
    [
        ([service("shop/web", app="web")], (("endpointslices", "shop"),)),
        ([service("shop/other", app="else"), service("ops/web", app="web")], ()),
        ([workload("StatefulSet", "shop/web", app="web")], (("statefulsets", "shop"),)),
        ([workload("Deployment", "shop/web", app="web")], ()),
        (
            [autoscaler("shop/x", "Deployment/x"), workload("Deployment", "shop/x", app="x")],
            (("horizontalpodautoscalers", "shop"),),
        ),
    ],
    ids=["its Service", "others' Services", "a set that selects it", "a Deployment, which claims no pod", "autoscaler"],
)
def test_what_sees_the_stand_ins_is_watched(beside: Sequence[Raw], expected: Sequence[object]) -> None:
    """Budgets are not in the snapshot, and are looked for in any case."""
    made = plan(*SHOP, *beside)
    assert made.near == expected
    assert made.estimate.requests == plan(*SHOP).estimate.requests + 2 * len(made.near)

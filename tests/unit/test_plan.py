"""Which stand-ins are made and which flows are tried; what is left out is named."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from auditor.flags import parse_selector
from auditor.model.cluster import Snapshot
from auditor.model.flow import Direction, Family, Verdict
from auditor.model.options import Options
from auditor.model.probe import ProbePlan, Role, StandIn
from auditor.plan import CONTROL_NAMESPACE, is_system, make_plan, own_namespaces
from auditor.predict import UNNAMED_PORTS, predict
from tests.builders import (
    Raw,
    allow,
    autoscaler,
    block,
    deny_all,
    named,
    node,
    pod,
    pods,
    policy,
    port,
    selector,
    service,
    snapshot,
    tcp,
    workload,
)


def plan_of(found: Snapshot, **options: Any) -> ProbePlan:
    return make_plan(found, predict(found, lambda pod: not is_system(pod.namespace)), Options(**options))


def plan(*objects: Raw, **options: Any) -> ProbePlan:
    return plan_of(snapshot(*objects), **options)


def clones(made: ProbePlan) -> list[StandIn]:
    return [item for item in made.stand_ins if item.role is Role.CLONE]


def controls(made: ProbePlan) -> list[StandIn]:
    return [item for item in made.stand_ins if item.role is Role.CONTROL]


def by_key(made: ProbePlan) -> dict[str, StandIn]:
    return {item.key: item for item in made.stand_ins}


SHOP = (
    pod("shop/web", on="n1", ports=[port(80)], app="web"),
    pod("shop/db", on="n2", ports=[port(5432, "sql")], app="db"),
    deny_all("shop/deny"),
    policy("shop/db", selector(app="db"), ingress=[allow(pods(app="web"), ports=[tcp("sql")])]),
)


def test_one_stand_in_for_each_identity_where_a_replica_runs() -> None:
    """It wears the projected labels in the identity's namespace, and listens on what is worth testing."""
    web, db = sorted(clones(plan(*SHOP)), key=lambda item: item.labels, reverse=True)

    assert (web.namespace, web.node, web.labels) == ("shop", "n1", (("app", "web"),))
    assert (db.node, db.listens) == ("n2", (5432, UNNAMED_PORTS[0]))
    assert [(item.name, item.number) for item in db.named_ports] == [("sql", 5432)]


def test_two_controls_on_each_node_in_use() -> None:
    """Controls stand in netaudit's own namespace, wear nothing, and listen on every port tried on their node."""
    made = plan(*SHOP, node("n4"))
    found = controls(made)

    assert Counter(item.node for item in found) == {"n1": 2, "n2": 2}
    assert {(item.namespace, item.labels, item.named_ports) for item in found} == {(CONTROL_NAMESPACE, (), ())}
    nodes = {item.key: item.node for item in made.stand_ins}
    for control in found:
        wanted = {flow.port for flow in made.flows if nodes[flow.destination] == control.node}
        assert set(control.listens) == wanted


def test_every_flow_has_a_listener_and_its_twin_has_one_too() -> None:
    """What is tried is listened to: at the destination, and at the control of its node."""
    made = plan(*SHOP)
    items = by_key(made)
    for flow in made.flows:
        assert flow.port in items[flow.destination].listens
        twins = [item for item in controls(made) if item.node == items[flow.destination].node]
        assert all(flow.port in item.listens for item in twins)


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
    made = make_plan(found, matrix, Options(namespaces=("kube-system",)))

    assert "kube-system" in {item.namespace for item in clones(made)}


def spread(*nodes: str, app: str = "web") -> list[Raw]:
    return [pod(f"shop/web-{name}", on=name, owner="StatefulSet/web", app=app) for name in nodes]


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


def test_limit_of_pods() -> None:
    """Never more stand-ins than allowed, controls included, and each identity that has no room is named."""
    many = [pod(f"shop/w{number}", on=f"n{number % 3}", app=f"a{number}") for number in range(9)]
    rules = [deny_all(f"shop/p{number}", app=f"a{number}") for number in range(9)]
    for limit in (3, 4, 7, 10, 100):
        made = plan(*many, *rules, max_pods=limit)
        assert len(made.stand_ins) <= limit
        named = [skip for skip in made.skipped if f"--max-pods {limit}" in skip.reason]
        assert len(clones(made)) + len(named) == 9


def test_who_was_asked_for_comes_first_when_room_is_short() -> None:
    """With --namespace, others give way."""
    others = [pod(f"aaa/w{number}", app=f"a{number}") for number in range(5)]
    rules = [deny_all(f"aaa/p{number}", app=f"a{number}") for number in range(5)]
    made = plan(*others, *rules, pod("zeta/z"), deny_all("zeta/deny"), namespaces=("zeta",), max_pods=4)

    assert [item.namespace for item in clones(made)] == ["zeta", "aaa"]


def test_limit_of_flows_keeps_denials() -> None:
    """What must not exist is tried before what may, and the rest is counted."""
    objects = (*SHOP, pod("ops/a"), pod("ops/b", on="n2", app="b"), deny_all("ops/b", app="b"))
    everything = plan(*objects)
    denied = sum(flow.predicted.verdict is Verdict.DENIED for flow in everything.flows)
    made = plan(*objects, max_flows=denied)

    assert {flow.predicted.verdict for flow in made.flows} == {Verdict.DENIED}
    lost = [skip.flows for skip in made.skipped if "--max-flows" in skip.reason]
    assert lost == [len(everything.flows) - denied]
    assert [flow.id for flow in made.flows] == sorted(flow.id for flow in made.flows)


@pytest.mark.parametrize(
    ("danger", "words"),
    [
        (service("shop/all", publishes=True, app="web"), "publishNotReadyAddresses"),
        (autoscaler("shop/grow", "Deployment/gone"), "whose selector is not known"),
        (
            pod(
                "shop/picky",
                spec={
                    "affinity": {
                        "podAntiAffinity": {
                            "requiredDuringSchedulingIgnoredDuringExecution": [{"labelSelector": selector(app="web")}]
                        }
                    }
                },
            ),
            "anti-affinity",
        ),
    ],
)
def test_hazards_are_skipped_and_named(danger: Raw, words: str) -> None:
    """Where something real might react, there is no stand-in, and the report says why."""
    made = plan(*SHOP, danger, workload("Deployment", "shop/other", app="other"))

    assert "web" not in {dict(item.labels).get("app") for item in clones(made)}
    assert any(words in skip.reason and skip.what.startswith("shop/") for skip in made.skipped)


@pytest.mark.parametrize(
    "bad", [node("n1", ready=False), {**node("n1"), "metadata": {"name": "n1", "labels": {"type": "virtual-kubelet"}}}]
)
def test_nodes_that_cannot_host_are_not_used(bad: Raw) -> None:
    """An identity that runs only there is named as not tested."""
    made = plan(*SHOP, bad)

    assert {item.node for item in made.stand_ins} == {"n2"}
    assert [skip.reason for skip in made.skipped] == ["no ready Linux node runs a replica of it"]


def test_open_verdicts_are_counted_by_reason_and_not_tried() -> None:
    """UNDEFINED and UNKNOWN flows are no flows of the plan."""
    made = plan(
        pod("shop/web", at=["10.0.0.1"]),
        policy("shop/p", ingress=[allow(block("10.0.0.0/8"))]),
        pod("ops/a", at=["10.0.0.2"]),
        pod("dev/b", at=["10.0.0.3"]),
        named("CiliumNetworkPolicy", "dev/l7"),
    )
    skips = {skip.what: skip.flows for skip in made.skipped}

    assert {flow.predicted.verdict for flow in made.flows} == {Verdict.ALLOWED}
    assert skips["flows with the verdict UNDEFINED"] > 0
    assert sum(count for what, count in skips.items() if "UNKNOWN" in what) > 0


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (deny_all(f"{CONTROL_NAMESPACE}/left"), "controls are not unpoliced"),
        (named("AdminNetworkPolicy", "wide"), "may select the controls too"),
    ],
)
def test_plan_says_when_controls_may_be_selected(extra: Raw, words: str) -> None:
    """Controls that something selects prove nothing, and that is said before the run."""
    assert any(words in note for note in plan(*SHOP, extra).notes)
    assert plan(*SHOP).notes == ()


def test_both_families_are_tried_with_controls() -> None:
    """An identity of one family alone does not keep the controls from the other one."""
    made = plan(pod("a/v4", at=["10.0.0.1"]), pod("b/dual", at=["10.0.0.2", "fd00::2"]), deny_all("b/deny"))
    families = {(flow.family, flow.source[0], flow.destination[0]) for flow in made.flows}

    for family in Family:
        assert {(family, "c", "i"), (family, "i", "c")} <= families


def test_stand_in_that_no_flow_needs_is_not_made() -> None:
    """Where all its flows are UNKNOWN, a probe pod would prove nothing."""
    made = plan(*SHOP, pod("dev/b"), named("CiliumNetworkPolicy", "dev/l7"))

    assert "dev" not in {item.namespace for item in made.stand_ins}
    assert plan(*SHOP, named("AdminNetworkPolicy", "wide")).stand_ins == ()


def test_second_stand_in_without_room_is_no_lost_identity() -> None:
    """It is named with its node, and its identity counts as tested."""
    made = plan(*spread("n1", "n2", "n3"), deny_all("shop/deny"), max_pods=5)
    lost = [(skip.what, skip.identity) for skip in made.skipped if "--max-pods" in skip.reason]

    assert lost == [("shop/web on n2", False), ("shop/web on n3", False)]


def test_connections_between_replicas_that_are_not_tried_are_counted() -> None:
    """One stand-in cannot talk to itself, so what replicas may say to each other stays open, and is said."""
    replicas = [pod(f"shop/w{number}", on="n1", owner="StatefulSet/web") for number in range(2)]
    made = plan(*replicas, pod("ops/a"), deny_all("shop/deny"))

    assert [skip.what for skip in made.skipped] == ["connections between replicas of 1 identities"]
    assert plan(*spread("n1", "n2"), deny_all("shop/deny")).skipped == ()


def test_port_that_a_rule_names_is_not_the_unnamed_one() -> None:
    """A range that holds the usual candidate makes another one take its place, and its flow is denied."""
    made = plan(pod("shop/web"), policy("shop/p", egress=[allow(ports=[tcp(8000, 9000)])], types=["Egress"]))
    (web,) = clones(made)
    denied = [f.port for f in made.flows if f.source == web.key and f.predicted.verdict is Verdict.DENIED]

    assert set(denied) == {UNNAMED_PORTS[1]}


def test_estimate_grows_with_what_is_made() -> None:
    """The cost is known before, in pods, requests and seconds, and requests stay within 10 for each pod."""
    small, big = (
        plan(*SHOP),
        plan(
            *SHOP,
            *[pod(f"ops/w{n}", app=f"a{n}") for n in range(14)],
            *[deny_all(f"ops/p{n}", app=f"a{n}") for n in range(14)],
        ),
    )

    assert small.estimate.pods == len(small.stand_ins)
    assert small.estimate.flows == len(small.flows)
    assert small.estimate.namespaces == 3
    assert big.estimate.requests <= 10 * big.estimate.pods
    assert big.estimate.seconds > small.estimate.seconds > 0
    denied = sum(flow.predicted.verdict is Verdict.DENIED for flow in small.flows)
    checks = 2 * sum(len(item.listens) for item in small.stand_ins)
    assert small.estimate.probes == 3 * denied + len(small.flows) - denied + checks


def test_own_namespaces_are_restricted_and_ours() -> None:
    """They carry PodSecurity's strictest level and our mark, and the label that the server will set."""
    for namespace in own_namespaces():
        assert namespace.labels["pod-security.kubernetes.io/enforce"] == "restricted"
        assert namespace.labels["kubernetes.io/metadata.name"] == namespace.name


def test_same_plan_whatever_the_order_of_input() -> None:
    """The order in which objects are listed is no input."""
    assert plan(*SHOP) == plan(*reversed(SHOP))


def test_single_denials_exist_for_each_direction_of_each_isolated_stand_in() -> None:
    """Every direction can be proven: some flow is denied by it alone while the other end is not isolated."""
    made = plan(*SHOP)
    for clone in clones(made):
        alone = {flow.predicted.deniers for flow in made.flows if clone.key in {flow.source, flow.destination}}
        assert alone >= {(Direction.EGRESS,), (Direction.INGRESS,)}

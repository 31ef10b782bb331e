"""Limits, hazards, what is left out and what a plan costs: all of it is named before anything is made."""

from __future__ import annotations

import pytest

from auditor.identities import UNNAMED_PORTS
from auditor.model.flow import Direction, Family, Verdict
from auditor.model.probe import ProbePlan
from auditor.plan import CONTROL_NAMESPACE, own_namespaces
from tests.builders import (
    Raw,
    allow,
    autoscaler,
    block,
    deny_all,
    named,
    node,
    pod,
    policy,
    port,
    selector,
    service,
    tcp,
    workload,
)
from tests.unit.planning import SHOP, clones, plan, spread


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


def tainted(*keys: str, effect: str = "NoSchedule", **spec: object) -> Raw:
    return {**node("n1"), "spec": {"taints": [{"key": key, "effect": effect} for key in keys], **spec}}


def troubled(condition: str) -> Raw:
    said = {condition: "True", "Ready": "True"}
    status = {"conditions": [{"type": kind, "status": status} for kind, status in said.items()]}
    return {**node("n1"), "status": status}


def labelled(key: str, value: str) -> Raw:
    return {**node("n1"), "metadata": {"name": "n1", "labels": {key: value}}}


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (node("n1", ready=False), ""),
        (
            {**node("n1"), "metadata": {"name": "n1", "labels": {"type": "virtual-kubelet"}}},
            " (n1: it is a virtual node)",
        ),
        (tainted("virtual-kubelet.io/provider"), " (n1: it is a virtual node)"),
        (labelled("kubernetes.io/os", "windows"), " (n1: it runs windows)"),
        (labelled("beta.kubernetes.io/os", "windows"), " (n1: it runs windows)"),
        (
            labelled("eks.amazonaws.com/compute-type", "fargate"),
            " (n1: it is a Fargate node, which runs one pod)",
        ),
        (tainted(unschedulable=True), " (n1: it is cordoned)"),
        (tainted("ToBeDeletedByClusterAutoscaler"), " (n1: it is about to be removed)"),
        (tainted("karpenter.sh/disrupted"), " (n1: it is about to be removed)"),
        (tainted("node.kubernetes.io/out-of-service", effect="NoExecute"), " (n1: it is out of service)"),
        (
            tainted("node.kubernetes.io/unreachable", effect="NoExecute"),
            " (n1: its taint node.kubernetes.io/unreachable sends pods away)",
        ),
        (
            tainted("node.kubernetes.io/memory-pressure"),
            " (n1: its taint node.kubernetes.io/memory-pressure keeps pods away)",
        ),
        (troubled("DiskPressure"), " (n1: its condition DiskPressure is true)"),
        (troubled("NetworkUnavailable"), " (n1: its condition NetworkUnavailable is true)"),
    ],
)
def test_nodes_that_cannot_host_are_not_used(bad: Raw, why: str) -> None:
    """An identity that runs only there is named as not tested."""
    made = plan(*SHOP, bad)

    assert {item.node for item in made.stand_ins} == {"n2"}
    assert [skip.reason for skip in made.skipped] == [f"no ready Linux node runs a replica of it{why}"]


def shy(wants: Raw, **term: object) -> Raw:
    """A pod on n1 that goes to no node on which such pods are."""
    rules = [{"labelSelector": wants, "topologyKey": "kubernetes.io/hostname", **term}]
    spec = {"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": rules}}}
    return pod("ops/alone", on="n1", spec=spec, app="alone")


@pytest.mark.parametrize("wants", [{}, selector(("app", "NotIn", ["alone"])), selector(("tenant", "DoesNotExist"))])
def test_a_node_of_a_pod_that_shuns_our_controls_is_not_used(wants: Raw) -> None:
    """They wear no label, so that only a term without one of its own can mean them, in every namespace."""
    bare = [deny_all("ops/deny"), pod("ops/web", on="n1", app="web")]
    near, far = shy(wants), shy(wants, namespaceSelector={})
    assert {item.node for item in plan(*bare, near, allow=("affinity",)).stand_ins} == {"n1"}
    made = plan(*bare, far, allow=("affinity",))
    assert made.stand_ins == ()
    assert any("statefulset/alone stays away from pods" in skip.reason for skip in made.skipped)


def test_a_pod_that_shuns_some_labels_does_not_mean_our_controls() -> None:
    bare = [deny_all("ops/deny"), pod("ops/web", on="n1", app="web")]
    assert plan(*bare, shy(selector(app="x"), namespaceSelector={})).stand_ins


@pytest.mark.parametrize(
    "good",
    [
        tainted("dedicated", effect="NoExecute"),
        tainted("DeletionCandidateOfClusterAutoscaler", effect="PreferNoSchedule"),
    ],
)
def test_taints_that_its_replicas_live_with_are_no_reason(good: Raw) -> None:
    """A replica runs there, and a probe pod tolerates what that one does."""
    assert {item.node for item in plan(*SHOP, good).stand_ins} == {"n1", "n2"}


def test_open_verdicts_are_counted_by_reason_and_not_tried() -> None:
    """UNDEFINED and UNKNOWN flows are no flows of the plan."""
    made = plan(
        pod("shop/web", at=["10.0.0.1"]),
        policy("shop/p", ingress=[allow(block("10.0.0.0/8"))]),
        pod("ops/a", at=["10.0.0.2"]),
        pod("dev/b", at=["10.0.0.3"]),
        named("EgressFirewall", "dev/l7"),
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
    made = plan(*SHOP, pod("dev/b"), named("EgressFirewall", "dev/l7"))

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


WIDE = (pod("shop/web", on="n1", app="web"), pod("shop/api", on="n2", ports=[port(80)]), deny_all("shop/d", "Ingress"))


def to_web(first: int) -> ProbePlan:
    """The plan beside a policy that selects nobody and names every port from one on."""
    return plan(*WIDE, policy("ops/in", selector(app="no"), ingress=[allow(ports=[tcp(first, 65535)])]), deny_web())


def deny_web() -> Raw:
    return policy("shop/web", selector(app="web"), types=["Ingress"])


def test_range_of_all_high_ports_leaves_a_low_one_to_try() -> None:
    """One policy anywhere must not take the port away by which a denied pod without declared ports is tested."""
    made = to_web(1024)
    (web,) = [item for item in clones(made) if dict(item.labels).get("app") == "web"]

    assert {port for _, port in web.listens} == {UNNAMED_PORTS[10]}
    assert {flow.predicted.verdict for flow in made.flows if flow.destination == web.key} == {Verdict.DENIED}
    assert not [skip for skip in made.skipped if skip.unjudged]


def test_pod_that_no_port_is_left_for_is_named_and_counts() -> None:
    """Policies may name every port but those below the lowest candidate."""
    (skip,) = [skip for skip in to_web(2).skipped if skip.unjudged]

    assert (skip.what, skip.flows) == ("connections to shop/web", 1)
    assert "declares no port" in skip.reason


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

"""`--mode inplace`: which real pods get an agent, on which port it listens, and what an audit with it says."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from auditor.assemble import assemble
from auditor.audit import run_audit
from auditor.caveats import LIMITS
from auditor.forecast import forecast
from auditor.model.finding import Agreement, Proof
from auditor.model.flow import Direction, Protocol, Verdict
from auditor.model.labels import equals
from auditor.model.options import Coverage, Mode, Options, Targets
from auditor.model.probe import NotPlaced, Outcome, Placed, Probe, ProbePlan, Role, StandIn
from auditor.verdict import Material, summarise
from reports.forecast import render
from tests import fakes, twists
from tests.builders import (
    Raw,
    allow,
    autoscaler,
    deny_all,
    namespace,
    node,
    pod,
    pods,
    policy,
    port,
    selector,
    service,
    tcp,
    udp,
    workload,
)
from tests.fakes import Attempt, FakeBackend, FakeCluster, Twist, by_model
from tests.unit.test_reals import RUN, enforced, ready

FREE = 8642


def real(where: str, *ports: int, on: str = "n1", app: str = "") -> Raw:
    return ready(pod(where, on=on, ports=[port(number) for number in ports], owner="Deployment/x", app=app))


WEB, DB = real("shop/web", 8080, app="web"), real("shop/db", 5432, on="n2", app="db")
OTHER = real("ops/admin", 9000, app="admin")
SHOP: tuple[Raw, ...] = (
    WEB,
    DB,
    OTHER,
    autoscaler("shop/web", "Deployment/x"),
    workload("Deployment", "shop/x", app="web"),
    policy("shop/db-in", selector(app="db"), ingress=[allow(pods(app="web"), ports=[tcp(5432)])]),
    policy("shop/web-out", selector(app="web"), types=["Egress"], egress=[allow(pods(app="db"), ports=[tcp(5432)])]),
)
"""What `--mode clone` leaves out for its autoscaler."""
ADDRESSES = {
    f"shop/{item['metadata']['name']}": tuple(entry["ip"] for entry in item["status"]["podIPs"]) for item in (WEB, DB)
}


LEAVING = namespace("shop")
LEAVING["metadata"]["deletionTimestamp"] = "now"


def wanting(**more: Any) -> Options:
    return Options(**{"mode": Mode.INPLACE, "namespaces": ("shop",), "coverage": Coverage.FULL, **more})


def planned(*objects: Raw, **more: Any) -> ProbePlan:
    known = asyncio.run(forecast(FakeCluster(objects), wanting(**more), fakes.ignore))
    return known.plan


def residents(plan: ProbePlan) -> list[StandIn]:
    return [item for item in plan.stand_ins if item.role is Role.RESIDENT]


def names(plan: ProbePlan) -> list[str]:
    return [f"{item.namespace}/{item.pod}" for item in residents(plan)]


def told(plan: ProbePlan) -> str:
    return " | ".join(f"{skip.what}: {skip.reason}" for skip in plan.skipped)


def test_one_pod_of_each_identity_that_was_asked_for_is_marked() -> None:
    """No pod of another namespace is touched, and controls stand on the nodes in use alone."""
    plan = planned(*SHOP)

    assert names(plan) == ["shop/db", "shop/web"]
    assert {item.node for item in plan.stand_ins if item.role is Role.CONTROL} == {"n1", "n2"}
    assert [item.uid for item in residents(plan)] == ["uid-shop/db", "uid-shop/web"]


def test_an_agent_listens_on_one_port_that_is_nobodys() -> None:
    """Neither on what the pod declares nor on what a policy names for it, because the workload may want to."""
    plan = planned(*SHOP, policy("shop/metrics", selector(), ingress=[allow(ports=[tcp(9100)])]))

    assert {item.listens for item in residents(plan)} == {((Protocol.TCP, FREE),)}
    ends = {item.key for item in residents(plan)}
    assert {flow.port for flow in plan.flows if flow.destination in ends} == {FREE}


def test_the_port_moves_away_from_what_somebody_uses() -> None:
    """A Service may lead to a port that no container declares; low and ephemeral ports are never taken."""
    led: Raw = service("shop/web", app="web")
    led["spec"]["ports"] = [{"port": number} for number in (FREE, 18642, 28642, 9753)]

    (agent,) = residents(planned(*SHOP, led, selector=equals({"app": "web"})))

    assert agent.listens == ((Protocol.TCP, 19753),)


def test_where_no_port_is_free_nothing_is_listened_on() -> None:
    """A pod that policies isolate then counts as not judged; what it may reach is still tried."""
    led: Raw = service("shop/db", app="db")
    led["spec"]["ports"] = [{"port": number} for number in (FREE, 18642, 28642, 9753, 19753, 29753)]

    plan = planned(*SHOP, led, selector=equals({"app": "db"}))

    assert all(item.listens == () for item in residents(plan))
    assert any("every port that could be made up" in skip.reason and skip.unjudged for skip in plan.skipped)


def test_udp_is_listened_on_where_policies_speak_of_it() -> None:
    plan = planned(*SHOP, policy("shop/dns", selector(app="db"), ingress=[allow(ports=[udp(53)])]))

    assert {item.pod: item.listens for item in residents(plan)}["db"] == (
        (Protocol.TCP, FREE),
        (Protocol.UDP, FREE),
    )


def test_what_is_not_listened_on_is_named() -> None:
    assert "connections to 5432/TCP of shop/x: an agent in a real pod listens on no port that the pod" in told(
        planned(*SHOP, selector=equals({"app": "db"}))
    )


def test_a_node_that_would_go_unproven_gets_a_second_pod() -> None:
    """One replica on each of two nodes, a policy for both: both are marked, and a third on the first node is not."""
    replicas = [
        real(f"shop/web-{name}", 8080, on=on, app="web") for name, on in (("a", "n1"), ("b", "n2"), ("c", "n1"))
    ]

    plan = planned(*replicas, deny_all("shop/deny"))

    assert names(plan) == ["shop/web-a", "shop/web-b"]


def test_a_pod_that_was_marked_before_is_taken_before_others() -> None:
    """So that runs that follow each other mark no more pods than one."""
    again = real("shop/web-b", 8080, app="web")
    again["spec"]["ephemeralContainers"] = [{"name": "netaudit-zzzzzz-r0"}]

    assert names(planned(real("shop/web-a", 8080, app="web"), again, deny_all("shop/deny"))) == ["shop/web-b"]


@pytest.mark.parametrize(
    ("objects", "reason"),
    [
        ((pod("shop/web", app="web"),), "it is not running and ready"),
        ((WEB, {**node("n1"), "spec": {"unschedulable": True}}), "its node is not ready, or no place for controls"),
        ((WEB, LEAVING), "its namespace is being deleted"),
    ],
)
def test_an_identity_none_of_whose_pods_will_do_is_skipped(objects: Sequence[Raw], reason: str) -> None:
    plan = planned(*objects, deny_all("shop/deny"))

    assert (residents(plan), plan.flows) == ([], ())
    assert reason in told(plan)
    assert any(skip.identity for skip in plan.skipped)


def test_max_pods_bounds_what_is_marked() -> None:
    """A pod and two controls take three places; what is left out is named."""
    plan = planned(*SHOP, max_pods=3)

    assert len(residents(plan)) == 1
    assert "more probe pods than --max-pods 3 allows" in told(plan)


def test_system_namespaces_are_marked_only_by_name() -> None:
    made = real("kube-system/dns", 53, app="dns")

    assert planned(made, namespaces=(), selector=equals({"app": "dns"})).stand_ins == ()
    assert names(planned(made, deny_all("kube-system/deny"), namespaces=("kube-system",))) == ["kube-system/dns"]


def test_autoscalers_beside_a_marked_pod_are_watched() -> None:
    assert planned(*SHOP).near == (("horizontalpodautoscalers", "shop"),)


def test_a_dry_run_names_every_pod_that_would_be_marked() -> None:
    """However many there are: whoever says yes has to know which."""
    many = [real(f"shop/w{number}", 8080, app=f"w{number}") for number in range(50)]
    tells_apart = [deny_all(f"shop/p{number}", app=f"w{number}") for number in range(50)]
    known = asyncio.run(forecast(FakeCluster((*many, *tells_apart)), wanting(), fakes.ignore))

    text = render(known.plan, known.matrix, wanting())

    assert "would put an ephemeral container from busybox:1.37 into 50 real pods" in text
    assert "cannot be removed before these pods are replaced" in text
    assert all(f"pod shop/w{number} on n1, listening on 8642/TCP" in text for number in range(50))
    assert "would make 2 probe pods in 2 namespaces" in text


def test_handshakes_come_from_the_pods_themselves() -> None:
    """With `--targets real`, on the ports that nobody listens on for us; no pod meets itself."""
    plan = planned(*SHOP, targets=Targets.REAL)
    agents = {item.key: f"pod {item.namespace}/{item.pod}" for item in residents(plan)}
    met = {(agents.get(item.source, "control"), item.target, item.port) for item in plan.handshakes}

    assert ("pod shop/web", "pod shop/db", 5432) in met
    assert ("control", "pod shop/db", 5432) in met
    assert not [one for one in met if one[0] == one[1]]


# --- whole audits ---


class AtHome(FakeBackend):
    """Real pods have the addresses that they have in the shop."""

    def _place(self, number: int, item: StandIn) -> Placed | NotPlaced:
        found = super()._place(number, item)
        if isinstance(found, NotPlaced) or f"{item.namespace}/{item.pod}" not in ADDRESSES:
            return found
        return replace(found, pod=replace(found.pod, addresses=ADDRESSES[f"{item.namespace}/{item.pod}"]))


def audited(*twists: Twist, objects: Sequence[Raw] = SHOP, **more: Any) -> tuple[Material, FakeBackend]:
    switches = {key: more.pop(key) for key in ("broken", "relabelled", "stranger") if key in more}
    backend = AtHome(by_model(objects), twists, **switches)
    return asyncio.run(run_audit(FakeCluster(objects), backend, wanting(**more), fakes.ignore)), backend


def test_where_everything_holds_the_audit_says_of_what() -> None:
    """Both policies are proven on their nodes, exit code 0, and the sentence says which ports were not tried."""
    material, _ = audited()
    summary = summarise(material, wanting())

    assert summary.exit_code == 0, summary.sentence
    assert "This is about real pods, each on one port that nobody else uses" in summary.sentence
    assert {(str(item.subject), item.proof) for item in material.comparison.policies} == {
        ("shop/db-in", Proof.PROVEN),
        ("shop/web-out", Proof.PROVEN),
    }


def test_where_nothing_enforces_it_is_found() -> None:
    material, _ = audited(twists.nothing_enforces)

    assert summarise(material, wanting()).exit_code == 3
    assert {item.rule for item in material.findings} == {"leak"}


def test_what_stays_marked_is_in_the_report() -> None:
    """With the workload whose next pods will not be."""
    material, _ = audited()
    report = assemble(material, wanting(), RUN, "here")

    assert [(item.namespace, item.pod, item.owner, item.state) for item in report.marked] == [
        ("shop", "db", "deployment/x", "ended"),
        ("shop", "web", "deployment/x", "ended"),
    ]
    assert {item.pod for item in report.stand_ins if item.key.startswith("r")} == {"web", "db"}
    assert list(LIMITS[Mode.INPLACE]) == [text for text in report.limits if text in LIMITS[Mode.INPLACE]]


def silent_port(key: str) -> Twist:
    """Something else holds the port in one real pod, and says nothing that we know."""

    def twist(attempt: Attempt, outcome: Outcome) -> Outcome:
        return Outcome.FAULT if attempt.probe.destination == key else outcome

    return twist


def test_a_port_that_somebody_else_holds_is_left_alone() -> None:
    """Our listener could not have it: nobody knocks there but for the first look, and its flows are inconclusive."""
    plan = planned(*SHOP)
    key = next(item.key for item in residents(plan) if item.pod == "db")

    asked: list[tuple[int, str]] = []

    def look(attempt: Attempt, outcome: Outcome) -> Outcome:
        asked.append((attempt.round, attempt.probe.destination))
        return outcome

    material, _ = audited(silent_port(key), look)
    towards = [item for item in material.comparison.judgements if item.flow.destination == key]

    assert {number for number, destination in asked if destination == key} == {0}
    assert {item.agreement for item in towards} == {Agreement.INCONCLUSIVE}
    assert all("something else may hold it, and was left alone" in item.reason for item in towards)
    assert summarise(material, wanting()).exit_code == 4


def test_a_pod_that_changes_under_way_gives_no_verdict() -> None:
    """Its flows are inconclusive, whatever was measured."""
    plan = planned(*SHOP)
    key = next(item.key for item in residents(plan) if item.pod == "web")

    material, _ = audited(relabelled={key: {"app": "other"}})
    touched = [item for item in material.comparison.judgements if key in {item.flow.source, item.flow.destination}]

    assert {item.agreement for item in touched} == {Agreement.INCONCLUSIVE}
    assert {item.reason for item in touched} == {"a real pod, or the agent in it, did not stay what it was"}


def test_a_pod_that_accepts_no_container_is_a_gap() -> None:
    plan = planned(*SHOP)
    key = next(item.key for item in residents(plan) if item.pod == "db")

    material, _ = audited(broken={key: "ImagePullBackOff: no such image"})
    summary = summarise(material, wanting())

    assert summary.exit_code == 4
    assert "1 of 6 probe pods did not run" in summary.sentence


def test_rules_on_ports_of_their_own_are_shown_by_handshake_alone() -> None:
    """The rule that lets web in on 5432 is not proven with a nonce, and the handshakes say what they can."""
    material, _ = audited(targets=Targets.REAL, stranger=enforced)
    report = assemble(material, wanting(targets=Targets.REAL), RUN, "here")

    assert {item.proof for item in report.rules} == {"not separately proven"}
    shown = {(item.target, item.port, item.agreement) for item in report.handshakes}
    assert ("pod shop/db", 5432, "as-expected") in shown


def test_a_pods_own_agent_shows_that_its_port_answers() -> None:
    """Where policies let nobody in, or nobody on a node, silence is shown by the pod itself and by twins."""

    def answering(number: int, probe: Probe, source: Placed) -> Outcome:
        return Outcome.REACHED if probe.address in source.pod.addresses else enforced(number, probe, source)

    sealed = (*SHOP, deny_all("shop/web-in", "Ingress", app="web"))
    material, _ = audited(objects=sealed, targets=Targets.REAL, stranger=answering)
    denied = [item for item in material.comparison.greetings if item.handshake.predicted.verdict is Verdict.DENIED]
    marked = [item for item in denied if item.handshake.target != "pod ops/admin"]

    assert {item.handshake.target for item in marked} == {"pod shop/web", "pod shop/db"}
    assert {item.agreement for item in marked} == {Agreement.AS_EXPECTED}, {item.reason for item in marked}
    (other,) = [item for item in denied if item not in marked and item.handshake.source.startswith("r")]
    assert other.agreement is Agreement.INCONCLUSIVE, "it was not asked for, holds no agent, and answered nobody"


def test_a_denial_still_needs_every_piece_of_proof() -> None:
    """Where twins fail nothing is shown of real pods either."""
    material, _ = audited(twists.twins_blocked)
    denied = [item for item in material.comparison.judgements if item.outcome is Outcome.SILENT]

    assert denied
    assert {item.agreement for item in denied} == {Agreement.INCONCLUSIVE}


def test_each_direction_is_proven_where_its_pod_stands() -> None:
    material, _ = audited()
    proofs = {(claim.subject, claim.direction): claim.proof for claim in material.comparison.nodes}

    assert proofs["n1", Direction.EGRESS] is Proof.PROVEN
    assert proofs["n2", Direction.INGRESS] is Proof.PROVEN

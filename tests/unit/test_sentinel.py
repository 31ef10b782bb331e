"""The plan of `--mode sentinel`, and audits in that mode: netaudit's own policies over its own pods."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from auditor.audit import run_audit
from auditor.evaluate.model import Model
from auditor.model.cluster import Pod, Snapshot
from auditor.model.finding import Agreement, Confidence, Proof
from auditor.model.flow import Direction, Traffic, Verdict
from auditor.model.options import Mode, Options
from auditor.model.probe import Outcome, ProbePlan, Role
from auditor.plan import CONTROL_NAMESPACE
from auditor.ports import RawSnapshot
from auditor.predict import predict
from auditor.sentinel import (
    PER_NODE,
    POLICED,
    as_planned,
    is_sentinel,
    own_policies,
    scene,
    sentinel_namespaces,
    sentinel_plan,
)
from auditor.verdict import Material, summarise
from tests import fakes, twists
from tests.builders import Raw, deny_all, named, node, raw, snapshot
from tests.fakes import Deniers, FakeBackend, FakeCluster, Twist

NODES = (node("n1"), node("n2"), node("n3"))
SENTINEL = Options(mode=Mode.SENTINEL)
NORMAL = {"n1", "n2", "n3"}


def plan(found: Snapshot, **options: Any) -> ProbePlan:
    wanted = replace(SENTINEL, **options)
    acted = scene(found, wanted)
    return sentinel_plan(acted, predict(acted, is_sentinel, own=True), wanted)


def by_model(*objects: Raw) -> Deniers:
    """What an engine does that has read netaudit's policies."""
    model = Model(scene(snapshot(*objects), SENTINEL), sentinel_namespaces())

    def deniers(source: Pod, destination: Pod, traffic: Traffic) -> frozenset[Direction]:
        decision = model.decide(source, destination, traffic.family, traffic.port, traffic.protocol)
        return frozenset(decision.deniers)

    return deniers


def made(*objects: Raw) -> list[Raw]:
    """Netaudit's policies as an API server gives them back."""
    return [
        *objects,
        *(named("NetworkPolicy", str(policy.ref)) | {"spec": SPECS[policy.name]} for policy in own_policies()),
    ]


SPECS: dict[str, Raw] = {
    "netaudit-sealed-in": {
        "podSelector": {"matchLabels": {"netaudit/sentinel": "sealed-in"}},
        "policyTypes": ["Ingress"],
    },
    "netaudit-sealed-out": {
        "podSelector": {"matchLabels": {"netaudit/sentinel": "sealed-out"}},
        "policyTypes": ["Egress"],
    },
    "netaudit-gated-in": {
        "podSelector": {"matchLabels": {"netaudit/sentinel": "gated-in"}},
        "policyTypes": ["Ingress"],
        "ingress": [
            {
                "from": [{"podSelector": {"matchLabels": {"netaudit/sentinel": "sealed-in"}}}],
                "ports": [{"protocol": "TCP", "port": 8080}],
            }
        ],
    },
    "netaudit-gated-out": {
        "podSelector": {"matchLabels": {"netaudit/sentinel": "gated-out"}},
        "policyTypes": ["Egress"],
        "egress": [
            {
                "to": [{"podSelector": {"matchLabels": {"netaudit/sentinel": "sealed-out"}}}],
                "ports": [{"protocol": "TCP", "port": 8080}],
            }
        ],
    },
}
"""The policies as a person would write them."""


def audit(*twists: Twist, later: list[Raw] | None = None, doubts: bool = False, **switches: Any) -> Material:
    cluster = FakeCluster(NODES, made(*NODES) if later is None else later)
    if doubts:
        cluster = Doubtful(NODES, made(*NODES))
    return asyncio.run(run_audit(cluster, FakeBackend(by_model(*NODES), twists, **switches), SENTINEL, fakes.ignore))


class Doubtful(FakeCluster):
    """A cluster whose cluster-wide policies may not be listed."""

    async def collect(self) -> RawSnapshot:
        return replace(
            raw(*self.objects), unread={"clusternetworkpolicies.policy.networking.k8s.io": "it answered 403"}
        )


def test_every_node_has_all_sentinels_and_two_controls() -> None:
    found = plan(snapshot(*NODES))

    for name in NORMAL:
        here = [item for item in found.stand_ins if item.node == name]
        assert len(here) == PER_NODE
        assert [item.role for item in here].count(Role.CONTROL) == 2
    assert {item.namespace for item in found.stand_ins} == {POLICED, CONTROL_NAMESPACE}
    assert found.own_namespaces == ("netaudit", CONTROL_NAMESPACE, POLICED)
    assert {policy.namespace for policy in found.policies} == {POLICED}


def test_every_node_meets_itself_and_another_in_both_roles() -> None:
    found = plan(snapshot(*NODES))
    at = {item.key: item.node for item in found.stand_ins}
    pairs = {(at[flow.source], at[flow.destination]) for flow in found.flows}

    assert pairs == {("n1", "n1"), ("n2", "n2"), ("n3", "n3"), ("n1", "n2"), ("n2", "n3"), ("n3", "n1")}


def test_each_policy_alone_denies_and_the_gated_ones_allow_on_every_node() -> None:
    """So that deny-all, selectors and ports are each shown by a flow that nothing else decides."""
    found = plan(snapshot(*NODES))
    at = {item.key: item.node for item in found.stand_ins}
    alone = {
        (str(flow.predicted.denied_by[0]), at[flow.source if direction is Direction.EGRESS else flow.destination])
        for flow in found.flows
        for direction in flow.predicted.deniers
        if len(flow.predicted.denied_by) == 1
    }
    allowing = {
        rule.rpartition(".")[0]
        for flow in found.flows
        if flow.predicted.verdict is Verdict.ALLOWED
        for rule in (*flow.predicted.egress.allowing, *flow.predicted.ingress.allowing)
    }

    assert alone == {(str(policy.ref), name) for policy in own_policies() for name in NORMAL}
    assert allowing == {f"{POLICED}/netaudit-gated-in", f"{POLICED}/netaudit-gated-out"}


def test_a_port_alone_makes_the_difference_between_allowed_and_denied() -> None:
    found = plan(snapshot(*NODES))
    roles = {item.key: dict(item.labels).get("netaudit/sentinel") for item in found.stand_ins}
    gate = {
        (flow.port, flow.predicted.verdict)
        for flow in found.flows
        if (roles[flow.source], roles[flow.destination]) == ("sealed-in", "gated-in")
    }

    assert gate == {(8080, Verdict.ALLOWED), (8642, Verdict.DENIED)}


def test_nodes_beyond_max_pods_are_named_and_count() -> None:
    found = plan(snapshot(*NODES), max_pods=2 * PER_NODE)

    (skip,) = found.skipped
    assert (skip.what, skip.unjudged, skip.flows) == ("node n3", True, len(found.flows) // 2)
    assert len(found.stand_ins) == 2 * PER_NODE


def test_too_few_pods_for_any_node_make_none() -> None:
    found = plan(snapshot(*NODES), max_pods=PER_NODE - 1)

    assert (found.stand_ins, found.policies) == ((), ())
    assert [skip.what for skip in found.skipped] == ["node n1", "node n2", "node n3"]


def test_nodes_that_cannot_hold_probes_are_named_and_get_none() -> None:
    found = plan(snapshot(node("n1"), node("n2", ready=False)))

    assert [(skip.what, skip.flows, skip.unjudged) for skip in found.skipped] == [("node n2", len(found.flows), True)]
    assert {item.node for item in found.stand_ins} == {"n1"}


def test_without_a_node_nothing_is_made() -> None:
    found = plan(snapshot())

    assert (found.stand_ins, found.flows, found.policies) == ((), (), ())
    assert found.skipped[0].what == "everything"


def test_a_strangers_policy_in_the_own_namespaces_counts() -> None:
    """As one that an admission controller puts into every new namespace."""
    found = plan(snapshot(*NODES, deny_all(f"{POLICED}/everywhere")))

    assert {policy.namespace for policy in found.policies} == {POLICED}
    assert all(flow.predicted.verdict is Verdict.DENIED for flow in found.flows if flow.source.startswith("s"))


def test_policies_elsewhere_are_none_of_this_modes_business() -> None:
    assert plan(snapshot(*NODES, deny_all("shop/all"))).flows == plan(snapshot(*NODES)).flows


def test_an_engine_that_enforces_is_proven_on_every_node_in_both_directions() -> None:
    found = audit()

    assert summarise(found, SENTINEL).exit_code == 0
    assert {(claim.subject, claim.direction) for claim in found.comparison.nodes if claim.proof is Proof.PROVEN} == {
        (name, direction) for name in NORMAL for direction in Direction
    }
    assert {str(claim.subject) for claim in found.comparison.policies if claim.proof is Proof.PROVEN} == {
        str(policy.ref) for policy in own_policies()
    }


def test_nodes_that_nothing_stood_on_are_in_the_sentence_and_count() -> None:
    """Most of a cluster is cordoned, and what was asked is whether its nodes enforce."""
    nodes = (node("n1"), *(node(f"n{number}", ready=False) for number in range(2, 7)))
    backend = FakeBackend(by_model(*nodes))
    found = summarise(
        asyncio.run(run_audit(FakeCluster(nodes, made(*nodes)), backend, SENTINEL, fakes.ignore)), SENTINEL
    )

    assert found.exit_code == 4
    assert "5 of 6 nodes were left out: n2, n3, n4 and 2 more." in found.sentence


def test_node_whose_twin_is_blocked_is_a_gap_among_many() -> None:
    """One node of fourteen, of which nothing inward is shown."""

    def blocked(attempt: fakes.Attempt, outcome: Outcome) -> Outcome:
        return Outcome.SILENT if attempt.is_twin and attempt.destination.pod.node == "n7" else outcome

    nodes = tuple(node(f"n{number}") for number in range(14))
    backend = FakeBackend(by_model(*nodes), [blocked])
    material = asyncio.run(run_audit(FakeCluster(nodes, made(*nodes)), backend, SENTINEL, fakes.ignore))

    assert summarise(material, SENTINEL).exit_code == 4
    assert "nothing is shown of node n7 Ingress" in summarise(material, SENTINEL).sentence


def test_no_engine_leaks_on_every_node() -> None:
    found = audit(twists.nothing_enforces)

    assert summarise(found, SENTINEL).exit_code == 3
    assert {claim.proof for claim in found.comparison.nodes} == {Proof.LEAKING}
    assert "not about this cluster's policies" in summarise(found, SENTINEL).sentence


def test_one_node_that_does_not_enforce_is_named() -> None:
    found = audit(twists.node_does_not_enforce("n2"))

    leaking = {claim.subject for claim in found.comparison.nodes if claim.proof is Proof.LEAKING}
    assert leaking == {"n2"}


def test_own_policies_that_are_gone_or_other_than_planned_prove_nothing() -> None:
    changed = made(*NODES)
    changed[-1] = {**changed[-1], "spec": {"podSelector": {}}}
    for later in ([*NODES], changed):
        found = audit(later=later)

        assert {item.agreement for item in found.comparison.judgements} == {Agreement.INCONCLUSIVE}


def test_what_was_not_read_makes_findings_less_sure_and_no_verdict_unknown() -> None:
    found = audit(twists.nothing_enforces, doubts=True)

    assert {item.confidence for item in found.findings} == {Confidence.LIKELY}
    assert all("clusternetworkpolicies" in item.cause for item in found.findings)
    assert summarise(audit(doubts=True), SENTINEL).exit_code == 0


@pytest.mark.parametrize("dual_stack", [False, True])
def test_a_family_without_addresses_is_left_out_by_name(dual_stack: bool) -> None:
    both = {"addresses": [{"type": "InternalIP", "address": text} for text in ("10.1.1.1", "2001:db8::9")]}
    nodes = [{**item, "status": {**item["status"], **both}} for item in NODES]
    cluster = FakeCluster(nodes, made(*nodes))
    backend = FakeBackend(by_model(*nodes), dual_stack=dual_stack)
    found = asyncio.run(run_audit(cluster, backend, SENTINEL, fakes.ignore))

    lost = [skip for skip in found.plan.skipped if skip.what == "IPv6 between pods"]
    assert [skip.flows for skip in lost] == ([] if dual_stack else [len(found.comparison.judgements)])
    assert summarise(found, SENTINEL).exit_code == 0


def test_as_planned_keeps_what_others_made() -> None:
    (stranger,) = snapshot(deny_all(f"{POLICED}/everywhere")).policies
    stored = [replace(policy, uid="u", version="7") for policy in own_policies()]

    assert as_planned([*stored, stranger], own_policies()) == (*own_policies(), stranger)

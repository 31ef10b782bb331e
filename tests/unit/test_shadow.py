"""`--mode shadow`: workloads that nothing may stand beside, stood for in netaudit's own namespaces."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from auditor.audit import run_audit
from auditor.caveats import LIMITS
from auditor.evaluate.model import Model
from auditor.forecast import Forecast, forecast
from auditor.model.cluster import Pod
from auditor.model.finding import Agreement, Proof
from auditor.model.flow import Direction, Traffic
from auditor.model.options import Coverage, Mode, Options
from auditor.plan import OWN_LABELS, own_namespaces
from auditor.shadow import HOMES, shadows
from auditor.verdict import Material, summarise
from probes.placement import Marks, policy_manifest
from tests import fakes
from tests.builders import (
    Raw,
    allow,
    autoscaler,
    deny_all,
    namespace,
    namespaces,
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
from tests.fakes import Deniers, FakeBackend, FakeCluster, Twist

SHADOW = Options(mode=Mode.SHADOW, coverage=Coverage.FULL)
NAME = "kubernetes.io/metadata.name"
FROM_OPS = namespaces((NAME, "In", ["ops"]))
USUAL = (
    namespace("ops", team="sre"),
    namespace("shop", tier="front", unseen="yes"),
    pod("ops/admin", on="n1", ports=[port(9000)], app="admin"),
    pod("shop/web", on="n1", ports=[port(8080)], owner="Deployment/web", app="web"),
    pod("shop/db", on="n2", ports=[port(5432)], owner="Deployment/db", app="db"),
    workload("Deployment", "shop/web", app="web"),
    workload("Deployment", "shop/db", app="db"),
    autoscaler("shop/web", "Deployment/web"),
    autoscaler("shop/db", "Deployment/db"),
    service("shop/web", app="web"),
    policy("shop/db-in", selector(app="db"), ingress=[allow(pods(app="web"), FROM_OPS, ports=[tcp(5432)])]),
    policy("shop/web-out", selector(app="web"), types=["Egress"], egress=[allow(pods(app="db"), ports=[tcp(5432)])]),
    policy("ops/only-front", selector(), ingress=[allow(namespaces(tier="front"))]),
)
"""Each workload of the shop has an autoscaler, which would count any pod beside it that wears its labels."""


def looked_at(*objects: Raw, options: Options = SHADOW) -> Forecast:
    return asyncio.run(forecast(FakeCluster(objects), options, fakes.ignore))


def enforced(objects: Sequence[Raw]) -> Deniers:
    """What an engine does that has read the copies."""
    model = Model(shadows(snapshot(*objects), SHADOW).acted, own_namespaces())

    def deniers(source: Pod, destination: Pod, traffic: Traffic) -> frozenset[Direction]:
        return frozenset(model.decide(source, destination, traffic.family, traffic.port, traffic.protocol).deniers)

    return deniers


def with_copies(objects: Sequence[Raw]) -> list[Raw]:
    """The objects and the copies as an API server gives them back."""
    scene = shadows(snapshot(*objects), SHADOW)
    homes = [namespace(name, **labels) for name, labels in scene.labels().items()]
    marks = Marks("r1", "1", "2026-01-01T00:00:00Z")
    return [*objects, *homes, *(policy_manifest(item, marks) for item in scene.policies)]


def audit(*twists: Twist, objects: Sequence[Raw] = USUAL, later: Sequence[Raw] | None = None) -> Material:
    backend = FakeBackend(enforced(objects), twists)
    cluster = FakeCluster(objects, with_copies(objects) if later is None else later)
    return asyncio.run(run_audit(cluster, backend, SHADOW, fakes.ignore))


def test_what_autoscalers_keep_from_being_stood_beside_is_stood_for_elsewhere() -> None:
    beside, shadow = looked_at(*USUAL, options=Options()), looked_at(*USUAL)

    assert {skip.what for skip in beside.plan.skipped if skip.identity} == {"shop/db", "shop/web"}
    assert [skip for skip in shadow.plan.skipped if skip.identity or skip.unjudged] == []
    titles = {item.id: item.title for item in shadow.shown.identities}
    assert {titles[item.identity] for item in shadow.plan.stand_ins if item.identity} == {
        "ops/admin",
        "shop/db",
        "shop/web",
    }


def test_everything_is_made_in_own_namespaces() -> None:
    plan = looked_at(*USUAL).plan

    assert plan.own_namespaces == ("netaudit", "netaudit-ctl-1", "netaudit-ctl-3", "netaudit-ctl-4")
    assert {item.namespace for item in plan.stand_ins} <= set(plan.own_namespaces)
    assert {item.namespace for item in plan.policies} <= set(plan.own_namespaces)
    assert plan.near == ()
    assert plan.estimate.pods == len(plan.stand_ins)


def test_namespaces_wear_what_policies_see_of_those_they_stand_for() -> None:
    labels = looked_at(*USUAL).plan.labels

    assert labels == {"netaudit-ctl-3": OWN_LABELS, "netaudit-ctl-4": {"tier": "front", **OWN_LABELS}}


def test_flows_have_the_verdicts_of_the_workloads() -> None:
    known = looked_at(*USUAL)
    original = Model(snapshot(*USUAL), own_namespaces())
    members = {item.id: item.pods[0] for item in known.shown.identities}
    ends = {item.key: members[item.identity] for item in known.plan.stand_ins if item.identity}
    between = [flow for flow in known.plan.flows if {flow.source, flow.destination} <= set(ends)]

    assert {flow.predicted.verdict.value for flow in between} == {"allowed", "denied"}
    for flow in between:
        pair = ends[flow.source], ends[flow.destination]
        assert original.decide(*pair, flow.family, flow.port).verdict is flow.predicted.verdict


def test_an_audit_proves_the_policies_by_their_own_names() -> None:
    material = audit()
    summary = summarise(material, SHADOW)

    assert (summary.exit_code, summary.coverage) == (0, 1)
    assert "not about the workloads themselves" in summary.sentence
    assert {str(claim.subject): claim.proof for claim in material.comparison.policies} == {
        "ops/only-front": Proof.PROVEN,
        "shop/db-in": Proof.PROVEN,
        "shop/web-out": Proof.PROVEN,
    }
    said = [item.flow.predicted.reason for item in material.comparison.judgements]
    assert not any("netaudit-ctl-4" in text for text in said)
    assert any("equivalents" in text for text in LIMITS[Mode.SHADOW])


def test_where_nothing_enforces_the_copies_leak() -> None:
    backend = FakeBackend(lambda *_: frozenset(), ())
    material = asyncio.run(run_audit(FakeCluster(USUAL, with_copies(USUAL)), backend, SHADOW, fakes.ignore))

    assert summarise(material, SHADOW).exit_code == 3
    leaks = [item for item in material.comparison.judgements if item.agreement is Agreement.LEAK]
    assert leaks
    assert {str(ref) for finding in material.findings for ref in finding.policies} <= {
        "ops/only-front",
        "shop/db-in",
        "shop/web-out",
    }


def test_what_decides_otherwise_for_copies_is_left_out_and_counts() -> None:
    """A Cilium policy stands in the shop and sees no other namespace."""
    deny: Raw = {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumNetworkPolicy",
        "metadata": {"namespace": "shop", "name": "sealed"},
        "spec": {"endpointSelector": {}, "ingressDeny": [{"fromEntities": ["all"]}]},
    }
    plan = looked_at(*USUAL, deny).plan

    (skip,) = [skip for skip in plan.skipped if skip.what == "flows that a shadow cannot stand for"]
    assert skip.unjudged
    assert skip.flows > 0


def test_policies_that_change_after_they_were_copied_say_nothing_more() -> None:
    copies = with_copies(USUAL)[len(USUAL) :]
    material = audit(later=[*USUAL[:-1], deny_all("ops/only-front"), *copies])

    told = {item.agreement for item in material.comparison.judgements if "ops changed" in item.reason}
    assert told == {Agreement.INCONCLUSIVE}
    assert any(item.agreement is Agreement.AS_EXPECTED for item in material.comparison.judgements)


def test_more_namespaces_than_may_be_stood_for_are_named_and_those_with_policies_come_first() -> None:
    many = [pod(f"a{number:02}/web", on="n1", ports=[port(80)]) for number in range(HOMES + 1)]
    scene = shadows(snapshot(*many, deny_all("a50/all")), SHADOW)

    assert len(scene.homes) == HOMES
    assert "a50" in scene.homes
    assert [skip.what for skip in scene.skipped] == ["a49/web"]
    assert all(skip.identity for skip in scene.skipped)


def test_only_what_was_asked_for_is_stood_for() -> None:
    known = looked_at(*USUAL, options=replace(SHADOW, namespaces=("ops",)))

    assert {item.namespace for item in known.shown.identities} == {"ops"}
    assert {item.namespace for item in known.plan.policies} == {"netaudit-ctl-3"}

"""What changes while probes run: predictions that did not hold throughout are held against nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from auditor.audit import run_audit
from auditor.model.finding import Agreement, Proof
from auditor.verdict import summarise
from tests import fakes, twists
from tests.builders import Raw, allow, named, namespace, policy, selector
from tests.fakes import FakeBackend, FakeCluster, by_model
from tests.unit.auditing import SHOP, WHOLE, audit, keys


def changed(objects: Sequence[Raw], name: str) -> list[Raw]:
    """The objects with another resourceVersion for one of them."""
    return [
        {**item, "metadata": {**item["metadata"], "resourceVersion": "2"}} if item["metadata"]["name"] == name else item
        for item in objects
    ]


def test_policy_changed_during_the_run() -> None:
    """Every flow with an end in that policy's namespace is inconclusive, all others keep their judgement."""
    found = audit(later=changed(SHOP, "db-in"))

    homes = {item.key: item.namespace for item in found.material.plan.stand_ins}
    shop = [f for f in found.material.plan.flows if "shop" in {homes[f.source], homes[f.destination]}]
    assert [flow.id for flow in found.of(Agreement.INCONCLUSIVE)] == [flow.id for flow in shop]
    assert found.reasons == {"a policy of one end's namespace changed during the run"}
    assert found.summary.exit_code == 4


def test_foreign_policy_that_comes_during_the_run() -> None:
    """What is not modelled and came in the meantime leaves the flows that it may touch open."""
    found = audit(twists.nothing_enforces, later=[*SHOP, named("EgressFirewall", "ops/new")])

    homes = {item.key: item.namespace for item in found.material.plan.stand_ins}
    touched = [f for f in found.material.plan.flows if "ops" in {homes[f.source], homes[f.destination]}]
    assert [flow.id for flow in found.of(Agreement.INCONCLUSIVE)] == [flow.id for flow in touched] != []


def test_stand_in_that_is_relabelled_during_the_run() -> None:
    """A probe pod that is not any more what it was judged as leaves its flows open, and only those."""
    db = keys(audit())["shop/db"]
    found = audit(twists.nothing_enforces, relabelled={db: {"app": "other"}})

    flows = [flow.id for flow in found.material.plan.flows if db in {flow.source, flow.destination}]
    assert [flow.id for flow in found.of(Agreement.INCONCLUSIVE)] == flows
    assert found.reasons == {"a probe pod's labels were changed during the run"}


def test_policies_that_cannot_be_read_again_leave_everything_open() -> None:
    """Nobody can say that the predictions held for the whole run, so neither leaks nor denials are claimed."""
    cluster = FakeCluster(SHOP, breaks_off="connection refused")
    backend = FakeBackend(by_model(SHOP), (twists.nothing_enforces,))
    material = asyncio.run(run_audit(cluster, backend, WHOLE, fakes.ignore))

    assert {item.agreement for item in material.comparison.judgements} == {Agreement.INCONCLUSIVE}
    assert all("connection refused" in item.reason for item in material.comparison.judgements)
    assert (material.findings, summarise(material, WHOLE).exit_code) == ((), 4)


def test_leak_under_a_changed_policy_is_no_finding() -> None:
    """What was predicted from a policy that changed since is not held against the engine."""
    found = audit(twists.nothing_enforces, later=[item for item in SHOP if item["kind"] != "NetworkPolicy"])

    assert found.summary.leaks == 0
    assert found.material.findings == ()


def test_namespace_relabelled_during_the_run() -> None:
    """Only flows whose verdict depends on the labels that changed become inconclusive."""
    peer = {"namespaceSelector": selector(team="ops")}
    objects = [*SHOP, policy("shop/ops-in", selector(app="web"), ingress=[allow(peer)]), namespace("ops", team="ops")]
    found = audit(objects=objects, later=[*objects[:-1], namespace("ops", team="other")])

    homes = {item.key: item.namespace for item in found.material.plan.stand_ins}
    assert found.of(Agreement.INCONCLUSIVE) != []
    assert {(homes[f.source], homes[f.destination]) for f in found.of(Agreement.INCONCLUSIVE)} == {("ops", "shop")}


def test_stand_in_that_admission_relabels_is_judged_as_it_stands() -> None:
    """A stored pod that a policy no longer selects is predicted anew and is no leak, but its identity went untested."""
    db = keys(audit())["shop/db"]
    found = audit(labels={db: {"app": "other"}})

    assert found.summary.leaks == 0
    assert found.summary.exit_code == 4
    assert "1 probe pods do not stand for their identity" in found.summary.sentence
    assert any(claim.proof is Proof.UNTESTED for claim in found.material.comparison.policies)

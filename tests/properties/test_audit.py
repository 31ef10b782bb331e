"""Whole audits of random clusters, in which the oracle, and not the model, decides what gets through."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from auditor.assemble import assemble
from auditor.audit import run_audit
from auditor.model.cluster import Pod
from auditor.model.finding import Agreement, Proof
from auditor.model.flow import Direction, Family, Protocol, Traffic, Verdict
from auditor.model.options import Coverage, Options
from auditor.model.probe import Outcome, PlannedFlow
from auditor.model.report import Run
from auditor.plan import own_namespaces
from auditor.verdict import Material, summarise
from tests import fakes, oracle, twists
from tests.builders import Raw
from tests.fakes import Deniers, FakeBackend, FakeCluster, Twist
from tests.strategies import clusters

OPTIONS = Options(settle=10, coverage=Coverage.FULL)
RUN = Run("ab12cd", "0.1.0", "", "", "clone", "busybox", "shell", 10.0, 3, 1.0, 3, 60.0)


def manifest(pod: Pod) -> Raw:
    """A probe pod as the oracle reads it."""
    ports = [{"name": port.name, "containerPort": port.number, "protocol": port.protocol.value} for port in pod.ports]
    return {
        "kind": "Pod",
        "metadata": {"namespace": pod.namespace, "name": pod.name, "labels": dict(pod.labels)},
        "spec": {"containers": [{"ports": ports}]},
        "status": {"phase": "Running", "podIPs": [{"ip": text} for text in pod.addresses]},
    }


def by_oracle(objects: Sequence[Raw], open_means: str) -> Deniers:
    """What the oracle denies; where the API leaves the answer open, the engine does as `open_means` says."""
    ours = [{"kind": "Namespace", "metadata": {"name": it.name, "labels": it.labels}} for it in own_namespaces()]
    everything = [*objects, *ours]

    def deniers(source: Pod, destination: Pod, traffic: Traffic) -> frozenset[Direction]:
        if source.name == destination.name:
            return frozenset()
        version = 4 if traffic.family is Family.IPV4 else 6
        flow = oracle.Flow(manifest(source), manifest(destination), version, traffic.port, traffic.protocol.value)
        answers = {way: oracle.one_side(everything, way.value, flow) for way in Direction}
        return frozenset(way for way, answer in answers.items() if answer in {"denied", open_means})

    return deniers


def audit(objects: Sequence[Raw], open_means: str, *twists: Twist, later: Sequence[Raw] | None = None) -> Material:
    backend = FakeBackend(by_oracle(objects, open_means), twists, dual_stack=True)
    material = asyncio.run(run_audit(FakeCluster(objects, later), backend, OPTIONS, fakes.ignore))
    assert len(backend.calls) <= 6
    return material


engines = st.sampled_from(("undefined", "nothing"))
"""Whether an engine drops what the API leaves open, or lets it pass."""


def agreements(material: Material) -> dict[int, Agreement]:
    return {item.flow.id: item.agreement for item in material.comparison.judgements}


@given(clusters(), engines)
def test_cluster_that_enforces_has_no_findings(objects: list[Raw], engine: str) -> None:
    """Where everything is as the API says, each flow that could be judged is as expected, and none is wrong."""
    material = audit(objects, engine)

    assert material.findings == ()
    assert set(agreements(material).values()) <= {Agreement.AS_EXPECTED, Agreement.INCONCLUSIVE}
    open_ones = [item for item in material.comparison.judgements if item.agreement is Agreement.INCONCLUSIVE]
    assert all("UNDEFINED" in item.reason for item in open_ones)
    assert summarise(material, OPTIONS).exit_code in {0, 4}


@given(clusters(), engines)
def test_cluster_that_enforces_nothing_proves_nothing(objects: list[Raw], engine: str) -> None:
    """Every denial leaks, and no policy and no node is called proven."""
    material = audit(objects, engine, twists.nothing_enforces)
    for item in material.comparison.judgements:
        if item.flow.predicted.deniers:
            assert item.agreement is Agreement.LEAK
    proofs = {claim.proof for claim in (*material.comparison.policies, *material.comparison.nodes)}
    assert Proof.PROVEN not in proofs
    if Agreement.LEAK in agreements(material).values():
        assert summarise(material, OPTIONS).exit_code == 3


@given(clusters(), engines, st.data())
def test_one_flipped_flow_is_the_one_that_is_found(objects: list[Raw], engine: str, data: st.DataObject) -> None:
    """Whatever else the cluster holds, the flows that were bent are wrong and no others."""
    clean = audit(objects, engine)
    right = [item.flow for item in clean.comparison.judgements if item.agreement is Agreement.AS_EXPECTED]
    if not right:
        return
    bent = data.draw(st.sampled_from(right))
    bad = audit(objects, engine, twists.flipped(bent.source, bent.destination, bent.port, bent.protocol))
    wrong = {
        item.flow.id for item in bad.comparison.judgements if item.agreement in {Agreement.LEAK, Agreement.BLOCKAGE}
    }

    assert wrong == {flow.id for flow in right if _path(flow) == _path(bent)}
    assert {number for finding in bad.findings for number in finding.flows} == wrong


def _path(flow: PlannedFlow) -> tuple[str, str, Protocol, int]:
    """A flow without its family."""
    return flow.source, flow.destination, flow.protocol, flow.port


@given(clusters(), engines, st.sampled_from((twists.twins_blocked, twists.lossy, twists.exec_fails(range(9)))))
def test_no_trouble_of_measuring_is_ever_a_finding(objects: list[Raw], engine: str, trouble: Twist) -> None:
    """Blocked twins, lost packets and failed execs leave flows open, and no denial proven."""
    material = audit(objects, engine, trouble)

    assert material.findings == ()
    for item in material.comparison.judgements:
        if item.flow.predicted.deniers:
            assert item.agreement is Agreement.INCONCLUSIVE


@given(clusters(), engines, st.randoms(use_true_random=False))
def test_report_has_the_same_bytes_in_any_order(objects: list[Raw], engine: str, random: Any) -> None:
    """The order in which a cluster lists its objects is no input."""
    shuffled = list(objects)
    random.shuffle(shuffled)
    one, other = (
        assemble(audit(items, engine, twists.one_try_of_three), OPTIONS, RUN, "prod") for items in (objects, shuffled)
    )

    assert one == other


@given(clusters(), engines, st.data())
def test_dead_path_is_no_denial(objects: list[Raw], engine: str, data: st.DataObject) -> None:
    """Where nothing enforces and one pod's network is dead, its silence shows nothing.

    But for a pod that policies allow nothing at all: it has no witness but its twins.
    """
    clean = audit(objects, engine)
    keys = [item.key for item in clean.plan.stand_ins if item.identity]
    if not keys:
        return
    key = data.draw(st.sampled_from(keys))

    def dead(attempt: fakes.Attempt, outcome: Outcome) -> Outcome:
        ends = {attempt.probe.source, attempt.probe.destination}
        return Outcome.SILENT if key in ends and len(ends) > 1 else outcome

    bad = audit(objects, engine, twists.nothing_enforces, dead)
    allowed = [item.flow for item in bad.comparison.judgements if item.flow.predicted.verdict is Verdict.ALLOWED]
    out, into = ({flow.family for flow in allowed if end(flow) == key} for end in (_source, _destination))
    for item in bad.comparison.judgements:
        flow = item.flow
        witnessed = (flow.source == key and flow.family in out) or (flow.destination == key and flow.family in into)
        if flow.predicted.verdict is Verdict.DENIED and witnessed:
            assert item.agreement is Agreement.INCONCLUSIVE


def _source(flow: PlannedFlow) -> str:
    return flow.source


def _destination(flow: PlannedFlow) -> str:
    return flow.destination

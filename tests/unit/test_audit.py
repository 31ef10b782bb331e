"""The whole pipeline against fakes: no finding when reality follows the model, the right ones when it does not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from auditor.audit import run_audit
from auditor.events import Warned
from auditor.model.finding import Agreement, Proof
from auditor.model.flow import Direction
from auditor.model.probe import Outcome, Rehearsal
from auditor.verdict import summarise
from tests import fakes, twists
from tests.builders import Raw, deny_all, pod, policy, raw
from tests.fakes import FakeBackend, FakeCluster, by_model
from tests.unit.auditing import SHOP, WHOLE, audit, keys


def test_model_that_answers_for_itself_is_clean() -> None:
    """No finding, exit 0, every flow as expected, every policy and node that can be is proven, no round too many."""
    clean = audit()

    assert clean.material.findings == ()
    assert (clean.summary.exit_code, clean.summary.status, clean.summary.coverage) == (0, "clean", 1.0)
    assert clean.summary.as_expected == clean.summary.planned > 0
    assert clean.summary.proven_denials > 0
    assert {claim.proof for claim in clean.material.comparison.policies} == {Proof.PROVEN}
    assert clean.proof("n1", Direction.EGRESS) is clean.proof("n2", Direction.INGRESS) is Proof.PROVEN
    assert clean.backend.calls == [0, 1, 4]
    assert clean.backend.waited == []


def test_dual_stack_and_rejecting_engines_are_clean_too() -> None:
    """Both families are tried, and a reset is a denial as good as silence."""
    objects = [{**item, "status": both(item)} if item["kind"] == "Pod" else item for item in SHOP]

    found = audit(twists.rejects, objects=objects, dual_stack=True)

    assert found.summary.exit_code == 0
    assert {flow.family.value for flow in found.of(Agreement.AS_EXPECTED)} == {"IPv4", "IPv6"}


def both(item: Raw) -> Raw:
    return {**item["status"], "podIPs": [*item["status"]["podIPs"], {"ip": "2001:db8::1"}]}


def test_each_single_flipped_flow_is_found_and_nothing_else() -> None:
    """Whichever flow comes out the other way, exactly that one is a leak or a blockage, in exactly one finding.

    Where it is all that policies allow of a pod, nothing shows any more that the pod's other silence is theirs.
    """
    flows = audit().material.plan.flows
    for flow in flows:
        found = audit(twists.flipped(flow.source, flow.destination, flow.port))
        wrong = Agreement.LEAK if flow.predicted.deniers else Agreement.BLOCKAGE

        assert [item.id for item in found.of(wrong)] == [flow.id]
        lone = found.of(Agreement.INCONCLUSIVE)
        assert len(found.of(Agreement.AS_EXPECTED)) == len(flows) - 1 - len(lone)
        assert all(wrong is Agreement.BLOCKAGE and "nothing that policies allow" in reason for reason in found.reasons)
        assert [(finding.rule, finding.flows) for finding in found.material.findings] == [(wrong.value, (flow.id,))]
        assert found.summary.exit_code == (3 if wrong is Agreement.LEAK else 4 if lone else 0)


def test_nothing_enforces() -> None:
    """Where no engine is, every denial leaks, the cause says so, and the exit code is 3."""
    found = audit(twists.nothing_enforces)

    assert found.summary.exit_code == 3
    assert found.summary.leaks == sum(bool(flow.predicted.deniers) for flow in found.material.plan.flows)
    assert found.rules == {"leak"}
    assert all("nothing enforces NetworkPolicy" in finding.cause for finding in found.material.findings)
    assert {claim.proof for claim in found.material.comparison.policies} == {Proof.LEAKING}
    assert found.summary.proven_denials == 0


def test_one_node_does_not_enforce() -> None:
    """The leaks are exactly those that this node alone had to stop, and the cause names it."""
    found = audit(twists.node_does_not_enforce("n2"))

    clean = audit().material
    stand_ins = {item.key: item for item in clean.plan.stand_ins}
    expected = [
        flow.id
        for flow in clean.plan.flows
        if flow.predicted.deniers == (Direction.INGRESS,) and stand_ins[flow.destination].node == "n2"
    ]
    assert [flow.id for flow in found.of(Agreement.LEAK)] == expected != []
    assert found.proof("n2", Direction.INGRESS) is Proof.LEAKING
    assert found.proof("n1", Direction.EGRESS) is Proof.PROVEN
    assert all("n2 does not enforce NetworkPolicy" in finding.cause for finding in found.material.findings)
    assert found.summary.exit_code == 3


def test_pod_that_does_not_start() -> None:
    """Its flows are inconclusive with the reason, all others are judged, and the audit is incomplete."""
    db = keys(audit())["shop/db"]
    found = audit(broken={db: "ImagePullBackOff"})

    reason = "the destination's probe pod does not run: ImagePullBackOff"
    assert reason in found.reasons
    assert all(db in {flow.source, flow.destination} for flow in found.of(Agreement.INCONCLUSIVE))
    assert {item.outcome for item in found.material.comparison.judgements if db == item.flow.destination} == {
        Outcome.UNTESTED
    }
    assert (found.summary.exit_code, found.material.findings) == (4, ())
    assert "1 of " in found.summary.sentence
    assert "probe pods did not run" in found.summary.sentence


def test_no_pod_starts() -> None:
    """Nothing is tested, so nothing is green."""
    everything = {item.key: "Unschedulable" for item in audit().material.plan.stand_ins}
    found = audit(broken=everything)

    assert (found.summary.judged, found.summary.exit_code, found.material.findings) == (0, 4, ())


def test_exec_that_fails_in_one_round_is_made_up_for() -> None:
    """A failed measurement is tried again, and what is measured then counts."""
    found = audit(twists.exec_fails([1]))

    assert found.summary.exit_code == 0
    assert found.summary.as_expected == found.summary.planned
    assert found.backend.calls == [0, 1, 2, 4]


def test_exec_that_always_fails_is_never_a_denial() -> None:
    """A source that measured nothing leaves its flows inconclusive, not blocked."""
    web = keys(audit())["shop/web"]
    found = audit(twists.exec_fails(range(9), web))

    assert {flow.source for flow in found.of(Agreement.INCONCLUSIVE)} >= {web}
    assert found.summary.leaks == found.summary.blockages == 0
    assert found.summary.exit_code == 4
    assert any(reason.startswith("the measurement failed") for reason in found.reasons)


@pytest.mark.parametrize(
    ("after", "missing"), [(-1, "did not answer its own pod before"), (1, "did not answer its own pod afterwards")]
)
def test_listener_that_dies_proves_nothing(after: int, missing: str) -> None:
    """Silence towards a listener that was not up before and after the round is not a denial."""
    db = keys(audit())["shop/db"]
    found = audit(twists.listener_dies(db, after=after))

    denied = [flow for flow in found.material.plan.flows if flow.destination == db and flow.predicted.deniers]
    assert {flow.id for flow in denied} <= {flow.id for flow in found.of(Agreement.INCONCLUSIVE)}
    assert any(missing in reason for reason in found.reasons)
    assert (found.summary.leaks, found.summary.blockages, found.summary.exit_code) == (0, 0, 4)


def test_listener_that_comes_up_late_is_waited_for() -> None:
    """A listener that was not up at the opening is tried once more after a grace, and then proves what it can."""
    db = keys(audit())["shop/db"]
    found = audit(twists.listener_comes_late(db))

    assert found.backend.calls == [0, 0, 1, 4]
    assert len(found.backend.waited) == 1
    assert (found.summary.exit_code, found.summary.as_expected) == (0, found.summary.planned)


@pytest.mark.parametrize(
    ("twist", "missing"),
    [
        (twists.twins_blocked, "unpoliced twins on the same nodes did not reach each other on this port"),
        (twists.lossy, "unpoliced twins on the same nodes reached each other only in some of the tries"),
    ],
    ids=["an admin tier", "a lossy path"],
)
def test_path_that_is_not_clean_proves_nothing(twist: fakes.Twist, missing: str) -> None:
    """Where unpoliced twins do not get through each time, a denial may be the path's fault."""
    found = audit(twist)

    assert found.reasons == {missing}
    assert found.summary.proven_denials == 0
    assert (found.summary.exit_code, found.material.findings) == (4, ())
    assert found.backend.calls == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("coverage", [0.0, 0.05, 1.0])
def test_no_coverage_option_makes_an_unproven_cluster_green(coverage: float) -> None:
    """Even `--min-coverage 0` never turns denials of which none was shown into exit 0."""
    found = audit(twists.twins_blocked, options=replace(WHOLE, min_coverage=coverage))

    assert found.summary.exit_code == 4


def test_late_enforcement() -> None:
    """What leaks at first and not within the settle time is LATE with its time, and no leak."""
    found = audit(twists.late(until=2))

    assert found.of(Agreement.LEAK) == []
    assert len(found.of(Agreement.LATE)) == found.summary.proven_denials > 0
    assert found.rules == {"late"}
    assert found.summary.exit_code == 0
    settled = {item.settled_after for item in found.material.comparison.judgements if item.settled_after}
    assert settled == {found.backend.waited[0] + 1}


def test_enforcement_later_than_the_settle_time_is_a_leak() -> None:
    """Surprises are tried at two moments, the last one at the end of the settle time, and then stand."""
    found = audit(twists.late(until=4), options=replace(WHOLE, settle=10))

    assert found.summary.leaks > 0
    assert found.backend.calls == [0, 1, 2, 3, 4]
    assert [round(moment - found.backend.waited[-1]) for moment in found.backend.waited] == [-6, 0]


def test_one_try_of_three_is_enough_for_a_leak() -> None:
    """A denial that lets one in three connections through is a leak, not noise."""
    found = audit(twists.one_try_of_three)

    assert found.summary.leaks == sum(bool(flow.predicted.deniers) for flow in found.material.plan.flows)
    assert found.summary.exit_code == 3


@pytest.mark.parametrize("cut_off_in", [0, 1, 2])
def test_budget_that_ends_early_leaves_things_open(cut_off_in: int) -> None:
    """What got through before the settle time was over is not called a leak yet, nor silence a denial."""
    warned: list[str] = []
    backend = FakeBackend(by_model(SHOP), (twists.nothing_enforces,), cut_off_in=cut_off_in)

    def note(event: object) -> None:
        warned.extend([event.text] if isinstance(event, Warned) else [])

    material = asyncio.run(run_audit(FakeCluster(SHOP), backend, WHOLE, note))

    assert summarise(material, WHOLE).exit_code == 4
    assert material.findings == ()
    assert any("budget" in text for text in warned)


@pytest.mark.parametrize("reacted_in", [0, 1, 2])
def test_a_withdrawn_run_is_incomplete_and_says_why(reacted_in: int) -> None:
    """It has no findings of what it did not try to the end, and is never clean."""
    found = audit(twists.nothing_enforces, reacted_in=reacted_in)

    assert found.summary.exit_code == 4
    assert "the run was withdrawn: ReplicaSet web adopted a probe pod" in found.summary.sentence
    assert found.material.findings == ()
    # An answer that came back is one for good; silence is not.
    assert not [flow for flow in found.of(Agreement.AS_EXPECTED) if flow.predicted.deniers]


@pytest.mark.parametrize("ended_in", [0, 1, 2])
def test_a_run_that_is_asked_to_end_tells_what_it_measured(ended_in: int) -> None:
    """It is incomplete, has no findings of what it did not try to the end, and calls no silence a denial."""
    found = audit(twists.nothing_enforces, ended_in=ended_in)

    assert found.material.interrupted
    assert found.summary.exit_code == 4
    assert "the run was interrupted" in found.summary.sentence
    assert found.material.findings == ()
    assert not [flow for flow in found.of(Agreement.AS_EXPECTED) if flow.predicted.deniers]


def test_a_run_that_is_asked_twice_ends_at_once() -> None:
    """Whoever does not want to wait for the report has not to."""
    backend = FakeBackend(by_model(SHOP), ended_in=1)

    async def impatient() -> None:
        run = asyncio.ensure_future(run_audit(FakeCluster(SHOP), backend, WHOLE, again))

        def cancel() -> None:
            run.cancel()

        asked.append(cancel)
        await run

    asked: list[Callable[[], None]] = []

    def again(event: object) -> None:
        if isinstance(event, Warned) and "asked to end" in event.text:
            asked[0]()

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(impatient())
    assert not backend.is_open


@pytest.mark.parametrize(
    "objects",
    [
        (),
        (pod("kube-system/dns", app="dns"),),
        (pod("shop/web", phase="Succeeded"),),
        (pod("shop/web", spec={"hostNetwork": True}),),
        (pod("shop/lonely", on=""),),
    ],
    ids=["no pods", "system pods only", "a finished pod", "host network only", "no node"],
)
def test_nothing_to_test_is_never_green(objects: Sequence[Raw]) -> None:
    """An audit without flows makes no pods and is incomplete, with the reason."""
    found = audit(objects=objects)

    assert found.backend.calls == []
    assert found.summary.exit_code == 4
    assert found.summary.status == "incomplete"
    assert "nothing was tested" in found.summary.sentence


def test_policies_that_cannot_be_listed_leave_nothing_green() -> None:
    """Without the policies every verdict is UNKNOWN, and the audit says that it knows nothing."""
    cluster = FakeCluster(SHOP, unreadable={"networkpolicies": "403 for system:serviceaccount:a:b"})
    material = asyncio.run(run_audit(cluster, FakeBackend(by_model(SHOP)), WHOLE, fakes.ignore))

    assert material.plan.flows == ()
    assert summarise(material, WHOLE).exit_code == 4


def test_undecodable_policy_leaves_only_its_namespace_open() -> None:
    """A policy that says something unknown makes its namespace's flows UNKNOWN, counted, and others are judged."""
    strange = policy("ops/future", types=["Ingress", "Sideways"])
    found = audit(objects=[*SHOP, strange])

    homes = {item.key: item.namespace for item in found.material.plan.stand_ins}
    tested = {homes[end] for flow in found.material.plan.flows for end in (flow.source, flow.destination)}
    assert tested == {"shop", "netaudit-ctl-1"}
    assert [skip.what for skip in found.material.plan.skipped] == ["flows with the verdict UNKNOWN"]
    assert len(found.material.snapshot.warnings) == 1


def test_leftovers_of_the_backend_are_in_the_report_material() -> None:
    """What could not be removed is handed on."""
    assert audit(leftovers=("pod shop/x",)).material.leftovers == ("pod shop/x",)


def test_same_cluster_in_another_order_gives_the_same_material() -> None:
    """Same input, same bytes: the order in which objects are listed is no input."""
    one, other = audit(), audit(objects=tuple(reversed(SHOP)))

    assert replace(one.material, placement={}) == replace(other.material, placement={})


def test_audit_of_a_cluster_that_denies_everything() -> None:
    """Flows that both ends deny prove neither, but flows with the controls prove each direction."""
    objects = [pod("a/one", on="n1"), pod("a/two", on="n2", app="x"), deny_all("a/all")]
    found = audit(objects=objects)

    assert found.summary.exit_code == 0
    assert {claim.proof for claim in found.material.comparison.policies} == {Proof.PROVEN}
    assert all(claim.proof is Proof.PROVEN for claim in found.material.comparison.nodes)
    assert raw(*objects).objects["pods"]


def test_what_admission_would_refuse_is_skipped_before_anything_is_made() -> None:
    """The identity is named with the API server's reason, the rest is measured, and the audit is incomplete."""
    found = audit(rehearsals={"ops": Rehearsal("i0", "its pod would not be accepted: no probes here")})

    assert {item.namespace for item in found.material.plan.stand_ins} == {"shop", "netaudit-ctl-1"}
    assert [skip.reason for skip in found.material.plan.skipped if skip.identity] == [
        "its pod would not be accepted: no probes here"
    ]
    assert found.summary.exit_code == 4
    assert not found.of(Agreement.INCONCLUSIVE)


def test_nothing_is_probed_where_admission_refuses_everywhere() -> None:
    found = audit(rehearsals={name: Rehearsal("i0", "no") for name in ("ops", "shop")})

    assert found.backend.calls == []
    assert found.summary.exit_code == 4

"""What counts as proof, row by row: with every piece it is a statement, with one piece less it is INCONCLUSIVE."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from auditor.compare import as_stored, changed_flows, compare, judge, moved_flows, recheck, strongest
from auditor.evaluate.model import Model
from auditor.evidence import Evidence
from auditor.model.cluster import Pod
from auditor.model.finding import Agreement
from auditor.model.flow import Decision, Family, Protocol, Verdict
from auditor.model.probe import NotPlaced, Observation, Outcome, Probe
from auditor.rounds import CLOSING, FLOWS, OPENING, Placement
from tests.builders import allow, block, namespace, policy, selector, snapshot, udp
from tests.evidence import (
    ALLOWED,
    DENIED,
    FAULT,
    LAST,
    PORT,
    REACHED,
    REFUSED,
    SILENT,
    UNTESTED,
    V4,
    Ledger,
    decision,
    flow,
    placed,
    seen,
    stand_in,
)

AS_EXPECTED, LEAK, BLOCKAGE = Agreement.AS_EXPECTED, Agreement.LEAK, Agreement.BLOCKAGE
LATE, INCONCLUSIVE = Agreement.LATE, Agreement.INCONCLUSIVE
THREE = (SILENT,) * 3
Change = Callable[[Ledger], Ledger]


def denied() -> Ledger:
    """A denial with every piece of proof."""
    return Ledger(DENIED).tried(*THREE)


def blocked() -> Ledger:
    """A blockage with every piece of proof."""
    return Ledger(ALLOWED).tried(SILENT).tried(SILENT, number=LAST)


@pytest.mark.parametrize(
    ("ledger", "expected", "outcome"),
    [
        pytest.param(denied(), AS_EXPECTED, SILENT, id="denied and silent in each try"),
        pytest.param(denied().tried(*(REFUSED,) * 3), AS_EXPECTED, REFUSED, id="denied and refused, twin reached"),
        pytest.param(denied().tried(SILENT, REFUSED, SILENT), AS_EXPECTED, REFUSED, id="denied, silent and refused"),
        pytest.param(denied().tried(*(REACHED,) * 3).tried(*(REACHED,) * 3, number=LAST), LEAK, REACHED, id="leak"),
        pytest.param(
            denied().tried(*(REACHED,) * 3).tried(SILENT, SILENT, REACHED, number=LAST),
            LEAK,
            REACHED,
            id="leak in one try of three",
        ),
        pytest.param(denied().tried(REACHED, FAULT, SILENT, number=LAST), LEAK, REACHED, id="leak beside a fault"),
        pytest.param(denied().tried(*(REACHED,) * 3).tried(*THREE, number=LAST), LATE, SILENT, id="late denial"),
        pytest.param(Ledger(ALLOWED).tried(REACHED), AS_EXPECTED, REACHED, id="allowed and reached"),
        pytest.param(blocked(), BLOCKAGE, SILENT, id="blockage"),
        pytest.param(blocked().tried(REFUSED, number=LAST), BLOCKAGE, REFUSED, id="blockage by refusal, twin reached"),
        pytest.param(Ledger(ALLOWED).tried(SILENT).tried(REACHED, number=LAST), LATE, REACHED, id="late permission"),
        pytest.param(
            Ledger(ALLOWED).tried(FAULT).tried(REACHED, number=LAST), AS_EXPECTED, REACHED, id="fault, then reached"
        ),
        pytest.param(
            denied().tried(FAULT, *THREE[1:]).tried(*THREE, number=LAST), AS_EXPECTED, SILENT, id="fault gone"
        ),
    ],
)
def test_with_every_piece_of_proof(ledger: Ledger, expected: Agreement, outcome: Outcome) -> None:
    """Complete evidence gives the agreement that section 9 names."""
    judged = ledger.judged()

    assert (judged.agreement, judged.outcome) == (expected, outcome)
    assert judged.reason


MISSING: list[tuple[str, Change, str]] = [
    ("listener before", lambda it: it.without(OPENING, "i1", "i1"), "did not answer its own pod before"),
    ("listener dead before", lambda it: it.instead(OPENING, "i1", "i1", SILENT), "did not answer its own pod before"),
    ("listener after", lambda it: it.without(CLOSING, "i1", "i1"), "did not answer its own pod afterwards"),
    (
        "listener dead after",
        lambda it: it.instead(CLOSING, "i1", "i1", REFUSED),
        "did not answer its own pod afterwards",
    ),
    ("listener check failed after", lambda it: it.instead(CLOSING, "i1", "i1", FAULT), "afterwards"),
    ("source's control", lambda it: it.gone("c0a", "Pending"), "no unpoliced twin runs on both nodes"),
    ("destination's control", lambda it: it.gone("c1b", "Pending"), "no unpoliced twin runs on both nodes"),
    ("control on the source's node", lambda it: it.moved("c0a", "n3"), "no unpoliced twin runs on both nodes"),
    ("control on the destination's node", lambda it: it.moved("c1b", "n1"), "no unpoliced twin runs on both nodes"),
]
TWINS: list[tuple[str, tuple[Outcome, ...], str]] = [
    ("silent", (SILENT,) * 3, "did not reach each other"),
    ("refused", (REFUSED,) * 3, "did not reach each other"),
    ("failed", (FAULT,) * 3, "did not reach each other"),
    ("lossy", (REACHED, SILENT, REACHED), "only in some of the tries"),
    ("failed once", (REACHED, REACHED, FAULT), "only in some of the tries"),
]


@pytest.mark.parametrize("complete", [denied, blocked], ids=["denial", "blockage"])
@pytest.mark.parametrize(("change", "words"), [row[1:] for row in MISSING], ids=[row[0] for row in MISSING])
def test_one_piece_less(complete: Callable[[], Ledger], change: Change, words: str) -> None:
    """Silence with any one piece of its proof missing is INCONCLUSIVE, and the reason names the piece."""
    judged = change(complete()).judged()

    assert judged.agreement is INCONCLUSIVE
    assert words in judged.reason


@pytest.mark.parametrize("complete", [denied, blocked], ids=["denial", "blockage"])
@pytest.mark.parametrize(("twin", "words"), [row[1:] for row in TWINS], ids=[row[0] for row in TWINS])
def test_twin_that_is_not_clean(complete: Callable[[], Ledger], twin: tuple[Outcome, ...], words: str) -> None:
    """The twins have to reach each other in every try of the same round, or silence says nothing of policy."""
    ledger = complete()
    last = max(number for number, source, _ in ledger.entries if source == "c0a" and number not in {OPENING, CLOSING})
    judged = ledger.instead(last, "c0a", "c1b", *twin).judged()

    assert judged.agreement is INCONCLUSIVE
    assert words in judged.reason


def test_twin_of_another_round_is_no_proof() -> None:
    """A twin that was clean a round earlier does not prove the path of this one."""
    ledger = denied().tried(*THREE, number=LAST).without(LAST, "c0a", "c1b")

    assert ledger.judged().agreement is INCONCLUSIVE


def test_twin_of_another_port_is_no_proof() -> None:
    """The twins have to meet on the flow's own port."""
    ledger = denied().without(FLOWS, "c0a", "c1b")
    other = seen(FLOWS, "c0a", "c1b", REACHED, REACHED, REACHED, port=81)
    evidence = ledger.evidence()
    judged = judge(flow(DENIED), Evidence(evidence.placement, [*observations(ledger), other], []))

    assert judged.agreement is INCONCLUSIVE


def observations(ledger: Ledger) -> list[Observation]:
    return [seen(*where, *outcomes) for where, outcomes in ledger.entries.items()]


def test_refusal_without_a_twin_is_no_denial() -> None:
    """A reset may come from a port that nobody listens on, so it counts only where the twin got through."""
    judged = denied().tried(*(REFUSED,) * 3, twin=(REFUSED,) * 3).judged()

    assert judged.agreement is INCONCLUSIVE


def test_source_that_reached_nothing_at_all() -> None:
    """An agent that cannot connect to anything, itself included, proves no denial."""
    judged = denied().without(OPENING, "i0", "i0").without(CLOSING, "i0", "i0").judged()

    assert judged.agreement is INCONCLUSIVE
    assert judged.reason == "the source's agent reached nothing at all by IPv4, not even itself"


def test_source_that_reached_something_by_the_other_family_only() -> None:
    """A pod without a way to send by IPv6 may reach all the world by IPv4."""
    ledger = denied().without(OPENING, "i0", "i0").without(CLOSING, "i0", "i0")
    other = Observation(OPENING, Probe("i0", "i0", Family.IPV6, PORT, (1.0,)), (REACHED,), "", 1.0)
    evidence = Evidence(ledger.evidence().placement, [*observations(ledger), other], [])
    judged = judge(flow(DENIED), evidence)

    assert judged.agreement is INCONCLUSIVE
    assert "by IPv4" in judged.reason


def test_source_that_reached_anything_else_will_do() -> None:
    """One connection to anybody shows that the source's agent can connect."""
    ledger = denied().without(OPENING, "i0", "i0").without(CLOSING, "i0", "i0").instead(FLOWS, "i0", "c1b", REACHED)

    assert ledger.judged().agreement is AS_EXPECTED


@pytest.mark.parametrize("predicted", [DENIED, ALLOWED], ids=["denied", "allowed"])
@pytest.mark.parametrize("outcomes", [(FAULT,) * 3, (SILENT, FAULT, SILENT), (REFUSED, FAULT, REFUSED), (UNTESTED,)])
def test_failed_measurement_is_neither_proof_nor_surprise(predicted: Decision, outcomes: tuple[Outcome, ...]) -> None:
    """One FAULT among the tries makes the whole measurement say nothing, unless something got through."""
    judged = Ledger(predicted).tried(*outcomes, number=LAST).judged()

    assert judged.agreement is INCONCLUSIVE
    assert judged.reason.startswith("the measurement failed")


def test_denial_needs_all_its_tries() -> None:
    """Tries that are missing, or were not made, are not silent ones."""
    short = Observation(FLOWS, Probe("i0", "i1", V4, PORT, (1.0, 1.0, 2.0)), (SILENT, SILENT), "", 1.0)
    complete = denied().evidence()
    rest = [item for item in observations(denied()) if (item.probe.source, item.probe.destination) != ("i0", "i1")]

    assert denied().instead(FLOWS, "i0", "i1", SILENT, UNTESTED, UNTESTED).judged().agreement is INCONCLUSIVE
    assert judge(flow(DENIED), Evidence(complete.placement, [*rest, short], [])).agreement is INCONCLUSIVE


@pytest.mark.parametrize("outcome", [SILENT, REFUSED])
def test_blockage_needs_more_than_one_try(outcome: Outcome) -> None:
    """Where all other tries failed to measure, one lost packet would be a blockage."""
    judged = Ledger(ALLOWED).tried(FAULT).tried(FAULT, number=FLOWS + 1).tried(outcome, number=LAST).judged()

    assert (judged.agreement, judged.outcome) == (INCONCLUSIVE, outcome)
    assert "in a single try" in judged.reason


def test_leak_needs_the_settle_time() -> None:
    """A nonce counts as a leak only when the run went on to its closing round."""
    ledger = Ledger(DENIED).tried(*(REACHED,) * 3)
    for key in ledger.stand_ins:
        ledger.without(CLOSING, key, key)

    assert ledger.judged().agreement is INCONCLUSIVE
    assert "before the settle time was over" in ledger.judged().reason


def test_leak_needs_neither_twin_nor_listener_checks() -> None:
    """The nonce alone is proof: only the intended listener knows it."""
    ledger = Ledger(DENIED).tried(*(REACHED,) * 3, number=LAST).gone("c0a", "Pending")
    ledger.without(OPENING, "i1", "i1").without(CLOSING, "i1", "i1")

    assert ledger.judged().agreement is LEAK


@pytest.mark.parametrize("key", ["i0", "i1"])
@pytest.mark.parametrize("predicted", [DENIED, ALLOWED], ids=["denied", "allowed"])
def test_end_that_does_not_run(key: str, predicted: Decision) -> None:
    """A flow without both its ends is UNTESTED, with the pod's own reason, whatever else was seen."""
    judged = Ledger(predicted).tried(*THREE).gone(key, "CrashLoopBackOff").judged()

    assert (judged.agreement, judged.outcome) == (INCONCLUSIVE, UNTESTED)
    assert judged.reason.endswith("probe pod does not run: CrashLoopBackOff")


def test_flow_that_was_never_tried() -> None:
    """No observation is UNTESTED, never silence."""
    judged = Ledger(DENIED).judged()

    assert (judged.agreement, judged.outcome) == (INCONCLUSIVE, UNTESTED)


@pytest.mark.parametrize("verdict", [Verdict.UNDEFINED, Verdict.UNKNOWN])
@pytest.mark.parametrize("outcome", [REACHED, SILENT, REFUSED])
def test_open_verdicts_stay_open(verdict: Verdict, outcome: Outcome) -> None:
    """What the model does not know is neither leak nor blockage, whatever was measured."""
    judged = Ledger(decision(ingress=verdict)).tried(outcome, number=LAST).judged()

    assert judged.agreement is INCONCLUSIVE
    assert verdict.name in judged.reason


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ((SILENT, REACHED, FAULT), REACHED),
        ((SILENT, FAULT, REFUSED), FAULT),
        ((SILENT, REFUSED), REFUSED),
        ((SILENT,), SILENT),
        ((UNTESTED,), UNTESTED),
        ((SILENT, UNTESTED, REFUSED), UNTESTED),
    ],
)
def test_strongest_outcome(outcomes: tuple[Outcome, ...], expected: Outcome) -> None:
    """One that got through outweighs all, a fault outweighs what looks like a denial."""
    assert strongest(seen(FLOWS, "i0", "i1", *outcomes)) is expected


@pytest.mark.parametrize(
    ("ledger", "again"),
    [
        (denied(), False),
        (denied().tried(*(REFUSED,) * 3), False),
        (denied().tried(REACHED, *THREE[1:]), True),
        (denied().tried(FAULT, *THREE[1:]), True),
        (denied().tried(*THREE, twin=(REACHED, SILENT, REACHED)), True),
        (Ledger(ALLOWED).tried(REACHED), False),
        (Ledger(ALLOWED).tried(SILENT), True),
        (Ledger(ALLOWED).tried(FAULT), True),
        (Ledger(ALLOWED), False),
        (Ledger(decision(ingress=Verdict.UNDEFINED)).tried(REACHED), False),
    ],
)
def test_what_is_tried_again(ledger: Ledger, again: bool) -> None:
    """Surprises, failures and unclean paths are tried again; what is proven, or cannot be judged, is not."""
    assert bool(recheck([flow(ledger.predicted)], ledger.evidence())) is again


def test_change_during_the_run_outweighs_any_measurement() -> None:
    """A flow whose prediction did not hold throughout is inconclusive, even where a nonce came back."""
    ledger = Ledger(DENIED).tried(*(REACHED,) * 3, number=LAST)
    (judged,) = compare([flow(DENIED)], ledger.evidence(), {1: "a policy changed"})

    assert (judged.agreement, judged.outcome, judged.reason) == (INCONCLUSIVE, REACHED, "a policy changed")


def test_flows_are_decided_again_from_the_stored_pods() -> None:
    """Labels and addresses as the API server stored them count, not what was asked for."""
    model = Model(snapshot(policy("shop/in", selector(app="a"), ingress=[allow(block("10.0.0.0/8"))])))
    items = {"i0": placed(stand_in("i0")), "i1": placed(stand_in("i1"), labels={"app": "a"})}
    (here,) = as_stored([flow(ALLOWED)], items, model)
    items["i0"] = replace(items["i0"], pod=Pod("shop", "i0", addresses=("192.0.2.9",)))
    (outside,) = as_stored([flow(ALLOWED)], items, model)

    assert here.predicted.verdict is Verdict.UNDEFINED
    assert outside.predicted.verdict is Verdict.DENIED
    assert as_stored([flow(ALLOWED, destination="gone")], items, model) == (flow(ALLOWED, destination="gone"),)


def test_probe_pod_that_changes_touches_its_flows_alone() -> None:
    """A pod that is not what it was, or is told to be lost, leaves the flows of both its sides open."""
    before: Placement = {key: placed(stand_in(key)) for key in ("i0", "i1", "i2")}
    flows = [flow(number=1), flow(DENIED, "i1", "i2", number=2), flow(DENIED, "i2", "i0", number=3)]
    relabelled = {**before, "i1": placed(stand_in("i1"), labels={"app": "b"})}
    lost = {**before, "i1": NotPlaced(stand_in("i1"), "its labels were changed during the run")}

    assert sorted(moved_flows(flows, before, relabelled)) == [1, 2]
    assert sorted(moved_flows(flows, before, lost)) == [1, 2]
    assert moved_flows(flows, before, before) == {}


def test_new_policy_of_either_end_changes_a_flow() -> None:
    """A policy that came, went or was edited touches every flow of its namespace, and no other."""
    before = Model(snapshot(namespace("shop"), namespace("ops")))
    after = Model(snapshot(namespace("shop"), namespace("ops"), policy("ops/new", selector(app="none"))))
    items = {
        key: placed(stand_in(key, namespace=home)) for key, home in (("i0", "shop"), ("i1", "ops"), ("i2", "shop"))
    }
    flows = [flow(ALLOWED, number=1), flow(ALLOWED, "i0", "i2", number=2), flow(ALLOWED, "i1", "i0", number=3)]

    assert sorted(changed_flows(flows, items, before, after)) == [1, 3]
    assert sorted(changed_flows(flows, items, after, before)) == [1, 3]
    assert changed_flows(flows, items, after, after) == {}


UDP = Protocol.UDP


@pytest.mark.parametrize("lacking", range(4))
@pytest.mark.parametrize("outcome", [SILENT, REFUSED])
def test_every_piece_of_proof_is_of_the_flows_own_protocol(lacking: int, outcome: Outcome) -> None:
    """Datagrams get lost without a word, so neither listeners nor twins that answered by TCP say anything of UDP."""
    pieces = [(OPENING, "i1", "i1"), (FLOWS, "c0a", "c1b"), (CLOSING, "i1", "i1")]
    tried = seen(FLOWS, "i0", "i1", *(outcome,) * 3, protocol=UDP)
    alive = seen(OPENING, "i0", "i0", REACHED)
    proof = [
        seen(*piece, *(REACHED,) * 3, protocol=Protocol.TCP if number == lacking else UDP)
        for number, piece in enumerate(pieces)
    ]
    placement = {key: placed(item) for key, item in Ledger().stand_ins.items()}
    found = judge(flow(DENIED, protocol=UDP), Evidence(placement, [tried, alive, *proof], []))

    assert found.agreement is (AS_EXPECTED if lacking == len(pieces) else INCONCLUSIVE), found.reason


def test_what_was_measured_of_one_protocol_is_no_answer_for_another() -> None:
    """A leak of TCP is none of UDP on the same port."""
    reached = [seen(number, "i0", "i1", *(REACHED,) * 3) for number in (FLOWS, LAST)]
    placement = {key: placed(item) for key, item in Ledger().stand_ins.items()}
    evidence = Evidence(placement, [*reached, seen(CLOSING, "i1", "i1", REACHED)], [])

    assert judge(flow(DENIED), evidence).agreement is LEAK
    assert judge(flow(DENIED, protocol=UDP), evidence).outcome is UNTESTED


@pytest.mark.parametrize("predicted", [ALLOWED, DENIED])
def test_what_the_pods_cannot_speak_is_untested_and_not_tried_again(predicted: Decision) -> None:
    """A missing tool is no silence, and waiting does not bring it."""
    one = flow(predicted, protocol=UDP)
    tried = seen(FLOWS, "i0", "i1", *(UNTESTED,) * 3, protocol=UDP)
    evidence = Evidence({key: placed(item) for key, item in Ledger().stand_ins.items()}, [tried], [])

    assert (judge(one, evidence).agreement, judge(one, evidence).outcome) == (INCONCLUSIVE, UNTESTED)
    assert recheck([one], evidence) == ()


def test_verdict_of_the_stored_pod_is_that_of_the_flows_protocol() -> None:
    """A rule that allows 53/UDP allows no connection to 53/TCP."""
    objects = [namespace("shop"), policy("shop/dns", selector(app="i1"), ingress=[allow(ports=[udp(53)])])]
    model = Model(snapshot(*objects))
    placement = {key: placed(stand_in(key), labels={"app": key}) for key in ("i0", "i1")}
    flows = [flow(port=53, protocol=protocol) for protocol in (UDP, Protocol.TCP)]

    assert [one.predicted.verdict for one in as_stored(flows, placement, model)] == [Verdict.ALLOWED, Verdict.DENIED]

"""The path of a pod itself: silence is no denial where nothing comes through of what policies allow."""

from __future__ import annotations

import pytest

from auditor.compare import recheck
from auditor.evidence import Evidence
from auditor.model.finding import Agreement, Proof
from auditor.model.flow import Direction, Family
from auditor.model.options import Options
from auditor.model.probe import Observation, Outcome, Probe
from auditor.rounds import CLOSING, FLOWS, OPENING
from tests import fakes, twists
from tests.evidence import (
    DENIED,
    FAULT,
    LAST,
    PORT,
    REACHED,
    REFUSED,
    SILENT,
    UNTESTED,
    Ledger,
    placed,
    stand_in,
)
from tests.unit.auditing import WHOLE, audit, keys

AS_EXPECTED, LATE, INCONCLUSIVE = Agreement.AS_EXPECTED, Agreement.LATE, Agreement.INCONCLUSIVE
THREE = (SILENT,) * 3
IN, OUT = ("i2", "i1"), ("i0", "i2")
"""A flow into the destination of the one that is judged, and one out of its source."""


def denied() -> Ledger:
    """A denial with every piece of proof, and a third pod."""
    made = Ledger(DENIED).tried(*THREE)
    made.stand_ins["i2"] = stand_in("i2", "n1")
    return made.instead(OPENING, "i2", "i2", REACHED).instead(CLOSING, "i2", "i2", REACHED)


@pytest.mark.parametrize(("ends", "words"), [(IN, "reached the destination"), (OUT, "left the source")])
@pytest.mark.parametrize("outcomes", [(SILENT,), (REFUSED,), (FAULT,)])
def test_silence_on_a_path_on_which_nothing_comes_through(
    ends: tuple[str, str], words: str, outcomes: tuple[Outcome, ...]
) -> None:
    """The one thing that policies allow there failed too, so the denial is not shown, and is tried again with it."""
    ledger = denied().with_allowed(*ends, *outcomes)
    judged = ledger.judged()

    assert judged.agreement is INCONCLUSIVE
    assert words in judged.reason
    assert [item.id for item in recheck(ledger.flows, ledger.evidence())] == [1, 2]


@pytest.mark.parametrize("ends", [IN, OUT])
def test_one_flow_that_is_blocked_beside_one_that_is_not(ends: tuple[str, str]) -> None:
    """A blockage is a blockage, and what else the pod denies stays shown."""
    ledger = denied().with_allowed(*ends, SILENT)
    ledger.stand_ins["i3"] = stand_in("i3", "n1")
    source, destination = ("i3" if key == "i2" else key for key in ends)
    ledger.with_allowed(source, destination, REACHED)
    ledger.instead(OPENING, "i3", "i3", REACHED)

    assert ledger.judged().agreement is AS_EXPECTED
    assert [item.id for item in recheck(ledger.flows, ledger.evidence())] == [2]


@pytest.mark.parametrize("ends", [IN, OUT])
def test_what_the_pods_cannot_speak_is_no_dead_path(ends: tuple[str, str]) -> None:
    """A flow that was not tried bears no witness, for or against."""
    assert denied().with_allowed(*ends, UNTESTED).judged().agreement is AS_EXPECTED


def test_witness_whose_listener_is_dead_bears_none() -> None:
    """Nobody can reach a port that does not answer its own pod either."""
    ledger = denied().with_allowed(*OUT, SILENT).without(OPENING, "i2", "i2").without(CLOSING, "i2", "i2")

    assert ledger.judged().agreement is AS_EXPECTED


def test_pod_that_policies_allow_nothing_is_proven_by_its_twins() -> None:
    """Where nothing can come through there is nothing else to go by."""
    assert denied().judged().agreement is AS_EXPECTED


def test_leak_shows_that_the_path_is_alive() -> None:
    """What got through against policy is as good a witness as what they allow."""
    assert denied().with_allowed(*IN, SILENT).instead(FLOWS, "i3", "i1", REACHED).judged().agreement is AS_EXPECTED


def test_own_answer_is_no_witness() -> None:
    """A pod reaches itself without its network."""
    ledger = denied().with_allowed(*IN, SILENT).instead(FLOWS, "i1", "i1", REACHED)

    assert ledger.judged().agreement is INCONCLUSIVE


def test_witness_is_of_the_flows_own_family() -> None:
    """A path by IPv6 says nothing of the one by IPv4."""
    ledger = denied().with_allowed(*IN, SILENT)
    six = Observation(FLOWS, Probe("i2", "i1", Family.IPV6, PORT, (1.0,)), (REACHED,), "", 1.0)
    seen = [
        Observation(n, Probe(a, b, Family.IPV4, PORT, (1.0,) * len(o)), o, "", 1.0)
        for (n, a, b), o in ledger.entries.items()
    ]
    placement = {key: placed(item) for key, item in ledger.stand_ins.items()}
    evidence = Evidence(placement, [*seen, six], ledger.flows)

    assert evidence.path_gap(ledger.flows[0], FLOWS) is not None


def later(outcome: Outcome) -> Ledger:
    """A denial that got through at first and was silent afterwards, as its witness did in the same round."""
    ledger = denied().tried(*(REACHED,) * 3).with_allowed(*IN, REACHED)
    assert [item.id for item in recheck(ledger.flows, ledger.evidence())] == [1, 2]
    return ledger.tried(*THREE, number=LAST).with_allowed(*IN, outcome, number=LAST)


def test_witness_of_an_earlier_round_is_no_witness() -> None:
    """A path that died while a leak was watched does not make the leak a late denial; its witness stays as it was."""
    assert later(REACHED).judged().agreement is LATE
    assert later(SILENT).judged().agreement is INCONCLUSIVE
    assert later(SILENT).judged(2).agreement is AS_EXPECTED


def dead(key: str, until: int) -> fakes.Twist:
    """Nothing gets to a pod or from it, but from itself, before a round."""

    def twist(attempt: fakes.Attempt, outcome: Outcome) -> Outcome:
        ends = {attempt.probe.source, attempt.probe.destination}
        return SILENT if key in ends and len(ends) > 1 and attempt.round < until else outcome

    return twist


@pytest.mark.parametrize("options", [Options(), WHOLE])
def test_path_that_comes_up_late_does_not_hide_leaks(options: Options) -> None:
    """Where nothing enforces, what a dead path seemed to deny is tried again and leaks."""
    db = keys(audit())["shop/db"]
    made = audit(twists.nothing_enforces, dead(db, FLOWS + 1), options=options)
    denials = [item for item in made.material.comparison.judgements if item.flow.predicted.deniers]

    assert {item.agreement for item in denials} == {Agreement.LEAK}
    assert made.summary.exit_code == 3


@pytest.mark.parametrize("options", [Options(), WHOLE])
@pytest.mark.parametrize("engine", [twists.nothing_enforces, twists.flipped("", "", 0)])
def test_path_that_stays_dead_proves_nothing(options: Options, engine: fakes.Twist) -> None:
    """Whatever the engine does: its own flows are blocked, its denials are open, the run is incomplete."""
    db = keys(audit())["shop/db"]
    made = audit(engine, dead(db, 9), options=options)
    at_db = [item for item in made.material.comparison.judgements if db in (item.flow.source, item.flow.destination)]

    assert {item.agreement for item in at_db} <= {INCONCLUSIVE, Agreement.BLOCKAGE}
    assert made.proof("n2", Direction.INGRESS) is not Proof.PROVEN
    assert made.summary.exit_code in {3, 4}

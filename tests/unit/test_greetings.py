"""What handshakes with strangers prove: a row for each judgement, and for each piece that may be missing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from auditor.evaluate.model import Model
from auditor.greetings import Seen, accord, after_moves, changed_handshakes, greet, to_repeat
from auditor.model.expectation import Accord, Wish
from auditor.model.finding import Agreement, Greeting
from auditor.model.flow import Decision, Protocol, Verdict
from auditor.model.handshake import Beyond, Handshake
from auditor.model.probe import NotPlaced, Observation, Outcome, Placed, Probe
from auditor.rounds import FLOWS, OPENING, SETTLED
from tests.builders import Raw, allow, block, deny_all, namespace, pod, policy, snapshot
from tests.evidence import (
    ALLOWED,
    DENIED,
    FAULT,
    REACHED,
    REFUSED,
    SILENT,
    UNTESTED,
    V4,
    decision,
    flow,
    placed,
    seen,
    stand_in,
)

ADDRESS, PORT = "203.0.113.7", 443
UNKNOWN = decision(egress=Verdict.UNKNOWN)
PLACED: dict[str, Placed | NotPlaced] = {
    key: placed(stand_in(key, node)) for key, node in (("i0", "n1"), ("i1", "n1"), ("c0a", "n1"), ("c1a", "n2"))
}
YES, NO = Wish.ALLOWED, Wish.DENIED


def handshake(predicted: Decision = DENIED, wish: Wish | None = None) -> Handshake:
    return Handshake(1, Beyond.EXTERNAL, "i0", ADDRESS, ADDRESS, V4, PORT, predicted, wish, ADDRESS)


def met(source: str, *outcomes: Outcome, number: int = FLOWS, address: str = ADDRESS) -> Observation:
    limits = (1.0,) * len(outcomes)
    return Observation(
        number, Probe(source, "", V4, PORT, limits, address=address), outcomes, "so it was", number * 10.0
    )


AGENT = seen(OPENING, "i0", "i0", REACHED)
CONTROL = met("c0a", REACHED, REACHED, REACHED)
THRICE = (SILENT,) * 3
LATER = met("c0a", *(REACHED,) * 3, number=SETTLED)


def judged(*observations: Observation, predicted: Decision = DENIED, wish: Wish | None = None) -> Greeting:
    (found,) = greet([handshake(predicted, wish)], Seen(PLACED, observations), {})
    return found


@pytest.mark.parametrize(
    ("predicted", "observations", "agreement", "reason"),
    [
        (DENIED, (AGENT, CONTROL, met("i0", *THRICE)), Agreement.AS_EXPECTED, "denied, while others"),
        (DENIED, (AGENT, CONTROL, met("i0", REFUSED, REFUSED, REFUSED)), Agreement.AS_EXPECTED, "denied, while others"),
        # Another policed pod on the node that is let through is as good a witness.
        (DENIED, (AGENT, met("c0a", *THRICE), met("i1", REACHED), met("i0", *THRICE)), Agreement.AS_EXPECTED, "denied"),
        (
            DENIED,
            (AGENT, met("i0", REACHED, number=SETTLED)),
            Agreement.LEAK,
            "done in 1 of 1 tries, the last after 30 s",
        ),
        (
            DENIED,
            (AGENT, CONTROL, LATER, met("i0", REACHED, REACHED), met("i0", *THRICE, number=SETTLED)),
            Agreement.LATE,
            "got through at first, then denied",
        ),
        (ALLOWED, (AGENT, met("i0", REACHED)), Agreement.AS_EXPECTED, "the handshake was done"),
        (
            ALLOWED,
            (AGENT, CONTROL, met("i0", SILENT), met("i0", REACHED, number=SETTLED)),
            Agreement.LATE,
            "got no answer at first",
        ),
        # Silence at first that nobody's answer stands beside says nothing of the engine.
        (
            ALLOWED,
            (AGENT, met("i0", SILENT), met("i0", REACHED, number=SETTLED)),
            Agreement.AS_EXPECTED,
            "the handshake was done",
        ),
        (
            ALLOWED,
            (AGENT, LATER, met("i0", SILENT, number=SETTLED)),
            Agreement.BLOCKAGE,
            "no handshake to the end (silent)",
        ),
    ],
)
def test_each_judgement(
    predicted: Decision, observations: tuple[Observation, ...], agreement: Agreement, reason: str
) -> None:
    found = judged(*observations, predicted=predicted)

    assert found.agreement is agreement, found.reason
    assert reason in found.reason


LACKING = [
    pytest.param(DENIED, (AGENT,), "the run ended before it was tried", id="never tried"),
    pytest.param(DENIED, (AGENT, met("i0", *THRICE)), "no unpoliced control runs on the same node", id="no control"),
    pytest.param(
        DENIED, (AGENT, met("c0a", *THRICE), met("i0", *THRICE)), "did not reach it either", id="nobody is there"
    ),
    pytest.param(
        DENIED,
        (AGENT, met("c0a", REACHED, SILENT, REACHED), met("i0", *THRICE)),
        "only in some of the tries",
        id="patchy",
    ),
    pytest.param(
        DENIED, (AGENT, met("c1a", REACHED), met("c0a", *THRICE), met("i0", *THRICE)), "either", id="another node's"
    ),
    pytest.param(
        DENIED, (AGENT, LATER, met("c0a", *THRICE), met("i0", *THRICE)), "either", id="witness of another round"
    ),
    pytest.param(
        DENIED,
        (AGENT, met("c0a", REACHED, address="203.0.113.8"), met("c0a", *THRICE), met("i0", *THRICE)),
        "either",
        id="witness of another address",
    ),
    pytest.param(DENIED, (CONTROL, met("i0", *THRICE)), "reached nothing at all", id="dead agent"),
    pytest.param(DENIED, (AGENT, CONTROL, met("i0", SILENT, FAULT, SILENT)), "the measurement failed", id="fault"),
    pytest.param(DENIED, (AGENT, CONTROL, met("i0", UNTESTED)), "the measurement failed", id="untested"),
    pytest.param(DENIED, (AGENT, CONTROL, met("i0", REACHED)), "before the settle time was over", id="cut off"),
    pytest.param(
        DENIED,
        (AGENT, CONTROL, LATER, met("i0", REACHED, SILENT), met("i0", *THRICE, number=SETTLED)),
        "in some tries and not in others",
        id="wavers",
    ),
    pytest.param(ALLOWED, (AGENT, met("c0a", *THRICE), met("i0", SILENT)), "either", id="allowed, nobody is there"),
    pytest.param(ALLOWED, (AGENT, CONTROL, met("i0", SILENT)), "before the settle time", id="allowed, cut off"),
    pytest.param(UNKNOWN, (AGENT, CONTROL, met("i0", REACHED)), "the verdict is UNKNOWN", id="no verdict"),
]


@pytest.mark.parametrize(("predicted", "observations", "reason"), LACKING)
def test_each_missing_piece_is_named(predicted: Decision, observations: tuple[Observation, ...], reason: str) -> None:
    found = judged(*observations, predicted=predicted)

    assert found.agreement is Agreement.INCONCLUSIVE
    assert reason in found.reason


@pytest.mark.parametrize(
    ("replaced", "reason"),
    [
        (NotPlaced(stand_in("i0"), "ErrImagePull"), "the source's probe pod does not run: ErrImagePull"),
        (placed(stand_in("i0"), addresses=["2001:db8::1"]), "the source's probe pod got no IPv4 address"),
    ],
)
def test_source_that_is_not_there(replaced: Placed | NotPlaced, reason: str) -> None:
    (found,) = greet([handshake()], Seen({**PLACED, "i0": replaced}, [met("i0", *THRICE)]), {})

    assert (found.agreement, found.outcome, found.reason) == (Agreement.INCONCLUSIVE, UNTESTED, reason)


@pytest.mark.parametrize(
    ("predicted", "wish", "outcome", "expected"),
    [
        (DENIED, None, SILENT, None),
        (DENIED, NO, SILENT, Accord.KEPT),
        (DENIED, YES, SILENT, Accord.POLICIES_FORBID),
        (DENIED, NO, REACHED, Accord.LEAK),
        (DENIED, YES, REACHED, Accord.AGAINST_POLICIES),
        (ALLOWED, YES, REACHED, Accord.KEPT),
        (ALLOWED, NO, REACHED, Accord.POLICIES_ALLOW),
        (ALLOWED, YES, SILENT, Accord.BLOCKAGE),
        (ALLOWED, NO, SILENT, Accord.AGAINST_POLICIES),
        # Where the model has no verdict the user's expectation is what packets are held against.
        (UNKNOWN, YES, REACHED, Accord.KEPT),
        (UNKNOWN, NO, REACHED, Accord.LEAK),
        (UNKNOWN, NO, SILENT, Accord.KEPT),
        (UNKNOWN, YES, SILENT, Accord.BLOCKAGE),
    ],
)
def test_user_model_and_packets(
    predicted: Decision, wish: Wish | None, outcome: Outcome, expected: Accord | None
) -> None:
    assert accord(judged(AGENT, LATER, met("i0", outcome, number=SETTLED), predicted=predicted, wish=wish)) is expected


@pytest.mark.parametrize(
    ("predicted", "observations", "again"),
    [
        (DENIED, (AGENT, CONTROL, met("i0", *THRICE)), False),
        (DENIED, (AGENT, CONTROL, met("i0", REACHED)), True),
        (DENIED, (AGENT, CONTROL, met("i0", FAULT)), True),
        (DENIED, (AGENT, met("c0a", *THRICE), met("i0", *THRICE)), True),
        (ALLOWED, (AGENT, met("i0", REACHED)), False),
        (ALLOWED, (AGENT, CONTROL, met("i0", SILENT)), True),
        (UNKNOWN, (AGENT, CONTROL, met("i0", SILENT)), False),
        (DENIED, (AGENT,), False),
    ],
)
def test_what_is_tried_again_at_the_end_of_the_settle_time(
    predicted: Decision, observations: tuple[Observation, ...], again: bool
) -> None:
    assert bool(to_repeat([handshake(predicted)], Seen(PLACED, observations))) is again


# --- real pods, whose node is known ---

PLACES: dict[str, Placed | NotPlaced] = {
    **PLACED,
    "c1b": placed(stand_in("c1b", "n2", listens=((Protocol.TCP, PORT),))),
    "i2": placed(stand_in("i2", "n2")),
    "r1": placed(replace(stand_in("r1", "n2"), pod="db"), addresses=[ADDRESS]),
}
REAL = replace(handshake(), kind=Beyond.REAL, pod=("shop", "db"), node="n2")
TWINS = seen(SETTLED, "c0a", "c1b", REACHED, REACHED, REACHED, port=PORT)
ELSEWHERE, ITSELF = met("i2", REACHED, number=SETTLED), met("r1", REACHED, number=SETTLED)
SHUT = (AGENT, met("i0", SILENT, number=SETTLED), met("c0a", SILENT, number=SETTLED))
PROOF = "while {}, and unpoliced twins on the nodes of both ends reached each other on its port"


def judged_real(*observations: Observation, predicted: Decision = DENIED) -> Greeting:
    (found,) = greet([replace(REAL, predicted=predicted)], Seen(PLACES, observations), {})
    return found


@pytest.mark.parametrize(
    ("witness", "who"),
    [
        pytest.param((ELSEWHERE,), "it answered others", id="somebody elsewhere"),
        pytest.param((ITSELF,), "its own agent reached it", id="its own agent"),
        pytest.param((ELSEWHERE, ITSELF), "it answered others", id="both"),
    ],
)
@pytest.mark.parametrize(
    ("predicted", "agreement"), [(DENIED, Agreement.AS_EXPECTED), (ALLOWED, Agreement.BLOCKAGE)], ids=["denied", "open"]
)
def test_whoever_reached_a_real_pod_and_twins_on_the_way(
    witness: tuple[Observation, ...], who: str, predicted: Decision, agreement: Agreement
) -> None:
    found = judged_real(*SHUT, *witness, TWINS, predicted=predicted)

    assert found.agreement is agreement
    assert found.reason.endswith(PROOF.format(who)), found.reason


@pytest.mark.parametrize(
    ("observations", "reason"),
    [
        pytest.param((TWINS,), "did not reach it either", id="answers nobody"),
        pytest.param((ELSEWHERE,), "twins on the nodes of both ends did not reach", id="no twins"),
        pytest.param((ITSELF,), "twins on the nodes of both ends did not reach", id="no twins, its own agent"),
        pytest.param(
            (ITSELF, seen(SETTLED, "c0a", "c1b", REACHED, SILENT, REACHED, port=PORT)), "did not reach", id="patchy"
        ),
        pytest.param((ITSELF, seen(SETTLED, "c0a", "c1b", *(REACHED,) * 3)), "did not reach", id="another port"),
        pytest.param(
            (ITSELF, seen(FLOWS, "c0a", "c1b", *(REACHED,) * 3, port=PORT)), "did not reach", id="another round"
        ),
        pytest.param((met("i2", REACHED), TWINS), "did not reach it either", id="answered in another round"),
    ],
)
def test_each_piece_that_is_missing_of_a_real_pod(observations: tuple[Observation, ...], reason: str) -> None:
    found = judged_real(*SHUT, *observations)

    assert found.agreement is Agreement.INCONCLUSIVE
    assert reason in found.reason


@pytest.mark.parametrize(
    ("lacking", "node"), [("c1b", "the pod's"), ("c0a", "the source's"), (None, "")], ids=["far", "near", "neither"]
)
def test_twins_that_are_not_there_are_not_said_to_have_failed(lacking: str | None, node: str) -> None:
    places = {key: item for key, item in PLACES.items() if key != lacking}
    (found,) = greet([REAL], Seen(places, [*SHUT[:2], ELSEWHERE]), {})

    assert found.agreement is Agreement.INCONCLUSIVE
    assert (f"no unpoliced control stands on {node} node" in found.reason) is (lacking is not None)
    assert ("did not reach each other" in found.reason) is (lacking is None)


def test_a_pod_that_meets_itself_is_nobodys_neighbour() -> None:
    """Its own agent shows that somebody listens, and nothing of the way to it, though it is on the same node."""
    beside = (met("i2", SILENT, number=SETTLED), seen(OPENING, "i2", "i2", REACHED), ITSELF)
    (found,) = greet([replace(REAL, source="i2")], Seen(PLACES, beside), {})

    assert "twins on the nodes of both ends did not reach" in found.reason


def test_a_pod_that_meets_itself_has_not_left_itself() -> None:
    """What it reached says nothing of its way out."""
    flows = [flow(ALLOWED, "r1", "i2")]
    away = replace(REAL, source="r1", address="203.0.113.8", pod=("shop", "web"))
    shut = met("r1", SILENT, number=SETTLED, address=away.address)
    beside = met("i2", REACHED, number=SETTLED, address=away.address)
    (found,) = greet([away], Seen(PLACES, [shut, beside, ITSELF], flows), {})

    assert found.reason == "nothing that policies allow left the source by then: its own path may be dead"


# --- what changed meanwhile ---

BEFORE: tuple[Raw, ...] = (pod("shop/web", app="web"), policy("shop/out", egress=[allow(block("198.51.100.0/24"))]))


def changes(*after: Raw, before: tuple[Raw, ...] = BEFORE) -> dict[int, str]:
    return changed_handshakes([handshake()], PLACED, Model(snapshot(*before)), Model(snapshot(*after)))


def test_nothing_changed() -> None:
    assert changes(*BEFORE) == {}
    assert changes(*BEFORE, deny_all("ops/deny")) == {}


def test_policy_of_the_sources_namespace_changed() -> None:
    assert changes(*BEFORE, deny_all("shop/deny")) == {1: "a policy of one end's namespace changed during the run"}


def test_verdict_that_changed_with_labels_of_a_namespace() -> None:
    """No policy changed, and yet the verdict is another one: whatever the reason, it did not hold."""
    found = changed_handshakes([handshake(ALLOWED)], PLACED, Model(snapshot(*BEFORE)), Model(snapshot(*BEFORE)))

    assert found == {1: "labels of a namespace changed during the run, and the verdict with them"}


def test_probe_pod_that_was_relabelled() -> None:
    now = {**PLACED, "i0": NotPlaced(stand_in("i0"), "its labels were changed during the run")}

    assert after_moves([handshake()], PLACED, now, {}) == {1: "a probe pod's labels were changed during the run"}
    assert after_moves([handshake()], PLACED, PLACED, {1: "another reason"}) == {1: "another reason"}


def test_source_of_which_nothing_that_policies_allow_came_through_shows_no_denial() -> None:
    """Its network may not be up yet; where policies allow it nothing there is no such witness."""
    dead = [AGENT, CONTROL, met("i0", *THRICE)]
    flows = [flow(ALLOWED, "i0", "i1"), flow(DENIED, "i1", "i0", number=2)]
    alive = [*dead, seen(FLOWS, "i0", "i1", REACHED)]

    (lacking,) = greet([handshake()], Seen(PLACED, dead, flows), {})
    (shown,) = greet([handshake()], Seen(PLACED, alive, flows), {})
    (alone,) = greet([handshake()], Seen(PLACED, dead, flows[1:]), {})

    assert (lacking.agreement, lacking.reason) == (
        Agreement.INCONCLUSIVE,
        "nothing that policies allow left the source by then: its own path may be dead",
    )
    assert {shown.agreement, alone.agreement} == {Agreement.AS_EXPECTED}


def test_what_changed_overrules_any_judgement() -> None:
    (found,) = greet([handshake()], Seen(PLACED, [AGENT, met("i0", REACHED, number=SETTLED)]), {1: "it changed"})

    assert (found.agreement, found.reason) == (Agreement.INCONCLUSIVE, "it changed")


def test_namespaces_are_only_looked_at_for_running_sources() -> None:
    here = {**PLACED, "i0": NotPlaced(stand_in("i0"), "gone")}

    assert (
        changed_handshakes(
            [handshake()], here, Model(snapshot(*BEFORE)), Model(snapshot(namespace("shop"), deny_all("shop/x")))
        )
        == {}
    )

"""What judged flows prove of policies and nodes: proven, leaking, not separately proven, not applicable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from auditor.claims import enforcing_node, node_claims, policy_claims
from auditor.evaluate.model import Model
from auditor.model.finding import Agreement, Claim, Judgement, Proof
from auditor.model.flow import Decision, Direction, PolicyRef, Verdict
from auditor.model.probe import NotPlaced
from auditor.rounds import Placement
from tests.builders import Raw, deny_all, policy, selector, snapshot
from tests.evidence import ALLOWED, DENIED, POLICY, decision, end, judgement, placed, stand_in

PLACED = {key: placed(stand_in(key, node)) for key, node in (("i0", "n1"), ("i1", "n2"), ("c0a", "n1"), ("c1b", "n2"))}
OTHER = PolicyRef("shop", "other")
BOTH = decision(Verdict.DENIED, Verdict.DENIED)
AS_EXPECTED, LEAK, LATE = Agreement.AS_EXPECTED, Agreement.LEAK, Agreement.LATE
INCONCLUSIVE, BLOCKAGE = Agreement.INCONCLUSIVE, Agreement.BLOCKAGE


def ingress(
    egress_verdict: Verdict = Verdict.ALLOWED,
    isolating: tuple[PolicyRef, ...] = (POLICY,),
    egress_isolating: tuple[PolicyRef, ...] = (),
) -> Decision:
    """Denied by ingress policies; what the source's egress says can be set."""
    denied = decision(egress_verdict, Verdict.DENIED)
    return replace(
        denied,
        egress=end(Direction.EGRESS, egress_verdict, egress_isolating),
        ingress=end(Direction.INGRESS, Verdict.DENIED, isolating),
    )


def claims(judgements: Sequence[Judgement], *policies: Raw) -> dict[tuple[str, Direction], Claim]:
    """The claims about `shop/deny`, an ingress policy, and whatever else is given."""
    objects = (deny_all("shop/deny", "Ingress"), *policies)
    made = policy_claims(judgements, Model(snapshot(*objects)), PLACED)
    return {(str(claim.subject), claim.direction): claim for claim in made}


def proof(*judgements: Judgement) -> Proof:
    return claims(judgements)["shop/deny", Direction.INGRESS].proof


@pytest.mark.parametrize(
    ("judgements", "expected"),
    [
        pytest.param([judgement(AS_EXPECTED)], Proof.PROVEN, id="denied by this alone and held"),
        pytest.param([judgement(LATE)], Proof.PROVEN, id="held late"),
        pytest.param([judgement(LEAK)], Proof.LEAKING, id="got through"),
        pytest.param([judgement(AS_EXPECTED), judgement(LEAK, number=2)], Proof.LEAKING, id="one leak outweighs"),
        pytest.param([judgement(INCONCLUSIVE)], Proof.NOT_PROVEN, id="inconclusive"),
        pytest.param([judgement(AS_EXPECTED, BOTH)], Proof.NOT_PROVEN, id="both ends deny"),
        pytest.param([judgement(LEAK, BOTH)], Proof.LEAKING, id="both ends deny and it got through"),
        pytest.param([judgement(AS_EXPECTED, ALLOWED)], Proof.NOT_PROVEN, id="allowed flows only"),
        pytest.param([judgement(BLOCKAGE, ALLOWED)], Proof.NOT_PROVEN, id="a blockage is no denial"),
        pytest.param([], Proof.NOT_PROVEN, id="no flow"),
        pytest.param(
            [judgement(AS_EXPECTED, ingress(Verdict.UNDEFINED, egress_isolating=(OTHER,)))],
            Proof.NOT_PROVEN,
            id="other end UNDEFINED",
        ),
        pytest.param(
            [judgement(AS_EXPECTED, ingress(egress_isolating=(OTHER,)))],
            Proof.NOT_PROVEN,
            id="other end isolated and allowing",
        ),
    ],
)
def test_ingress_of_a_policy(judgements: list[Judgement], expected: Proof) -> None:
    """A direction is proven only by a flow that nothing but it could have stopped."""
    assert proof(*judgements) is expected


def test_claim_names_the_flows_that_show_it() -> None:
    """Proof points at its flows, a leak at the leaking ones only."""
    shown = claims([judgement(AS_EXPECTED, number=7), judgement(AS_EXPECTED, BOTH, number=8)])
    leaking = claims([judgement(AS_EXPECTED, number=7), judgement(LEAK, number=9)])

    assert shown["shop/deny", Direction.INGRESS].flows == (7,)
    assert leaking["shop/deny", Direction.INGRESS].flows == (9,)


@pytest.mark.parametrize(("held", "whole"), [([], True), ([judgement(AS_EXPECTED, number=2)], False)])
def test_leak_is_whole_where_nothing_held(held: list[Judgement], whole: bool) -> None:
    """A direction that denied something by itself has a hole; one that did not is not enforced at all."""
    assert claims([judgement(LEAK), *held])["shop/deny", Direction.INGRESS].whole is whole


def test_denial_that_two_policies_share_proves_neither() -> None:
    """Where another policy isolates the same pod, the silence may be its work."""
    shared = judgement(AS_EXPECTED, ingress(isolating=(POLICY, OTHER)))
    found = claims([shared], deny_all("shop/other", "Ingress"))

    assert found["shop/deny", Direction.INGRESS].proof is Proof.NOT_PROVEN
    assert found["shop/other", Direction.INGRESS].proof is Proof.NOT_PROVEN
    assert "shop/other" in found["shop/deny", Direction.INGRESS].reason


def test_shared_denial_that_leaks_speaks_against_both() -> None:
    """A flow that two policies should have stopped shows that neither did."""
    found = claims([judgement(LEAK, ingress(isolating=(POLICY, OTHER)))], deny_all("shop/other", "Ingress"))

    assert {claim.proof for claim in found.values()} == {Proof.LEAKING}


def test_policy_alone_somewhere_is_proven_there() -> None:
    """One flow that it alone isolates is enough, whatever it shares elsewhere."""
    judgements = [judgement(AS_EXPECTED, ingress(isolating=(POLICY, OTHER))), judgement(AS_EXPECTED, number=2)]

    assert proof(*judgements) is Proof.PROVEN


def test_policy_that_selects_no_stand_in_is_not_applicable() -> None:
    """What selects nobody that was stood for can be neither proven nor broken."""
    found = claims([], policy("shop/nobody", selector(app="none")), deny_all("elsewhere/all"))

    for subject in ("shop/nobody", "elsewhere/all"):
        assert found[subject, Direction.INGRESS].proof is Proof.NOT_APPLICABLE


def test_each_direction_that_a_policy_isolates_in_has_a_claim() -> None:
    """One claim for each policy type, and none for the other direction."""
    found = claims([], deny_all("shop/both"))

    assert sorted((subject, way.value) for subject, way in found) == [
        ("shop/both", "Egress"),
        ("shop/both", "Ingress"),
        ("shop/deny", "Ingress"),
    ]


def test_node_enforces_ingress_where_the_destination_stands_and_egress_where_the_source_does() -> None:
    """A denial counts for the one node whose engine had to make it."""
    out = decision(egress=Verdict.DENIED)
    judged = [judgement(AS_EXPECTED, DENIED, number=1), judgement(LEAK, out, "i0", "c1b", number=2)]
    found = {(claim.subject, claim.direction): claim for claim in node_claims(judged, PLACED)}

    assert found["n2", Direction.INGRESS].proof is Proof.PROVEN
    assert found["n1", Direction.EGRESS].proof is Proof.LEAKING
    assert found["n1", Direction.INGRESS].proof is Proof.NOT_APPLICABLE
    assert found["n2", Direction.EGRESS].proof is Proof.NOT_APPLICABLE
    assert [enforcing_node(judged[0], way, PLACED) for way in Direction] == ["n2", "n1"]


@pytest.mark.parametrize("agreement", [INCONCLUSIVE, AS_EXPECTED])
def test_node_is_not_proven_by_what_both_ends_deny_or_by_nothing_conclusive(agreement: Agreement) -> None:
    """Neither an open flow nor a shared denial shows that a node enforces."""
    predicted = BOTH if agreement is AS_EXPECTED else DENIED
    found = {
        (claim.subject, claim.direction): claim for claim in node_claims([judgement(agreement, predicted)], PLACED)
    }

    assert found["n2", Direction.INGRESS].proof is Proof.NOT_PROVEN


def test_stand_in_that_does_not_run_makes_no_claim() -> None:
    """A node without running probe pods is not mentioned, and has no enforcing end."""
    placement: Placement = {
        **PLACED,
        "i1": NotPlaced(stand_in("i1", "n2"), "Pending"),
        "c1b": NotPlaced(stand_in("c1b"), "gone"),
    }

    assert {claim.subject for claim in node_claims([judgement(INCONCLUSIVE)], placement)} == {"n1"}
    assert enforcing_node(judgement(INCONCLUSIVE), Direction.INGRESS, placement) == ""

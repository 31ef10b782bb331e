"""What judged flows prove of single rules: a flow that only a rule allows, and its neighbour that nothing allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from auditor.evaluate.model import Model
from auditor.model.finding import Agreement, Claim, Judgement, Proof
from auditor.model.flow import Decision, Direction, PolicyRef
from auditor.model.probe import NotPlaced
from auditor.rounds import Placement
from auditor.rule_claims import rule_claims
from tests.builders import Raw, allow, pods, policy, selector, snapshot, tcp
from tests.evidence import ALLOWED, DENIED, end, judgement, placed, stand_in

RULE = "shop/db.ingress[0]"
DB = PolicyRef("shop", "db")
OBJECTS: tuple[Raw, ...] = (policy("shop/db", selector(), ingress=[allow(pods(app="web"), ports=[tcp(80)])]),)
PLACED: Placement = {
    key: placed(stand_in(key, node)) for key, node in (("i0", "n1"), ("i1", "n2"), ("c0a", "n1"), ("c1a", "n2"))
}
AS_EXPECTED, LEAK, LATE = Agreement.AS_EXPECTED, Agreement.LEAK, Agreement.LATE
INCONCLUSIVE, BLOCKAGE = Agreement.INCONCLUSIVE, Agreement.BLOCKAGE


def by(*rules: str) -> Decision:
    """Allowed by these rules for ingress."""
    return replace(ALLOWED, ingress=replace(end(Direction.INGRESS, isolating=(DB,)), allowing=rules))


def reached(agreement: Agreement = AS_EXPECTED, *rules: str) -> Judgement:
    return judgement(agreement, by(*(rules or (RULE,))), number=1)


def other_port(agreement: Agreement = AS_EXPECTED, predicted: Decision = DENIED) -> Judgement:
    item = judgement(agreement, predicted, number=2)
    return replace(item, flow=replace(item.flow, port=81))


def other_peer(agreement: Agreement = AS_EXPECTED, port: int = 80) -> Judgement:
    item = judgement(agreement, DENIED, "c1a", number=3)
    return replace(item, flow=replace(item.flow, port=port))


SHUT = replace(DENIED, egress=end(Direction.EGRESS, isolating=(PolicyRef("shop", "other"),)))
"""Denied, while another policy isolates the source."""


def claim(judgements: Sequence[Judgement], *, here: Placement = PLACED) -> Claim:
    found = {item.subject: item for item in rule_claims(judgements, Model(snapshot(*OBJECTS)), here)}
    return found[RULE]


@pytest.mark.parametrize(
    ("judgements", "flows"),
    [
        pytest.param([reached(), other_port()], (1, 2), id="another port of the pair"),
        pytest.param([reached(), other_peer()], (1, 3), id="another source at the same port"),
        pytest.param([reached(LATE), other_peer(LATE)], (1, 3), id="late"),
        pytest.param([reached(), other_port(INCONCLUSIVE), other_peer()], (1, 3), id="one neighbour is enough"),
    ],
)
def test_rule_is_proven_by_what_it_allows_and_a_neighbour(judgements: list[Judgement], flows: tuple[int, ...]) -> None:
    """Both flows are needed and named."""
    found = claim(judgements)

    assert (found.proof, found.flows, found.direction) == (Proof.PROVEN, flows, Direction.INGRESS)


@pytest.mark.parametrize(
    ("judgements", "piece"),
    [
        pytest.param([], "it allows none of the flows that were tried", id="nothing tried"),
        pytest.param([other_port()], "it allows none of the flows that were tried", id="denials only"),
        pytest.param([reached(INCONCLUSIVE), other_port()], "every flow that it alone allows was inconclusive", id="?"),
        pytest.param([reached(BLOCKAGE), other_port()], "no flow that it alone allows got through", id="blocked"),
        pytest.param([reached(AS_EXPECTED, RULE, "shop/db.ingress[1]"), other_port()], "shop/db.ingress[1]", id="two"),
        pytest.param([reached()], "nothing next to that is denied by this direction alone", id="no neighbour"),
        pytest.param([reached(), other_port(predicted=SHUT)], "nothing next to that is denied", id="both ends policed"),
        pytest.param([reached(), other_peer(port=81)], "nothing next to that is denied", id="neither pair nor port"),
        pytest.param([reached(), other_port(INCONCLUSIVE)], "next to that was inconclusive", id="neighbour open"),
    ],
)
def test_missing_piece_is_named(judgements: list[Judgement], piece: str) -> None:
    """What is not proven says what it lacks, and points at no flow."""
    found = claim(judgements)

    assert (found.proof, found.flows) == (Proof.NOT_PROVEN, ())
    assert piece in found.reason


def test_neighbour_that_gets_through_makes_the_rule_leak() -> None:
    """A rule that lets more through than it says is no rule, whatever else was held."""
    found = claim([reached(), other_port(LEAK), other_peer()])

    assert (found.proof, found.flows) == (Proof.LEAKING, (2,))


def test_rule_of_policies_that_select_no_running_pod_has_no_claim() -> None:
    """Its policy's claim says that already."""
    gone: Placement = {key: NotPlaced(stand_in(key), "gone") for key in PLACED}

    assert rule_claims([reached()], Model(snapshot(*OBJECTS)), gone) == ()


def test_rules_come_in_the_order_of_their_policy() -> None:
    """Ten comes after nine."""
    rules = [allow(pods(app=f"a{number}")) for number in range(11)]
    found = rule_claims([], Model(snapshot(policy("shop/db", selector(), ingress=rules))), PLACED)

    assert [item.subject for item in found] == [f"shop/db.ingress[{number}]" for number in range(11)]


def test_rule_that_is_enforced_in_part_is_not_proven() -> None:
    """The first port of its range gets through and the last one does not."""
    last = replace(reached(BLOCKAGE), flow=replace(reached().flow, id=9, port=8010))

    found = claim([reached(), last, other_port()])
    assert (found.proof, found.reason) == (
        Proof.NOT_PROVEN,
        "1 of 2 flows that it alone allows did not get through",
    )

"""What `--coverage rules` chooses, against what the whole matrix could show.

The oracle judges every flow as expected and asks the claims, which know nothing of duties, what that proves; then again
for each probe pod as if it had died.  Whatever the whole matrix proves the chosen flows must prove as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from auditor.claims import node_claims, policy_claims
from auditor.coverage import choose
from auditor.duties import Scene
from auditor.evaluate.model import Model
from auditor.model.cluster import Pod, Snapshot
from auditor.model.finding import Agreement, Judgement, Proof
from auditor.model.flow import Direction, Verdict
from auditor.model.options import Coverage, Options
from auditor.model.probe import NotPlaced, Outcome, Placed, PlannedFlow, ProbePlan, StandIn
from auditor.plan import is_system, make_plan, own_namespaces
from auditor.predict import predict
from auditor.rounds import Placement
from auditor.rule_claims import rule_claims
from tests.builders import Raw, snapshot
from tests.strategies import clusters

RULES = Options(coverage=Coverage.RULES, sample=0)
FULL = replace(RULES, coverage=Coverage.FULL)
Shown = frozenset[tuple[object, ...]]


def plan(found: Snapshot, options: Options) -> ProbePlan:
    return make_plan(found, predict(found, lambda pod: not is_system(pod.namespace)), options)


def placed(item: StandIn) -> Placed:
    pod = Pod(item.namespace, item.key, dict(item.labels), item.node, ("192.0.2.7", "2001:db8::7"), item.named_ports)
    return Placed(item, pod, "nonce")


def placement(made: ProbePlan, gone: str) -> Placement:
    return {item.key: NotPlaced(item, "gone") if item.key == gone else placed(item) for item in made.stand_ins}


def judged(flows: Iterable[PlannedFlow], gone: str) -> list[Judgement]:
    return [
        Judgement(
            flow,
            Agreement.INCONCLUSIVE if gone in (flow.source, flow.destination) else Agreement.AS_EXPECTED,
            Outcome.SILENT if flow.predicted.verdict is Verdict.DENIED else Outcome.REACHED,
            "as the test says",
        )
        for flow in flows
    ]


def proven(made: ProbePlan, model: Model, gone: str) -> Shown:
    """Every claim that is proven when all flows are as expected but those of one pod."""
    here, seen = placement(made, gone), judged(made.flows, gone)
    claims = (*policy_claims(seen, model, here), *node_claims(seen, here), *rule_claims(seen, model, here))
    return frozenset((item.subject, item.direction) for item in claims if item.proof is Proof.PROVEN)


def plain(made: ProbePlan, gone: str) -> Shown:
    """What has no claim, asked of every flow: nodes that let through, identities at each end, what bears witness."""
    at = {item.key: item for item in made.stand_ins}
    shown: set[tuple[object, ...]] = set()
    for flow in made.flows:
        if gone in (flow.source, flow.destination):
            continue
        source, destination = at[flow.source], at[flow.destination]
        shown |= {("from", source.identity), ("to", destination.identity)}
        if flow.predicted.verdict is Verdict.ALLOWED:
            shown |= {("out of", source.identity, flow.family), ("into", destination.identity, flow.family)}
        ends = (
            (Direction.EGRESS, source, flow.predicted.egress),
            (Direction.INGRESS, destination, flow.predicted.ingress),
        )
        for direction, item, end in ends:
            allowed = flow.predicted.verdict is Verdict.ALLOWED
            if allowed or end.verdict is Verdict.DENIED:
                shown.add((item.node, direction, flow.family, allowed))
    # Controls are means, not ends: nobody asks whether each of them was used.
    return frozenset(item for item in shown if item[1] != "")


@given(clusters(max_pods=6, max_policies=5))
def test_chosen_flows_prove_what_the_whole_matrix_proves(objects: list[Raw]) -> None:
    """Claim by claim, and whichever one probe pod dies."""
    found = snapshot(*objects)
    model = Model(found, own_namespaces())
    whole, chosen = plan(found, FULL), plan(found, RULES)
    for gone in ("", *(item.key for item in whole.stand_ins)):
        assert proven(whole, model, gone) <= proven(chosen, model, gone), gone
        assert plain(whole, gone) <= plain(chosen, gone), gone


@given(clusters(max_pods=6, max_policies=5), st.sampled_from(Coverage), st.integers(0, 3))
def test_chosen_flows_are_some_of_all_and_the_rest_is_counted(
    objects: list[Raw], coverage: Coverage, sample: int
) -> None:
    """Nothing is made up, nothing vanishes, and only what can be used is made."""
    found = snapshot(*objects)
    whole, some = plan(found, FULL), plan(found, replace(RULES, coverage=coverage, sample=sample))

    assert set(map(repr, some.flows)) <= set(map(repr, whole.flows))
    assert len(some.flows) + some.unchosen == len(whole.flows)
    assert {item.key for item in some.stand_ins} <= {item.key for item in whole.stand_ins}
    assert [skip for skip in some.skipped if not skip.by_choice] == list(whole.skipped)
    stood_for = {item.identity for item in some.stand_ins}
    assert set(some.spared) == {item.identity for item in whole.stand_ins} - stood_for


@given(clusters(max_pods=6, max_policies=5), st.sampled_from(Coverage), st.randoms(use_true_random=False))
def test_order_of_flows_makes_no_difference(objects: list[Raw], coverage: Coverage, random: Any) -> None:
    """The same seed gives the same flows, however they come."""
    made = plan(snapshot(*objects), FULL)
    options = replace(RULES, coverage=coverage, sample=2, seed=7)
    scene = Scene(
        {item.key: item.node for item in made.stand_ins},
        {item.key: item.identity for item in made.stand_ins if item.identity},
        frozenset(item.identity for item in made.stand_ins if item.identity),
    )
    shuffled = list(made.flows)
    random.shuffle(shuffled)

    assert repr(choose(shuffled, scene, options)) == repr(choose(made.flows, scene, options))


@given(clusters(max_pods=6, max_policies=5))
def test_smoke_shows_each_node_as_far_as_the_matrix_does(objects: list[Raw]) -> None:
    """A denial of its own and something that gets through, for each node and direction."""
    found = snapshot(*objects)
    whole, some = plan(found, FULL), plan(found, replace(RULES, coverage=Coverage.SMOKE))

    def nodes(made: ProbePlan, judge: Callable[[Sequence[Judgement], Placement], Iterable[Any]]) -> set[object]:
        claims = judge(judged(made.flows, ""), placement(made, ""))
        return {(item.subject, item.direction) for item in claims if item.proof is Proof.PROVEN}

    assert nodes(some, node_claims) == nodes(whole, node_claims)

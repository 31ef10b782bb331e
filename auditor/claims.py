"""What judged flows prove of policies and of nodes.

Pure.  A direction is proven by a flow that it alone denies while no policy isolates the other end; a flow that both
ends deny proves neither.  A flow that got through although a direction denies it speaks against that direction, alone
or not.  Where several policies isolate the same pods, a denial is the work of any of them: one of them is proven only
if it is alone somewhere, or if a flow got through that no other policy's rules allow.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from auditor.duties import policy_alone
from auditor.evaluate.model import Model
from auditor.model.cluster import Pod
from auditor.model.finding import Agreement, Claim, Judgement, Proof
from auditor.model.flow import Direction, DirectionDecision, PolicyRef, Verdict
from auditor.model.probe import Placed
from auditor.model.rules import Action
from auditor.rounds import Placement, running

SHOWN = frozenset({Agreement.AS_EXPECTED, Agreement.LATE})


def policy_claims(
    judgements: Sequence[Judgement],
    model: Model,
    placement: Placement,
    subjects: Sequence[Pod] = (),
    spared: Sequence[Pod] = (),
) -> tuple[Claim, ...]:
    """For each policy and direction that it isolates in: proven, leaking, not separately proven, or not tested.

    `subjects` holds one pod of each identity that was asked for, stood for or not; `spared` those of them that could
    have been stood for and are not by choice.
    """
    stood_for = selecting(model, [item.pod for item in running(placement).values()])
    asked_for, by_choice = selecting(model, subjects), selecting(model, spared)
    denied, allowed = _by_policy(judgements)
    claims = []
    for key in sorted(_deniers(model), key=lambda item: (item[0], item[1].value)):
        if key in stood_for:
            claims.append(_policy_claim(*key, denied[key], allowed[key]))
        elif key in by_choice:
            claims.append(Claim(*key, Proof.NOT_CHOSEN, "--coverage chose none of the pods that it selects"))
        elif key in asked_for:
            claims.append(Claim(*key, Proof.UNTESTED, "none of the pods that it selects was stood for"))
        else:
            claims.append(Claim(*key, Proof.NOT_APPLICABLE, "it selects none of the pods that were asked for"))
    return tuple(claims)


def _deniers(model: Model) -> set[tuple[PolicyRef, Direction]]:
    """Policies and directions in which they can deny: by isolating, or by a rule."""
    return {
        (section.ref, section.direction)
        for section in model.all_sections()
        if (section.isolates and section.tier.end is Action.DENY)
        or any(clause.action is Action.DENY for clause in section.clauses)
    }


def selecting(model: Model, pods: Iterable[Pod]) -> set[tuple[PolicyRef, Direction]]:
    """Policies, by direction, that select any of these pods."""
    return {
        (item.section.ref, direction)
        for pod in pods
        for direction in Direction
        for item in model.applied(model.end(pod), direction)
    }


ByPolicy = dict[tuple[PolicyRef, Direction], list[Judgement]]


def _by_policy(judgements: Sequence[Judgement]) -> tuple[ByPolicy, ByPolicy]:
    """One pass: the flows that each policy helps to deny, and those shown that its rules alone let through."""
    denied: ByPolicy = defaultdict(list)
    allowed: ByPolicy = defaultdict(list)
    for item in judgements:
        for direction in item.flow.predicted.deniers:
            for ref in _end(item, direction).isolating:
                denied[ref, direction].append(item)
        if item.flow.predicted.verdict is Verdict.ALLOWED and item.agreement in SHOWN:
            for direction in Direction:
                alone = policy_alone(_end(item, direction))
                if alone is not None:
                    allowed[alone, direction].append(item)
    return denied, allowed


def node_claims(judgements: Sequence[Judgement], placement: Placement) -> tuple[Claim, ...]:
    """For each node with probe pods and each direction: does it enforce.

    Ingress is enforced where the destination stands, egress where the source stands.
    """
    about: dict[tuple[str, Direction], list[Judgement]] = defaultdict(list)
    for item in judgements:
        for direction in item.flow.predicted.deniers:
            about[enforcing_node(item, direction, placement), direction].append(item)
    claims = []
    for node in sorted({item.pod.node for item in running(placement).values()}):
        for direction in (Direction.EGRESS, Direction.INGRESS):
            denied = about[node, direction]
            if denied:
                claims.append(_claim(node, direction, denied))
            else:
                reason = f"no flow was tried that a policy denies for {direction.value} there"
                claims.append(Claim(node, direction, Proof.NOT_APPLICABLE, reason))
    return tuple(claims)


def enforcing_node(judgement: Judgement, direction: Direction, placement: Placement) -> str:
    """The node whose engine has to deny a flow in a direction; empty where the pod does not run."""
    item = placement.get(_enforcing_key(judgement, direction))
    return item.pod.node if isinstance(item, Placed) else ""


def _enforcing_key(judgement: Judgement, direction: Direction) -> str:
    return judgement.flow.source if direction is Direction.EGRESS else judgement.flow.destination


def _policy_claim(
    ref: PolicyRef, direction: Direction, about: Sequence[Judgement], let_through: Sequence[Judgement]
) -> Claim:
    claim = _claim(ref, direction, about)
    shown = set(claim.flows)
    alone = any(_end(item, direction).isolating == (ref,) and item.flow.id in shown for item in about)
    if claim.proof is not Proof.PROVEN or alone or let_through:
        return claim
    others = sorted(
        {_beside(other, ref) for item in about for other in _end(item, direction).isolating if other != ref}
    )
    reason = f"the pods that it selects are isolated by other policies too: {', '.join(others)}"
    return Claim(ref, direction, Proof.NOT_PROVEN, reason)


def _beside(other: PolicyRef, ref: PolicyRef) -> str:
    return f"{other.kind} {other}" if str(other) == str(ref) else str(other)


def _end(judgement: Judgement, direction: Direction) -> DirectionDecision:
    decision = judgement.flow.predicted
    return decision.egress if direction is Direction.EGRESS else decision.ingress


def _claim(subject: PolicyRef | str, direction: Direction, denied: Sequence[Judgement]) -> Claim:
    leaks = _ids(item for item in denied if item.agreement is Agreement.LEAK)
    other = Direction.INGRESS if direction is Direction.EGRESS else Direction.EGRESS
    alone = [item for item in denied if not _end(item, other).isolating]
    shown = _ids(item for item in alone if item.agreement in SHOWN)
    if leaks:
        reason = f"{len(leaks)} of {len(denied)} flows that it denies got through"
        return Claim(subject, direction, Proof.LEAKING, reason, leaks, whole=not shown)
    if shown:
        return Claim(subject, direction, Proof.PROVEN, f"{len(shown)} flows that it alone denies did not", shown)
    if alone:
        reason = "every flow that it alone denies was inconclusive"
        return Claim(subject, direction, Proof.NOT_PROVEN, reason, is_open=True)
    if denied:
        reason = "policies isolate the other end of each flow that it denies, so the denial may be theirs"
        return Claim(subject, direction, Proof.NOT_PROVEN, reason)
    return Claim(subject, direction, Proof.NOT_PROVEN, "it denies none of the flows that were tried")


def _ids(judgements: Iterable[Judgement]) -> tuple[int, ...]:
    return tuple(sorted(item.flow.id for item in judgements))

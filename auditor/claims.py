"""What judged flows prove of policies and of nodes.

Pure.  A direction is proven by a flow that it alone denies while no policy isolates the other end; a flow that both
ends deny proves neither.  A flow that got through although a direction denies it speaks against that direction, alone
or not.  Where several policies isolate the same pods, a denial is the work of any of them: one of them is proven only
if it is alone somewhere, or if a flow got through that no other policy's rules allow.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from auditor.model.finding import Agreement, Claim, Judgement, Proof
from auditor.model.flow import Direction, DirectionDecision, PolicyRef, Verdict
from auditor.policy.networkpolicy import selects
from auditor.predict import Model
from auditor.rounds import Placement, running

SHOWN = frozenset({Agreement.AS_EXPECTED, Agreement.LATE})


def policy_claims(judgements: Sequence[Judgement], model: Model, placement: Placement) -> tuple[Claim, ...]:
    """For each policy and direction that it isolates in: proven, leaking, or not separately proven."""
    stand_ins = [item.pod for item in running(placement).values()]
    claims = []
    for policy in model.snapshot.policies:
        stood_for = any(selects(policy, pod) for pod in stand_ins)
        for direction in sorted(policy.isolates, key=lambda item: item.value):
            if stood_for:
                claims.append(_policy_claim(policy.ref, direction, judgements))
            else:
                reason = "it selects none of the pods that were stood for"
                claims.append(Claim(policy.ref, direction, Proof.NOT_APPLICABLE, reason))
    return tuple(claims)


def node_claims(judgements: Sequence[Judgement], placement: Placement) -> tuple[Claim, ...]:
    """For each node with probe pods and each direction: does it enforce.

    Ingress is enforced where the destination stands, egress where the source stands.
    """
    here = running(placement)
    claims = []
    for node in sorted({item.pod.node for item in here.values()}):
        for direction in (Direction.EGRESS, Direction.INGRESS):
            about = [
                judgement
                for judgement in judgements
                if _enforcing_key(judgement, direction) in here
                and here[_enforcing_key(judgement, direction)].pod.node == node
            ]
            denied = _denied_by(about, direction)
            if denied:
                claims.append(_claim(node, direction, denied))
            else:
                reason = f"no flow was tried that a policy denies for {direction.value} there"
                claims.append(Claim(node, direction, Proof.NOT_APPLICABLE, reason))
    return tuple(claims)


def enforcing_node(judgement: Judgement, direction: Direction, placement: Placement) -> str:
    """The node whose engine has to deny a flow in a direction; empty where the pod does not run."""
    item = running(placement).get(_enforcing_key(judgement, direction))
    return item.pod.node if item is not None else ""


def _enforcing_key(judgement: Judgement, direction: Direction) -> str:
    return judgement.flow.source if direction is Direction.EGRESS else judgement.flow.destination


def _policy_claim(ref: PolicyRef, direction: Direction, judgements: Sequence[Judgement]) -> Claim:
    about = _about_policy(judgements, ref, direction)
    claim = _claim(ref, direction, about)
    if claim.proof is not Proof.PROVEN:
        return claim
    alone = [item for item in about if _end(item, direction).isolating == (ref,) and item.flow.id in claim.flows]
    if alone or any(_only_this_allows(item, ref, direction) for item in judgements):
        return claim
    others = sorted({str(other) for item in about for other in _end(item, direction).isolating if other != ref})
    reason = f"the pods that it selects are isolated by other policies too: {', '.join(others)}"
    return Claim(ref, direction, Proof.NOT_PROVEN, reason)


def _only_this_allows(judgement: Judgement, ref: PolicyRef, direction: Direction) -> bool:
    allowing = _end(judgement, direction).allowing
    held = judgement.flow.predicted.verdict is Verdict.ALLOWED and judgement.agreement in SHOWN
    return held and bool(allowing) and all(rule.startswith(f"{ref}.{direction.value.lower()}[") for rule in allowing)


def _about_policy(judgements: Iterable[Judgement], ref: PolicyRef, direction: Direction) -> list[Judgement]:
    return [item for item in _denied_by(judgements, direction) if ref in _end(item, direction).isolating]


def _denied_by(judgements: Iterable[Judgement], direction: Direction) -> list[Judgement]:
    return [item for item in judgements if direction in item.flow.predicted.deniers]


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
        return Claim(subject, direction, Proof.NOT_PROVEN, "every flow that it alone denies was inconclusive")
    if denied:
        reason = "policies isolate the other end of each flow that it denies, so the denial may be theirs"
        return Claim(subject, direction, Proof.NOT_PROVEN, reason)
    return Claim(subject, direction, Proof.NOT_PROVEN, "it denies none of the flows that were tried")


def _ids(judgements: Iterable[Judgement]) -> tuple[int, ...]:
    return tuple(sorted(item.flow.id for item in judgements))

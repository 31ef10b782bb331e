"""What judged flows prove of policies and of nodes.

Pure.  A direction is proven by a flow that it alone denies; a flow that both ends deny proves neither.  A flow that got
through although a direction denies it speaks against that direction, alone or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from auditor.model.finding import Agreement, Claim, Judgement, Proof
from auditor.model.flow import Direction, DirectionDecision, PolicyRef
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
                claims.append(_claim(policy.ref, direction, _about_policy(judgements, policy.ref, direction)))
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
            claims.append(_claim(node, direction, _denied_by(about, direction)))
    return tuple(claims)


def enforcing_node(judgement: Judgement, direction: Direction, placement: Placement) -> str:
    """The node whose engine has to deny a flow in a direction; empty where the pod does not run."""
    item = running(placement).get(_enforcing_key(judgement, direction))
    return item.pod.node if item is not None else ""


def _enforcing_key(judgement: Judgement, direction: Direction) -> str:
    return judgement.flow.source if direction is Direction.EGRESS else judgement.flow.destination


def _about_policy(judgements: Iterable[Judgement], ref: PolicyRef, direction: Direction) -> list[Judgement]:
    return [item for item in _denied_by(judgements, direction) if ref in _end(item, direction).isolating]


def _denied_by(judgements: Iterable[Judgement], direction: Direction) -> list[Judgement]:
    return [item for item in judgements if direction in item.flow.predicted.deniers]


def _end(judgement: Judgement, direction: Direction) -> DirectionDecision:
    decision = judgement.flow.predicted
    return decision.egress if direction is Direction.EGRESS else decision.ingress


def _claim(subject: PolicyRef | str, direction: Direction, denied: Sequence[Judgement]) -> Claim:
    leaks = _ids(item for item in denied if item.agreement is Agreement.LEAK)
    alone = [item for item in denied if item.flow.predicted.deniers == (direction,)]
    shown = _ids(item for item in alone if item.agreement in SHOWN)
    if leaks:
        reason = f"{len(leaks)} of {len(denied)} flows that it denies got through"
        return Claim(subject, direction, Proof.LEAKING, reason, leaks)
    if shown:
        return Claim(subject, direction, Proof.PROVEN, f"{len(shown)} flows that it alone denies did not", shown)
    if alone:
        return Claim(subject, direction, Proof.NOT_PROVEN, "every flow that it alone denies was inconclusive")
    if denied:
        reason = "each of the flows that it denies is denied at the other end too"
        return Claim(subject, direction, Proof.NOT_PROVEN, reason)
    return Claim(subject, direction, Proof.NOT_PROVEN, "it denies none of the flows that were tried")


def _ids(judgements: Iterable[Judgement]) -> tuple[int, ...]:
    return tuple(sorted(item.flow.id for item in judgements))

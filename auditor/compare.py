"""Decide what the measured outcomes say about the predicted verdicts.

Pure.  Implements section "What counts as proof": nothing is as expected, a leak or a blockage unless every piece of its
proof is there; whatever lacks one is inconclusive and names it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from auditor.evaluate.model import Model
from auditor.evidence import Evidence
from auditor.model.finding import Agreement, Judgement
from auditor.model.flow import Decision, Verdict
from auditor.model.probe import NotPlaced, Observation, Outcome, Placed, PlannedFlow
from auditor.rounds import Placement, running

BLOCKED = frozenset({Outcome.SILENT, Outcome.REFUSED})
MOVED = ("a probe pod's labels were changed during the run", "a real pod, or the agent in it, did not stay what it was")
"""What is said of flows with an end that moved: of probe pods, and of real ones."""
ROUNDS_BLOCKED = 2
"""In how many rounds what policies allow must fail to get through before it is called blocked."""


def as_stored(flows: Iterable[PlannedFlow], placement: Placement, model: Model) -> tuple[PlannedFlow, ...]:
    """Decide every flow again from the probe pods as the API server stored them, addresses included."""
    here = running(placement)
    return tuple(
        replace(flow, predicted=_decided(flow, here, model))
        if flow.source in here and flow.destination in here
        else flow
        for flow in flows
    )


def _decided(flow: PlannedFlow, here: Mapping[str, Placed], model: Model) -> Decision:
    one, other = here[flow.source].pod, here[flow.destination].pod
    return model.decide(one, other, flow.family, flow.port, flow.protocol)


def compare(
    flows: Iterable[PlannedFlow], evidence: Evidence, changed: Mapping[int, str] | None = None
) -> tuple[Judgement, ...]:
    """Judge every flow; `changed` names flows whose prediction did not hold for the whole run, with the reason."""
    reasons = changed or {}
    judged = []
    for flow in flows:
        judgement = judge(flow, evidence)
        if flow.id in reasons:
            judgement = replace(judgement, agreement=Agreement.INCONCLUSIVE, reason=reasons[flow.id])
        judged.append(judgement)
    return tuple(judged)


def judge(flow: PlannedFlow, evidence: Evidence) -> Judgement:
    """Compare one prediction with its measurements."""
    seen = tuple(evidence.of(flow))
    lost = not_placed(flow, evidence.placement)
    if lost is not None:
        return Judgement(flow, Agreement.INCONCLUSIVE, Outcome.UNTESTED, lost)
    if not seen:
        return Judgement(flow, Agreement.INCONCLUSIVE, Outcome.UNTESTED, evidence.untried(flow))
    if flow.predicted.verdict is Verdict.DENIED:
        return _judge_denied(flow, seen, evidence)
    if flow.predicted.verdict is Verdict.ALLOWED:
        return _judge_allowed(flow, seen, evidence)
    reason = f"the verdict is {flow.predicted.verdict.name}: {flow.predicted.reason}"
    return Judgement(flow, Agreement.INCONCLUSIVE, strongest(seen[-1]), reason, seen)


def not_placed(flow: PlannedFlow, placement: Placement) -> str | None:
    """Why a flow cannot be tried, because one of its ends does not run; None where both do."""
    for word, key in (("source", flow.source), ("destination", flow.destination)):
        item = placement.get(key)
        if item is None or isinstance(item, NotPlaced):
            reason = item.reason if item is not None else "it was not made"
            return f"the {word}'s probe pod does not run: {reason}"
        if item.pod.address(flow.family) is None:
            return f"the {word}'s probe pod got no {flow.family.value} address"
    return None


def strongest(seen: Observation) -> Outcome:
    """One outcome for several tries: one that got through outweighs all, then one that failed, then a refusal.

    Tries that are missing were not made, so what the others say is no answer.
    """
    if len(seen.outcomes) < len(seen.probe.timeouts) and Outcome.REACHED not in seen.outcomes:
        return Outcome.UNTESTED
    for outcome in (Outcome.REACHED, Outcome.FAULT, Outcome.UNTESTED, Outcome.REFUSED):
        if outcome in seen.outcomes:
            return outcome
    return Outcome.SILENT


def _judge_denied(flow: PlannedFlow, seen: tuple[Observation, ...], evidence: Evidence) -> Judgement:
    last, outcome = seen[-1], strongest(seen[-1])
    if outcome is Outcome.REACHED:
        return _judge_reached(flow, seen, evidence)
    if outcome not in BLOCKED:
        return Judgement(flow, Agreement.INCONCLUSIVE, outcome, f"the measurement failed: {last.detail}", seen)
    gap = evidence.gap(flow, last.round) or evidence.path_gap(flow, last.round)
    early = [item for item in seen if Outcome.REACHED in item.outcomes]
    if gap is None and _wavers(seen, early):
        gap = "got through in some tries and not in others: neither denied nor let through for good"
    if gap is not None:
        return Judgement(flow, Agreement.INCONCLUSIVE, outcome, gap, seen)
    if early:
        settled = seen[len(early)].at
        return Judgement(flow, Agreement.LATE, outcome, "got through at first, then denied", seen, settled)
    return Judgement(flow, Agreement.AS_EXPECTED, outcome, "denied, with every piece of proof", seen)


def _wavers(seen: tuple[Observation, ...], early: list[Observation]) -> bool:
    """Whether getting through is anything but: every try of the first rounds, then none."""
    whole = all(set(item.outcomes) == {Outcome.REACHED} for item in early)
    return bool(early) and not (whole and list(seen[: len(early)]) == early)


def _judge_reached(flow: PlannedFlow, seen: tuple[Observation, ...], evidence: Evidence) -> Judgement:
    """A denied flow whose nonce came back: proof enough, because only the intended listener knows it."""
    if evidence.is_over:
        return Judgement(flow, Agreement.LEAK, Outcome.REACHED, _leak_reason(seen), seen)
    reason = "got through, but the run ended before the settle time was over"
    return Judgement(flow, Agreement.INCONCLUSIVE, Outcome.REACHED, reason, seen)


def _leak_reason(seen: tuple[Observation, ...]) -> str:
    rounds = [item for item in seen if Outcome.REACHED in item.outcomes]
    tries = sum(item.outcomes.count(Outcome.REACHED) for item in rounds)
    total = sum(len(item.outcomes) for item in seen)
    return f"the listener's nonce came back in {tries} of {total} tries, the last after {seen[-1].at:.0f} s"


def _judge_allowed(flow: PlannedFlow, seen: tuple[Observation, ...], evidence: Evidence) -> Judgement:
    last, outcome = seen[-1], strongest(seen[-1])
    reached = next((number for number, item in enumerate(seen) if Outcome.REACHED in item.outcomes), None)
    if reached is not None:
        # A round in which the path itself failed says nothing about the engine.
        slow = [item for item in seen[:reached] if BLOCKED & set(item.outcomes)]
        if any(evidence.twin_gap(flow, item.round) is None for item in slow):
            reason = "got no answer at first, then its nonce"
            return Judgement(flow, Agreement.LATE, Outcome.REACHED, reason, seen, seen[reached].at)
        return Judgement(flow, Agreement.AS_EXPECTED, Outcome.REACHED, "the listener's nonce came back", seen)
    if outcome not in BLOCKED:
        return Judgement(flow, Agreement.INCONCLUSIVE, outcome, f"the measurement failed: {last.detail}", seen)
    gap = evidence.gap(flow, last.round)
    # A round makes one try of what is allowed, and one packet may be lost.
    if gap is None and sum(strongest(item) in BLOCKED for item in seen) < ROUNDS_BLOCKED:
        gap = "it was blocked in a single try, and no other try was measured"
    if gap is not None:
        return Judgement(flow, Agreement.INCONCLUSIVE, outcome, gap, seen)
    reason = f"no nonce to the end ({outcome.value}), while the listener and unpoliced twins answered"
    return Judgement(flow, Agreement.BLOCKAGE, outcome, reason, seen)


def recheck(flows: Iterable[PlannedFlow], evidence: Evidence) -> tuple[PlannedFlow, ...]:
    """The flows to try again: surprises, failed measurements, and those whose path was not shown to be alive.

    With each denied one goes what shows that its ends still have a path, because silence counts only beside that.
    """
    again: dict[int, PlannedFlow] = {}
    for flow in flows:
        if _is_open(flow, evidence):
            again[flow.id] = flow
            if flow.predicted.verdict is Verdict.DENIED:
                again |= {item.id: item for item in evidence.witnesses(flow)}
    return tuple(again[number] for number in sorted(again))


def _is_open(flow: PlannedFlow, evidence: Evidence) -> bool:
    seen = evidence.of(flow)
    if not seen or flow.predicted.verdict not in {Verdict.ALLOWED, Verdict.DENIED}:
        return False
    if Outcome.UNTESTED in seen[-1].outcomes:
        return False  # the pods cannot speak this protocol, and no time will teach them
    got_through = evidence.got_through(flow)
    if flow.predicted.verdict is Verdict.ALLOWED:
        return not got_through
    # What got through once is watched to the end of the settle time, also after a quiet round.
    number = seen[-1].round
    missing = evidence.twin_gap(flow, number) or evidence.path_gap(flow, number)
    return got_through or strongest(seen[-1]) not in BLOCKED or missing is not None


def changed_flows(flows: Iterable[PlannedFlow], placement: Placement, before: Model, after: Model) -> dict[int, str]:
    """Flows whose prediction did not hold for the whole run, because a policy or a namespace's labels changed."""
    homes = touched(before, after)
    here = running(placement)
    changed: dict[int, str] = {}
    for flow in flows:
        if flow.source not in here or flow.destination not in here:
            continue
        one, other = here[flow.source].pod, here[flow.destination].pod
        if "" in homes:
            changed[flow.id] = "a policy of the whole cluster changed during the run"
        elif {one.namespace, other.namespace} & homes:
            changed[flow.id] = "a policy of one end's namespace changed during the run"
        elif _decided(flow, here, after).verdict is not flow.predicted.verdict:
            changed[flow.id] = "labels of a namespace changed during the run, and the verdict with them"
    return changed


def touched(before: Model, after: Model) -> set[str]:
    """The namespaces in which a policy changed, came or went; under no name the whole cluster."""
    was, now = _versions(before), _versions(after)
    return {namespace for namespace in was.keys() | now.keys() if was.get(namespace) != now.get(namespace)}


def moved_flows(flows: Iterable[PlannedFlow], before: Placement, after: Placement) -> dict[int, str]:
    """Flows of which a probe pod is not any more what it was when its verdict was made."""
    moved, here = moved_pods(before, after), running(before)
    return {
        flow.id: MOVED[any(here[key].stand_in.pod for key in {flow.source, flow.destination} & moved)]
        for flow in flows
        if {flow.source, flow.destination} & moved
    }


def moved_pods(before: Placement, after: Placement) -> set[str]:
    """Keys of the probe pods that are not any more what they were."""
    return {key for key in running(before) if key in after and after[key] != before[key]}


def _versions(model: Model) -> dict[str, set[tuple[str, ...]]]:
    """What policies there are, by namespace; under no name those of the whole cluster."""
    found: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for policy in model.snapshot.policies:
        found[policy.namespace].add(("", policy.name, policy.uid, policy.version))
    for item in model.snapshot.objects:
        metadata = item.raw.get("metadata")
        marks = metadata if isinstance(metadata, Mapping) else {}
        found[item.namespace].add((item.resource, item.name, str(marks.get("uid")), str(marks.get("resourceVersion"))))
    return found

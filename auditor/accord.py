"""User, model and packets: what the three say together of each expected flow.

Pure.  The two tables are the whole decision; what they do not hold cannot be.  Only proof makes packets speak: an
agreement that is inconclusive is no evidence for any side.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from auditor.model import report as doc
from auditor.model.expectation import Accord, Answer, Covered, Demand, ExpectedFlow, Told, Wish
from auditor.model.finding import Agreement, Judgement
from auditor.model.flow import Family, Verdict
from auditor.model.probe import ProbePlan

_YES, _NO = Wish.ALLOWED, Wish.DENIED
_ALLOWED, _DENIED, _UNDEFINED, _UNKNOWN = Verdict.ALLOWED, Verdict.DENIED, Verdict.UNDEFINED, Verdict.UNKNOWN
_SAME, _LEAK, _BLOCKAGE = Agreement.AS_EXPECTED, Agreement.LEAK, Agreement.BLOCKAGE
_LATE, _OPEN = Agreement.LATE, Agreement.INCONCLUSIVE

MEASURED: Mapping[tuple[Wish, Verdict, Agreement], Accord] = {
    (_YES, _ALLOWED, _SAME): Accord.KEPT,
    (_YES, _ALLOWED, _LEAK): Accord.INCONCLUSIVE,  # nothing leaks that is allowed
    (_YES, _ALLOWED, _BLOCKAGE): Accord.BLOCKAGE,
    (_YES, _ALLOWED, _LATE): Accord.LATE,
    (_YES, _ALLOWED, _OPEN): Accord.INCONCLUSIVE,
    (_YES, _DENIED, _SAME): Accord.POLICIES_FORBID,
    (_YES, _DENIED, _LEAK): Accord.AGAINST_POLICIES,
    (_YES, _DENIED, _BLOCKAGE): Accord.INCONCLUSIVE,  # nothing is missed that is denied
    (_YES, _DENIED, _LATE): Accord.POLICIES_FORBID,
    (_YES, _DENIED, _OPEN): Accord.INCONCLUSIVE,
    (_NO, _ALLOWED, _SAME): Accord.POLICIES_ALLOW,
    (_NO, _ALLOWED, _LEAK): Accord.INCONCLUSIVE,
    (_NO, _ALLOWED, _BLOCKAGE): Accord.AGAINST_POLICIES,
    (_NO, _ALLOWED, _LATE): Accord.POLICIES_ALLOW,
    (_NO, _ALLOWED, _OPEN): Accord.INCONCLUSIVE,
    (_NO, _DENIED, _SAME): Accord.KEPT,
    (_NO, _DENIED, _LEAK): Accord.LEAK,
    (_NO, _DENIED, _BLOCKAGE): Accord.INCONCLUSIVE,
    (_NO, _DENIED, _LATE): Accord.LATE,
    (_NO, _DENIED, _OPEN): Accord.INCONCLUSIVE,
    # Where the model has no answer nothing is judged, and what was measured lacks the proof that judging asks for.
    (_YES, _UNDEFINED, _SAME): Accord.INCONCLUSIVE,
    (_YES, _UNDEFINED, _LEAK): Accord.INCONCLUSIVE,
    (_YES, _UNDEFINED, _BLOCKAGE): Accord.INCONCLUSIVE,
    (_YES, _UNDEFINED, _LATE): Accord.INCONCLUSIVE,
    (_YES, _UNDEFINED, _OPEN): Accord.INCONCLUSIVE,
    (_YES, _UNKNOWN, _SAME): Accord.INCONCLUSIVE,
    (_YES, _UNKNOWN, _LEAK): Accord.INCONCLUSIVE,
    (_YES, _UNKNOWN, _BLOCKAGE): Accord.INCONCLUSIVE,
    (_YES, _UNKNOWN, _LATE): Accord.INCONCLUSIVE,
    (_YES, _UNKNOWN, _OPEN): Accord.INCONCLUSIVE,
    (_NO, _UNDEFINED, _SAME): Accord.INCONCLUSIVE,
    (_NO, _UNDEFINED, _LEAK): Accord.INCONCLUSIVE,
    (_NO, _UNDEFINED, _BLOCKAGE): Accord.INCONCLUSIVE,
    (_NO, _UNDEFINED, _LATE): Accord.INCONCLUSIVE,
    (_NO, _UNDEFINED, _OPEN): Accord.INCONCLUSIVE,
    (_NO, _UNKNOWN, _SAME): Accord.INCONCLUSIVE,
    (_NO, _UNKNOWN, _LEAK): Accord.INCONCLUSIVE,
    (_NO, _UNKNOWN, _BLOCKAGE): Accord.INCONCLUSIVE,
    (_NO, _UNKNOWN, _LATE): Accord.INCONCLUSIVE,
    (_NO, _UNKNOWN, _OPEN): Accord.INCONCLUSIVE,
}
"""Where packets were sent: every wish, verdict and agreement, those that cannot meet included."""

PREDICTED: Mapping[tuple[Wish, Verdict], Accord] = {
    (_YES, _ALLOWED): Accord.KEPT,
    (_YES, _DENIED): Accord.POLICIES_FORBID,
    (_YES, _UNDEFINED): Accord.INCONCLUSIVE,
    (_YES, _UNKNOWN): Accord.INCONCLUSIVE,
    (_NO, _ALLOWED): Accord.POLICIES_ALLOW,
    (_NO, _DENIED): Accord.KEPT,
    (_NO, _UNDEFINED): Accord.INCONCLUSIVE,
    (_NO, _UNKNOWN): Accord.INCONCLUSIVE,
}
"""Where the model alone is asked."""

MEANINGS: Mapping[Accord, str] = {
    Accord.LEAK: "policies deny it as expected, and packets get through: nothing enforces them here",
    Accord.POLICIES_ALLOW: "the policies do not say what is expected: they allow it",
    Accord.BLOCKAGE: "policies allow it as expected, and packets do not get through",
    Accord.POLICIES_FORBID: "the policies forbid what is expected to work",
    Accord.AGAINST_POLICIES: "packets do as expected, though the policies say otherwise",
    Accord.INCONCLUSIVE: "not shown",
    Accord.LATE: "as expected, after a while",
    Accord.KEPT: "as expected",
}
"""One clause for each case, for a person."""

Way = tuple[Demand, Family]


def predicted_answers(covered: Iterable[Covered]) -> tuple[Answer, ...]:
    """What the model alone says of every expectation."""
    return tuple(
        Answer(item.expectation, tuple(_predicted(item.expectation.wish, it) for it in item.flows)) for item in covered
    )


def _predicted(wish: Wish, flow: ExpectedFlow) -> Told:
    return Told(flow, flow.verdict, PREDICTED[wish, flow.verdict], flow.reason)


def answers(covered: Iterable[Covered], judgements: Sequence[Judgement], plan: ProbePlan) -> tuple[Answer, ...]:
    """What user, model and packets say of every expectation."""
    identity = {item.key: item.identity for item in plan.stand_ins}
    measured: dict[Way, list[Judgement]] = defaultdict(list)
    for item in judgements:
        flow = item.flow
        demand = Demand(identity[flow.source], identity[flow.destination], flow.protocol, flow.port)
        measured[demand, flow.family].append(item)
    left_out = {skip.what: skip.reason for skip in plan.skipped}
    return tuple(
        Answer(
            item.expectation,
            tuple(told for flow in item.flows for told in _told(item.expectation.wish, flow, measured, left_out)),
        )
        for item in covered
    )


def _told(
    wish: Wish, flow: ExpectedFlow, measured: Mapping[Way, Sequence[Judgement]], left_out: Mapping[str, str]
) -> Iterable[Told]:
    """One for each measurement of the flow, on whatever nodes; one that says why where there is none."""
    judged = measured.get((flow.demand, flow.family), ()) if flow.demand is not None else ()
    for item in judged:
        yield _measured(wish, flow, item)
    if not judged:
        yield Told(flow, flow.verdict, Accord.INCONCLUSIVE, f"not tested: {_why(flow, left_out)}")


def _measured(wish: Wish, flow: ExpectedFlow, item: Judgement) -> Told:
    verdict = item.flow.predicted.verdict
    if verdict is flow.verdict:
        return Told(flow, verdict, MEASURED[wish, verdict, item.agreement], item.reason, item.flow.id)
    # Its address, or what admission did to its labels, makes the probe pod another than the pod that is meant.
    reason = f"packets cannot tell, because the probe pod's own verdict is {verdict.name}: {flow.reason}"
    return Told(flow, flow.verdict, Accord.INCONCLUSIVE, reason)


def _why(flow: ExpectedFlow, left_out: Mapping[str, str]) -> str:
    if flow.untested:
        return flow.untested
    if flow.verdict in {Verdict.UNDEFINED, Verdict.UNKNOWN}:
        return f"the verdict is {flow.verdict.name}: {flow.reason}"
    for end in (flow.source, flow.destination):
        if end in left_out:
            return f"{end} has no probe pod: {left_out[end]}"
    if flow.demand is not None and flow.demand.source == flow.demand.destination:
        return "there is room for one probe pod of the identity only"
    return "the plan has no room for it"


def entry_of(answer: Answer) -> doc.ExpectationEntry:
    """An expectation and what came of it, as reports hold it."""
    item = answer.expectation
    return doc.ExpectationEntry(
        name=item.name,
        source=item.source,
        destination=item.destination,
        port=f"{item.port}/{item.protocol.value}",
        expected=item.wish.value,
        reason=item.reason,
        place=item.place,
        accord=answer.accord.value,
        meaning=MEANINGS[answer.accord],
        flows=[_expected(told) for told in answer.told],
    )


def _expected(told: Told) -> doc.ExpectedFlowEntry:
    flow = told.flow
    return doc.ExpectedFlowEntry(
        source=flow.source,
        destination=flow.destination,
        family=flow.family.value,
        protocol=flow.protocol.value,
        port=flow.port,
        verdict=told.verdict.value,
        accord=told.accord.value,
        reason=told.reason,
        flow=told.id,
    )

"""Flows that were wrong at first and right within the settle time.

That a denied flow got through is certain: its nonce came back.  That an allowed one had no answer at first may be the
listener's doing as well, which is looked at before and after the flows and not between.
"""

from __future__ import annotations

from auditor.diagnosis.case import Case, Group, evidence_of, finding_id, grouped, ports_of
from auditor.model.finding import Agreement, Confidence, Finding, Judgement, Severity
from auditor.model.flow import PolicyRef, Verdict

DENIED_LATE = "the network plugin takes policies into force some time after a pod starts"
PROTECT = "if new pods must be protected from their first packet, use the network plugin's strict start mode"
ALLOWED_LATE = (
    "the network plugin lets a new pod's allowed connections through some time after it starts, or its node was busy"
)
LOOK = "run again; where it comes back, look at the network plugin's log for the first minute of such a pod"


def find(case: Case) -> tuple[Finding, ...]:
    """One finding for each set of policies and pair of workloads."""
    groups = grouped(case, case.of(Agreement.LATE), _policies)
    return tuple(_finding(case, group, items) for group, items in groups.items())


def _policies(judgement: Judgement) -> tuple[PolicyRef, ...]:
    decision = judgement.flow.predicted
    return decision.denied_by or tuple(sorted({*decision.egress.isolating, *decision.ingress.isolating}))


def _finding(case: Case, group: Group, late: list[Judgement]) -> Finding:
    flow = late[0].flow
    source, destination = case.end(flow.source), case.end(flow.destination)
    seconds = max(item.settled_after for item in late)
    denied = flow.predicted.verdict is Verdict.DENIED
    said = "was denied" if denied else "was let through"
    return Finding(
        id=finding_id("late", case.cluster_uid, group),
        rule="late",
        severity=Severity.LOW,
        confidence=Confidence.CONFIRMED if denied else Confidence.LIKELY,
        title=f"{source} to {destination} on {ports_of(late)} {said} only after at most {seconds:.0f} s",
        cause=DENIED_LATE if denied else ALLOWED_LATE,
        remedy=PROTECT if denied else LOOK,
        policies=group[0],
        source=source,
        destination=destination,
        flows=tuple(item.flow.id for item in late),
        evidence=evidence_of(case, late),
    )

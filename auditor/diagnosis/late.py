"""Flows that were wrong at first and right within the settle time."""

from __future__ import annotations

from auditor.diagnosis.case import Case, Group, evidence_of, finding_id, grouped, ports_of
from auditor.model.finding import Agreement, Confidence, Finding, Judgement, Severity
from auditor.model.flow import PolicyRef, Verdict


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
        confidence=Confidence.CONFIRMED,
        title=f"{source} to {destination} on {ports_of(late)} {said} only after at most {seconds:.0f} s",
        cause="the network plugin takes policies into force some time after a pod starts",
        remedy="if new pods must be protected from their first packet, use the network plugin's strict start mode",
        policies=group[0],
        source=source,
        destination=destination,
        flows=tuple(item.flow.id for item in late),
        evidence=evidence_of(case, late),
    )

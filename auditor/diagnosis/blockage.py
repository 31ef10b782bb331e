"""Flows that policies allow and that do not get through."""

from __future__ import annotations

from auditor.diagnosis.case import Case, Group, evidence_of, finding_id, grouped, ports_of, shape_of
from auditor.model.finding import Agreement, Finding, Judgement, Severity
from auditor.model.flow import PolicyRef


def find(case: Case) -> tuple[Finding, ...]:
    """One finding for each set of isolating policies and pair of workloads."""
    leaking = shape_of(case).nodes
    groups = grouped(case, case.of(Agreement.BLOCKAGE), _isolating)
    return tuple(_finding(case, leaking, group, items) for group, items in groups.items())


def _isolating(judgement: Judgement) -> tuple[PolicyRef, ...]:
    decision = judgement.flow.predicted
    return tuple(sorted({*decision.egress.isolating, *decision.ingress.isolating}))


def _finding(case: Case, leaking: tuple[str, ...], group: Group, blocked: list[Judgement]) -> Finding:
    flow = blocked[0].flow
    source, destination = case.end(flow.source), case.end(flow.destination)
    cause, remedy = _cause(case, leaking, group, blocked)
    return Finding(
        id=finding_id("blockage", case.cluster_uid, group),
        rule="blockage",
        severity=Severity.MEDIUM,
        confidence=case.confidence,
        title=f"{source} does not reach {destination} on {ports_of(blocked)}, which policy allows",
        cause=cause + case.proviso,
        remedy=remedy,
        policies=group[0],
        source=source,
        destination=destination,
        flows=tuple(item.flow.id for item in blocked),
        evidence=evidence_of(case, blocked),
    )


def _cause(case: Case, leaking: tuple[str, ...], group: Group, blocked: list[Judgement]) -> tuple[str, str]:
    ends = [{case.node(item.flow.source), case.node(item.flow.destination)} for item in blocked]
    strangers = [node for node in leaking if all(node in nodes for nodes in ends)]
    if strangers:
        return (
            (
                f"most likely: the network plugin does not manage the pods on {strangers[0]}, where denials leak too; "
                "to other nodes their addresses belong to no pod, so no selector matches them"
            ),
            f"bring the network plugin's agent to {strangers[0]}, recreate its pods, then run netaudit again",
        )
    if not group[0]:
        return (
            (
                "no NetworkPolicy isolates either end, so something else is in the way: an engine that denies by "
                "default, a policy kind that netaudit does not read, or a firewall"
            ),
            "look for other policy kinds and at the network plugin's enforcement mode",
        )
    return (
        "the network plugin does not carry out an allow rule of the policies named here, or does so too late",
        "look at the network plugin's state for these policies on both nodes, then run netaudit again",
    )

"""Flows that policies deny and that got through."""

from __future__ import annotations

from auditor.diagnosis.case import Case, Group, Shape, evidence_of, finding_id, grouped, ports_of, shape_of
from auditor.model.finding import Agreement, Finding, Judgement, Severity


def find(case: Case) -> tuple[Finding, ...]:
    """One finding for each set of policies and pair of workloads."""
    leaks = case.of(Agreement.LEAK)
    shape = shape_of(case)
    groups = grouped(case, leaks, lambda item: item.flow.predicted.denied_by)
    return tuple(_finding(case, shape, group, items) for group, items in groups.items())


def _finding(case: Case, shape: Shape, group: Group, leaks: list[Judgement]) -> Finding:
    flow = leaks[0].flow
    source, destination = case.end(flow.source), case.end(flow.destination)
    across = case.namespace(flow.source) != case.namespace(flow.destination)
    cause, remedy = _cause(shape)
    return Finding(
        id=finding_id("leak", case.cluster_uid, group),
        rule="leak",
        # Another namespace is where another tenant lives.
        severity=Severity.CRITICAL if across else Severity.HIGH,
        confidence=case.confidence,
        title=f"{source} reaches {destination} on {ports_of(leaks)}, which policy denies",
        cause=cause + case.proviso,
        remedy=remedy,
        policies=group[0],
        source=source,
        destination=destination,
        flows=tuple(item.flow.id for item in leaks),
        evidence=evidence_of(case, leaks),
    )


def _cause(shape: Shape) -> tuple[str, str]:
    sure = "most likely" if shape.is_sure else "suspected, because few flows show it"
    if shape.everywhere:
        return (
            (
                f"{sure}: nothing enforces NetworkPolicy in this cluster; every flow that policies deny and that "
                "gave an answer got through"
            ),
            (
                "install a network plugin that enforces NetworkPolicy, or switch enforcement on in the one that is "
                "there; then run netaudit again"
            ),
        )
    if shape.nodes:
        names = " and ".join(shape.nodes)
        return (
            (
                f"{sure}: {names} does not enforce NetworkPolicy; all leaks need this node alone to deny them, and "
                "other nodes deny theirs"
            ),
            (
                f"look at the network plugin's agent on {names}: kubectl get pods -A -o wide "
                f"--field-selector spec.nodeName={shape.nodes[0]}; restart it, then run netaudit again"
            ),
        )
    return (
        "not determined: the leaks follow neither the whole cluster nor single nodes",
        "compare the policies named here with what the network plugin supports, then run netaudit again",
    )

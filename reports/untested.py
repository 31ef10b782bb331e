"""What the audit did not test: every gap with its reason and the flows that it concerns.

Pure.  A reader must find what was not tested as easily as what was, so all the ways in which something can be left
out meet here, and no view gathers them on its own.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from auditor.model.report import AuditReport
from reports import words
from reports.heatmap import is_control

RUNNING = "running"

INCONCLUSIVE = "tried, inconclusive"
NOT_RUNNING = "probe pod did not run"
NOT_PLANNED = "not planned"
NO_FLOW = "no flow at all"


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that was not tested, or tried without an answer."""

    kind: str
    what: str
    reason: str
    flows: int
    """Flows that it concerns; 0 where they cannot be counted."""


def gaps(report: AuditReport) -> tuple[Gap, ...]:
    """Every gap, by kind; within one kind the largest first."""
    kinds = (_inconclusive(report), _not_running(report), _not_planned(report), _without_flows(report))
    return tuple(gap for kind in kinds for gap in sorted(kind, key=lambda gap: (-gap.flows, gap.what, gap.reason)))


def _inconclusive(report: AuditReport) -> list[Gap]:
    """Flows that were planned and got no judgement, gathered by reason and measured outcome."""
    reasons = Counter(
        (flow.reason or "no reason was given", flow.outcome)
        for flow in report.flows
        if words.agreement_of(flow).key == words.INCONCLUSIVE.key
    )
    met = Counter(
        (item.reason or "no reason was given", item.outcome)
        for item in report.handshakes
        if words.sign_of(words.AGREEMENTS, item.agreement).key == words.INCONCLUSIVE.key
    )
    return [
        *(Gap(INCONCLUSIVE, f"measured: {outcome}", reason, flows) for (reason, outcome), flows in reasons.items()),
        *(
            Gap(INCONCLUSIVE, f"{words.plural(count, 'handshake')}, measured: {outcome}", reason, 0)
            for (reason, outcome), count in met.items()
        ),
    ]


def _not_running(report: AuditReport) -> list[Gap]:
    touched = Counter(end for flow in report.flows for end in {flow.source, flow.destination})
    return [
        Gap(NOT_RUNNING, f"{stand_in.namespace}/{stand_in.pod or stand_in.key}", stand_in.state, touched[stand_in.key])
        for stand_in in report.stand_ins
        if stand_in.state != RUNNING
    ]


def _not_planned(report: AuditReport) -> list[Gap]:
    return [Gap(NOT_PLANNED, skip.what, skip.reason, skip.flows) for skip in report.skipped]


def _without_flows(report: AuditReport) -> list[Gap]:
    """Identities of the cluster that neither start nor end a flow: the matrix is empty there."""
    touched = {end for flow in report.flows for end in (flow.source_identity, flow.destination_identity)}
    return [
        Gap(NO_FLOW, identity.title, "no flow that was planned begins or ends there", 0)
        for identity in report.identities
        if identity.id not in touched and not is_control(identity)
    ]

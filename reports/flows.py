"""Flows as rows: who, to whom, predicted, measured, decided by what; worst first.

Pure.  A row holds raw text; it says nothing that its `FlowEntry` and the titles of both ends do not say.
"""

from __future__ import annotations

from dataclasses import dataclass

from auditor.model.flow import Family, Verdict
from auditor.model.report import AuditReport, FlowEntry
from reports import words
from reports.heatmap import CONTROL_TITLE, is_control, known_identities, port_label
from reports.words import Sign, plural


@dataclass(frozen=True, slots=True)
class FlowEnd:
    """One end of a flow."""

    title: str
    node: str
    """Where the probe pod stood; empty when that is not known."""

    def __str__(self) -> str:
        return f"{self.title} on {self.node}" if self.node else self.title


@dataclass(frozen=True, slots=True)
class FlowRow:
    """One flow, ready to be shown."""

    sign: Sign
    source: FlowEnd
    destination: FlowEnd
    port: str
    """Protocol and port, and the address family unless it is IPv4."""
    predicted: str
    measured: str
    decided_by: str
    """The policies that deny it, or that none does."""
    reason: str
    tries: str
    entry: FlowEntry


def flow_rows(report: AuditReport) -> tuple[FlowRow, ...]:
    """All flows: the worst first, then by source, destination and port."""
    titles = {
        key: CONTROL_TITLE if is_control(identity) else identity.title
        for key, identity in known_identities(report).items()
    }
    nodes = {stand_in.key: stand_in.node for stand_in in report.stand_ins}
    return tuple(sorted((_row(flow, titles, nodes) for flow in report.flows), key=_order))


def _row(flow: FlowEntry, titles: dict[str, str], nodes: dict[str, str]) -> FlowRow:
    return FlowRow(
        sign=words.agreement_of(flow),
        source=FlowEnd(titles[flow.source_identity], nodes.get(flow.source, "")),
        destination=FlowEnd(titles[flow.destination_identity], nodes.get(flow.destination, "")),
        port=_port(flow),
        predicted=flow.verdict,
        measured=flow.outcome,
        decided_by=_decided_by(flow),
        reason=flow.reason,
        tries=_tries(flow),
        entry=flow,
    )


def _order(row: FlowRow) -> tuple[int, str, str, str, int, str, int]:
    flow = row.entry
    return (
        row.sign.rank,
        str(row.source),
        str(row.destination),
        flow.protocol,
        flow.port,
        flow.family,
        flow.id,
    )


def _port(flow: FlowEntry) -> str:
    label = port_label(flow.protocol, flow.port)
    return label if flow.family == Family.IPV4.value else f"{label} {flow.family}"


_WITHOUT_POLICY = {
    Verdict.ALLOWED.value: "no policy denies it",
    Verdict.UNDEFINED.value: "the API leaves it open",
    Verdict.UNKNOWN.value: "not modelled, or not readable",
}


def _decided_by(flow: FlowEntry) -> str:
    if not flow.policies and not flow.denied_by:
        return _WITHOUT_POLICY.get(flow.verdict, "policies not named")
    policies = ", ".join(sorted(flow.policies)) or "policies not named"
    return f"{policies} ({' and '.join(sorted(flow.denied_by))})" if flow.denied_by else policies


def _tries(flow: FlowEntry) -> str:
    """How often it was tried, how long the last try took, and when it settled."""
    parts = [plural(flow.tries, "try", "tries")]
    if flow.milliseconds >= 0:
        parts.append(f"{flow.milliseconds:,} ms")
    if flow.settled_after_seconds > 0:
        parts.append(f"right after {flow.settled_after_seconds:.1f} s")
    return ", ".join(parts)

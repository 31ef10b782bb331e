"""Several clusters side by side, worst first: what a fleet page shows of each (design: one cluster is one row).

Pure.  Texts are raw: each format neutralises them on its own edge.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from auditor.model.finding import Proof
from auditor.model.report import AuditReport
from reports import words
from reports.view import is_incomplete, percent
from reports.words import Sign, plural

INGRESS, EGRESS = "Ingress", "Egress"
NOT_AUDITED = Sign("inconclusive", "?", "not audited", 1)
NOT_ENFORCED = Sign("leak", "!", "not enforced", 0)
PARTLY = Sign("leak", "!", "in part", 1)
NOT_SHOWN = Sign("inconclusive", "?", "not shown", 2)
NOT_ASKED = Sign("not-tested", "·", "no policy asks", 3)
WHERE_TRIED = Sign("expected", "✓", "where tried", 4)
"""Enforced on some nodes, while on all others no denial could be tried."""
ENFORCED = Sign("expected", "✓", "enforced", 5)
NAMED = 3
"""Nodes that are named where some enforce and some do not."""


@dataclass(frozen=True, slots=True)
class Member:
    """One cluster of a fleet: its report, or why there is none."""

    name: str
    link: str
    """Where its own page is, relative to the fleet's; empty where it has none."""
    report: AuditReport | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Enforced:
    """Whether one direction is enforced, by all nodes of a cluster together."""

    sign: Sign
    note: str


@dataclass(frozen=True, slots=True)
class Row:
    """What a reader sees of one cluster."""

    status: Sign
    name: str
    link: str
    about: str
    """Its version, size, and what it is."""
    sentence: str
    ingress: Enforced
    egress: Enforced
    worst: str
    """The cause of the worst finding, where one is known, else its title."""
    severity: str
    """Empty where there is none."""
    coverage: str
    enough: bool
    """Whether coverage is what was wanted, and nothing is missing."""
    age: str
    finished: str


@dataclass(frozen=True, slots=True)
class Fleet:
    """The page: a sentence about all, and a row for each, worst first."""

    status: Sign
    sentence: str
    rows: tuple[Row, ...]
    made: str


def fleet(members: Iterable[Member], made: str) -> Fleet:
    """Compare clusters; `made` is the time of the page (RFC 3339, UTC), from which ages count."""
    rows = tuple(sorted((_row(member, made) for member in members), key=_rank))
    status = min((row.status for row in rows), key=lambda sign: sign.rank, default=NOT_AUDITED)
    return Fleet(status, _sentence(rows), rows, made)


def _rank(row: Row) -> tuple[int, int, int, int, str]:
    worst = words.severity_rank(row.severity) if row.severity else len(words.SEVERITIES) + 1
    first, second = sorted((row.ingress.sign.rank, row.egress.sign.rank))
    return row.status.rank, first, second, worst, row.name


def _is_open(row: Row) -> bool:
    return NOT_ENFORCED.key in (row.ingress.sign.key, row.egress.sign.key)


def _sentence(rows: Sequence[Row]) -> str:
    if not rows:
        return "No cluster was audited."
    total = plural(len(rows), "cluster")
    found = [row for row in rows if row.status.key == words.STATUSES["findings"].key]
    open_ones = [row for row in found if _is_open(row)]
    missing = [row for row in rows if row.status.key == NOT_AUDITED.key]
    parts = []
    if open_ones:
        parts.append(f"policies are not enforced everywhere in {len(open_ones)} of {total}")
    others = len(found) - len(open_ones)
    if others:
        parts.append(f"{others} of {total} {'has' if others == 1 else 'have'} other findings")
    if missing:
        parts.append(f"{len(missing)} of {total} could not be audited in full")
    said = "; ".join(parts) or f"no finding in {total}"
    return f"{said[0].upper()}{said[1:]}."


def _row(member: Member, made: str) -> Row:
    report = member.report
    if report is None:
        return _unread(member)
    summary = report.summary
    worst = min(report.findings, key=lambda item: (words.severity_rank(item.severity), item.id), default=None)
    return Row(
        status=words.sign_of(words.STATUSES, summary.status),
        name=member.name,
        link=member.link,
        about=_about(report),
        sentence=summary.sentence,
        ingress=_enforced(report, INGRESS),
        egress=_enforced(report, EGRESS),
        worst=(worst.cause or worst.title) if worst else "",
        severity=worst.severity if worst else "",
        coverage=percent(summary.coverage) if summary.planned else "none",
        enough=not is_incomplete(summary),
        age=age(report.run.finished, made),
        finished=report.run.finished,
    )


def _unread(member: Member) -> Row:
    nothing = Enforced(NOT_SHOWN, "")
    return Row(
        status=NOT_AUDITED,
        name=member.name,
        link=member.link,
        about="",
        sentence=member.why,
        ingress=nothing,
        egress=nothing,
        worst="",
        severity="",
        coverage="none",
        enough=False,
        age="",
        finished="",
    )


def _about(report: AuditReport) -> str:
    cluster, run = report.cluster, report.run
    parts = [
        f"Kubernetes {cluster.server_version}",
        plural(cluster.nodes, "node"),
        plural(cluster.pods, "pod"),
        plural(cluster.policies, "policy", "policies"),
    ]
    if run.sandbox:
        parts.append(f"sandbox with the fault {run.fault}" if run.fault else "sandbox")
    return ", ".join(parts)


def _enforced(report: AuditReport, direction: str) -> Enforced:
    """One direction on all nodes: nobody is called enforcing of whom nothing is proven."""
    mine = [claim for claim in report.nodes if claim.direction == direction]
    asked = [claim for claim in mine if claim.proof != Proof.NOT_APPLICABLE.value]
    if not asked:
        return Enforced(NOT_ASKED, "")
    leaking = [claim.subject for claim in asked if claim.proof == Proof.LEAKING.value]
    proven = [claim.subject for claim in asked if claim.proof == Proof.PROVEN.value]
    every = max(report.cluster.nodes, len(mine))
    shown = f"proven on {len(proven)} of {plural(every, 'node')}"
    if leaking:
        return Enforced(PARTLY if proven else NOT_ENFORCED, f"not on {_nodes(leaking)}; {shown}")
    if len(proven) < len(asked):
        return Enforced(NOT_SHOWN, shown)
    if len(proven) < every:
        return Enforced(WHERE_TRIED, f"{shown}; nothing to try on the others")
    return Enforced(ENFORCED, shown)


def _nodes(names: Sequence[str]) -> str:
    named = ", ".join(sorted(names)[:NAMED])
    return named + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")


def age(finished: str, made: str) -> str:
    """How long ago that was, in words; both RFC 3339.  Empty where one of them is no time, or is the later one."""
    try:
        passed = datetime.fromisoformat(made) - datetime.fromisoformat(finished)
    except (ValueError, TypeError):
        return ""
    for unit, length in (("day", timedelta(days=1)), ("hour", timedelta(hours=1)), ("minute", timedelta(minutes=1))):
        if passed >= length:
            return f"{plural(int(passed / length), unit)} ago"
    return "now" if passed >= timedelta(0) else ""

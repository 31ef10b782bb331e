"""What `netaudit demo` says on stdout: the clusters of its story with what was found in each, and the list of faults.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from auditor.identities import UNNAMED_PORTS
from auditor.model.finding import Agreement
from auditor.model.flow import Family, Verdict
from auditor.model.report import AuditReport
from reports import words
from reports.columns import MIN_WIDTH, Ink, paragraph, table
from reports.flows import FlowRow, flow_rows
from reports.heatmap import CONTROL_TITLE
from reports.plain import plain

WIDTH = 100
EXAMPLES = 2
"""Flows that are told of one cluster."""
INDENT = "    "


@dataclass(frozen=True, slots=True)
class Told:
    """One cluster of the story and its report."""

    title: str
    story: str
    page: str
    """The name of its page's file, beside the page of all."""
    report: AuditReport
    unseen: bool = False
    """Whether its engine has a fault that should show in flows, and nothing in these manifests shows it."""


@dataclass(frozen=True, slots=True)
class FaultRow:
    """One fault of a sandbox's engine."""

    name: str
    sentence: str
    command: str
    """The command of netaudit that shows it."""
    finds: Agreement | None
    """What that must find; None where it must find nothing."""


def render(told: Sequence[Told], page: str, settle: float, *, own: bool, fault: str, width: int = WIDTH) -> str:
    """Tell the story; `page` is the path of the page of all, `own` whether manifests were the reader's."""
    width = max(MIN_WIDTH, min(width, WIDTH))
    lines = [*_head(settle, _what(own=own, fault=fault), width)]
    for item in told:
        lines += ["", *_cluster(item, width)]
    lines += ["", *_pages(told, page, width), "", *_next(width, own=own, fault=fault)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _what(*, own: bool, fault: str) -> str:
    if own:
        return "Your manifests"
    return "A shop that uses all of NetworkPolicy" if fault else "The examples of the guides"


def _head(settle: float, what: str, width: int) -> Iterator[str]:
    yield from paragraph(
        f"{what} on clusters made of network namespaces on this machine: real packets, and the same audit as on a real "
        f"cluster. Surprises were tried again for {settle:g} s; on your cluster it is 45 s.",
        width,
    )


def _cluster(told: Told, width: int) -> Iterator[str]:
    summary = told.report.summary
    sign = words.sign_of(words.STATUSES, summary.status)
    yield from paragraph(f"{told.title}: exit code {summary.exit_code}", width, f"{sign.glyph} ", "  ")
    if told.story:
        yield from paragraph(told.story, width, INDENT)
    yield from paragraph(_found(told.report), width, INDENT)
    for row in _examples(told.report):
        where = f" on {row.destination.node}" if told.report.cluster.nodes > 1 else ""
        policies = sorted(row.entry.policies)
        denied = f"{' and '.join(policies)} {'denies' if len(policies) == 1 else 'deny'}"
        text = f"{row.source.title} reaches {row.destination.title}{where} on {row.port}, which {denied}"
        yield from paragraph(text, width, f"{INDENT}{row.sign.glyph} ", f"{INDENT}  ")
    if told.unseen:
        yield from paragraph("Nothing in these manifests shows it: no pod stands where it would.", width, INDENT)


def _found(report: AuditReport) -> str:
    summary = report.summary
    denied = [flow for flow in report.flows if flow.verdict == Verdict.DENIED.value]
    late = sum(flow.agreement == Agreement.LATE.value for flow in denied)
    told = [f"{summary.leaks:,} of {words.plural(len(denied), 'flow')} that policies deny got through"]
    if not denied:
        told = ["no policy denies any of them"]
    if late:
        told.append(f"{late:,} more did at first, and not in the end")
    if summary.blockages:
        told.append(f"{words.plural(summary.blockages, 'flow')} that they allow did not")
    if summary.late > late:
        told.append(f"{words.plural(summary.late - late, 'flow')} that they allow did only after a while")
    if summary.inconclusive:
        told.append(f"{summary.inconclusive:,} without proof either way")
    return f"{words.plural(summary.planned, 'flow')} tried: {', '.join(told)}."


def _examples(report: AuditReport) -> list[FlowRow]:
    """Leaks that are told by name, of different policies: those that every reader of the guides would try first."""
    found: dict[tuple[str, ...], FlowRow] = {}
    leaks = [row for row in flow_rows(report) if row.sign.key == words.LEAK.key]
    for row in sorted(leaks, key=_by_ease):
        found.setdefault(tuple(sorted(row.entry.policies)), row)
    return list(found.values())[:EXAMPLES]


def _by_ease(row: FlowRow) -> tuple[bool, ...]:
    """Easiest first: within a namespace, between workloads, on a port that one would try, over IPv4."""
    source, destination = (end.title.partition("/")[0] for end in (row.source, row.destination))
    return (
        row.source.title == CONTROL_TITLE,
        row.entry.port in UNNAMED_PORTS,
        row.entry.family != Family.IPV4.value,
        source != destination,
    )


def _pages(told: Sequence[Told], page: str, width: int) -> list[str]:
    folder = page.rpartition("/")[0]
    head = paragraph(f"Open {page}, which puts them side by side and leads to", width)
    return head + [plain(f"  {f'{folder}/{item.page}' if folder else item.page}") for item in told]


def _next(width: int, *, own: bool, fault: str) -> list[str]:
    mine = "netaudit run --sandbox -f DIR --expect FILE" if own else "netaudit run --sandbox -f DIR"
    meant = (
        "the same for a pull request, with its exit code" if own else "your own manifests, before a cluster sees them"
    )
    other = "netaudit demo --list-faults" if fault else "netaudit demo --fault ingress-only"
    more = "other ways in which engines fail" if fault else "another way engines fail; --list-faults names all"
    rows = [
        (mine, meant),
        (other, more),
        ("netaudit run --dry-run", "what a run on your own cluster would make and try"),
    ]
    widest = max(len(command) for command, _ in rows)
    lines = [f"  {command:<{widest}}   {meaning}" for command, meaning in rows]
    if max(map(len, lines)) > width:
        lines = [line for command, meaning in rows for line in (f"  {command}", *paragraph(meaning, width, "      "))]
    return ["Try next:", *lines]


def render_faults(faults: Iterable[FaultRow]) -> str:
    """The faults as a table, in their order."""
    rows = [(item.name, item.sentence, item.command, _finding(item)) for item in faults]
    lines = table(("fault", "what the engine does", "shown by", "found"), rows, WIDTH, Ink(color=False))
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _finding(fault: FaultRow) -> str:
    return "nothing" if fault.finds is None else words.sign_of(words.AGREEMENTS, fault.finds.value).word

"""`-o table`: the report for a terminal.  Answer first, then what to do, then the proof and its limits.

Pure.  What is shown and in which order comes from `view`; how it fits the width, and that hostile text stays harmless,
is the business of `columns`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from auditor.model.report import AuditReport
from reports import enforcement, handshakes, pings, service_paths
from reports.columns import MIN_WIDTH, Cell, Ink, Painted, paragraph, table, table_width
from reports.expectations import HEADERS, sentence
from reports.heatmap import NamespaceCell, NamespaceMatrix
from reports.view import Cause, Claims, Found, View, view
from reports.words import AGREEMENTS, NOT_TESTED, Sign, plural

WIDTH = 100
ROWS = 50
"""Rows of one table; how many were left out is said, and report.json has them all."""
FLOW_ROWS = 200
"""Flows not as predicted: a reader mends these one by one."""

_MEANINGS = (
    "leak: predicted denied, measured reached. blockage: predicted allowed, measured not reached. "
    "late: right after a while."
)


def render(report: AuditReport) -> str:
    """Write the report for a terminal of usual width, without colour."""
    return render_width(report, WIDTH, color=False)


def render_width(report: AuditReport, width: int, *, color: bool) -> str:
    """Write the report for a terminal of `width` columns, at least 40."""
    page = _Page(view(report), max(width, MIN_WIDTH), Ink(color))
    return "\n".join(line.rstrip() for line in page.lines()) + "\n"


@dataclass(frozen=True, slots=True)
class _Page:
    """One report being laid out."""

    view: View
    width: int
    ink: Ink

    def lines(self) -> Iterator[str]:
        """Give the whole page, from the answer to the method."""
        yield from self.answer()
        yield from self.section("Findings", self.findings())
        yield from self.section("Expectations", self.expectations())
        yield from self.section("Handshakes beyond probe pods", self.handshakes())
        yield from self.section("Flows not as predicted", self.surprises())
        yield from self.section("Not tested", self.gaps())
        yield from self.section("Namespaces: flows from rows to columns", self.namespaces())
        yield from self.section("Policies", self.policies())
        yield from self.section("Nodes", self.claims(self.view.nodes, "node"))
        yield from self.section("Time to enforce", self.timed())
        yield from self.section("Paths through Services", self.service_paths())
        yield from self.section("Names", self.names())
        yield from self.section(pings.TITLE, self.pings())
        yield from self.section("Limits", self.points(self.view.report.limits))
        yield from self.section("Warnings", self.points(self.view.report.warnings))
        yield from self.section("Pods that stay marked", self.points(self.view.marked))
        yield from self.section("Left in the cluster", self.points(self.view.report.leftovers))
        yield from self.section("Method", self.environment())

    def section(self, title: str, body: Iterator[str]) -> Iterator[str]:
        """Put a heading over its lines; nothing at all when there are none."""
        lines = list(body)
        if lines:
            yield ""
            yield self.ink.paint("heading", title)
            yield from lines

    def answer(self) -> Iterator[str]:
        """Give the verdict sentence, the counts, and what to do."""
        status = self.view.status
        for line in paragraph(self.view.sentence, self.width, f"{status.glyph} ", "  "):
            yield self.ink.paint(status.key, line)
        yield from paragraph(self.view.counts, self.width)
        yield ""
        yield self.ink.paint("heading", "What to do")
        for number, step in enumerate(self.view.next_steps, 1):
            yield from paragraph(step, self.width, f"{number}. ", "   ")

    def findings(self) -> Iterator[str]:
        """Gather findings under the cause that they share, so that one remedy is told once."""
        for number, cause in enumerate(self.view.causes):
            if number:
                yield ""
            yield from self.cause(cause)

    def cause(self, cause: Cause) -> Iterator[str]:
        """Tell the findings of one cause, then the cause and its remedy."""
        for finding in cause.findings[:ROWS]:
            yield from self.finding(finding)
        yield from self.left_out(cause.findings, "findings of this cause")
        yield from paragraph(cause.cause, self.width, "  cause   ", " " * 10)
        yield from paragraph(cause.remedy, self.width, "  remedy  ", " " * 10)

    def finding(self, found: Found) -> Iterator[str]:
        """Tell one finding: how bad, how sure, what, where, with which proof."""
        finding = found.entry
        lead = f"{finding.severity.upper()} ({finding.confidence}) {finding.title}"
        for line in paragraph(lead, self.width, "! ", "  "):
            yield self.ink.paint("leak", line)
        facts = (found.ends, plural(len(finding.flows), "flow"), f"id {finding.id}", f"rule {finding.rule}")
        yield from paragraph(", ".join(fact for fact in facts if fact), self.width, "  ")
        if finding.policies:
            yield from paragraph(", ".join(sorted(finding.policies)), self.width, "  policy  ", " " * 10)
        for evidence in finding.evidence[:3]:
            yield from paragraph(evidence, self.width, "  proof   ", " " * 10)

    def expectations(self) -> Iterator[str]:
        """List what the user said must work or must not, and what came of it."""
        found = self.view.expectations
        rows: list[list[Cell]] = [
            [
                _said(row.sign),
                row.title,
                row.entry.expected,
                row.kept,
                row.because,
            ]
            for row in found[:ROWS]
        ]
        if rows:
            yield from paragraph(sentence(found), self.width)
            yield from table(HEADERS, rows, self.width, self.ink)
        yield from self.left_out(found, "expectations")

    def handshakes(self) -> Iterator[str]:
        """List what was tried with listeners that are none of ours, and what came of it."""
        found = self.view.handshakes
        rows: list[list[Cell]] = [
            [
                _said(row.sign),
                row.source,
                row.entry.target,
                row.port,
                row.expected,
                row.because,
            ]
            for row in found[:ROWS]
        ]
        if rows:
            yield from paragraph(handshakes.sentence(found), self.width)
            yield from table(handshakes.HEADERS, rows, self.width, self.ink)
        yield from self.left_out(found, "handshakes")

    def timed(self) -> Iterator[str]:
        """List how soon policies held on each node."""
        found = self.view.timed
        rows: list[list[Cell]] = [
            [
                _said(row.sign),
                row.entry.change,
                row.entry.node,
                row.entry.direction,
                row.entry.tries,
                row.entry.reason,
            ]
            for row in found[:ROWS]
        ]
        if rows:
            yield from paragraph(f"{enforcement.sentence(found)} {enforcement.MEANING}", self.width)
            yield from table(enforcement.HEADERS, rows, self.width, self.ink)
        yield from self.left_out(found, "figures")

    def service_paths(self) -> Iterator[str]:
        """List the ways to netaudit's own pod."""
        found = self.view.service_paths
        rows: list[list[Cell]] = [
            [
                _said(row.sign),
                row.entry.way,
                row.source,
                row.target,
                row.entry.verdict,
                row.entry.reason,
            ]
            for row in found[:ROWS]
        ]
        if rows:
            yield from paragraph(f"{service_paths.sentence(found)} {service_paths.MEANING}", self.width)
            yield from table(service_paths.HEADERS, rows, self.width, self.ink)
        yield from self.left_out(found, "paths")

    def names(self) -> Iterator[str]:
        """List what DNS said, and how long that took."""
        found = self.view.names
        rows: list[list[Cell]] = [
            [
                _said(row.sign),
                row.entry.name,
                row.entry.source_node,
                row.time,
                row.because,
            ]
            for row in found[:ROWS]
        ]
        if rows:
            yield from paragraph(service_paths.NAMES_MEANING, self.width)
            yield from table(service_paths.NAME_HEADERS, rows, self.width, self.ink)
        yield from self.left_out(found, "names")

    def pings(self) -> Iterator[str]:
        """List what came of ICMP, pairs that came out alike together."""
        found = self.view.pings
        rows: list[list[Cell]] = [
            [
                _said(row.sign),
                row.between,
                row.pairs,
                row.examples,
                row.told,
            ]
            for row in found[:ROWS]
        ]
        if rows:
            yield from paragraph(f"{pings.sentence(found)} {pings.MEANING}", self.width)
            yield from table(pings.HEADERS, rows, self.width, self.ink)
        yield from self.left_out(found, "groups of pings")

    def surprises(self) -> Iterator[str]:
        """List leaks, blockages and late flows, each with its policy."""
        rows: list[list[Cell]] = [
            [
                _said(row.sign),
                str(row.source),
                str(row.destination),
                row.port,
                row.decided_by,
            ]
            for row in self.view.surprises[:FLOW_ROWS]
        ]
        if rows:
            yield from table(("agreement", "from", "to", "port", "policy"), rows, self.width, self.ink)
            yield from paragraph(_MEANINGS, self.width)
        yield from self.left_out(self.view.surprises, "flows", FLOW_ROWS)

    def namespaces(self) -> Iterator[str]:
        """Draw the matrix where it fits, or say where to find it."""
        matrix = self.view.namespaces
        if not matrix.axis:
            return
        headers, rows = _matrix(matrix)
        if table_width(headers, rows) > self.width:
            size = len(matrix.axis)
            yield from paragraph(
                f"The matrix of {size} by {size} namespaces needs more columns than this terminal has; "
                "-o html=FILE shows it.",
                self.width,
            )
            return
        yield from table(headers, rows, self.width, self.ink)
        signs = (*AGREEMENTS.values(), NOT_TESTED)
        yield from paragraph(", ".join(f"{sign.glyph} {sign.word}" for sign in signs), self.width)

    def policies(self) -> Iterator[str]:
        """List directions of policies, then the rules of which there is no proof."""
        yield from self.claims(self.view.policies, "policy")
        if self.view.rules.sentence:
            yield ""
            yield from self.claims(self.view.rules, "rule")

    def claims(self, claims: Claims, subject: str) -> Iterator[str]:
        """List which directions are proven, and what is missing for the others."""
        rows: list[list[Cell]] = [
            [
                _said(claim.sign),
                claim.entry.subject,
                claim.entry.direction,
                claim.entry.flows,
                claim.entry.reason,
            ]
            for claim in claims.claims[:ROWS]
        ]
        yield from paragraph(claims.sentence, self.width)
        if rows:
            yield from table(("proof", subject, "direction", "flows", "reason"), rows, self.width, self.ink)
        yield from self.left_out(claims.claims, "rows")

    def gaps(self) -> Iterator[str]:
        """List everything that was left out or gave no answer."""
        rows: list[list[Cell]] = [[gap.kind, gap.what, gap.flows or "-", gap.reason] for gap in self.view.gaps[:ROWS]]
        if rows:
            yield from table(("kind", "what", "flows", "reason"), rows, self.width, self.ink)
        else:
            yield from paragraph("Nothing that was planned was left out.", self.width)
        yield from self.left_out(self.view.gaps, "rows")

    def points(self, texts: Sequence[str]) -> Iterator[str]:
        """Write sentences as a list."""
        for text in texts:
            yield from paragraph(text, self.width, "- ", "  ")

    def environment(self) -> Iterator[str]:
        """Tell what was audited, and how."""
        column = max(len(label) for label, _ in self.view.environment) + 2
        for label, value in self.view.environment:
            yield from paragraph(value, self.width, label.ljust(column), " " * column)

    def left_out(self, items: Sequence[object], noun: str, shown: int = ROWS) -> Iterator[str]:
        """Say how many rows are not shown."""
        if len(items) > shown:
            yield from paragraph(f"... and {len(items) - shown:,} more {noun}; -o json has all of them.", self.width)


def _matrix(matrix: NamespaceMatrix) -> tuple[list[str], list[list[Cell]]]:
    headers = ["from \\ to", *(axis.title for axis in matrix.axis)]
    rows: list[list[Cell]] = [
        [axis.title, *(Painted(cell.sign, _counted(cell)) for cell in row)]
        for axis, row in zip(matrix.axis, matrix.rows, strict=True)
    ]
    return headers, rows


def _said(sign: Sign) -> Painted:
    return Painted(sign, f"{sign.glyph} {sign.word}")


def _counted(cell: NamespaceCell) -> str:
    return " ".join(f"{count.sign.glyph}{count.flows}" for count in cell.counts) or NOT_TESTED.glyph

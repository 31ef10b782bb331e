"""What changes between two sets of manifests, for a person and for a program; flows that open come first.

Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from auditor.model.flow import Verdict
from auditor.model.matrix import Query
from auditor.model.prediction import Change, Difference
from auditor.model.problem import Effect, Problem
from reports.columns import Cell, Ink, paragraph, table
from reports.json_text import encode
from reports.prediction.view import port_name
from reports.problems import problem_lines
from reports.words import plural

SCHEMA = "netaudit.difference/1"
WIDTH = 120
CHANGES = 60
"""Lines of one section."""
WORKLOADS = 20
_INK = Ink(color=False)


@dataclass(frozen=True, slots=True)
class ChangeEntry:
    """A flow between two workloads that is judged differently; a verdict is null where an end did not exist."""

    source: str
    destination: str
    family: str
    protocol: str
    port: int
    before: str | None
    after: str | None
    because: list[str]


@dataclass(frozen=True, slots=True)
class ProblemEntry:
    """Something to mend in the input, and in which: `old`, `new` or `both`."""

    effect: Effect
    file: str
    line: int | None
    object: str
    what: str
    why: str
    attempt: str
    side: str


@dataclass(frozen=True, slots=True)
class PortEntry:
    """A port of a protocol."""

    protocol: str
    port: int


@dataclass(frozen=True, slots=True)
class Document:
    """What `-o json` writes."""

    schema: str
    old: str
    new: str
    flows: int
    """Flows that were compared."""
    opened: list[ChangeEntry]
    closed: list[ChangeEntry]
    other: list[ChangeEntry]
    """Changes to UNDEFINED and UNKNOWN."""
    appeared: list[str]
    """Workloads that only the new manifests have."""
    vanished: list[str]
    problems: list[ProblemEntry]
    unnamed_ports: list[PortEntry]
    """Ports that no policy names and no container declares: each stands for all of its kind."""


def render_json(difference: Difference) -> str:
    """Write every change."""
    document = Document(
        schema=SCHEMA,
        old=difference.old,
        new=difference.new,
        flows=difference.flows,
        opened=[_entry(change) for change in difference.opened],
        closed=[_entry(change) for change in difference.closed],
        other=[_entry(change) for change in difference.other],
        appeared=list(difference.appeared),
        vanished=list(difference.vanished),
        problems=[_problem(item, side) for side, _, items in _sides(difference) for item in items],
        unnamed_ports=[PortEntry(protocol.value, port) for protocol, port in difference.unnamed],
    )
    return encode(document)


def _sides(difference: Difference) -> Iterator[tuple[str, str, tuple[Problem, ...]]]:
    """The problems of both inputs and of each, with a word and a title."""
    yield "both", "Problems of the input, old and new", difference.problems
    yield "old", "Problems of the input, old only", difference.old_problems
    yield "new", "Problems of the input, new only", difference.new_problems


def _problem(item: Problem, side: str) -> ProblemEntry:
    return ProblemEntry(item.effect, item.file, item.line, item.object, item.what, item.why, item.attempt, side)


def _entry(change: Change) -> ChangeEntry:
    return ChangeEntry(
        change.source,
        change.destination,
        change.family.value,
        change.query[0].value,
        change.query[1],
        change.before.value if change.before is not None else None,
        change.after.value if change.after is not None else None,
        list(change.because),
    )


def render_table(difference: Difference) -> str:
    """Write the changes as plain text, `WIDTH` columns wide at most."""
    return "\n".join(line.rstrip() for line in _page(difference)) + "\n"


def _page(difference: Difference) -> Iterator[str]:
    yield from paragraph(_sentence(difference), WIDTH, "", "  ")
    for _, title, problems in _sides(difference):
        yield from _section(title, problem_lines(problems, WIDTH))
    for title, part in zip(("Opened", "Closed", "Changed otherwise"), _parts(difference), strict=True):
        yield from _section(f"{title} ({len(part):,})", _changes(part, difference))
    yield from _section("Only in the new manifests", _names(difference.appeared))
    yield from _section("Only in the old manifests", _names(difference.vanished))


def _parts(difference: Difference) -> tuple[tuple[Change, ...], ...]:
    return difference.opened, difference.closed, difference.other


def _sentence(difference: Difference) -> str:
    opened, closed, other = (len(part) for part in _parts(difference))
    counts = f"{opened:,} opened, {closed:,} closed, {other:,} changed otherwise"
    if not opened + closed + other:
        counts = "nothing changes" if difference.flows else "nothing could be compared"
    return f"{difference.old} -> {difference.new}: {counts}, of {plural(difference.flows, 'flow')} that were compared"


def _section(title: str, body: Iterator[str]) -> Iterator[str]:
    """Put a heading over its lines; nothing at all when there are none."""
    lines = list(body)
    if lines:
        yield from ("", title, *lines)


def _changes(changes: Sequence[Change], difference: Difference) -> Iterator[str]:
    families = len({change.family for part in _parts(difference) for change in part}) > 1
    rows: list[list[Cell]] = [
        [
            change.source,
            change.destination,
            _port(change, difference.unnamed, families=families),
            f"{_word(change.before)} -> {_word(change.after)}",
            ", ".join(change.because),
        ]
        for change in changes[:CHANGES]
    ]
    if rows:
        yield from table(("from", "to", "port", "verdict", "because of"), rows, WIDTH, _INK)
    if len(changes) > CHANGES:
        yield f"... and {len(changes) - CHANGES:,} more; -o json has all of them"


def _port(change: Change, unnamed: Sequence[Query], *, families: bool) -> str:
    name = port_name(change.query, unnamed)
    return f"{name} {change.family.value}" if families else name


def _word(verdict: Verdict | None) -> str:
    return "no such end" if verdict is None else verdict.value


def _names(names: Sequence[str]) -> Iterator[str]:
    for name in names[:WORKLOADS]:
        yield from paragraph(name, WIDTH, "- ", "  ")
    if len(names) > WORKLOADS:
        yield f"... and {len(names) - WORKLOADS:,} more; -o json has all of them"


DIFFERENCES: dict[str, Callable[[Difference], str]] = {"table": render_table, "json": render_json}
"""By the names that users type after `-o`."""

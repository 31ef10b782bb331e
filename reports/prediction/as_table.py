"""`-o table`: a prediction for a person.  What is odd first, then how far policies reach, then who may talk to whom.

Pure.  Nothing here is wider than `WIDTH`, whatever the terminal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from auditor.accord import entry_of
from auditor.census import VERDICTS, Asked, Total, asked, totals
from auditor.model.flow import Verdict
from auditor.model.prediction import Prediction
from reports import words
from reports.columns import Cell, Ink, Painted, paragraph, table
from reports.expectations import HEADERS, expected_rows, sentence
from reports.plain import plain
from reports.prediction import view
from reports.prediction.grid_text import NAME, grid_lines
from reports.prediction.grids import Grids, grids
from reports.problems import problem_lines
from reports.words import plural

WIDTH = 120
FINDINGS = 12
REMEDIES = 6
"""Up to so many findings have their remedies told too."""
COVERED = 40
EXPECTED = 100
ALL_COVERED = 12
"""Up to so many namespaces are all told; of more, those that deny by default both ways are counted."""
UNSELECTED = 20
REASONS = 20
PORTS = 40
MEMBERS = 60
GRID_LINES = 300
"""Lines of truth tables; the last table is told to its end."""

_INK = Ink(color=False)


def render(prediction: Prediction) -> str:
    """Write the prediction as plain text."""
    return "\n".join(line.rstrip() for line in _page(prediction)) + "\n"


def _page(prediction: Prediction) -> Iterator[str]:
    yield from _head(prediction)
    yield from _section("Expectations", _expectations(prediction))
    yield from _section("Findings", _findings(prediction))
    yield from _section("Problems of the input", problem_lines(prediction.problems, WIDTH))
    yield from _section("Warnings", _points(prediction.warnings))
    yield from _section("Unknown, because", _points(prediction.unread))
    yield from _section("Default deny by namespace", _coverage(prediction))
    yield from _section("Selected by no policy", _unselected(prediction))
    yield from _section(
        "Outside of the matrix", _points([f"pods that {it.reason}: {it.pods:,}" for it in prediction.excluded])
    )
    items = asked(prediction)
    found = totals(prediction, items)
    yield from _section("Pairs of pods by port", _totals(prediction, found))
    yield from _section("Who may talk to whom", _matrix(prediction, items))


def _section(title: str, body: Iterator[str]) -> Iterator[str]:
    """Put a heading over its lines; nothing at all when there are none."""
    lines = list(body)
    if lines:
        yield from ("", title, *lines)


def _head(prediction: Prediction) -> Iterator[str]:
    counts = (
        plural(prediction.pods, "pod"),
        plural(len(prediction.namespaces), "namespace"),
        plural(prediction.policies, "policy", "policies"),
    )
    yield from paragraph(f"{prediction.origin}: {counts[0]} in {counts[1]}, {counts[2]}", WIDTH, "", "  ")
    engine = "no engine is known, so that what the API leaves open is undefined"
    if prediction.engine:
        engine = f"what the API leaves open is answered as {prediction.engine} does"
    yield from paragraph(f"Verdicts are the API's; {engine}.", WIDTH, "", "  ")


def _expectations(prediction: Prediction) -> Iterator[str]:
    found = expected_rows(entry_of(answer) for answer in prediction.expectations)
    rows: list[list[Cell]] = [
        [Painted(row.sign, f"{row.sign.glyph} {row.sign.word}"), row.title, row.entry.expected, row.kept, row.because]
        for row in found[:EXPECTED]
    ]
    if rows:
        yield from paragraph(sentence(found), WIDTH)
        yield from table(HEADERS, rows, WIDTH, _INK)
    yield from _left_out(len(found) - EXPECTED, "expectations")


def _findings(prediction: Prediction) -> Iterator[str]:
    found = view.oddities(prediction, FINDINGS)
    for item in found[:FINDINGS]:
        first = item.first
        times = f", {item.times:,} times, the first" if item.times > 1 else ""
        place = f"{first.object} {first.path}".strip()
        lead = f"{first.severity.value} {first.id}{times}: {place}: {first.message}"
        yield from paragraph(lead, WIDTH, "- ", "  ")
        if len(found) <= REMEDIES:
            yield from paragraph(first.remedy, WIDTH, "  try: ", "       ")
    more, news = len(found) - FINDINGS, view.infos(prediction)
    if not found and news:
        yield f"Only {news:,} of severity info, which -o json has."
        return
    rest = [f"{more:,} more rules with findings"] * (more > 0) + [f"{news:,} of severity info"] * (news > 0)
    if any(item.times > 1 for item in found):
        rest.insert(0, "each of them")
    if rest:
        yield from paragraph(f"-o json also has {' and '.join(rest)}.", WIDTH)


def _points(texts: Sequence[str]) -> Iterator[str]:
    for text in texts[:REASONS]:
        yield from paragraph(text, WIDTH, "- ", "  ")
    yield from _left_out(len(texts) - REASONS)


def _left_out(more: int, noun: str = "") -> Iterator[str]:
    """Say how many are not shown."""
    if more > 0:
        yield f"... and {more:,} more{noun and ' '}{noun}; -o json has all of them"


def _coverage(prediction: Prediction) -> Iterator[str]:
    everything = view.coverage(prediction)
    found = everything if len(everything) <= ALL_COVERED else [item for item in everything if not item.closed]
    rows: list[list[Cell]] = [
        [
            item.namespace,
            item.pods,
            f"{item.ingress} of {item.pods}",
            _yes(item.ingress_default_deny),
            f"{item.egress} of {item.pods}",
            _yes(item.egress_default_deny),
        ]
        for item in found[:COVERED]
    ]
    if rows:
        heads = (
            "namespace",
            "pods",
            "ingress isolated",
            "ingress default deny",
            "egress isolated",
            "egress default deny",
        )
        yield from table(heads, rows, WIDTH, _INK)
    yield from _left_out(len(found) - COVERED, "namespaces")
    closed = len(everything) - len(found)
    if closed:
        more = "more " if rows else ""
        yield f"Default deny of every pod, both ways: {closed:,} {more}{'namespace' if closed == 1 else 'namespaces'}"


def _yes(value: bool) -> str:  # noqa: FBT001  # a word for it
    return "yes" if value else "no"


def _unselected(prediction: Prediction) -> Iterator[str]:
    found = prediction.unselected
    for item in found[:UNSELECTED]:
        yield from paragraph(f"{item.namespace}/{item.workload} ({plural(item.pods, 'pod')})", WIDTH, "- ", "  ")
    yield from _left_out(len(found) - UNSELECTED, "workloads")


def _totals(prediction: Prediction, found: Sequence[Total]) -> Iterator[str]:
    met = {verdict for total in found for verdict, _ in total.pairs} | {Verdict.ALLOWED, Verdict.DENIED}
    columns = [verdict for verdict in VERDICTS if verdict in met]
    rows: list[list[Cell]] = []
    for total in found[:PORTS]:
        pairs = dict(total.pairs)
        name = view.total_name(total, prediction.matrix.families, prediction.unnamed)
        rows.append([name, *(f"{pairs.get(verdict, 0):,}" for verdict in columns)])
    if rows:
        yield from table(("port", *(verdict.value for verdict in columns)), rows, WIDTH, _INK)
    yield from _left_out(len(found) - PORTS, "ports")
    if prediction.unnamed and len(found) > len(prediction.unnamed):
        yield from paragraph("A port is asked of the pods that declare it or whose policies name it.", WIDTH)
    for query in prediction.unnamed:
        meant = f"one that no policy names and no container declares, such as {view.port_name(query)}."
        rest = "All other pods answer to a port as they do to this one."
        yield from paragraph(f"{view.port_name(query, prediction.unnamed)}: {meant} {rest}", WIDTH)


def _matrix(prediction: Prediction, items: tuple[Asked, ...]) -> Iterator[str]:
    if not items:
        yield "No flow was asked for: there are no such pods, or they share no address family."
        return
    found = grids(prediction, items)
    if found is None:
        several = "The tables would be too large: -n, --from, --to and --port ask for some of them, -o json has all."
        yield from paragraph(several, WIDTH)
        return
    listed = len(found.members) <= MEMBERS
    yield from _legend(prediction, found, listed=listed)
    lines = 0
    for number, grid in enumerate(found.grids):
        if lines > GRID_LINES:
            yield from ("", f"... and tables of {len(found.grids) - number} more groups of ports; --port asks for one")
            return
        told = list(grid_lines(found, grid, WIDTH, listed=listed))
        lines += len(told)
        yield from ("", *told)


def _legend(prediction: Prediction, found: Grids, *, listed: bool) -> Iterator[str]:
    """The signs, and what the numbers mean: all of them, or those of columns where there are too many."""
    signs = [*words.VERDICTS.values(), words.MIXED] if not found.identities else words.VERDICTS.values()
    yield from paragraph(", ".join(f"{sign.glyph} {sign.word}" for sign in signs), WIDTH)
    if found.identities:
        yield "A row or column is pods that no policy tells apart; where both are the same, two of them."
    if any(words.ITSELF.glyph in row.signs for grid in found.grids for row in grid.rows):
        sign = words.ITSELF
        yield f"{sign.glyph} {sign.word}: a single pod, which reaches itself whatever policies say."
    members = found.members
    if not listed:
        members = tuple(sorted({place for grid in found.grids for place in grid.columns}))
    yield ""
    rows = [_member(prediction, found, place) for place in members[:MEMBERS]]
    heads = ("#", "identity", "pods", "isolated", "labels") if found.identities else ("#", "namespace")
    yield from table(heads, rows, WIDTH, _INK)
    yield from _left_out(len(members) - MEMBERS)


def _member(prediction: Prediction, found: Grids, place: int) -> list[Cell]:
    name: list[Cell] = [place + 1, plain(found.names[place], NAME)]
    if not found.identities:
        return name
    item = prediction.matrix.identities[place]
    return [*name, len(item.pods), view.isolated_text(item) or "-", plain(view.labels_text(item), NAME)]

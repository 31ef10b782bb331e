"""The two matrices: namespaces with counts, pods with the worst result of each cell, and how cells are packed.

Pure.  Rows are sources, columns are destinations, both in the same order; netaudit's controls share one row and one
column at the end.  Nothing here knows of HTML or terminals.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from auditor.model.report import AuditReport, FlowEntry, IdentityEntry
from reports import words
from reports.words import CELL_SIGNS, Sign

CONTROL_TITLE = "any other pod (control)"
NO_NAMESPACE = "(namespace not known)"
ALL_PORTS = "all ports"
BLOCKS_ABOVE = 60
"""Identities; beyond them rows of one namespace are ordered by their results, so that equal rows form blocks."""

CODES = "LBITSRN."
"""One letter for each of CELL_SIGNS in packed cells."""


@dataclass(frozen=True, slots=True)
class Count:
    """How many flows of a cell have one result."""

    sign: Sign
    flows: int


@dataclass(frozen=True, slots=True)
class NamespaceAxis:
    """A row and column of the namespace matrix."""

    title: str
    identities: int
    control: bool


@dataclass(frozen=True, slots=True)
class NamespaceCell:
    """All flows from one namespace to another."""

    sign: Sign
    """The worst result among them, or not tested."""
    counts: tuple[Count, ...]
    """Worst first, none that is zero."""

    @property
    def flows(self) -> int:
        """Sum over all results."""
        return sum(count.flows for count in self.counts)


@dataclass(frozen=True, slots=True)
class NamespaceMatrix:
    """Flows counted by the namespaces of their ends."""

    axis: tuple[NamespaceAxis, ...]
    rows: tuple[tuple[NamespaceCell, ...], ...]


@dataclass(frozen=True, slots=True)
class PodAxis:
    """A row and column of the pod matrix."""

    title: str
    namespace: str
    """Empty for the control."""
    control: bool


@dataclass(frozen=True, slots=True)
class Plane:
    """The worst result of each cell over some ports: one letter of CODES for each, row after row."""

    label: str
    cells: str


@dataclass(frozen=True, slots=True)
class PodMatrix:
    """Results between identities; the first plane folds all ports."""

    axis: tuple[PodAxis, ...]
    planes: tuple[Plane, ...]
    place: dict[str, int]
    """Row and column of each identity."""

    def rows(self) -> tuple[tuple[Sign, ...], ...]:
        """Give the folded plane as signs."""
        size = len(self.axis)
        signs = [CELL_SIGNS[CODES.index(code)] for code in self.planes[0].cells]
        return tuple(tuple(signs[row * size : (row + 1) * size]) for row in range(size))


def port_label(protocol: str, port: int) -> str:
    """Protocol and port as people write them."""
    return f"{protocol} {port}"


def is_control(identity: IdentityEntry) -> bool:
    """Tell netaudit's own pods; the plan gives them no identity of the cluster."""
    return identity.control or not identity.id


def known_identities(report: AuditReport) -> dict[str, IdentityEntry]:
    """Identities by id, with an entry for each id that only flows name; flows without one belong to a control."""
    known = {identity.id: identity for identity in report.identities}
    for flow in report.flows:
        for key in (flow.source_identity, flow.destination_identity):
            if key not in known:
                known[key] = IdentityEntry(key, key or CONTROL_TITLE, "", {}, [], 0, [], [], [], control=not key)
    return known


def namespace_matrix(report: AuditReport) -> NamespaceMatrix:
    """Count flows by the namespaces of their ends; a namespace without flows keeps its empty row."""
    homes = {key: _home(identity) for key, identity in known_identities(report).items()}
    axis = sorted(set(homes.values()))
    place = {home: index for index, home in enumerate(axis)}
    counts: Counter[tuple[int, int, str]] = Counter()
    for flow in report.flows:
        source, destination = homes[flow.source_identity], homes[flow.destination_identity]
        counts[place[source], place[destination], words.agreement_of(flow).key] += 1
    identities = Counter(homes.values())
    return NamespaceMatrix(
        tuple(NamespaceAxis(_title(home), identities[home], home[0]) for home in axis),
        tuple(tuple(_cell(counts, row, column) for column in range(len(axis))) for row in range(len(axis))),
    )


def pod_matrix(report: AuditReport) -> PodMatrix:
    """Fold flows into one result for each pair of identities, over all ports and for each port."""
    known = known_identities(report)
    axis_keys = {key: "" if is_control(identity) else key for key, identity in known.items()}
    titles = {key: _pod_axis(known[key]) for key in axis_keys.values() if key}
    order = sorted(titles, key=lambda key: (titles[key].namespace, titles[key].title, key))
    if "" in axis_keys.values():
        order.append("")
        titles[""] = PodAxis(CONTROL_TITLE, "", control=True)
    if len(order) > BLOCKS_ABOVE:
        order = _by_results(report, axis_keys, order, titles)
    place = _places(axis_keys, order)
    folded, by_port = _fold(report.flows, place, len(order))
    planes = [Plane(ALL_PORTS, folded), *(Plane(label, cells) for label, cells in by_port)]
    return PodMatrix(tuple(titles[key] for key in order), tuple(planes), place)


def pack(cells: str) -> str:
    """Write runs of equal letters as a number and the letter: `L..` is `L2.`; a single one needs no number."""
    runs = ((code, sum(1 for _ in run)) for code, run in itertools.groupby(cells))
    return "".join(f"{length if length > 1 else ''}{code}" for code, length in runs)


def _home(identity: IdentityEntry) -> tuple[bool, str]:
    """Sort key and key at once of a row in the namespace matrix: controls last, whatever their namespace."""
    return (True, "") if is_control(identity) else (False, identity.namespace)


def _title(home: tuple[bool, str]) -> str:
    return CONTROL_TITLE if home[0] else home[1] or NO_NAMESPACE


def _cell(counts: Counter[tuple[int, int, str]], row: int, column: int) -> NamespaceCell:
    signs = words.AGREEMENTS.values()
    found = tuple(Count(sign, counts[row, column, sign.key]) for sign in signs if counts[row, column, sign.key])
    return NamespaceCell(found[0].sign if found else words.NOT_TESTED, found)


def _pod_axis(identity: IdentityEntry) -> PodAxis:
    return PodAxis(identity.title, identity.namespace, control=False)


def _places(axis_keys: dict[str, str], order: Sequence[str]) -> dict[str, int]:
    position = {key: index for index, key in enumerate(order)}
    return {identity: position[key] for identity, key in axis_keys.items()}


def _by_results(
    report: AuditReport, axis_keys: dict[str, str], order: Sequence[str], titles: dict[str, PodAxis]
) -> list[str]:
    """Order each namespace's rows by what they hold; the control stays last."""
    size = len(order)
    cells, _ = _fold(report.flows, _places(axis_keys, order), size)
    rows = {key: _likeness(cells[index * size : (index + 1) * size], index) for index, key in enumerate(order)}
    return sorted(order, key=lambda key: (titles[key].control, titles[key].namespace, rows[key]))


def _likeness(row: str, own: int) -> str:
    """A row as it would be if it were tested against itself like against most others: that cell parts no equals."""
    tested = row.replace(CODES[-1], "")
    usual = max(sorted(set(tested)), key=tested.count, default=CODES[-1])
    return row[:own] + usual + row[own + 1 :]


def _fold(flows: Iterable[FlowEntry], place: dict[str, int], size: int) -> tuple[str, list[tuple[str, str]]]:
    """Cells over all ports, and cells for each port in the order of protocol and number."""
    folded = bytearray(size * size)
    planes: dict[tuple[str, int], bytearray] = {}
    for flow in flows:
        cell = place[flow.source_identity] * size + place[flow.destination_identity]
        bit = _BITS[words.cell_sign_of(flow).key]
        folded[cell] |= bit
        port = (flow.protocol, flow.port)
        if port not in planes:
            planes[port] = bytearray(size * size)
        planes[port][cell] |= bit
    return _letters(folded), [(port_label(*port), _letters(planes[port])) for port in sorted(planes)]


def _letters(cells: bytearray) -> str:
    return cells.translate(_LETTER_OF).decode("ascii")


# One bit for each result of a single flow, worst first; a cell gathers the bits of its flows.
_BITS = {
    sign.key: 1 << index
    for index, sign in enumerate(
        (words.LEAK, words.BLOCKAGE, words.INCONCLUSIVE, words.LATE, words.REACHED, words.NOT_REACHED)
    )
}


def _worst(bits: int) -> Sign:
    if bits == _BITS["reached"] | _BITS["not-reached"]:
        return words.SOME_REACHED
    return next((sign for sign in CELL_SIGNS if bits & _BITS.get(sign.key, 0)), words.NOT_TESTED)


_LETTER_OF = bytes(ord(CODES[CELL_SIGNS.index(_worst(bits))]) for bits in range(1 << len(_BITS))).ljust(256, b".")

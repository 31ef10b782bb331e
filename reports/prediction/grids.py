"""Truth tables of a prediction: rows that are alike put together, ports that are alike told together.

Pure.  Between identities where the tables are small enough for a person, else between namespaces, else not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from auditor.census import Asked, alone, cells, folded
from auditor.model.flow import Family
from auditor.model.matrix import Query
from auditor.model.prediction import Prediction
from reports.prediction import view
from reports.words import ITSELF

MOST_IDENTITIES = 30
"""On the shorter side of a table."""
MOST_NAMESPACES = 40
SINGLE_ROWS = 12
"""Rows that stand one by one; of more, those that are alike share a line."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line: the positions that it stands for, and a sign for each column."""

    members: tuple[int, ...]
    signs: str


@dataclass(frozen=True, slots=True)
class Grid:
    """One table, which holds for each of `ports`."""

    ports: tuple[str, ...]
    columns: tuple[int, ...]
    rows: tuple[Row, ...]
    turned: bool
    """Whether rows receive and columns send."""


@dataclass(frozen=True, slots=True)
class Grids:
    """All tables; positions are those of `names`."""

    names: tuple[str, ...]
    identities: bool
    """Whether names are those of identities, else of namespaces."""
    grids: tuple[Grid, ...]

    @property
    def members(self) -> tuple[int, ...]:
        """Every position that some table has."""
        rows = {place for grid in self.grids for row in grid.rows for place in row.members}
        return tuple(sorted(rows.union(*(grid.columns for grid in self.grids))))


Table = tuple[tuple[int, ...], tuple[int, ...], tuple[bytes, ...], frozenset[int]]
"""Sources, destinations, cells, and the ends among both that are a single pod."""


def grids(prediction: Prediction, items: tuple[Asked, ...]) -> Grids | None:
    """Tables for a person; None where they would be too large for one."""
    if all(min(len(item.sources), len(item.destinations)) <= MOST_IDENTITIES for item in items):
        found = _grouped(prediction, items, lambda item: _single(prediction, item))
        return Grids(tuple(view.names(prediction)), identities=True, grids=found)
    homes = [identity.namespace for identity in prediction.matrix.identities]
    number = {name: place for place, name in enumerate(sorted(set(homes)))}

    def fold(item: Asked) -> Table:
        found = folded(prediction, item)
        sources, destinations, both = (
            tuple(number[it] for it in names) for names in (found.sources, found.destinations, found.alone)
        )
        return sources, destinations, found.cells, frozenset(both)

    if all(min(_homes(homes, item.sources), _homes(homes, item.destinations)) <= MOST_NAMESPACES for item in items):
        return Grids(tuple(number), identities=False, grids=_grouped(prediction, items, fold))
    return None


def _single(prediction: Prediction, item: Asked) -> Table:
    return item.sources, item.destinations, tuple(cells(prediction, item)), alone(prediction, item)


def _homes(homes: list[str], places: Iterable[int]) -> int:
    return len({homes[place] for place in places})


def _grouped(prediction: Prediction, items: Iterable[Asked], make: Callable[[Asked], Table]) -> tuple[Grid, ...]:
    """Make a table of each item; those that are equal become one."""
    found: dict[Table, list[tuple[Family, Query]]] = {}
    for item in items:
        found.setdefault(make(item), []).append((item.family, item.query))
    families = prediction.matrix.families
    return tuple(_grid(view.port_names(asked, families, prediction.unnamed), table) for table, asked in found.items())


def _grid(ports: tuple[str, ...], table: Table) -> Grid:
    rows, columns, found, single = table
    turned = len(columns) > len(rows) and len(columns) > MOST_IDENTITIES
    if turned:
        rows, columns, found = columns, rows, tuple(bytes(column) for column in zip(*found, strict=True))
    return Grid(ports, columns, tuple(_marked(row, columns, single) for row in _rows(rows, found)), turned)


def _rows(places: tuple[int, ...], found: tuple[bytes, ...]) -> Iterator[Row]:
    if len(places) <= SINGLE_ROWS:
        yield from (Row((place,), view.signs(row)) for place, row in zip(places, found, strict=True))
        return
    alike: dict[bytes, list[int]] = {}
    for place, row in zip(places, found, strict=True):
        alike.setdefault(row, []).append(place)
    yield from (Row(tuple(members), view.signs(row)) for row, members in alike.items())


def _marked(row: Row, columns: tuple[int, ...], single: frozenset[int]) -> Row:
    """A row with the sign of a pod alone with itself; in a row of several the sign there is that of the others."""
    if len(row.members) > 1 or row.members[0] not in single:
        return row
    place = columns.index(row.members[0])
    return replace(row, signs=f"{row.signs[:place]}{ITSELF.glyph}{row.signs[place + 1 :]}")

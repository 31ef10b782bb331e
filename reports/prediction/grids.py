"""Truth tables of a prediction: rows that are alike put together, ports that are alike told together.

Pure.  Between identities where the tables are small enough for a person, else between namespaces, else not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from auditor.census import Asked, cells, folded
from auditor.model.flow import Family
from auditor.model.matrix import Query
from auditor.model.prediction import Prediction
from reports.prediction import view

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


Table = tuple[tuple[int, ...], tuple[int, ...], tuple[bytes, ...]]
"""Sources, destinations and cells."""


def grids(prediction: Prediction, items: tuple[Asked, ...]) -> Grids | None:
    """Tables for a person; None where they would be too large for one."""
    if all(min(len(item.sources), len(item.destinations)) <= MOST_IDENTITIES for item in items):
        found = _grouped(prediction, items, lambda item: (item.sources, item.destinations, _cells(prediction, item)))
        return Grids(tuple(view.names(prediction)), identities=True, grids=found)
    homes = [identity.namespace for identity in prediction.matrix.identities]
    number = {name: place for place, name in enumerate(sorted(set(homes)))}

    def fold(item: Asked) -> Table:
        found = folded(prediction, item)
        return tuple(number[it] for it in found.sources), tuple(number[it] for it in found.destinations), found.cells

    if all(min(_homes(homes, item.sources), _homes(homes, item.destinations)) <= MOST_NAMESPACES for item in items):
        return Grids(tuple(number), identities=False, grids=_grouped(prediction, items, fold))
    return None


def _cells(prediction: Prediction, item: Asked) -> tuple[bytes, ...]:
    return tuple(cells(prediction, item))


def _homes(homes: list[str], places: Iterable[int]) -> int:
    return len({homes[place] for place in places})


def _grouped(prediction: Prediction, items: Iterable[Asked], make: Callable[[Asked], Table]) -> tuple[Grid, ...]:
    """Make a table of each item; those that are equal become one."""
    found: dict[Table, list[tuple[Family, Query]]] = {}
    for item in items:
        found.setdefault(make(item), []).append((item.family, item.query))
    families = prediction.matrix.families
    return tuple(_grid(view.port_names(asked, families), table) for table, asked in found.items())


def _grid(ports: tuple[str, ...], table: Table) -> Grid:
    rows, columns, found = table
    turned = len(columns) > len(rows) and len(columns) > MOST_IDENTITIES
    if turned:
        rows, columns, found = columns, rows, tuple(bytes(column) for column in zip(*found, strict=True))
    return Grid(ports, columns, tuple(_rows(rows, found)), turned)


def _rows(places: tuple[int, ...], found: tuple[bytes, ...]) -> Iterator[Row]:
    if len(places) <= SINGLE_ROWS:
        yield from (Row((place,), view.signs(row)) for place, row in zip(places, found, strict=True))
        return
    alike: dict[bytes, list[int]] = {}
    for place, row in zip(places, found, strict=True):
        alike.setdefault(row, []).append(place)
    yield from (Row(tuple(members), view.signs(row)) for row, members in alike.items())

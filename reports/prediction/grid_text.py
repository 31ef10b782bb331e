"""Truth tables as lines for a terminal.

Pure.  Texts of the cluster are neutralised here.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby

from reports.plain import plain
from reports.prediction.grids import Grid, Grids, Row

FEW = 4
"""Names in a row that stands for many."""
NAME = 100
"""Characters of a name that are shown."""
MOST_ROWS = 40
_SIGN = 2
# A label is never squeezed below this: with forty columns there is still room for it.
_LABEL = 28


def grid_lines(grids: Grids, grid: Grid, width: int, *, listed: bool) -> Iterator[str]:
    """Lay one table out: ports, a head with the numbers of the columns, and the rows.

    With `listed` the numbers of all members stand in a list above, and a row of many may give theirs alone.
    """
    yield from textwrap.wrap(", ".join(grid.ports), width, subsequent_indent="  ", break_on_hyphens=False)
    numbers = [str(column + 1) for column in grid.columns]
    room = max(width - _SIGN * len(numbers) - 2, _LABEL)
    labels = [_label(grids, row, listed=listed) for row in grid.rows[:MOST_ROWS]]
    corner = "to \\ from" if grid.turned else "from \\ to"
    column = min(max(len(label) for label in (corner, *labels)), room)
    yield from _head(corner, numbers, column)
    for label, row in zip(labels, grid.rows, strict=False):
        first, *rest = textwrap.wrap(label, column, subsequent_indent="  ", break_on_hyphens=False)
        yield f"{first.ljust(column)}  {' '.join(row.signs)}".rstrip()
        yield from rest
    if len(grid.rows) > MOST_ROWS:
        yield f"... and {len(grid.rows) - MOST_ROWS:,} more rows; -o json has all of them"


def _head(corner: str, numbers: Sequence[str], column: int) -> Iterator[str]:
    """Numbers of columns, read downwards."""
    height = max(len(number) for number in numbers)
    for line in range(height):
        digits = " ".join(number.rjust(height)[line] for number in numbers)
        yield f"{(corner if line == height - 1 else '').ljust(column)}  {digits}".rstrip()


def _label(grids: Grids, row: Row, *, listed: bool) -> str:
    """Who a row stands for: number and name, or many numbers, or a few names and how many more."""
    if len(row.members) == 1:
        return f"{row.members[0] + 1} {plain(grids.names[row.members[0]], NAME)}"
    if listed:
        return ranges(row.members)
    told = ", ".join(plain(grids.names[place], NAME) for place in row.members[:FEW])
    return f"{told} and {len(row.members) - FEW:,} more" if len(row.members) > FEW else told


def ranges(places: Sequence[int]) -> str:
    """Numbers, neighbours put together: `1-3, 7`."""
    found = []
    for _, run in groupby(enumerate(places), key=lambda pair: pair[1] - pair[0]):
        members = [place + 1 for _, place in run]
        found.append(str(members[0]) if len(members) == 1 else f"{members[0]}-{members[-1]}")
    return ", ".join(found)

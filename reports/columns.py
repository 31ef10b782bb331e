"""Text laid out for a terminal: paragraphs and tables that never exceed a width, and paint.

Pure.  Everything that comes in is neutralised by `plain` here, so that no caller can forget it; escape codes are only
ever added afterwards, by `Ink`.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from tabulate import tabulate

from reports.plain import plain
from reports.words import Sign

MIN_WIDTH = 40
_GAP = 2
_NARROWEST = 6
# What tabulate keeps free beside each heading.
_HEAD = 2

_PAINT = {
    "leak": "1;33",
    "blockage": "1;34",
    "inconclusive": "1",
    "late": "36",
    "heading": "1",
    "faint": "2",
}


@dataclass(frozen=True, slots=True)
class Ink:
    """Paint, or none: colour repeats what glyph and word say already."""

    color: bool

    def paint(self, key: str, text: str) -> str:
        """Wrap `text`, which is harmless already, in the escape codes of a kind of result or place."""
        code = _PAINT.get(key)
        return f"\x1b[{code}m{text}\x1b[0m" if self.color and code and text else text


@dataclass(frozen=True, slots=True)
class Painted:
    """A cell of a table that is painted by its sign."""

    sign: Sign
    text: str


Cell = str | int | Painted


def paragraph(text: str, width: int, first: str = "", rest: str | None = None) -> list[str]:
    """Wrap one text; `first` leads its first line and `rest` the others, both of our own making."""
    return textwrap.wrap(
        plain(text),
        width,
        initial_indent=first,
        subsequent_indent=first if rest is None else rest,
        break_on_hyphens=False,
    ) or [first.rstrip()]


def table(headers: Sequence[str], rows: Sequence[Sequence[Cell]], width: int, ink: Ink) -> list[str]:
    """Lay a table out; the widest columns are wrapped until it fits."""
    widths = _fit(_natural(headers, rows), width)
    body = [[_wrapped(cell, limit, ink) for cell, limit in zip(row, widths, strict=True)] for row in rows]
    heads = [
        "\n".join(textwrap.wrap(plain(head), max(limit - _HEAD, 1)))
        for head, limit in zip(headers, widths, strict=True)
    ]
    # Names are names: tabulate must not take `1e5` for a number.
    return tabulate(body, heads, tablefmt="simple", disable_numparse=True).splitlines()


def table_width(headers: Sequence[str], rows: Sequence[Sequence[Cell]]) -> int:
    """How many columns `table` would need without wrapping anything."""
    widths = _natural(headers, rows)
    return sum(widths) + _GAP * (len(widths) - 1)


def _natural(headers: Sequence[str], rows: Sequence[Sequence[Cell]]) -> list[int]:
    """The width of each column when nothing is wrapped."""
    heads = (len(plain(head)) + _HEAD for head in headers)
    return [max(head, *(len(_text(row[place])) for row in rows), 0) for place, head in enumerate(heads)]


def _text(cell: Cell) -> str:
    """Put a cell on one line; space around it would only ever feign columns."""
    return plain(cell.text if isinstance(cell, Painted) else str(cell)).strip()


def _wrapped(cell: Cell, limit: int, ink: Ink) -> str:
    lines = textwrap.wrap(_text(cell), limit, break_on_hyphens=False) or [""]
    key = cell.sign.key if isinstance(cell, Painted) else ""
    return "\n".join(ink.paint(key, line) for line in lines)


def _fit(widths: list[int], width: int) -> list[int]:
    """Take columns away from the widest until the table fits; a table of very many columns may stay wider."""
    room = width - _GAP * (len(widths) - 1)
    fitted = list(widths)
    while sum(fitted) > room and max(fitted) > _NARROWEST:
        # Down to the second widest at once, so that this ends after a few steps whatever the widths are.
        widest = max(fitted)
        several = [index for index, size in enumerate(fitted) if size == widest]
        second = max((size for size in fitted if size < widest), default=_NARROWEST)
        excess = -(-(sum(fitted) - room) // len(several))
        for index in several:
            fitted[index] = max(widest - excess, second, _NARROWEST)
    return fitted

"""Layout for terminals: nothing is wider than asked, nothing is lost, paint only when it is wanted."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.columns import MIN_WIDTH, Cell, Ink, Painted, paragraph, table, table_width
from reports.words import LEAK
from tests.unit.reports.builders import TRICKS
from tests.unit.reports.strategies import texts

PLAIN, COLOR = Ink(color=False), Ink(color=True)
PAINT = re.compile(r"\x1b\[[0-9;]*m")

widths = st.integers(MIN_WIDTH, 140)
rows = st.lists(st.tuples(texts, texts, st.integers(0, 10**9), texts), min_size=1, max_size=4)


@given(texts, widths)
def test_paragraph_keeps_to_its_width_and_its_lead(text: str, width: int) -> None:
    lines = paragraph(text, width, "1. ", "   ")

    assert all(len(line) <= width and line.isprintable() for line in lines)
    assert lines[0].startswith("1.")
    assert all(line.startswith("   ") for line in lines[1:])


def test_empty_paragraph_keeps_its_lead() -> None:
    assert ["-"] == paragraph("", 40, "- ")


def test_newline_in_a_text_cannot_begin_a_line_of_its_own() -> None:
    assert [r"- fine\n! HIGH forged finding"] == paragraph("fine\n! HIGH forged finding", 60, "- ", "  ")


@given(rows, widths)
def test_table_keeps_to_its_width(cells: list[tuple[str, str, int, str]], width: int) -> None:
    lines = table(("name", "what", "flows", "reason"), cells, width, PLAIN)

    assert all(len(line) <= width and line.isprintable() for line in lines)


@given(rows, widths)
def test_paint_changes_no_column(cells: list[tuple[str, str, int, str]], width: int) -> None:
    painted: list[tuple[Cell, ...]] = [
        (Painted(LEAK, name), what, flows, reason) for name, what, flows, reason in cells
    ]

    colored = table(("name", "what", "flows", "reason"), painted, width, COLOR)

    unpainted = [PAINT.sub("", line).rstrip() for line in colored]
    assert [line.rstrip() for line in table(("name", "what", "flows", "reason"), painted, width, PLAIN)] == unpainted


@given(
    st.lists(st.tuples(st.text("abc", min_size=1, max_size=90), st.text("xyz", min_size=1, max_size=90)), min_size=1)
)
def test_wrapping_loses_no_character(cells: list[tuple[str, str]]) -> None:
    body = "".join(table(("left", "right"), cells, 60, PLAIN)[2:])

    for letter in "abcxyz":
        assert sum(text.count(letter) for row in cells for text in row) == body.count(letter)


def test_names_that_look_like_numbers_stay_names() -> None:
    text = "\n".join(table(("name", "flows"), [("1e5", 3), ("007", 4), ("0x1F", 5)], 60, PLAIN))

    assert all(name in text for name in ("1e5", "007", "0x1F"))


def test_table_that_fits_is_not_wrapped() -> None:
    cells = [("a" * 20, "b" * 15)]

    lines = table(("left", "right"), cells, table_width(("left", "right"), cells), PLAIN)

    assert [f"{'a' * 20}  {'b' * 15}"] == lines[2:]


def test_only_the_widest_column_gives_way() -> None:
    cells = [("short", "word " * 30)]

    assert "short" in table(("left", "right"), cells, 50, PLAIN)[2]


@pytest.mark.parametrize("key", ["leak", "heading", "no such key"])
def test_no_paint_without_color(key: str) -> None:
    assert "text" == PLAIN.paint(key, "text")


def test_paint_ends_where_the_text_ends() -> None:
    assert "\x1b[1;33mtext\x1b[0m" == COLOR.paint("leak", "text")
    assert "" == COLOR.paint("leak", "")


def test_only_our_own_paint_is_ever_written() -> None:
    text = "\n".join(table((TRICKS, "b"), [(Painted(LEAK, TRICKS), TRICKS)], 80, COLOR))

    assert PAINT.sub("", text).replace("\n", "").isprintable()

"""Hostile text: whatever comes in, one line of visible characters comes out, one column for each."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.plain import LIMIT, plain

anything = st.text(st.characters(), max_size=200)
"""Any code point, half characters included."""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", ""),
        ("staging/backend-policy", "staging/backend-policy"),
        ("50 ms × 3 → ✓ é ß Ж", "50 ms × 3 → ✓ é ß Ж"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("one\ntwo\r\n", r"one\ntwo\r\n"),
        ("tab\tbed", r"tab\tbed"),
        ("\x9b2J", r"\x9b2J"),
        ("\x7f", r"\x7f"),
        ("a\u202egpj.exe", r"a\u202egpj.exe"),
        ("\u2066x\u2069", r"\u2066x\u2069"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
        ("line\u2028separator\u2029", r"line\u2028separator\u2029"),
        ("no\xa0break", r"no\xa0break"),
        ("e\u0301\u0301\u0301", r"e\u0301\u0301\u0301"),
        ("שלום", r"\u05e9\u05dc\u05d5\u05dd"),
        ("٣", r"\u0663"),
        ("漢", r"\u6f22"),
        ("\U0001f600", r"\U0001f600"),
        ("\U000e0041", r"\U000e0041"),
        ("\u2800\u3164\uffa0\u1160", r"\u2800\u3164\uffa0\u1160"),
        ("\ud800", r"\ud800"),
        ("\ue000", r"\ue000"),
    ],
    ids=ascii,
)
def test_what_could_deceive_is_shown_as_its_code(text: str, shown: str) -> None:
    assert shown == plain(text)


@given(anything)
def test_nothing_but_visible_characters_in_reading_order_comes_out(text: str) -> None:
    shown = plain(text)

    assert shown == "" or shown.isprintable()
    assert shown == shown.encode().decode()
    for char in shown:
        assert unicodedata.east_asian_width(char) not in "WF"
        assert unicodedata.combining(char) == 0
        assert unicodedata.bidirectional(char) not in {"R", "AL", "AN", "RLO", "LRO", "RLE", "LRE", "RLI", "LRI", "FSI"}


@given(anything)
def test_what_is_plain_already_stays(text: str) -> None:
    assert plain(text) == plain(plain(text))


@given(st.text("abc \x1b\n\u202e", max_size=200))
def test_length_is_bounded_and_the_rest_is_counted(text: str) -> None:
    shown = plain(text, limit=50)

    if len(text) > 50:
        assert shown == f"{plain(text[:50])}... ({len(text) - 50} more characters)"
    else:
        assert shown == plain(text)


def test_a_megabyte_of_label_is_cut() -> None:
    assert len(plain("\x1b" * 1_000_000)) < 5 * LIMIT

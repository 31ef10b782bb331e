"""JSON text: ASCII whatever goes in, and rows of numbers that stay on a line."""

from __future__ import annotations

import json
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from reports.json_text import encode, encode_rows


@dataclass(frozen=True)
class Document:
    text: str
    numbers: list[int]
    parts: dict[str, list[str]]


documents = st.builds(
    Document,
    text=st.one_of(st.text(), st.sampled_from(["[\n 1,\n 2\n]", "[1]", "\x7f", "\ue000\U0001f600"])),
    numbers=st.lists(st.integers(0, 10**9), max_size=4),
    parts=st.dictionaries(st.text(max_size=3), st.lists(st.text(max_size=3), max_size=2), max_size=2),
)


@given(documents)
def test_what_is_written_is_read_back(document: Document) -> None:
    for text in (encode(document), encode_rows(document)):
        assert {"text": document.text, "numbers": document.numbers, "parts": document.parts} == json.loads(text)
        assert text.isascii()
        assert text.replace("\n", "").isprintable()


def test_lists_of_numbers_are_put_on_one_line_and_nothing_else() -> None:
    document = Document("[\n 1\n]", [1, 23, 4], {"a": ["1", "2"], "b": []})

    assert encode_rows(document) == (
        '{\n "text": "[\\n 1\\n]",\n "numbers": [1, 23, 4],\n'
        ' "parts": {\n  "a": [\n   "1",\n   "2"\n  ],\n  "b": []\n }\n}\n'
    )
    assert '"numbers": [\n  1,\n  23,\n  4\n ]' in encode(document)


def test_half_characters_become_question_marks() -> None:
    assert "before ? after" == json.loads(encode(Document("before \ud800 after", [], {})))["text"]


def test_keys_are_sorted_and_fields_are_not() -> None:
    text = encode(Document("", [], {"b": [], "a": []}))

    assert text.index('"text"') < text.index('"numbers"') < text.index('"a"') < text.index('"b"')

"""What does not fit a shape: each kind of shape, and what counts as absent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from auditor.cluster.fields import FieldError, Raw, UnknownField, path_of, path_text
from auditor.cluster.shapes import Either, Entries, Fields, Items, Number, Shape, Text, misfits


def differs(raw: Raw) -> Iterator[FieldError]:
    if raw["a"] != raw["b"]:
        yield FieldError("differs from b", raw, "a")


NUMBER = Number(1, 9)
PAIR = Fields({"a": NUMBER, "b": NUMBER}, needed=("a", "b"), rule=differs)
CHOICE = Fields({"a": NUMBER, "b": NUMBER}, one=True)


def found(shape: Shape, value: Any) -> list[str]:
    root = {"x": value}
    return [f"{path_text(path_of(root, error))}: {error.reason}" for error in misfits(shape, root, "x")]


@pytest.mark.parametrize(
    ("shape", "value", "expected"),
    [
        (NUMBER, 1, []),
        (NUMBER, 9.0, []),
        (NUMBER, float("inf"), ["x: expected a whole number, found the number inf"]),
        (NUMBER, 10.0, ["x: 10.0 is not between 1 and 9"]),
        (Text(), 1, ["x: expected a string, found the number 1"]),
        (Text(("a", "b")), "c" * 99, [f"x: '{'c' * 64}...' is not one of a, b"]),
        (Text(longest=2), "ab", []),
        (Text(longest=2), "abc", ["x: 3 characters, but at most 2 are taken"]),
        (Text(wrong=lambda text: f"not {text}"), "so", ["x: not so"]),
        (Items(NUMBER), [1, None, "2"], ["x[1]: expected a whole number, found null", "x[2]: expected a whole"]),
        (Items(NUMBER, least=1), [], ["x: an empty list, but at least one entry is needed"]),
        (Items(Text(), distinct=True), ["a", "b", "a"], ["x[2]: 'a' stands twice"]),
        (Items(Text(), distinct=True), [[], []], ["x[0]: expected a string", "x[1]: expected a string"]),
        (Entries(Text()), {"a": "b", "c": None, "d e": 1}, ["x[d e]: expected a string, found the number 1"]),
        (Entries(Text()), [], ["x: expected an object, found a list"]),
        (PAIR, {"a": 1, "b": 1}, []),
        (PAIR, {"a": 1, "b": 2}, ["x.a: differs from b"]),
        # The rule waits until all fields are in order, and does not mind strange ones.
        (PAIR, {"a": 1, "b": "2"}, ["x.b: expected a whole number, found a string"]),
        (PAIR, {"a": 1, "b": None}, ["x.b: it is missing"]),
        (PAIR, {"a": 1, "b": 2, "c": 3}, ["x.c: a field that this version does not know", "x.a: differs from b"]),
        (PAIR, {"a": 1, "b": 1, "c": None}, []),
        (CHOICE, {"a": 1, "b": None}, []),
        (CHOICE, {"a": 1, "b": 1}, ["x: a and b are set, and only one of them may be"]),
        (CHOICE, {"b": None}, ["x: one of a, b is to be set"]),
        (Fields({"a": NUMBER}, one=True), {}, ["x: a is to be set"]),
        (Either(frozenset({"a"}), CHOICE, PAIR), {"a": 1}, []),
        (Either(frozenset({"a"}), CHOICE, PAIR), {"a": None, "b": 1}, ["x.a: it is missing"]),
    ],
)
def test_misfits(shape: Shape, value: Any, expected: list[str]) -> None:
    told = found(shape, value)

    assert len(told) == len(expected)
    assert [(one, start) for one, start in zip(told, expected, strict=True) if not one.startswith(start)] == []


def test_strange_field_is_dropped_and_not_refused() -> None:
    (error,) = misfits(CHOICE, {"x": {"a": 1, "c": 1}}, "x")

    assert isinstance(error, UnknownField)

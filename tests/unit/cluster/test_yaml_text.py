"""YAML as kubectl reads it: words, keys, merges, anchors within bounds, and the line of everything."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.cluster.yaml_text import ALIASES_ALLOWED, DEEPEST, Twice, YamlError, line_of, parse, resolve, split


def values(text: str) -> list[Any]:
    return [parsed.value for parsed in parse(text)]


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("yes", True),
        ("y", True),
        ("Off", False),
        ("n", False),
        ("~", None),
        ("", None),
        ("nULL", "nULL"),
        ("80", 80),
        ("+5", 5),
        ("-5", -5),
        ("1_000", 1000),
        ("010", 8),
        ("0o17", 15),
        ("0x1F", 31),
        ("0b11", 3),
        ("08", 8),
        ("80.0", 80),
        ("1e3", 1000),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e30", 1e30),
        ("22:22", "22:22"),
        ("2001-01-01", "2001-01-01"),
        ("1.2.3.4", "1.2.3.4"),
        ("-", "-"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_word_without_quotes(word: str, value: Any) -> None:
    """As sigs.k8s.io/yaml resolves it: YAML 1.1 without minutes and dates; whole numbers lose their fraction."""
    assert resolve(word) == value
    assert type(resolve(word)) is type(value)


def test_quotes_and_tags() -> None:
    """A quoted word is text, a tag says what a word is, and tags that nobody knows are ignored."""
    text = "a: 'yes'\nb: !!str 5\nc: !!int '5'\nd: !Ref x\ne: |\n  80\n"

    assert values(text) == [{"a": "yes", "b": "5", "c": 5, "d": "x", "e": "80\n"}]
    assert values("--- !!python/object/apply:os.system [x]") == [["x"]]


def test_keys_are_text() -> None:
    """As JSON needs them; those that cannot be are errors."""
    assert values("1: a\nyes: b\n1.5: c\n") == [{"1": "a", "true": "b", "1.5": "c"}]


def test_merged_mappings_fill_what_is_not_said() -> None:
    text = "base: &b {x: 1, v: 2}\none: {<<: *b, v: 3}\ntwo: {<<: [*b, {z: 4}]}\n"

    assert values(text)[0]["one"] == {"x": 1, "v": 3}
    assert values(text)[0]["two"] == {"x": 1, "v": 2, "z": 4}


def test_keys_that_stand_twice_are_told() -> None:
    """The later value counts."""
    (parsed,) = parse("a:\n  b: 1\n  c: 2\n  b: 3\n")

    assert parsed.value == {"a": {"b": 3, "c": 2}}
    assert parsed.twice == (Twice("b", 3),)


def test_lines() -> None:
    """A key's line is that of the key, an item's that of the item; a path that ends early gives what is nearest."""
    text = "a:\n  b: x\nc:\n- d: 1\n  e:\n\n  - f\n- {g: 1,\n   h: 2}\n"
    (parsed,) = parse(text, 10, with_lines=True)
    paths: list[tuple[tuple[str | int, ...], int]] = [
        ((), 10),
        (("a",), 10),
        (("a", "b"), 11),
        (("c", 0), 13),
        (("c", 0, "e", 0), 16),
        (("c", 1, "h"), 18),
        (("c", 1, "missing", 5), 17),
    ]

    assert [line_of(parsed.lines, path) for path, _ in paths] == [line for _, line in paths]


def test_split_keeps_first_lines() -> None:
    """A line of three dashes parts documents, with what may follow it; four dashes or a dash less do not."""
    assert list(split(b"a\n---\nb\n--- # c\nd\n----\n --- \n---\r\ne")) == [
        (0, b"a\n"),
        (1, b"\nb\n"),
        (3, b" # c\nd\n----\n --- \n"),
        (7, b"\r\ne"),
    ]


def bomb(levels: int) -> str:
    text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    return text + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, levels))


@pytest.mark.parametrize(
    ("text", "reason", "line"),
    [
        ("a:\n- b: [", "did not find expected", 1),
        ("a:\n\tb: 1", "cannot start any token", 1),
        ("a: b: c", "mapping values are not allowed", 0),
        ("a: 'x", "unexpected end of stream", 0),
        ("a: 1\nb: \x07", "control characters are not allowed", 1),
        ("a: 1\nb: *x", "the anchor 'x' is not defined", 1),
        ("a: &a\n- *a", "the anchor 'a' contains itself", 1),
        ("? [a]\n: b", "a mapping or list as a key", 0),
        ("a: 1\n~: x", "a key that is null", 1),
        ("a: &a {}\n*a : b", "a key that is a mapping or list", 1),
        ("a: 1\nb: {<<: 5}", "only mappings can be merged", 1),
        ("[" * (DEEPEST + 1), "nested more than", 0),
        ("[" * 100_000, "nested more than", 0),
        ("- " * 500, "nested more than", 0),
        (bomb(9), "aliases expand", 4),
    ],
)
def test_errors_name_their_line(text: str, reason: str, line: int) -> None:
    with pytest.raises(YamlError, match=reason) as caught:
        list(parse(text))
    assert caught.value.line == line


def test_aliases_within_bounds_are_followed() -> None:
    """Nothing is copied: an alias is the same value again."""
    (found,) = values(bomb(4))

    assert found["a3"][0] is found["a2"]
    assert ALIASES_ALLOWED > 10**4


def test_documents_before_an_error_are_kept() -> None:
    documents = parse("a: 1\n...\n---\nb: [")

    assert next(documents).value == {"a": 1}
    with pytest.raises(YamlError):
        next(documents)

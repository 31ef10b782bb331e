"""Calico's selector expressions: their meaning as nested tuples, many ways to write them, and text that is near them.

A meaning is `("all",)`, `("global",)`, `("has", key)`, `(operator, key, values)`, `("not", part)`, `("and", *parts)` or
`("or", *parts)`.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Meaning = tuple[Any, ...]
KEYS = ("a", "b", "in", "not", "has", "all", "k8s.io/a-b_c")
VALUES = ("", "x", "xy", "yx", "all()", "it's")
COMPARISONS = ("==", "!=", "in", "not in", "contains", "starts with", "ends with")
BLANKS = st.sampled_from(("", " ", "\t ", "  "))


def terms(keys: tuple[str, ...] = KEYS, values: tuple[str, ...] = VALUES) -> st.SearchStrategy[Meaning]:
    """A question about one label, `all()` or `global()`."""
    key, value = st.sampled_from(keys), st.sampled_from(values)
    several = st.lists(value, max_size=3).map(tuple)
    return st.one_of(
        st.just(("all",)),
        st.just(("global",)),
        st.tuples(st.just("has"), key),
        st.tuples(st.sampled_from(("in", "not in")), key, several),
        st.tuples(
            st.sampled_from([word for word in COMPARISONS if not word.endswith("in")]), key, value.map(lambda x: (x,))
        ),
    )


def meanings(leaves: st.SearchStrategy[Meaning] | None = None) -> st.SearchStrategy[Meaning]:
    """A whole expression."""

    def larger(part: st.SearchStrategy[Meaning]) -> st.SearchStrategy[Meaning]:
        several = st.lists(part, min_size=2, max_size=3)
        return st.one_of(
            st.tuples(st.just("not"), part),
            several.map(lambda parts: ("and", *parts)),
            several.map(lambda parts: ("or", *parts)),
        )

    return st.recursive(terms() if leaves is None else leaves, larger, max_leaves=6)


def holds(meaning: Meaning, labels: dict[str, str]) -> bool:
    """What an expression says of labels, straight from Calico's selector reference."""
    word = meaning[0]
    if word == "not":
        return not holds(meaning[1], labels)
    if word in {"and", "or"}:
        answers = [holds(part, labels) for part in meaning[1:]]
        return all(answers) if word == "and" else any(answers)
    return word in {"all", "global"} or _asked(word, labels.get(meaning[1]), *meaning[2:])


def _asked(word: str, found: str | None, values: tuple[str, ...] = ()) -> bool:
    if word in {"!=", "not in"}:
        return found is None or found not in values
    if found is None:
        return False
    if word in {"contains", "starts with", "ends with"}:
        (value,) = values
        return {"contains": value in found, "starts with": found[: len(value)] == value}.get(
            word, value in (found[at:] for at in range(len(found) + 1))
        )
    return word == "has" or found in values


@st.composite
def written(draw: st.DrawFn, meaning: Meaning, *, inside: bool = False) -> str:
    """One way to write an expression, blanks, quotes and needless parentheses and all."""
    word = meaning[0]
    if word == "not":
        text = f"!{draw(BLANKS)}{draw(written(meaning[1], inside=True))}"
    elif word in {"and", "or"}:
        sign = {"and": "&&", "or": "||"}[word]
        text = f"{draw(BLANKS)}{sign}{draw(BLANKS)}".join(draw(written(part, inside=True)) for part in meaning[1:])
    else:
        text = draw(_term(meaning))
    if (inside and word in {"and", "or"}) or draw(st.integers(0, 5)) == 0:
        text = f"({draw(BLANKS)}{text}{draw(BLANKS)})"
    return f"{draw(BLANKS)}{text}{draw(BLANKS)}"


@st.composite
def _term(draw: st.DrawFn, meaning: Meaning) -> str:
    word = meaning[0]
    if word in {"all", "global"}:
        return f"{word}({draw(BLANKS)})"
    if word == "has":
        return f"has({draw(BLANKS)}{meaning[1]}{draw(BLANKS)})"
    values = [_quoted(value, draw(st.booleans())) for value in meaning[2]]
    more = draw(st.sampled_from(("", ","))) if values else ""
    text = f"{{{draw(BLANKS)}{', '.join(values)}{more}{draw(BLANKS)}}}" if word.endswith("in") else values[0]
    # A label ends where a word begins, but only a blank tells `a in` from the label `ain`.
    gap = draw(BLANKS) if word in {"==", "!="} else " " + draw(BLANKS)
    return f"{meaning[1]}{gap}{word.replace(' ', draw(BLANKS))}{draw(BLANKS)}{text}"


def _quoted(value: str, double: bool) -> str:
    return f'"{value}"' if double or "'" in value else f"'{value}'"


def nearly() -> st.SearchStrategy[str]:
    """Text made of the grammar's own pieces in any order, which is an expression now and then."""
    pieces = ("(", ")", "{", "}", ",", "!", "=", "==", "!=", "&&", "||", "&", "|", "'", '"', "'x'", '"y"', " ", "\t")
    words = ("a", "b", "in", "not", "has", "has(", "has(a)", "all(", "all()", "global()", "contains", "starts", "with")
    return st.lists(st.sampled_from((*pieces, *words, "ends with ", "a == 'x'", "b in {'y'}", "é")), max_size=8).map(
        "".join
    )

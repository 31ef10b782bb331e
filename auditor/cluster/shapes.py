"""The shapes that a CustomResourceDefinition gives to objects, and everything in an object that does not fit.

Pure.  An API server first drops fields that it does not know and nulls, and holds what is left against the schema
(`apiextensions-apiserver/pkg/apiserver/schema`): a field that no shape knows is told as UnknownField, and counts as
absent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from auditor.cluster.fields import FieldError, Raw, UnknownField, kind_of

Holder = Mapping[str, Any] | list[Any]
LONGEST_SHOWN, LARGEST_SHOWN = 64, 10**18


@dataclass(frozen=True, slots=True)
class Text:
    """A string: of a few words, of a length, or of a form of its own."""

    words: tuple[str, ...] = ()
    longest: int | None = None
    wrong: Callable[[str], str] | None = None
    """Says why a text is refused; nothing where it is not."""


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number between two others, both included."""

    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    each: Shape
    least: int = 0
    most: int | None = None
    distinct: bool = False


@dataclass(frozen=True, slots=True)
class Entries:
    """An object with keys of the user's own."""

    each: Shape


@dataclass(frozen=True, slots=True)
class Fields:
    """An object with the fields that it may have, and those that it must."""

    known: Mapping[str, Shape]
    needed: tuple[str, ...] = ()
    one: bool = False
    """Whether exactly one of the fields is to be set."""
    rule: Callable[[Raw], Iterator[FieldError]] | None = None
    """What goes beyond single fields; asked where these are in order."""


@dataclass(frozen=True, slots=True)
class Either:
    """An object that older releases wrote otherwise: with one of `marks` in it, it is of the shape `marked`."""

    marks: frozenset[str]
    marked: Fields
    plain: Fields


Shape = Text | Number | Items | Entries | Fields | Either


def misfits(shape: Shape, holder: Holder, key: str | int) -> Iterator[FieldError]:
    """Everything for which the value at `key` would be refused; UnknownField for what would be dropped."""
    value = cast("Mapping[Any, Any]", holder)[key]
    match shape:
        case Text():
            reason = _text(shape, value)
        case Number():
            reason = _number(shape, value)
        case Items():
            reason = _items(shape, value)
        case _:
            reason = "" if isinstance(value, Mapping) else f"expected an object, found {kind_of(value)}"
    if reason:
        yield FieldError(reason, holder, key)
    else:
        yield from _within(shape, value, holder, key)


def _text(shape: Text, value: object) -> str:
    if not isinstance(value, str):
        return f"expected a string, found {kind_of(value)}"
    if shape.words and value not in shape.words:
        return f"{_short(value)} is not one of {', '.join(shape.words)}"
    if shape.longest is not None and len(value) > shape.longest:
        return f"{len(value):,} characters, but at most {shape.longest} are taken"
    return shape.wrong(value) if shape.wrong else ""


def _number(shape: Number, value: object) -> str:
    # To the server 80.0 is a whole number too.
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if isinstance(value, bool) or not isinstance(value, int | float) or not whole:
        return f"expected a whole number, found {kind_of(value)}"
    if shape.least <= value <= shape.most:
        return ""
    shown = value if abs(value) < LARGEST_SHOWN else "a number of many digits"
    return f"{shown} is not between {shape.least} and {shape.most}"


def _items(shape: Items, value: object) -> str:
    if not isinstance(value, list):
        return f"expected a list, found {kind_of(value)}"
    if len(value) < shape.least:
        return "an empty list, but at least one entry is needed"
    if shape.most is not None and len(value) > shape.most:
        return f"{len(value):,} entries, but at most {shape.most} are taken"
    return ""


def _within(shape: Shape, value: Any, holder: Holder, key: str | int) -> Iterator[FieldError]:
    match shape:
        case Items():
            for position in range(len(value)):
                yield from misfits(shape.each, value, position)
            yield from _repeated(value) if shape.distinct else ()
        case Entries():
            for name in _set(value):
                yield from misfits(shape.each, value, name)
        case Either():
            marked = any(value.get(mark) is not None for mark in shape.marks)
            yield from _fields(shape.marked if marked else shape.plain, value, holder, key)
        case Fields():
            yield from _fields(shape, value, holder, key)


def _repeated(values: list[Any]) -> Iterator[FieldError]:
    seen: set[str] = set()
    for position, value in enumerate(values):
        if isinstance(value, str) and value in seen:
            yield FieldError(f"{_short(value)} stands twice", values, position)
        elif isinstance(value, str):
            seen.add(value)


def _fields(shape: Fields, value: Raw, holder: Holder, key: str | int) -> Iterator[FieldError]:
    strange = sorted(name for name in _set(value) if name not in shape.known)
    for name in strange:
        yield UnknownField("a field that this version does not know", value, name)
    found = [
        *([FieldError("it is missing", value, name) for name in shape.needed if value.get(name) is None]),
        *([error for name in _set(value) if name in shape.known for error in misfits(shape.known[name], value, name)]),
    ]
    reason = _choice(shape, value, strange) if shape.one else ""
    if reason:
        found.append(FieldError(reason, holder, key))
    yield from found
    if shape.rule and all(isinstance(error, UnknownField) for error in found):
        yield from shape.rule(value)


def _choice(shape: Fields, value: Raw, strange: list[str]) -> str:
    """Why it is not exactly one of the fields that is set."""
    chosen = [name for name in shape.known if value.get(name) is not None]
    if len(chosen) > 1:
        return f"{' and '.join(chosen)} are set, and only one of them may be"
    if chosen:
        return ""
    instead = f", and {_short(strange[0])} is none" if strange else ""
    several = "one of " if len(shape.known) > 1 else ""
    return f"{several}{', '.join(shape.known)} is to be set{instead}"


def _set(value: Raw) -> Iterator[str]:
    """The fields of an object that are there for the server."""
    return (name for name, item in value.items() if item is not None)


def _short(text: str) -> str:
    return repr(text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}...")

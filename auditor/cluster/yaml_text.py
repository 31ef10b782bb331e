"""YAML text into values, in the way that kubectl reads it, and the lines on which they stand.

Pure.  Not PyYAML's own constructor: that takes `22:22` for minutes and seconds and `y` for a letter, follows aliases
and nesting wherever they lead, and says nothing of keys that stand twice.  The parser underneath is libyaml.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import yaml

DEEPEST = 200
"""Levels of nesting; no manifest has a tenth of it."""
ALIASES_ALLOWED = 100_000
"""Values that aliases may add to any document; to a large one, ten times what it spells out."""
LONGEST_NUMBER = 1_000
"""Digits; Python refuses to read numbers that are much longer."""

_SEPARATOR = re.compile(rb"^---(?=\s|$)", re.MULTILINE)
_INTEGER = re.compile(r"([-+]?)(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
}
_TAG = "tag:yaml.org,2002:"
_RESOLVED_TAGS = frozenset({f"{_TAG}bool", f"{_TAG}int", f"{_TAG}float", f"{_TAG}null"})
_MERGE = "<<"
_NEVER_CLOSED = ("end of stream", "could not find expected ':'")
"""Where something was begun and never ended, its beginning says more than the place where that was noticed."""

Lines = tuple[int, dict[Any, Any]]
"""The line on which something begins, and the lines inside it by key or position."""


_NO_LINES: dict[Any, Any] = {}
"""Inside a scalar; the same for all of them."""


class YamlError(ValueError):
    """Text that is no YAML, or none that kubectl would read; `line` counts from 0."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


@dataclass(frozen=True, slots=True)
class Twice:
    """A key that stands twice in one mapping; the later value counts."""

    key: str
    line: int


@dataclass(frozen=True, slots=True)
class Parsed:
    """One document: its value, where it begins, and what stands in it twice."""

    value: Any
    lines: Lines
    twice: tuple[Twice, ...]


def split(text: bytes) -> Iterator[tuple[int, bytes]]:
    """Cut a stream of documents at its `---` lines, so that a broken one costs no other; with first lines, from 0."""
    start = line = 0
    for match in _SEPARATOR.finditer(text):
        part = text[start : match.start()]
        yield line, part
        line += part.count(b"\n")
        start = match.end()
    yield line, text[start:]


def parse(text: str, first: int = 0, *, with_lines: bool = False) -> Iterator[Parsed]:
    """The documents of a text whose first line is number `first`; raises YamlError, after what stands before it.

    Lines inside a document cost as much again as its values.
    """
    try:
        yield from _Builder(yaml.CSafeLoader(text), first, with_lines=with_lines).documents()
    except yaml.reader.ReaderError as error:
        at = min(error.position, len(text))
        raise YamlError(f"{error.reason} ({error.character!r})", first + text.count("\n", 0, at)) from error
    except yaml.MarkedYAMLError as error:
        opens = any(words in str(error.problem) for words in _NEVER_CLOSED)
        mark = (error.context_mark if opens else None) or error.problem_mark or error.context_mark
        reason = ", ".join(part for part in (error.context, error.problem) if part)
        # The parser counts the end of the text as a line of its own.
        raise YamlError(reason or "not YAML", first + min(mark.line if mark else 0, text.count("\n"))) from error
    except yaml.YAMLError as error:
        raise YamlError(str(error), first) from error


def line_of(found: Lines, path: tuple[str | int, ...]) -> int:
    """The line of the field at the end of a path, or of the last one on the way that is there."""
    line, inside = found
    for key in path:
        if key not in inside:
            break
        line, inside = inside[key]
    return line


@dataclass(slots=True)
class _Level:
    """A mapping or list that is being filled."""

    value: Any
    line: int
    anchor: str | None
    size: int = 1
    """Values in it, with all that aliases expand to."""
    key: str | None = None
    """The key whose value comes next."""
    key_line: int = 0
    lines: dict[Any, Lines] = field(default_factory=dict)
    merged: list[Any] = field(default_factory=list)


class _Builder:
    """Builds values from the parser's events, without recursion."""

    def __init__(self, parser: Any, first: int, *, with_lines: bool) -> None:
        self._parser = parser
        self._first = first
        self._with_lines = with_lines
        self._levels: list[_Level] = []
        self._anchors: dict[str, tuple[Any, int, dict[Any, Lines]]] = {}
        self._twice: list[Twice] = []
        self._spelt_out = 0

    def documents(self) -> Iterator[Parsed]:
        """Yield each document."""
        get_event = self._parser.get_event
        while True:
            event = get_event()
            kind = type(event)
            if kind is yaml.ScalarEvent:
                self._scalar(event)
            elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                self._open(event, {} if kind is yaml.MappingStartEvent else [])
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                self._close()
            elif kind is yaml.DocumentEndEvent:
                (value,) = self._levels[0].value
                yield Parsed(value, (self._levels[0].key_line, self._levels[0].lines), tuple(self._twice))
            elif kind is yaml.StreamEndEvent:
                return
            else:
                self._mark(event, kind)

    def _mark(self, event: Any, kind: type) -> None:
        if kind is yaml.AliasEvent:
            self._alias(event)
        elif kind is yaml.DocumentStartEvent:
            self._anchors, self._twice, self._spelt_out = {}, [], 0
            self._levels = [_Level([], 0, None)]

    def _open(self, event: Any, value: Any) -> None:
        line = self._first + event.start_mark.line
        level = self._levels[-1]
        if len(self._levels) > DEEPEST:
            raise YamlError(f"nested more than {DEEPEST} levels deep", line)
        if isinstance(level.value, dict) and level.key is None:
            raise YamlError("a mapping or list as a key", line)
        self._levels.append(_Level(value, line, event.anchor))

    def _close(self) -> None:
        level = self._levels.pop()
        if level.anchor is not None:
            self._anchors[level.anchor] = (level.value, level.size, level.lines)
        for source in level.merged:
            for key, value in source.items():
                level.value.setdefault(key, value)
        self._spelt_out += 1
        self._add(level.value, level.size, level.line, level.lines)

    def _scalar(self, event: Any) -> None:
        line = self._first + event.start_mark.line
        bare = event.implicit[0]
        value = resolve(event.value) if bare or event.tag in _RESOLVED_TAGS else event.value
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, 1, _NO_LINES)
        self._spelt_out += 1
        self._add(value, 1, line, _NO_LINES)

    def _alias(self, event: Any) -> None:
        line = self._first + event.start_mark.line
        if event.anchor not in self._anchors:
            inside = any(level.anchor == event.anchor for level in self._levels)
            raise YamlError(f"the anchor {event.anchor!r} {'contains itself' if inside else 'is not defined'}", line)
        value, size, found = self._anchors[event.anchor]
        if size + sum(level.size for level in self._levels) > ALIASES_ALLOWED + 10 * self._spelt_out:
            raise YamlError("aliases expand to far more than the document spells out", line)
        self._add(value, size, line, found)

    def _add(self, value: Any, size: int, line: int, found: dict[Any, Lines]) -> None:
        level = self._levels[-1]
        level.size += size
        if isinstance(level.value, list):
            if len(self._levels) == 1:
                level.key_line, level.lines = line, found
            elif self._with_lines:
                level.lines[len(level.value)] = (line, found)
            level.value.append(value)
        elif level.key is None:
            level.key, level.key_line = _key(value, line), line
        else:
            self._put(level, level.key, value, found)
            level.key = None

    def _put(self, level: _Level, key: str, value: Any, found: dict[Any, Lines]) -> None:
        if key == _MERGE:
            sources = value if isinstance(value, list) else [value]
            if not all(isinstance(source, dict) for source in sources):
                raise YamlError("only mappings can be merged with <<", level.key_line)
            level.merged += sources
            return
        if key in level.value:
            self._twice.append(Twice(key, level.key_line))
        level.value[key] = value
        if self._with_lines:
            level.lines[key] = (level.key_line, found)


def _key(value: Any, line: int) -> str:
    """A mapping's key as JSON can hold it."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, dict | list):
        raise YamlError(f"a key that is {'null' if value is None else 'a mapping or list'}", line)
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)


@lru_cache(maxsize=65_536)
def resolve(text: str) -> Any:
    """What a word without quotes stands for: YAML 1.1, without its sexagesimal numbers and with dates left as text."""
    if text in _WORDS:
        return _WORDS[text]
    digits = text.replace("_", "")
    if text[0] not in "0123456789+-." or len(digits) > LONGEST_NUMBER:
        return text
    integer = _INTEGER.fullmatch(digits)
    if integer is not None:
        return _integer(integer[1], integer[2].lower())
    if not _FLOAT.fullmatch(text if text[0] == "." else digits):
        return text
    value = float(digits)
    # JSON writes a number without a fraction as a whole one.
    return int(value) if value.is_integer() and abs(value) < 1e21 else value  # noqa: PLR2004 - as Go's encoder does


def _integer(sign: str, digits: str) -> int:
    base = {"0x": 16, "0b": 2, "0o": 8}.get(digits[:2], 8 if digits[0] == "0" and len(digits) > 1 else 10)
    plain = digits[2:] if digits[:2] in {"0x", "0b", "0o"} else digits
    return int(plain, base) * (-1 if sign == "-" else 1)

"""The bytes of a file into the objects it holds, each with the place where it stands.

Pure.  Whatever the bytes are, what can be read is read, and the rest becomes problems.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from auditor.cluster import fields, json_text, yaml_text
from auditor.cluster.fields import Path, Raw
from auditor.cluster.json_text import JsonError, Unread
from auditor.cluster.yaml_text import Lines, YamlError
from auditor.model.problem import Effect, Problem

LARGEST_LINED = 5_000_000
"""Bytes of a document up to which lines are looked up; beyond, positions in lists have to do."""
LONGEST_REASON = 300

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""The longer ones first: they begin as the shorter ones do."""
_HELM_HEAD = re.compile(rb"\ANAME: .*\r?\n(?:[A-Z ]+:.*\r?\n)*?(?:HOOKS|MANIFEST):\s*$", re.MULTILINE)
_HELM_WORDS = re.compile(rb"^(?:HOOKS|MANIFEST):[ \t\r]*$", re.MULTILINE)
_HELM_NOTES = re.compile(rb"^NOTES:[ \t\r]*$", re.MULTILINE)
_JSON_START = re.compile(rb'\s*(?:\{\s*["}]|\[\s*[\[{\]"])')
_TAB = re.compile(rb" *\t")
_NUMBERED_LINES = re.compile(rb"^[0-9]+ *(?:apiVersion|kind):", re.MULTILINE)
_NUMBERED = re.compile(r"[0-9]+ *(?:apiVersion|kind)\b")
UNNUMBERED = "take away the line numbers that were copied along with the text"


@dataclass(frozen=True, slots=True, eq=False)
class Text:
    """One document of a file, in which lines are looked up once something is wrong with it."""

    file: str
    data: bytes | memoryview
    first: int
    """Its first line, counted from 0."""
    number: int = 0
    """How many documents stand before it in `data`."""

    @property
    def has_lines(self) -> bool:
        """Whether it is short enough to look lines up in it."""
        return len(self.data) <= LARGEST_LINED


@dataclass(frozen=True, slots=True)
class Item:
    """An object that a document holds, or that stands in a list there."""

    value: Raw
    text: Text
    path: Path = ()
    """Where it stands in the document."""

    def line(self, path: Path = ()) -> int | None:
        """The line of a field, counted from 1, or of what is nearest to it; None where the document is too long."""
        return yaml_text.line_of(_lines(self.text), (*self.path, *path)) + 1 if self.text.has_lines else None

    @property
    def title(self) -> str:
        """`Kind namespace/name`, whatever state the object is in; with its position where there are no lines."""
        kind = self.value.get("kind")
        if not kind and not self.value.get("metadata"):
            return ""
        name = fields.name_of(self.value)
        shown = f"{kind} {name}" if kind and isinstance(kind, str) else name
        position = f" at {fields.path_text(self.path)}" if self.path and not self.text.has_lines else ""
        return f"{shown[: fields.LONGEST_NAME]}{position}"

    def problem(self, effect: Effect, what: str, why: str, attempt: str, path: Path = ()) -> Problem:
        """Say that something is wrong with the field at `path` of this object."""
        return Problem(effect, self.text.file, self.line(path), self.title, what, why[:LONGEST_REASON], attempt)


def read(file: str, data: bytes) -> tuple[list[Item], list[Problem]]:
    """The objects in a file's bytes, in their order, and what is wrong with the rest of it."""
    problems: list[Problem] = []
    items: list[Item] = []
    try:
        plain = _without_helm(_utf8(data))
    except UnicodeDecodeError as error:
        return [], [
            _unreadable(Text(file, data, 0), "text", f"it begins as {error.encoding}, but {error.reason}", None)
        ]
    for first, part in yaml_text.split(plain) if plain.startswith(b"---") or b"\n---" in plain else [(0, plain)]:
        if _holds_something(part):
            for text, value in _values(Text(file, part, first), problems):
                items += _flattened(text, value, problems)
    return items, problems


@lru_cache(maxsize=8)
def _lines(text: Text) -> Lines:
    try:
        for number, parsed in enumerate(
            yaml_text.parse(str(text.data, "utf-8", "replace"), text.first, with_lines=True)
        ):
            if number == text.number:
                return parsed.lines
    except YamlError:
        pass
    return text.first, {}


def forget_lines() -> None:
    """Let go of the texts in which lines were looked up last."""
    _lines.cache_clear()


def _utf8(data: bytes) -> bytes:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding).encode()
    return data


def _without_helm(data: bytes) -> bytes:
    """The manifests of what `helm install --dry-run` prints, on their own lines."""
    if not _HELM_HEAD.match(data):
        return data
    notes = _HELM_NOTES.search(data)
    body = data[: notes.start()] if notes else data
    head = _HELM_WORDS.search(body)
    start = head.start() if head else 0
    return b"\n" * body.count(b"\n", 0, start) + _HELM_WORDS.sub(b"", body[start:])


def _holds_something(part: bytes) -> bool:
    """Whether there is more than comments, directives and the end of a document."""
    start = 0
    while start < len(part):
        end = part.find(b"\n", start)
        end = len(part) if end < 0 else end
        line = part[start:end].strip()
        if line and not line.startswith((b"#", b"%")) and line != b"...":
            return True
        start = end + 1
    return False


def _values(text: Text, problems: list[Problem]) -> Iterator[tuple[Text, Any]]:
    data = bytes(text.data)
    start = data.lstrip()[:2]
    if start[:1] in {b"{", b"["} and start != b"{{":
        yield from _json_values(text, data, problems)
    else:
        yield from _yaml_values(text, data, problems)


def _json_values(text: Text, data: bytes, problems: list[Problem]) -> Iterator[tuple[Text, Any]]:
    view = memoryview(data)
    done = 0
    try:
        for start, end, value in json_text.parse(data):
            part = Text(text.file, view[start:end], text.first + data.count(b"\n", 0, start))
            done = end
            if end - start <= json_text.LONGEST_CHECKED and json_text.keys_twice(data[start:end]):
                problems += _twice_in_json(part, value)
            yield part, value
    except JsonError as error:
        rest = Text(text.file, view[done:], text.first + data.count(b"\n", 0, done))
        wrong: list[Problem] = []
        found = [] if len(rest.data) > LARGEST_LINED else list(_yaml_values(rest, data[done:], wrong))
        if _JSON_START.match(data, done) and (wrong or not found):
            line = text.first + data.count(b"\n", 0, error.at)
            wrong, found = [_unreadable(rest, "JSON", error.reason, line)], []
        problems += wrong
        yield from found


def _twice_in_json(text: Text, value: Any) -> Iterator[Problem]:
    try:
        for parsed in yaml_text.parse(str(text.data, "utf-8"), text.first):
            yield from _twice(Item(value if isinstance(value, dict) else {}, text), parsed)
    except YamlError:
        return


def _yaml_values(text: Text, data: bytes, problems: list[Problem]) -> Iterator[tuple[Text, Any]]:
    try:
        for number, parsed in enumerate(yaml_text.parse(data.decode(), text.first)):
            part = Text(text.file, text.data, text.first, number)
            problems += _twice(Item(parsed.value if isinstance(parsed.value, dict) else {}, part), parsed)
            yield part, parsed.value
    except UnicodeDecodeError as error:
        line = text.first + data.count(b"\n", 0, error.start)
        problems.append(_unreadable(text, "UTF-8 text", f"{error.reason}: {data[error.start]:#04x}", line))
    except YamlError as error:
        problems.append(_unreadable(text, "YAML", error.reason, error.line))


def _twice(item: Item, parsed: yaml_text.Parsed) -> Iterator[Problem]:
    for twice in parsed.twice:
        yield Problem(
            Effect.NOTED,
            item.text.file,
            twice.line + 1,
            item.title,
            f"the key {twice.key!r} stands twice in the same mapping",
            "the value here counts and the one above is lost, in kubectl too",
            "write the key once; for two list items, put both under it",
        )


def _unreadable(text: Text, language: str, reason: str, line: int | None) -> Problem:
    data = bytes(text.data)
    # What came from a server is there whether or not it can be read here, so nothing can be said without it.
    stored = b"resourceVersion" in data
    why = f"{reason}; what it holds was read from a cluster and may decide about any flow" if stored else reason
    return Problem(
        Effect.UNSURE if stored else Effect.UNREADABLE,
        text.file,
        None if line is None else line + 1,
        "",
        f"this is not {language}",
        why[:LONGEST_REASON],
        _mending(data, None if line is None else line - text.first),
    )


def _mending(data: bytes, line: int | None) -> str:
    if b"{{" in data:
        return "templates must be rendered first: helm template CHART | netaudit predict -f -"
    if _NUMBERED_LINES.search(data):
        return UNNUMBERED
    if line is not None and any(_TAB.match(part) for part in data.split(b"\n", line + 1)[line : line + 1]):
        return "indent with spaces: YAML takes no tabs"
    if b"resourceVersion" in data:
        return "write the file again; its end may be missing: kubectl get ... -A -o json > FILE"
    return "see what kubectl says of it: kubectl apply --dry-run=client -f FILE"


def _flattened(text: Text, value: Any, problems: list[Problem]) -> Iterator[Item]:
    """The objects of a document, those of lists and of lists in lists one by one."""
    waiting: list[tuple[Any, Path]] = [(value, ())]
    while waiting:
        found, path = waiting.pop()
        inner = _inner(found, path)
        if inner is not None:
            waiting += reversed(inner)
        elif isinstance(found, dict) and found.get("kind") == "List":
            problems.append(
                _no_object(
                    text, f"items: expected a list, found {fields.kind_of(found.get('items'))}", (*path, "items")
                )
            )
        elif isinstance(found, dict):
            yield Item(found, text, path)
        elif found is not None:
            problems.append(_no_object(text, _odd(found, path), path))


def _inner(found: Any, path: Path) -> list[tuple[Any, Path]] | None:
    """What stands in a list, with its path; None where it is no list."""
    if isinstance(found, list) and not path:
        return [(item, (position,)) for position, item in enumerate(found)]
    if not isinstance(found, dict):
        return None
    kind, items = found.get("kind"), found.get("items")
    if not isinstance(kind, str) or not kind.endswith("List") or not isinstance(items, list | None):
        return None
    own = {"apiVersion": found.get("apiVersion"), "kind": kind.removesuffix("List")} if kind != "List" else {}
    return [(_named(item, own), (*path, "items", position)) for position, item in enumerate(items or ())]


def _named(item: Any, own: Raw) -> Any:
    """An item of a typed list: the API server leaves kind and version to the list."""
    return {**own, **item} if own and isinstance(item, dict) and "kind" not in item else item


def _odd(found: Any, path: Path) -> str:
    where = f"{fields.path_text(path)}: " if path else ""
    return where + (found.reason if isinstance(found, Unread) else f"expected an object, found {fields.kind_of(found)}")


def _no_object(text: Text, reason: str, path: Path) -> Problem:
    attempt = "a manifest is a mapping with apiVersion, kind and metadata"
    line = Item({}, text, path).line()
    return Problem(
        Effect.UNREADABLE, text.file, line, "", "this is no Kubernetes object", reason[:LONGEST_REASON], attempt
    )


def numbered(value: Raw) -> bool:
    """Whether line numbers were copied along with a manifest."""
    return any(_NUMBERED.match(str(key)) for key in value)

"""A file of expectations into values: which flows a user says must work, and which must not.

Pure.  YAML or JSON; strict, because an expectation that is misread proves nothing: the first thing that is not
understood ends it, with its line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from auditor.cluster.yaml_text import Lines, Parsed, YamlError, line_of, parse
from auditor.errors import UsageError
from auditor.model.expectation import Expectation, Wish
from auditor.model.flow import Protocol
from auditor.targets import port_of

SCHEMA = "netaudit.expectations/1"
EXAMPLE = f"""\
schema: {SCHEMA}
flows:
- name: the shop reaches its database
  from: shop/web
  to: shop/db
  port: 5432
  expect: allowed"""
HEAD = frozenset({"schema", "flows"})
NEEDED = ("from", "to", "port", "expect")
KNOWN = frozenset({*NEEDED, "name", "reason"})
LONGEST = 200
"""Characters of a value that are repeated in a message."""
Path = tuple[str | int, ...]


def read_expectations(file: str, data: bytes) -> tuple[Expectation, ...]:
    """The items of a file, in its order; raises UsageError, with the line, for anything that is not understood."""
    document = _document(file, data)
    value = document.value
    page = _Page(file, document.lines)
    if not isinstance(value, Mapping):
        raise page.error((), "this is no file of expectations", "it is no mapping with schema and flows", EXAMPLE)
    page.only(value, HEAD, ())
    if value.get("schema") != SCHEMA:
        given = _shown(value["schema"]) if "schema" in value else "nothing"
        what = f"schema: {given} is no version of a file of expectations"
        raise page.error(("schema",), what, f"{SCHEMA} is known here", EXAMPLE)
    items = value.get("flows")
    if not isinstance(items, list) or not items:
        why = "flows is a list of what must work and what must not, with at least one item"
        raise page.error(("flows",), "no flow is expected", why, EXAMPLE)
    return tuple(_item(page, item, ("flows", number)) for number, item in enumerate(items))


def _document(file: str, data: bytes) -> Parsed:
    """The one document of a file; JSON is read as the YAML that it is, tabs between its words apart."""
    try:
        text = data.decode("utf-8-sig")
        if text.lstrip()[:1] in {"{", "["}:
            text = text.replace("\t", " ")
        documents = list(parse(text, with_lines=True))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _error(file, line, "this is not UTF-8 text", error.reason, "write the file as UTF-8") from error
    except YamlError as error:
        raise _error(file, error.line + 1, "this is neither YAML nor JSON", error.reason, EXAMPLE) from error
    if len(documents) != 1:
        why = f"it holds {len(documents)} documents" if documents else "it is empty"
        raise _error(file, 1, "a file of expectations is one document", why, EXAMPLE)
    if documents[0].twice:
        twice = documents[0].twice[0]
        why = "only one of the values could count"
        raise _error(file, twice.line + 1, f"the key {_shown(twice.key)} stands twice", why, "one of them")
    return documents[0]


class _Page:
    """A file whose lines are known."""

    def __init__(self, file: str, lines: Lines) -> None:
        self._file = file
        self._lines = lines

    def place(self, path: Path) -> str:
        """File and line of a field, as compilers and editors write it."""
        return f"{self._file}:{line_of(self._lines, path) + 1}"

    def error(self, path: Path, what: str, why: str, attempt: str) -> UsageError:
        """Say what is wrong at a place."""
        return _error(self._file, line_of(self._lines, path) + 1, what, why, attempt)

    def only(self, value: Mapping[str, Any], known: frozenset[str], path: Path) -> None:
        """Raise for a key that means nothing: whoever wrote it expects it to count."""
        for key in value:
            if key not in known:
                near = get_close_matches(key, known, 1)
                words = f"known here: {', '.join(sorted(known))}"
                raise self.error((*path, key), f"unknown key {_shown(key)}", words, near[0] if near else "leave it out")


def _error(file: str, line: int, what: str, why: str, attempt: str) -> UsageError:
    return UsageError(f"{file}:{line}: {what}", why=why, attempt=attempt)


def _item(page: _Page, item: Any, path: Path) -> Expectation:
    if not isinstance(item, Mapping):
        raise page.error(path, f"no expectation: {_shown(item)}", "it is no mapping", EXAMPLE)
    page.only(item, KNOWN, path)
    missing = [key for key in NEEDED if key not in item]
    if missing:
        why = "an expectation says from, to, port and expect"
        raise page.error(path, f"an expectation without {', '.join(missing)}", why, EXAMPLE)
    protocol, port = _port(page, item["port"], (*path, "port"))
    return Expectation(
        source=_word(page, item, path, "from"),
        destination=_word(page, item, path, "to"),
        protocol=protocol,
        port=port,
        wish=_wish(page, item["expect"], (*path, "expect")),
        name=_word(page, item, path, "name") if "name" in item else "",
        reason=_word(page, item, path, "reason") if "reason" in item else "",
        place=page.place(path),
    )


def _word(page: _Page, item: Mapping[str, Any], path: Path, key: str) -> str:
    value = item[key]
    if isinstance(value, str) and value.strip():
        return value.strip()
    why = "it is empty" if value is None or value == "" else "it is not text, or nothing but spaces"
    raise page.error((*path, key), f"{key}: no text: {_shown(value)}", why, f'{key}: "text", in quotes')


def _port(page: _Page, value: Any, path: Path) -> tuple[Protocol, int | str]:
    if isinstance(value, bool) or not isinstance(value, str | int):
        why = "a port is a number, a number with a protocol, or a name"
        raise page.error(path, f"no port: {_shown(value)}", why, "port: 5432, port: 53/UDP or port: http")
    try:
        protocol, port = port_of(str(value), None)
    except UsageError as error:
        raise page.error(path, error.what, error.why, error.attempt) from error
    return Protocol(protocol), port


def _wish(page: _Page, value: Any, path: Path) -> Wish:
    for wish in Wish:
        if value == wish.value:
            return wish
    why = "a flow is expected to be allowed or denied"
    raise page.error(path, f"expect: {_shown(value)} is no expectation", why, "expect: allowed, or expect: denied")


def check_consistent(found: Sequence[Expectation]) -> None:
    """Raise UsageError for two items that no cluster can keep."""
    first: dict[object, Expectation] = {}
    for item in found:
        other = first.setdefault((item.source, item.destination, item.protocol, item.port), item)
        if other.wish is not item.wish:
            raise UsageError(
                f"{item.place}: {item.wish.value} is expected of a flow, and {other.wish.value} at {other.place}",
                why="no cluster can keep both",
                attempt="take one of them out",
            )


def _shown(value: Any) -> str:
    """A value as a message repeats it."""
    if isinstance(value, Mapping | list):
        return "a mapping" if isinstance(value, Mapping) else "a list"
    return "nothing" if value is None else f"{value!r:.{LONGEST}}"

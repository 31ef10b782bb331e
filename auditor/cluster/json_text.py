"""JSON text into values: one document or several after each other, and long lists in part.

Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypedDict

import msgspec

from auditor.cluster import projection

_TRAILING = re.compile(r"trailing characters \(byte (\d+)\)")
_BYTE = re.compile(r" \(byte (\d+)\)")
_SPACE = re.compile(rb"\s*")
LONGEST_CHECKED = 1_000_000
"""Bytes up to which a document is looked through for keys that stand twice: nobody writes longer ones by hand."""


class JsonError(ValueError):
    """Text that is no JSON; `at` counts bytes from its beginning."""

    def __init__(self, reason: str, at: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.at = at


@dataclass(frozen=True, slots=True)
class Unread:
    """An item of a list that is no JSON by itself: text that is not UTF-8, or a number beyond all bounds."""

    reason: str


class _Listing(TypedDict, total=False):
    kind: Any
    apiVersion: Any
    items: list[msgspec.Raw]


_LISTING = msgspec.json.Decoder(_Listing)
_RESOURCES = {
    "Pod": "pods",
    "Node": "nodes",
    "Deployment": "deployments",
    "StatefulSet": "statefulsets",
    "DaemonSet": "daemonsets",
    "ReplicaSet": "replicasets",
    "EndpointSlice": "endpointslices",
}


def parse(data: bytes) -> Iterator[tuple[int, int, Any]]:
    """The documents of a text, each with where it begins and ends; raises JsonError, after what stands before it.

    Objects of a list that an API server sent are read in part; the rest is read whole.
    """
    view, start = memoryview(data), _after_space(data, 0)
    while start < len(data):
        end = len(data)
        try:
            value = _document(view[start:])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            rest = _TRAILING.search(str(error))
            if rest is None:
                raise _json_error(error, start, data) from error
            end = start + int(rest[1]) - 1  # msgspec counts the character that should not be there
            value = _again(view[start:end], start, data)
        yield start, end, value
        start = end if end == len(data) else _after_space(data, end)


def keys_twice(data: bytes) -> bool:
    """Whether some object of a document has a key twice; decoders take the later value without a word."""
    found = False

    def look(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal found
        made = dict(pairs)
        found = found or len(made) < len(pairs)
        return made

    try:
        json.loads(data, object_pairs_hook=look)
    except (ValueError, RecursionError):
        return False
    return found


def _after_space(data: bytes, at: int) -> int:
    match = _SPACE.match(data, at)
    return match.end() if match else at


def _again(view: memoryview, start: int, data: bytes) -> Any:
    try:
        return _document(view)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _json_error(error, start, data) from error


def _json_error(error: Exception, start: int, data: bytes) -> JsonError:
    if isinstance(error, UnicodeDecodeError):
        return JsonError(_reason(error), _first_odd_byte(data, start))
    if isinstance(error, RecursionError):
        return JsonError(_reason(error), start)
    at = _BYTE.search(str(error))
    return JsonError(_reason(error), start + int(at[1]) if at else len(data))


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return "text that is not UTF-8"
    return _BYTE.sub("", str(error)).removeprefix("JSON is malformed: ")


def _first_odd_byte(data: bytes, start: int) -> int:
    try:
        data[start:].decode()
    except UnicodeDecodeError as error:
        return start + error.start
    return start


def _document(data: memoryview) -> Any:
    try:
        listing = _LISTING.decode(data)
    except msgspec.ValidationError:
        return projection.without_managed_fields(msgspec.json.decode(data))
    kind = listing.get("kind")
    if "items" not in listing or not isinstance(kind, str) or not kind.endswith("List"):
        return projection.without_managed_fields(msgspec.json.decode(data))
    return {**listing, "items": list(_items(listing["items"], kind.removesuffix("List")))}


def _items(raws: list[msgspec.Raw], kind: str) -> Iterator[Any]:
    for raw in raws:
        try:
            item = projection.read(raw, _RESOURCES.get(kind, ""))
            own = (item.get("kind") if isinstance(item, dict) else None) or kind
            if own != kind:
                # Lists are mostly of one kind, so the kind of the item before is a good guess.
                kind = own if isinstance(own, str) else ""
                item = projection.read(raw, _RESOURCES.get(kind, ""))
            yield item if _is_stored(item) else projection.read(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            yield Unread(_reason(error))


def _is_stored(item: Any) -> bool:
    """Whether an API server sent the object; what a person wrote is read whole, to be looked through for mistakes."""
    metadata = item.get("metadata") if isinstance(item, dict) else None
    return isinstance(metadata, dict) and bool(metadata.get("uid"))

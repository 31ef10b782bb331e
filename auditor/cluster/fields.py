"""Typed access to raw manifests: the value, a default for absent or null, or a FieldError that names the path.

Pure.  Everything in a manifest may be missing, null or of another type; what is not as the API type says is an error of
that one object.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Raw = Mapping[str, Any]


class FieldError(ValueError):
    """A field that is not what its API type says."""


def mapping(raw: Raw, key: str) -> Raw:
    """A nested object; empty when absent or null."""
    value = raw.get(key)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise FieldError(f"{key}: expected an object, found {type(value).__name__}")
    return value


def sequence(raw: Raw, key: str) -> Sequence[Any]:
    """A nested list; empty when absent or null."""
    value = raw.get(key)
    if value is None:
        return ()
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise FieldError(f"{key}: expected a list, found {type(value).__name__}")
    return value


def objects(raw: Raw, key: str) -> Sequence[Raw]:
    """A nested list of objects; nulls in it are errors."""
    items = sequence(raw, key)
    for position, item in enumerate(items):
        if not isinstance(item, Mapping):
            raise FieldError(f"{key}[{position}]: expected an object, found {type(item).__name__}")
    return items


def text(raw: Raw, key: str, default: str = "") -> str:
    """A string; the default when absent or null."""
    value = raw.get(key)
    if value is None:
        return default
    if not isinstance(value, str):
        raise FieldError(f"{key}: expected a string, found {type(value).__name__}")
    return value


def flag(raw: Raw, key: str) -> bool:
    """A boolean; false when absent or null."""
    value = raw.get(key)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise FieldError(f"{key}: expected true or false, found {type(value).__name__}")
    return value


def number(raw: Raw, key: str) -> int | None:
    """An integer; None when absent or null."""
    value = raw.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise FieldError(f"{key}: expected a whole number, found {type(value).__name__}")
    return value


def strings(raw: Raw, key: str) -> dict[str, str]:
    """A map of strings, such as labels; empty when absent or null."""
    value = mapping(raw, key)
    for name, item in value.items():
        if not isinstance(item, str):
            raise FieldError(f"{key}.{name}: expected a string, found {type(item).__name__}")
    return dict(sorted(value.items()))


def words(raw: Raw, key: str) -> tuple[str, ...]:
    """A list of strings; empty when absent or null."""
    items = sequence(raw, key)
    for position, item in enumerate(items):
        if not isinstance(item, str):
            raise FieldError(f"{key}[{position}]: expected a string, found {type(item).__name__}")
    return tuple(items)


def name_of(raw: Raw) -> str:
    """`namespace/name` of an object for messages, whatever state the object is in."""
    metadata = raw.get("metadata")
    if not isinstance(metadata, Mapping):
        return "(an object without metadata)"
    namespace, name = metadata.get("namespace"), metadata.get("name")
    return f"{namespace}/{name}" if namespace else str(name)

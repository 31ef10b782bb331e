"""Typed access to raw manifests: the value, a default for absent or null, or a FieldError that names the path.

Pure.  Everything in a manifest may be missing, null or of another type; what is not as the API type says is an error of
that one object.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Raw = Mapping[str, Any]
LONGEST_NAME = 320
"""Characters of `namespace/name`: what the API server allows, and no more whatever a file holds."""


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
    value: Mapping[Any, Any] = mapping(raw, key)
    for name, item in value.items():
        if not isinstance(name, str) or not isinstance(item, str):
            raise FieldError(f"{key}.{name}: expected strings, found {type(name).__name__}: {type(item).__name__}")
    return dict(sorted(value.items()))


def words(raw: Raw, key: str) -> tuple[str, ...]:
    """A list of strings; empty when absent or null."""
    items = sequence(raw, key)
    for position, item in enumerate(items):
        if not isinstance(item, str):
            raise FieldError(f"{key}[{position}]: expected a string, found {type(item).__name__}")
    return tuple(items)


def only(raw: Raw, *known: str) -> Raw:
    """The object itself, where it sets no field but these: what is not known may change what it means."""
    strange = sorted(str(key) for key, value in raw.items() if key not in known and value is not None)
    if strange:
        raise FieldError(f"{strange[0]}: a field that this version does not know")
    return raw


def an_object(item: object) -> Raw:
    """The item, where it is an object at all."""
    if not isinstance(item, Mapping):
        raise FieldError(f"expected an object, found {type(item).__name__}")
    return item


def name_of(item: object) -> str:
    """`namespace/name` of an object for messages, whatever state the object is in."""
    metadata = _metadata(item)
    if metadata is None:
        return "(an object without metadata)"
    namespace, name = metadata.get("namespace"), metadata.get("name")
    return (f"{namespace}/{name}" if namespace else str(name))[:LONGEST_NAME]


def home_of(item: object) -> str | None:
    """The namespace in which an object stands, whatever state it is in; None where that cannot be told."""
    metadata = _metadata(item)
    if metadata is None:
        return None
    namespace = metadata.get("namespace")
    if namespace is None:
        return "default"
    return namespace if namespace and isinstance(namespace, str) else None


def own_name_of(item: object) -> str | None:
    """The name of an object, whatever state it is in; None where that cannot be told."""
    metadata = _metadata(item)
    name = metadata.get("name") if metadata is not None else None
    return name if name and isinstance(name, str) else None


def _metadata(item: object) -> Raw | None:
    metadata = item.get("metadata") if isinstance(item, Mapping) else None
    return metadata if isinstance(metadata, Mapping) else None

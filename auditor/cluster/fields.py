"""Typed access to raw manifests: the value, a default for absent or null, or a FieldError that names the path.

Pure.  Everything in a manifest may be missing, null or of another type; what is not as the API type says is an error of
that one object.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Any

Raw = Mapping[str, Any]
Path = tuple[str | int, ...]
"""Keys and positions that lead from an object to a field of it."""
LONGEST_NAME = 320
"""Characters of `namespace/name`: what the API server allows, and no more whatever a file holds."""


_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_PLAIN_KEY = re.compile(r"[A-Za-z_][\w-]*", re.ASCII)
_IPV4 = re.compile(rf"(?:{_OCTET}\.){{3}}{_OCTET}")


class FieldError(ValueError):
    """A field that is not what its API type says."""

    def __init__(self, reason: str, where: object = None, *keys: str | int) -> None:
        """Say what is wrong; `keys` lead to the field from `where`, a part of the object."""
        super().__init__(f"{path_text(keys)}: {reason}" if keys else reason)
        self.reason = reason
        self.where = where
        self.keys = keys


class UnknownField(FieldError):
    """A field that this version does not know: the API may have grown, or it is a misspelt one."""


class NullItem(FieldError):
    """A null in a list of objects: kubectl refuses it, the API server takes it for an object with nothing set."""


def path_text(keys: Path) -> str:
    """A path as the API server writes it: `spec.ingress[0].from`."""
    parts = (f"[{key}]" if isinstance(key, int) or not _PLAIN_KEY.fullmatch(key) else f".{key}" for key in keys)
    return "".join(parts).removeprefix(".")


def path_of(root: object, error: BaseException | None) -> Path:
    """The keys that lead from an object to the field that an error is about; empty where that is not known."""
    while error is not None:
        if isinstance(error, FieldError) and error.keys:
            found = _path_to(root, error.where)
            if found is not None:
                return (*found, *error.keys)
        error = error.__cause__
    return ()


def _path_to(root: object, wanted: object) -> Path | None:
    waiting: list[tuple[object, Path]] = [(root, ())]
    seen: set[int] = set()
    while waiting:
        value, path = waiting.pop()
        if value is wanted:
            return path
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, Mapping):
            waiting += [(item, (*path, key)) for key, item in value.items() if isinstance(item, Mapping | list)]
        elif isinstance(value, list):
            waiting += [(item, (*path, key)) for key, item in enumerate(value) if isinstance(item, Mapping | list)]
    return None


def kind_of(value: object) -> str:
    """What a value is, in the words of JSON."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return "a string"
    return "an object" if isinstance(value, Mapping) else "a list"


def mapping(raw: Raw, key: str) -> Raw:
    """A nested object; empty when absent or null."""
    value = raw.get(key)
    if value is None:
        return {}
    # What comes from text is a dict; asking the abstract type takes a multiple of the time.
    if type(value) is not dict and not isinstance(value, Mapping):
        raise FieldError(f"expected an object, found {kind_of(value)}", raw, key)
    return value


def sequence(raw: Raw, key: str) -> Sequence[Any]:
    """A nested list; empty when absent or null."""
    value = raw.get(key)
    if value is None:
        return ()
    if type(value) is not list and (not isinstance(value, Sequence) or isinstance(value, str)):
        raise FieldError(f"expected a list, found {kind_of(value)}", raw, key)
    return value


def objects(raw: Raw, key: str) -> Sequence[Raw]:
    """A nested list of objects; nulls in it are errors."""
    items = sequence(raw, key)
    for position, item in enumerate(items):
        if type(item) is not dict and not isinstance(item, Mapping):
            wrong = NullItem if item is None else FieldError
            raise wrong(f"expected an object, found {kind_of(item)}", raw, key, position)
    return items


def text(raw: Raw, key: str, default: str = "") -> str:
    """A string; the default when absent or null."""
    value = raw.get(key)
    if value is None:
        return default
    if not isinstance(value, str):
        raise FieldError(f"expected a string, found {kind_of(value)}", raw, key)
    return value


def flag(raw: Raw, key: str) -> bool:
    """A boolean; false when absent or null."""
    value = raw.get(key)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise FieldError(f"expected true or false, found {kind_of(value)}", raw, key)
    return value


def number(raw: Raw, key: str) -> int | None:
    """An integer; None when absent or null."""
    value = raw.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise FieldError(f"expected a whole number, found {kind_of(value)}", raw, key)
    return value


def strings(raw: Raw, key: str) -> dict[str, str]:
    """A map of strings, such as labels; empty when absent or null."""
    value: Mapping[Any, Any] = mapping(raw, key)
    for name, item in value.items():
        if not isinstance(name, str) or not isinstance(item, str):
            raise FieldError(f"expected a string, found {kind_of(item)}", raw, key, str(name))
    return dict(sorted(value.items()))


def words(raw: Raw, key: str) -> tuple[str, ...]:
    """A list of strings; empty when absent or null."""
    items = sequence(raw, key)
    for position, item in enumerate(items):
        if not isinstance(item, str):
            raise FieldError(f"expected a string, found {kind_of(item)}", raw, key, position)
    return tuple(items)


def only(raw: Raw, *known: str) -> Raw:
    """The object itself, where it sets no field but these: what is not known may change what it means."""
    for key in raw:
        if key not in known and raw[key] is not None:
            strange = min(str(key) for key, value in raw.items() if key not in known and value is not None)
            raise UnknownField("a field that this version does not know", raw, strange)
    return raw


def address(text: str) -> str | None:
    """An IP address in the one form in which addresses are compared; None where it is none."""
    if _IPV4.fullmatch(text):
        return text
    try:
        return str(ip_address(text))
    except ValueError:
        return None


def an_object(item: object) -> Raw:
    """The item, where it is an object at all."""
    if type(item) is not dict and not isinstance(item, Mapping):
        raise FieldError(f"expected an object, found {kind_of(item)}")
    return item


def name_of(item: object) -> str:
    """`namespace/name` of an object for messages, whatever state the object is in."""
    metadata = _metadata(item)
    if metadata is None:
        return "(an object without metadata)"
    namespace, name = metadata.get("namespace"), _shown(metadata.get("name"))
    return (name if namespace in (None, "") else f"{_shown(namespace)}/{name}")[:LONGEST_NAME]


def _shown(name: object) -> str:
    """A name for messages: a question mark where there is none, or a word that YAML took for a switch."""
    return str(name) if name != "" and isinstance(name, str | int | float) and not isinstance(name, bool) else "?"


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

"""JSON one after the other, lists in part, and where a text goes wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest

from auditor.cluster.json_text import JsonError, Unread, keys_twice, parse

STORED: dict[str, Any] = {
    "kind": "Pod",
    "metadata": {"name": "a", "uid": "u", "managedFields": [{}]},
    "spec": {"volumes": []},
}


def items(*found: Any, kind: str = "List") -> list[Any]:
    ((_, _, value),) = parse(json.dumps({"kind": kind, "items": found}).encode())
    return list(value["items"])


def test_documents_one_after_the_other() -> None:
    """Each with where it begins and ends."""
    assert list(parse(b' {"a":1}\n\n{"b":2}[3] ')) == [(1, 10, {"a": 1}), (10, 17, {"b": 2}), (17, 21, [3])]


@pytest.mark.parametrize("text", [b"", b" \n\t"])
def test_nothing(text: bytes) -> None:
    assert list(parse(text)) == []


@pytest.mark.parametrize(
    ("text", "reason", "at"),
    [
        (b'{"a": 1', "truncated", 7),
        (b'{"a": 1}{"b"', "truncated", 12),
        (b'{"a": nul}', "invalid character", 6),
        (b'{"a": 1,}', "trailing comma", 8),
        (b'{"a": 1} ]', "invalid character", 9),
        (b"{'a': 1}", "object keys must be strings", 1),
        (b'{"a": "\xff"}', "not UTF-8", 7),
        (b'{"a":' * 5_000, "nested too deeply", 0),
    ],
)
def test_errors_name_their_place(text: bytes, reason: str, at: int) -> None:
    """Within a character: msgspec counts from 0 in some cases and from 1 in others."""
    with pytest.raises(JsonError, match=reason) as caught:
        list(parse(text))
    assert abs(caught.value.at - at) <= 1


def test_stored_objects_of_a_list_are_read_in_part() -> None:
    """What a server sent, of the kinds that are large; all that a person wrote is kept."""
    written = {"kind": "Pod", "metadata": {"name": "b"}, "spec": {"volumes": []}}
    service = {"kind": "Service", "metadata": {"name": "s", "uid": "u", "managedFields": [{}]}, "spec": {"x": 1}}

    assert items(STORED, written, service, STORED) == [
        (part := {"kind": "Pod", "metadata": {"name": "a", "uid": "u"}, "spec": {}}),
        written,
        {"kind": "Service", "metadata": {"name": "s", "uid": "u"}, "spec": {"x": 1}},
        part,
    ]


def test_items_of_a_typed_list_need_no_kind() -> None:
    assert items({**STORED, "kind": None} | {"x": 1}, kind="PodList") == [
        {"kind": None, "metadata": {"name": "a", "uid": "u"}, "spec": {}}
    ]


@pytest.mark.parametrize("odd", [5, None, "text", [], {"kind": 5}, {"kind": ["Pod"]}, {"metadata": 5}])
def test_odd_items_are_left_as_they_are(odd: Any) -> None:
    assert items(STORED, odd, STORED)[1] == odd


def test_item_that_is_no_text_costs_no_other() -> None:
    data = b'{"kind":"List","items":[{"kind":"Pod","x":"\xff"},{"kind":"Service"},1e999]}'
    ((_, _, value),) = parse(data)

    assert isinstance(value["items"][0], Unread)
    assert value["items"][1] == {"kind": "Service"}


@pytest.mark.parametrize(
    ("text", "twice"),
    [
        (b'{"a": 1, "b": {"a": 1}}', False),
        (b'{"a": 1, "a": 2}', True),
        (b'[{"b": {"a": 1, "a": 2}}]', True),
        (b'{"a"', False),
        (b"[" * 100_000, False),
    ],
)
def test_keys_that_stand_twice(text: bytes, twice: bool) -> None:
    assert keys_twice(text) is twice

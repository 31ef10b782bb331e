"""Typed access: the value, the default for absent and null, or an error that names the path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from auditor.cluster import fields
from auditor.cluster.fields import FieldError

READERS: list[tuple[Callable[[dict[str, Any], str], Any], Any, Any, list[Any]]] = [
    (fields.mapping, {"a": 1}, {}, [[], "text", 1, True]),
    (fields.sequence, [1, "a"], (), [{}, "text", 1, True]),
    (fields.objects, [{}], (), [[None], ["text"], [1], "text", {}]),
    (fields.text, "text", "", [[], {}, 1, 1.5, True]),
    (fields.flag, True, False, [[], {}, 1, 0, "true"]),
    (fields.number, 5, None, [[], {}, "5", 5.0, True]),
    (fields.strings, {"a": "b"}, {}, [{"a": 1}, {"a": None}, {1: "a"}, [], "text"]),
    (fields.words, ("a",), (), [[1], [None], {}, "text"]),
]


@pytest.mark.parametrize(("read", "good", "default", "bad"), READERS)
def test_reader(read: Callable[[dict[str, Any], str], Any], good: Any, default: Any, bad: list[Any]) -> None:
    """Absent and null are the default, the right type is the value, any other type is an error with the key."""
    assert read({"key": good}, "key") == good
    assert read({}, "key") == default
    assert read({"key": None}, "key") == default
    for wrong in bad:
        with pytest.raises(FieldError, match="key"):
            read({"key": wrong}, "key")


def test_default_of_a_text() -> None:
    """An absent text may have a default of its own."""
    assert fields.text({}, "protocol", "TCP") == "TCP"


def test_unknown_fields_are_errors_where_they_may_change_the_meaning() -> None:
    """A set field that is not known is named; one that is null is not set."""
    assert fields.only({"a": 1, "b": None}, "a") == {"a": 1, "b": None}
    with pytest.raises(FieldError, match="new: a field that this version does not know"):
        fields.only({"a": 1, "new": []}, "a")


@pytest.mark.parametrize(
    ("item", "name", "home"),
    [
        ({"metadata": {"namespace": "shop", "name": "web"}}, "shop/web", "shop"),
        ({"metadata": {"name": "web"}}, "web", "default"),
        ({"metadata": {"namespace": 5, "name": None}}, "5/None", None),
        ({"metadata": []}, "(an object without metadata)", None),
        (None, "(an object without metadata)", None),
        ("text", "(an object without metadata)", None),
    ],
)
def test_names_for_messages(item: Any, name: str, home: str | None) -> None:
    """Whatever state an object is in, a message can name it."""
    assert (fields.name_of(item), fields.home_of(item)) == (name, home)


def test_own_name() -> None:
    """A name that is no text is no name."""
    assert fields.own_name_of({"metadata": {"name": "shop"}}) == "shop"
    assert fields.own_name_of({"metadata": {"name": 5}}) is None
    assert fields.own_name_of(None) is None

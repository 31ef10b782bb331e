"""Typed access: the value, the default for absent and null, or an error that names the path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from auditor.cluster import fields
from auditor.cluster.fields import FieldError, NullItem, UnknownField

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
        ({"metadata": {"namespace": 5, "name": None}}, "5/?", None),
        ({"metadata": {"namespace": "shop"}}, "shop/?", "shop"),
        ({"metadata": {"namespace": "shop", "name": False}}, "shop/?", "shop"),
        ({"metadata": {"namespace": False, "name": "web"}}, "?/web", None),
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


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        (("spec", "ingress", 0, "from", 1), "spec.ingress[0].from[1]"),
        (("metadata", "labels", "app.kubernetes.io/name"), "metadata.labels[app.kubernetes.io/name]"),
        ((0, "a-b"), "[0].a-b"),
    ],
)
def test_paths_as_text(path: fields.Path, text: str) -> None:
    """As the API server writes them."""
    assert fields.path_text(path) == text


@pytest.mark.parametrize(
    ("read", "path"),
    [
        (lambda raw: fields.text(raw["a"][1], "b"), ("a", 1, "b")),
        (lambda raw: fields.strings(raw["a"][1], "c"), ("a", 1, "c", "d")),
        (lambda raw: fields.words(raw, "a"), ("a", 0)),
        (lambda raw: fields.objects(raw, "e"), ("e", 0)),
        (lambda raw: fields.only(raw["a"][1], "b"), ("a", 1, "c")),
    ],
)
def test_error_knows_where_it_stands(read: Callable[[Any], Any], path: fields.Path) -> None:
    """Also when it was raised again with other words, and in an object that holds itself."""
    raw: dict[str, Any] = {"a": [{}, {"b": 5, "c": {"d": 5}}], "e": [None]}
    raw["self"] = raw
    with pytest.raises(FieldError) as caught:
        read(raw)

    assert fields.path_of(raw, caught.value) == path
    wrapped = FieldError("other words")
    wrapped.__cause__ = caught.value
    assert fields.path_of(raw, wrapped) == path
    assert fields.path_of({"another": raw["e"]}, caught.value) == ()


def test_nulls_in_lists_are_told_apart() -> None:
    """The API server takes them for objects with nothing set."""
    with pytest.raises(NullItem, match=r"key\[1\]: expected an object, found null"):
        fields.objects({"key": [{}, None]}, "key")
    with pytest.raises(UnknownField):
        fields.only({"key": 1})


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, "null"),
        (True, "true"),
        (0, "the number 0"),
        (1.5, "the number 1.5"),
        ("", "a string"),
        ({}, "an object"),
        ([], "a list"),
    ],
)
def test_kinds_of_values(value: Any, kind: str) -> None:
    assert fields.kind_of(value) == kind


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("FD00:0::01", "fd00::1"),
        ("10.0.0.256", None),
        ("10.0.0.01", None),
        ("10.0.0.1/32", None),
        ("", None),
    ],
)
def test_addresses(text: str, address: str | None) -> None:
    """One form for each address, as `ipaddress` prints it."""
    assert fields.address(text) == address

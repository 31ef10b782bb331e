"""Label selectors, operator by operator, on present, absent and empty values."""

from __future__ import annotations

import pytest

from auditor.model.labels import EVERYTHING, Labels, LabelSelector, Operator, Requirement, equals

IN, NOT_IN, EXISTS, ABSENT = Operator.IN, Operator.NOT_IN, Operator.EXISTS, Operator.DOES_NOT_EXIST


@pytest.mark.parametrize(
    ("operator", "values", "labels", "expected"),
    [
        (IN, {"a", "b"}, {"app": "a"}, True),
        (IN, {"a", "b"}, {"app": "c"}, False),
        (IN, {"a"}, {}, False),
        (IN, {""}, {"app": ""}, True),
        (IN, {""}, {}, False),
        (NOT_IN, {"a"}, {"app": "b"}, True),
        (NOT_IN, {"a"}, {"app": "a"}, False),
        (NOT_IN, {"a"}, {}, True),
        (NOT_IN, {""}, {}, True),
        (NOT_IN, {""}, {"app": ""}, False),
        (EXISTS, set(), {"app": ""}, True),
        (EXISTS, set(), {"other": "a"}, False),
        (ABSENT, set(), {"other": "a"}, True),
        (ABSENT, set(), {"app": ""}, False),
    ],
)
def test_requirement(operator: Operator, values: set[str], labels: Labels, expected: bool) -> None:
    """An absent key differs from an empty value, and NotIn is true of it."""
    assert Requirement("app", operator, frozenset(values)).matches(labels) is expected


def test_all_requirements_together() -> None:
    """Requirements are ANDed, and a selector without any matches everything."""
    both = LabelSelector((Requirement("app", IN, frozenset({"a"})), Requirement("tier", EXISTS)))

    assert both.matches({"app": "a", "tier": "x"})
    assert not both.matches({"app": "a"})
    assert EVERYTHING.matches({})
    assert both.keys == {"app", "tier"}


def test_equals_is_match_labels() -> None:
    """The selector of a map wants every key with its value, in whatever order the map was written."""
    assert equals({"b": "2", "a": "1"}) == equals({"a": "1", "b": "2"})
    assert equals({"a": ""}).matches({"a": ""})
    assert not equals({"a": ""}).matches({})
    assert equals({}).matches({"a": "1"})

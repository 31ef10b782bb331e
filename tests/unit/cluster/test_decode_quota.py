"""ResourceQuotas as values, and the quantities in them."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from auditor.cluster.decode_objects import decode_node
from auditor.cluster.decode_quota import decode_quota, quantity
from auditor.cluster.fields import FieldError
from tests.builders import Raw

MEBI = 1024**2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10m", Fraction(1, 100)),
        ("1", 1),
        (4, 4),
        (0.5, Fraction(1, 2)),
        ("1.5", Fraction(3, 2)),
        (".5", Fraction(1, 2)),
        ("32Mi", 32 * MEBI),
        ("1.5Gi", 1536 * MEBI),
        ("2k", 2000),
        ("1E", 10**18),
        ("1e3", 1000),
        ("1E-3", Fraction(1, 1000)),
        ("-5", -5),
        (None, None),
    ],
)
def test_quantities(text: object, expected: object) -> None:
    """As `resource.Quantity` has them: decimal and binary suffixes, exponents, signs."""
    assert quantity(text) == expected


@pytest.mark.parametrize("text", ["", "m", "1 Mi", "1mi", "0x10", "1e", "1e999", [], {}, "1KI", "１"])
def test_what_is_no_quantity(text: object) -> None:
    with pytest.raises(FieldError, match="expected a quantity"):
        quantity(text)


def a_quota(spec: Raw | None = None, **status: Any) -> Raw:
    return {"metadata": {"namespace": "shop", "name": "q"}, "spec": spec or {}, "status": status}


def test_what_is_free_is_hard_less_used() -> None:
    found = decode_quota(a_quota(hard={"pods": "10", "requests.cpu": "1"}, used={"pods": "4"}))
    assert dict(found.free) == {"pods": 6, "requests.cpu": 1}


def test_before_the_controller_has_seen_it_the_spec_counts() -> None:
    assert dict(decode_quota(a_quota({"hard": {"pods": "3"}})).free) == {"pods": 3}


@pytest.mark.parametrize(
    ("spec", "ours"),
    [
        ({}, True),
        ({"scopes": ["Terminating"]}, True),
        ({"scopes": ["NotBestEffort"]}, True),
        ({"scopes": ["NotTerminating"]}, False),
        ({"scopes": ["BestEffort"]}, False),
        ({"scopeSelector": {"matchExpressions": [{"scopeName": "BestEffort", "operator": "Exists"}]}}, False),
        (
            {
                "scopeSelector": {
                    "matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["x"]}]
                }
            },
            True,
        ),
    ],
)
def test_scopes_of_other_pods_are_left_out(spec: Raw, ours: bool) -> None:
    """A probe pod has a deadline and requests; whether it has some priority class nobody can know beforehand."""
    assert bool(decode_quota(a_quota(spec, hard={"pods": "3"})).free) is ours


@pytest.mark.parametrize(
    ("spec", "allocatable", "slots", "addresses"),
    [
        ({}, {"pods": "110"}, 110, None),
        ({"podCIDR": "10.0.0.0/24"}, {}, None, 253),
        ({"podCIDRs": ["10.0.0.0/28", "fd00::/64"]}, {"pods": "8"}, 8, 13),
        ({"podCIDR": "10.0.0.1/32"}, {}, None, 0),
    ],
)
def test_room_of_a_node(spec: Raw, allocatable: Raw, slots: int | None, addresses: int | None) -> None:
    found = decode_node({"metadata": {"name": "n1"}, "spec": spec, "status": {"allocatable": allocatable}})
    assert (found.slots, found.pod_addresses) == (slots, addresses)

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.backends.netns.spans import (
    WHOLE,
    Span,
    Spans,
    addresses,
    block,
    holds,
    joined,
    number,
    union,
    within,
    without,
)

SPANS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 6)).map(lambda pair: (pair[0], sum(pair))))


def members(spans: list[Span] | Spans) -> set[int]:
    return {value for first, last in spans for value in range(first, last + 1)}


@given(SPANS)
def test_union_holds_what_its_parts_hold_in_the_fewest_spans(spans: list[Span]) -> None:
    found = union(spans)

    assert members(spans) == members(found)
    assert all(one[1] + 1 < other[0] for one, other in pairwise(found))
    assert all(holds(found, value) == (value in members(spans)) for value in range(40))


@given(SPANS)
def test_without_takes_out_every_hole(holes: list[Span]) -> None:
    left = without((5, 25), holes)

    assert members([(5, 25)]) - members(holes) == members(left)
    assert left == union(left)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10.0.0.0/8", (0, (10 << 24, (11 << 24) - 1))),
        ("10.1.2.3/24", (0, ((10 << 24) + (1 << 16) + (2 << 8), (10 << 24) + (1 << 16) + (2 << 8) + 255))),
        ("10.0.0.1/32", (0, ((10 << 24) + 1, (10 << 24) + 1))),
        ("0.0.0.0/0", (0, WHOLE[0][0])),
        ("::/0", (1, WHOLE[1][0])),
        ("::2/127", (1, (2, 3))),
    ],
)
def test_block_has_a_first_and_a_last_address(text: str, expected: tuple[int, Span]) -> None:
    assert expected == block(text)


@pytest.mark.parametrize("text", ["", "10.0.0.1; drop", "10.0.0.256", "web", "10.0.0.1/33", "::1 }", "fe80::1/64 "])
def test_nothing_but_an_address_is_taken_for_one(text: str) -> None:
    with pytest.raises(ValueError, match="does not appear to be"):
        number(text)
    with pytest.raises(ValueError, match="does not appear to be"):
        block(text)


def test_addresses_are_gathered_by_family() -> None:
    assert ((((10 << 24) + 1, (10 << 24) + 2),), ((1, 1),)) == addresses(["10.0.0.2", "::1", "10.0.0.1"])
    assert ((), ()) == addresses([])


def test_sets_of_addresses_are_joined_and_narrowed() -> None:
    one, other = addresses(["10.0.0.1", "::1"]), addresses(["10.0.0.2"])

    assert addresses(["10.0.0.1", "10.0.0.2", "::1"]) == joined([one, other])
    assert addresses(["::1"]) == within(one, ["10.0.0.2", "::1"])
    assert ((), ()) == joined([])

"""The positions of bits, in the ways in which they are looked for."""

from __future__ import annotations

import pytest

from auditor.evaluate.bits import ones

FAR = 1 << 20_000


@pytest.mark.parametrize(
    "places",
    [(), (0,), (7,), (0, 1, 2), (3, 5), tuple(range(40, 90)), (0, 20_000), tuple(range(0, 900, 2)), tuple(range(900))],
    ids=str,
)
def test_every_position_comes_once_and_in_order(places: tuple[int, ...]) -> None:
    assert list(places) == list(ones(sum(1 << place for place in places)))


def test_what_lies_before_the_first_bit_shifts_the_positions() -> None:
    assert [20_000, 20_001, 20_004] == list(ones(FAR * 0b10011))
    assert [20_000, 40_000] == list(ones(FAR | FAR * FAR))

"""A figure, and the yardstick beside which it is measured.

Seconds say more of the machine than of the code, so each time is also given as a ratio to a fixed piece of work in
plain Python, measured right before it on the same, perhaps busy, machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

REPEATS = 3
YARDSTICK_ROUNDS = 300_000


@dataclass(frozen=True, slots=True)
class Figure:
    """What one measurement gave."""

    work: str
    value: float
    unit: str
    ratio: float | None = None
    """To the yardstick; None for what is not a time."""


def yardstick() -> int:
    """Do a fixed amount of what interpreters do: look up, compare, add, call."""
    seen: dict[int, int] = {}
    total = 0
    for number in range(YARDSTICK_ROUNDS):
        key = number * 2_654_435_761 % 4_096
        seen[key] = seen.get(key, 0) + 1
        total += min(key, number)
    return total


def fastest(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """Time the work a few times and take the best: the others measure what else the machine does."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def timed(name: str, work: Callable[[], object], repeats: int = REPEATS) -> Figure:
    """Time the work beside the yardstick."""
    unit_of_work = fastest(yardstick)
    seconds = fastest(work, repeats)
    return Figure(name, seconds, "s", seconds / unit_of_work)

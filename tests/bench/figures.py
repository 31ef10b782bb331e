"""A figure, and what it is held against.

Seconds say more of the machine than of the code, so each time is also given as a ratio to a fixed piece of work in
plain Python, measured right before it on the same, perhaps busy, machine.
"""

from __future__ import annotations

import os
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
    target: float | None = None
    """What the value should not exceed, in the same unit; None where nothing was promised."""
    naive: float | None = None
    """How many times as long the naive reading of the tests takes for the same."""
    cpu: float | None = None
    """What of the value was the processor's own time: on a busy machine the better figure; None where not measured."""

    @property
    def part(self) -> float | None:
        """The value as a part of its target: 1 or less is well."""
        return None if self.target is None else self.value / self.target


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
    return min(times(work, repeats))[0]


def times(work: Callable[[], object], repeats: int) -> list[tuple[float, float]]:
    """Seconds by the clock and of the processor, for each time."""
    found = []
    for _ in range(repeats):
        started, worked = time.perf_counter(), processor()
        work()
        found.append((time.perf_counter() - started, processor() - worked))
    return found


def processor() -> float:
    """Seconds of the processor that this process and those it has waited for have had."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def timed(name: str, work: Callable[[], object], repeats: int = REPEATS, target: float | None = None) -> Figure:
    """Time the work beside the yardstick."""
    unit_of_work = fastest(yardstick)
    seconds, cpu = min(times(work, repeats))
    return Figure(name, seconds, "s", seconds / unit_of_work, target, cpu=cpu)

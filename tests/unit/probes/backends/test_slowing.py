"""A round in which attempts were late or lost that no policy stops makes the next ones slower."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import pytest

from auditor.model.probe import Observation, Outcome, Probe
from tests.evidence import V4
from tests.memory_api import MemoryApi
from tests.speaking import line
from tests.unit.probes.backends.acting import PLAN, Heard, answering, backend, speech

LIMITS = (1.0,)
OWN = (Probe("c0", "c0", V4, 80, LIMITS), Probe("i0", "i0", V4, 80, LIMITS))
MANY = tuple(Probe("i0", "c0", V4, 1 + number, LIMITS) for number in range(200))


class Starved:
    """Answers nobody for so many execs, as on a machine that is too busy; notes the windows that it was given."""

    def __init__(self, execs: int) -> None:
        self.execs = execs
        self.windows: list[int] = []

    def __call__(self, pod: str, work: bytes) -> Iterable[bytes]:
        self.windows.append(int(work.split(b" ")[2]))
        if len(self.windows) > self.execs:
            return answering(work)
        header, said, footer = speech(work)
        silent = {"rc": 1, "to": 1, "ms": 1100, "d": ""}
        return [header, *(line(json.loads(item) | silent) for item in said), footer]


async def windows_after(execs: int, rounds: Sequence[Sequence[Probe]], heard: Heard) -> tuple[list[int], list[Outcome]]:
    api = MemoryApi()
    agent = api.agent = Starved(execs)
    seen: Sequence[Observation] = ()
    async with backend(api).session(PLAN, heard) as session:
        for number, probes in enumerate(rounds):
            seen = await session.run_round(number, probes)
    return agent.windows, [outcome for item in seen for outcome in item.outcomes]


async def test_a_machine_that_follows_is_not_slowed_down() -> None:
    heard = Heard()
    windows, _ = await windows_after(0, [OWN, MANY], heard)

    assert windows == [1, 1, 64]
    assert heard.warnings == []


@pytest.mark.parametrize(("execs", "window"), [(1, 32), (2, 16)])
async def test_the_next_round_is_slower_and_measures(execs: int, window: int) -> None:
    """By half where half of the own listeners were silent, by more where all were; it is said once for each time."""
    heard = Heard()
    windows, outcomes = await windows_after(execs, [OWN, MANY], heard)

    assert windows[-1] == window
    assert set(outcomes) == {Outcome.REACHED}
    assert heard.warnings == ["attempts that no policy stops were late or lost: the next round goes slower"]


async def test_it_never_speeds_up_again() -> None:
    """The closing round, on which every denial rests, is as slow as the slowest before it."""
    windows, _ = await windows_after(2, [OWN, MANY, MANY, MANY], Heard())

    assert windows[2:] == [16, 16, 16]


async def test_silence_of_what_policies_may_stop_slows_nothing_down() -> None:
    windows, outcomes = await windows_after(2, [MANY, MANY], Heard())

    assert windows == [64, 64]
    assert set(outcomes) == {Outcome.SILENT}

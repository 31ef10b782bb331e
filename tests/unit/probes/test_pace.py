"""How fast a round goes: windows, order, what it takes, and when the next one goes slower."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from auditor.model.probe import Observation, Outcome, Probe
from probes.pace import (
    BOUNDS,
    SLOWEST,
    TICK,
    Bound,
    Room,
    bound_at,
    level_within,
    longest,
    one_try_wide,
    split,
    strain,
)
from probes.wire import MAX_WINDOW
from tests.evidence import V4

SHELL = BOUNDS["shell"]
REACHED, SILENT, FAULT, REFUSED = Outcome.REACHED, Outcome.SILENT, Outcome.FAULT, Outcome.REFUSED
TRIES = (1.0, 1.0, 2.0)
NODES = {**{f"i{number}": "n1" for number in range(100)}, **{f"c{number}": f"n{number + 1}" for number in range(2)}}


def probe(source: str, destination: str, port: int = 80, tries: tuple[float, ...] = TRIES) -> Probe:
    return Probe(source, destination, V4, port, tries)


def ports(source: str, destination: str, count: int, tries: tuple[float, ...] = TRIES) -> list[Probe]:
    return [probe(source, destination, 1 + number, tries) for number in range(count)]


def test_a_batch_alone_keeps_its_whole_window() -> None:
    (batch,) = split(ports("i0", "c1", 200), NODES, SHELL)

    assert batch.window == 64
    assert batch.claim == {("execs", "n1"): 1, ("from", "n1"): 64, ("to", "n2"): 64}
    assert Room(SHELL).fits(batch)


def test_four_whole_windows_fill_a_node() -> None:
    """The next batch waits until one of them has ended; a small one does not."""
    *big, last = split([item for number in range(5) for item in ports(f"i{number}", "c1", 64)], NODES, SHELL)
    (small,) = split([probe("c1", "c1", tries=(1.0,))], NODES, SHELL)
    room = Room(SHELL)
    for batch in big:
        assert room.fits(batch)
        room.take(batch)

    assert not room.fits(last)
    room.give(big[0])
    assert room.fits(last)
    assert room.fits(small)


def test_destinations_have_a_bound_of_their_own() -> None:
    """Pods of many nodes that try those of one node wait for each other."""
    nodes = {f"i{number}": f"n{number}" for number in range(6)}
    batches = split([item for number in range(1, 6) for item in ports(f"i{number}", "i0", 64)], nodes, SHELL)
    room = Room(SHELL)
    for batch in batches[:4]:
        room.take(batch)

    assert not room.fits(batches[4])


def test_each_source_begins_with_the_one_after_it() -> None:
    """So that not all of them try the same destination first."""
    keys = ["i0", "i1", "i2"]
    batches = split([probe(one, other) for one in keys for other in keys if one != other], NODES, SHELL)

    assert {batch.source: batch.probes[0].destination for batch in batches} == {"i0": "i1", "i1": "i2", "i2": "i0"}


def test_longest_batch_goes_first() -> None:
    batches = split([*ports("i0", "c1", 1), *ports("i1", "c1", 9), *ports("i2", "c1", 5)], NODES, SHELL)

    assert [batch.source for batch in batches] == ["i1", "i2", "i0"]


@pytest.mark.parametrize(
    ("tries", "window", "wide"), [([1], 64, 1), ([3], 64, 1), ([3, 3, 3], 64, 3), ([3] * 100, 64, 64), ([1] * 9, 8, 8)]
)
def test_window_is_one_try_wide(tries: list[int], window: int, wide: int) -> None:
    """Tries of one probe are never under way together."""
    asked = [probe("i0", "c1", 1 + number) for number, count in enumerate(tries) for _ in range(count)]

    assert one_try_wide(asked, window) == wide


@pytest.mark.parametrize("agent", BOUNDS)
def test_each_level_halves_the_pace(agent: str) -> None:
    full = BOUNDS[agent]

    assert bound_at(agent, 0) == full
    assert bound_at(agent, 2) == Bound(full.window // 4, full.per_node // 4)
    assert bound_at(agent, 99) == Bound(1, 1)


def test_shell_agent_takes_its_window() -> None:
    assert SHELL.window <= MAX_WINDOW


def test_a_round_takes_what_its_longest_batch_takes() -> None:
    """Alone: 64 at once, three tries of 4 s in all, and the agent's ticks."""
    batches = split(ports("i0", "c1", 128), NODES, SHELL)

    assert longest(batches, SHELL) == pytest.approx(2 * (4 + 3 * TICK))
    assert longest((), SHELL) == 0


def test_batches_of_a_node_share_its_bound() -> None:
    """Sixteen of the same length take at least a quarter of that time each."""
    one = longest(split(ports("i0", "c1", 128), NODES, SHELL), SHELL)
    many = longest(split([item for n in range(16) for item in ports(f"i{n}", "c1", 128)], NODES, SHELL), SHELL)

    assert 4 * one <= many <= 5 * one


def test_slower_only_as_far_as_there_is_time() -> None:
    """A batch of 128 denied flows takes about 9 s, and twice that with each level."""
    wanted = ports("i0", "c1", 128)

    assert [level_within(SLOWEST, "shell", wanted, NODES, limit) for limit in (1000, 40, 20, 5)] == [3, 2, 1, 0]
    assert level_within(0, "shell", wanted, NODES, 0) == 0


def seen(source: str, destination: str, *outcomes: Outcome, milliseconds: int = 5) -> Observation:
    return Observation(1, probe(source, destination, tries=TRIES[: len(outcomes)]), outcomes, "", 0.0, milliseconds)


CONTROLS = frozenset({"c0", "c1"})


@pytest.mark.parametrize(
    ("found", "steps"),
    [
        ([], 0),
        ([seen("i0", "i0", REACHED), seen("c0", "c1", REACHED, REACHED, REACHED)], 0),
        # A listener that is not up yet refuses at once: no sign of load.
        ([seen("i0", "i0", REFUSED)], 0),
        # What policies may stop says nothing.
        ([seen("i0", "i1", SILENT, SILENT, SILENT), seen("c0", "i1", SILENT), seen("i0", "c1", FAULT)], 0),
        ([seen("c0", "c1", REACHED, SILENT, REACHED)], 1),
        ([seen("i0", "i0", SILENT), *[seen("i1", "i1", REACHED)] * 9], 1),
        ([seen("i0", "i0", SILENT), *[seen("i1", "i1", REACHED)] * 99], 0),
        ([seen("i0", "i0", FAULT), seen("i1", "i1", SILENT)], 2),
        # A time limit of 1 s that ended after 4 s, whatever the flow.
        ([seen("i0", "i1", SILENT, milliseconds=4000)], 2),
        ([seen("i0", "i1", SILENT, milliseconds=1300)], 0),
        ([seen("i0", "i1", SILENT, milliseconds=-1)], 0),
    ],
)
def test_signs_of_a_machine_that_cannot_follow(found: Sequence[Observation], steps: int) -> None:
    assert strain(found, CONTROLS) == steps

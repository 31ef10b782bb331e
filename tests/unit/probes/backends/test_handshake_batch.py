"""Handshakes with strangers: what is asked of the agent, once, and what its records mean."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from auditor.model.probe import Observation, Outcome, Probe
from probes.pace import FEW, STRANGERS, Room, bound_at, split
from tests.evidence import V4
from tests.memory_api import MemoryApi, Step
from tests.speaking import line
from tests.unit.probes.backends.acting import PROBES, a_run, answering

REACHED, SILENT, FAULT = Outcome.REACHED, Outcome.SILENT, Outcome.FAULT
STRANGER = tuple(Probe("i0", "", V4, 443, (1.0, 1.0), address=f"203.0.113.{number}") for number in (7, 8))
CONNECTED: dict[str, Any] = {"rc": 0, "to": 0, "c": 1, "ms": 1, "d": ""}
TIMED_OUT: dict[str, Any] = {"rc": 110, "to": 1, "c": 0, "ms": 1000, "d": ""}


class Agent:
    """Says what became of each handshake by the last number of its address; leaves those out that it is not told of."""

    def __init__(self, outcomes: dict[str, dict[str, Any]]) -> None:
        self.outcomes = outcomes
        self.batches: list[str] = []
        self.lines: list[str] = []

    def __call__(self, pod: str, work: bytes) -> Iterable[Step]:
        first, *lines, _, _ = work.decode().split("\n")
        _, batch, _, count, _ = first.split(" ")
        self.batches.append(batch)
        if "handshake" not in lines[0]:
            return answering(work)
        self.lines += lines
        words = {"agent": "a", "run": "r", "batch": batch, "nonce": "nonce", "client": "c", "server": "s"}
        found = [(int(one.split(" ")[0]), self.outcomes.get(one.split(" ")[1])) for one in lines]
        records = [{"i": number, **record} for number, record in found if record is not None]
        said = [{"netaudit": 1, **words, "n": int(count)}, *records, {"end": len(records), "batch": batch}]
        return [line(item) for item in said]


async def greeted(agent: Agent, rounds: int = 1) -> Sequence[Observation]:
    api = MemoryApi()
    api.agent = agent
    seen: Sequence[Observation] = ()
    async with a_run(api) as session:
        for _ in range(rounds):
            await session.run_round(1, PROBES)
            seen = await session.run_round(1, STRANGER)
    assert api.paths() == []
    return seen


async def test_each_try_is_a_handshake_and_nothing_else() -> None:
    agent = Agent({"203.0.113.7": CONNECTED, "203.0.113.8": TIMED_OUT})

    seen = await greeted(agent)

    assert {item.probe.address: item.outcomes for item in seen} == {
        "203.0.113.7": (REACHED, REACHED),
        "203.0.113.8": (SILENT, SILENT),
    }
    assert len(agent.lines) == 4
    assert all(line.endswith(" 443 1.0 handshake") for line in agent.lines)


async def test_a_lost_record_is_a_fault_and_the_stranger_is_not_met_again() -> None:
    """The handshake itself may have been made: it counts as one, whether or not it was told of."""
    agent = Agent({"203.0.113.7": CONNECTED})

    seen = await greeted(agent)

    assert {item.probe.address: item.outcomes for item in seen}["203.0.113.8"] == (FAULT, FAULT)
    assert len(agent.lines) == 4


async def test_batches_have_names_of_their_own() -> None:
    """What an exec for flows still says is never taken for a handshake, and those for flows keep their number."""
    agent = Agent({"203.0.113.7": CONNECTED, "203.0.113.8": CONNECTED})

    await greeted(agent, rounds=2)

    assert agent.batches == ["r1-i0-0", "h1-i0-0", "r1-i0-1", "h1-i0-1"]


def test_few_are_under_way_and_few_pods_at_once() -> None:
    """However many there are to try: a stranger meets few of our pods together."""
    nodes = {f"i{number}": f"n{number}" for number in range(9)}
    probes = [Probe(key, "", V4, port, (1.0,), address="203.0.113.7") for key in nodes for port in range(1, 50)]
    bound = bound_at("python", 0)
    room, batches = Room(bound), split(probes, nodes, bound)
    begun = 0
    for batch in batches:
        if room.fits(batch):
            room.take(batch)
            begun += 1

    assert {FEW} == {batch.window for batch in batches}
    assert (len(batches), begun) == (9, STRANGERS)
    room.give(batches[0])
    assert room.fits(batches[-1])

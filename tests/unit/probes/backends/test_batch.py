"""A batch that goes wrong: what is missing is asked for again, alone; what stays missing is a FAULT with its reason."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import pytest

from auditor.model.probe import Observation, Outcome
from probes.backends.conversation import ASKS, EXECS, asks_left
from tests.memory_api import MemoryApi, Step
from tests.unit.probes.backends.acting import PROBES, a_run, answering, now, speech

FAULT, REACHED = Outcome.FAULT, Outcome.REACHED
Turn = Callable[[bytes], Iterable[Step]]
"""What an agent does with its work."""


class Agent:
    """Does something else each time it is asked; from the last thing on, always that."""

    def __init__(self, *turns: Turn) -> None:
        self.turns = turns
        self.batches: list[str] = []
        self.asked: list[list[int]] = []
        self.windows: list[int] = []

    def __call__(self, pod: str, work: bytes) -> Iterable[Step]:
        first, *lines, _, _ = work.decode().split("\n")
        self.batches.append(first.split(" ")[1])
        self.windows.append(int(first.split(" ")[2]))
        self.asked.append([int(line.split(" ")[0]) for line in lines])
        return self.turns[min(len(self.batches), len(self.turns)) - 1](work)


def says(records: int, *then: Step, footer: bool = False) -> Turn:
    """Give the header and so many records, and then do something else."""

    def turn(work: bytes) -> list[Step]:
        header, said, last = speech(work)
        return [header, *said[:records], *then, *[last] * footer]

    return turn


async def seen_with(agent: Agent, api: MemoryApi | None = None) -> Sequence[Observation]:
    """Make one round of two probes with two tries each."""
    api = api or MemoryApi()
    api.agent = agent
    async with a_run(api) as session:
        seen = await session.run_round(1, PROBES)
    assert sorted(item.probe.port for item in seen) == [item.port for item in PROBES]
    assert api.paths() == []
    return seen


def outcomes(seen: Sequence[Observation]) -> list[Outcome]:
    """First all first tries, then the second ones."""
    return [item.outcomes[turn] for turn in range(2) for item in seen]


async def test_every_answer_is_a_reached() -> None:
    """An agent that answers everything gives two tries for each probe, no fault, and is asked once."""
    agent = Agent(answering)

    assert outcomes(await seen_with(agent)) == [REACHED] * 4
    assert agent.asked == [[0, 1, 2, 3]]


async def test_an_exec_that_is_refused() -> None:
    """All tries are faults with the API server's words, and nobody insists."""
    api = MemoryApi()
    api.fail("EXEC", ".*", 403, "pods/exec is forbidden")
    agent = Agent(answering)
    seen = await seen_with(agent, api)
    assert outcomes(seen) == [FAULT] * 4
    assert {item.detail for item in seen} == {"the exec failed: it answered 403: pods/exec is forbidden"}
    assert agent.asked == []


FAILURES = [
    pytest.param((), "the exec ended without its footer, exit code 1", id="ends"),
    pytest.param((1e6,), "the exec did not end within 53 s", id="hangs"),
    pytest.param((ConnectionResetError("peer"),), "the exec was cut off: peer", id="cut"),
    pytest.param((ConnectionResetError(),), "the exec was cut off: ConnectionResetError", id="cut without a word"),
    pytest.param((b'{"i":3,"rc":0,"to',), "the exec ended without its footer, exit code 1", id="half a line"),
    pytest.param((b"\xff{}[\n" * 100, b"x" * 9000), "the exec ended without its footer", id="garbage"),
]


@pytest.mark.parametrize(("then", "reason"), FAILURES)
@pytest.mark.parametrize("records", [0, 1, 3])
async def test_what_was_answered_counts_and_the_rest_is_asked_for_again(
    then: tuple[Step, ...], reason: str, records: int
) -> None:
    """Alone, by another exec, under another batch id; no try is lost."""
    agent = Agent(says(records, *then), answering)

    assert outcomes(await seen_with(agent)) == [REACHED] * 4
    assert agent.asked == [[0, 1, 2, 3], list(range(records, 4))]
    assert len(set(agent.batches)) == 2


@pytest.mark.parametrize(("then", "reason"), FAILURES)
async def test_what_stays_missing_has_the_reason(then: tuple[Step, ...], reason: str) -> None:
    """Asked three times at most, each answer counts, and no silence comes of it."""
    agent = Agent(says(1, *then), says(0, *then))
    seen = await seen_with(agent)

    assert outcomes(seen) == [REACHED, FAULT, FAULT, FAULT]
    assert seen[1].detail.startswith(reason)
    assert agent.asked == [[0, 1, 2, 3], [1, 2, 3], [1, 2, 3]]


async def test_an_exec_that_hangs_does_not_hold_the_round_up() -> None:
    """All asking of a batch is over within its one time limit."""
    api = MemoryApi()
    api.agent = Agent(says(0, 1e6))
    async with a_run(api) as session:
        began = now()
        await session.run_round(1, PROBES)
        assert now() - began < 60


async def test_tries_of_one_probe_follow_each_other_when_asked_for_again() -> None:
    """With only both tries of the second probe missing, one attempt is under way at a time."""

    def without_the_second(work: bytes) -> list[Step]:
        header, said, last = speech(work)
        return [header, said[0], said[2], last]

    agent = Agent(without_the_second, answering)
    await seen_with(agent)

    assert agent.asked[1] == [1, 3]
    assert agent.windows == [2, 1]


async def test_a_record_that_came_twice_is_asked_for_again() -> None:
    """Which of the two is true cannot be known."""

    def twice(work: bytes) -> list[Step]:
        header, said, last = speech(work)
        return [header, *said, said[2], last]

    agent = Agent(twice, answering)

    assert outcomes(await seen_with(agent)) == [REACHED] * 4
    assert agent.asked[1:] == [[2]]


async def test_an_agent_that_forgets_an_attempt() -> None:
    """A footer without all records leaves a fault that counts what is missing."""
    agent = Agent(says(3, footer=True), says(0, footer=True))
    seen = await seen_with(agent)

    assert seen[1].outcomes == (REACHED, FAULT)
    assert seen[1].detail == "no record of 1 of 1 attempts"
    assert agent.asked == [[0, 1, 2, 3], [3], [3]]


async def test_records_of_different_asks_never_mix() -> None:
    """What an earlier exec had still to say bears its own batch id, and is no answer to the later one."""
    late: list[bytes] = []

    def breaks_off(work: bytes) -> list[Step]:
        late.extend(answering(work))
        return [ConnectionResetError()]

    agent = Agent(breaks_off, lambda work: list(late))
    seen = await seen_with(agent)

    assert outcomes(seen) == [FAULT] * 4
    assert "header missing" in seen[0].detail or "footer" in seen[0].detail


async def test_the_agent_of_another_pod_is_not_believed() -> None:
    """Its batch id may fit, its nonce does not: the measurement is of somewhere else."""

    def stranger(work: bytes) -> list[Step]:
        header, said, last = speech(work)
        return [json.dumps({**json.loads(header), "nonce": "another"}).encode() + b"\n", *said, last]

    seen = await seen_with(Agent(stranger))

    assert outcomes(seen) == [FAULT] * 4
    assert seen[0].detail == "the agent that answered is that of another pod"


async def test_another_runs_listener_is_no_answer() -> None:
    """A nonce that nobody here has is a fault of the measurement, and complete: nothing is asked again."""
    agent = Agent(lambda work: [part.replace(b"netaudit nonce", b"netaudit other") for part in answering(work)])
    seen = await seen_with(agent)

    assert outcomes(seen) == [FAULT] * 4
    assert seen[0].detail.startswith("another listener answered")
    assert len(agent.asked) == 1


async def test_a_hundred_megabytes_are_not_read() -> None:
    """An agent that says far more than all its answers can take is cut off; what it had answered before counts."""
    read = Counter[str]()

    def flood(work: bytes) -> Iterable[Step]:
        header, said, _ = speech(work)
        yield from (header, said[0])
        for _ in range(100):
            read["MB"] += 1
            yield b"x" * 1_000_000

    seen = await seen_with(Agent(flood))

    assert outcomes(seen) == [REACHED, REACHED, REACHED, FAULT]
    assert seen[1].detail == "the agent said more than all its answers can take"
    assert read["MB"] == ASKS


async def test_an_agent_that_says_nothing_but_noise() -> None:
    """Noise is no answer, however much of it there is."""
    seen = await seen_with(Agent(lambda work: [b"\xff{}[\n" * 1000, b"x" * 100_000]))

    assert outcomes(seen) == [FAULT] * 4


async def test_requests_of_a_run_stay_bounded_whatever_fails() -> None:
    """With its creation and its removal, ten for each probe pod; no round goes without an exec."""
    api = MemoryApi()
    agent = api.agent = Agent(says(0))
    async with a_run(api) as session:
        for number in (0, 0, 1, 2, 3, 4):
            await session.run_round(number, PROBES)

    rounds = Counter(batch.split("-")[0] for batch in agent.batches)
    assert len(agent.batches) == EXECS == 8
    assert sorted(rounds) == ["r0", "r1", "r2", "r3", "r4"]


@pytest.mark.parametrize(
    ("used", "number", "left"),
    [(0, 0, 3), (1, 0, 3), (1, 1, 3), (4, 1, 1), (3, 1, 2), (2, 2, 3), (5, 3, 2), (7, 4, 1), (9, 4, 1)],
)
def test_execs_are_kept_for_the_rounds_to_come(used: int, number: int, left: int) -> None:
    """Eight in a run, three in a round, one at least."""
    assert asks_left(used, number) == left

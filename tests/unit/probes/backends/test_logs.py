"""Work by annotation and answers by log: the same framing, the same askings, and no exec at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from auditor.model.probe import Observation, Outcome, Probe
from auditor.ports import ProbeSession
from probes.backends import conversation
from probes.placement import WORK, AgentSpec
from tests.evidence import V4
from tests.memory_api import MemoryApi, Step
from tests.speaking import line
from tests.unit.probes.backends.acting import PLAN, PROBES, answering, backend, now, silent, speech
from tests.unit.probes.backends.test_batch import FAULT, REACHED, Agent, outcomes, says

SPEC = AgentSpec("image", "script", 600, "shell", "courier")
POD = "netaudit-aaaaaa-i0-0"


@asynccontextmanager
async def a_run(api: MemoryApi) -> AsyncIterator[ProbeSession]:
    api.fail("EXEC", ".*", 403, "pods/exec is forbidden")
    async with replace(backend(api), agent=SPEC).session(PLAN, silent) as session:
        yield session


async def seen_with(agent: Agent, api: MemoryApi | None = None) -> Sequence[Observation]:
    """Make one round of two probes with two tries each."""
    api = api or MemoryApi()
    api.agent = agent
    async with a_run(api) as session:
        return await session.run_round(1, PROBES)


async def test_every_answer_is_a_reached() -> None:
    """One annotation, one log, no exec."""
    agent = Agent(answering)

    assert outcomes(await seen_with(agent)) == [REACHED] * 4
    assert agent.asked == [[0, 1, 2, 3]]


async def test_what_was_said_to_earlier_batches_is_none_of_this_one() -> None:
    """The log begins with all that was said before: records bear no batch, and their ids are the same."""
    api = MemoryApi()

    def silence(work: bytes) -> list[Step]:
        header, _, last = speech(work)
        return [header, *(line({"i": number, "rc": 1, "to": 1, "ms": 9, "d": ""}) for number in range(4)), last]

    api.agent = Agent(answering, silence, answering)
    async with a_run(api) as session:
        rounds = [await session.run_round(number, PROBES) for number in (0, 1, 2)]

    assert [outcomes(seen)[0] for seen in rounds] == [REACHED, Outcome.SILENT, REACHED]
    assert all(len(set(outcomes(seen))) == 1 for seen in rounds)


@pytest.mark.parametrize("records", [0, 1, 3])
@pytest.mark.parametrize(
    "then",
    [(), (1e6,), (ConnectionError("reset"),), (b'{"i":3,"rc":0,"to',)],
    ids=["ends", "hangs", "cut", "half a line"],
)
async def test_what_is_missing_is_asked_for_again(records: int, then: tuple[Step, ...]) -> None:
    """Alone, by another annotation, under another batch id."""
    agent = Agent(says(records, *then), answering)

    assert outcomes(await seen_with(agent)) == [REACHED] * 4
    assert agent.asked == [[0, 1, 2, 3], list(range(records, 4))]
    assert len(set(agent.batches)) == 2


@pytest.mark.parametrize("verb", ["PATCH", "LOG"])
async def test_rights_that_are_missing(verb: str) -> None:
    """Faults with the API server's words, and nobody insists."""
    api = MemoryApi()
    api.fail(verb, ".*pods/netaudit.*", 403, "is forbidden")
    seen = await seen_with(Agent(answering), api)

    assert outcomes(seen) == [FAULT] * 4
    assert {item.detail for item in seen} == {"the log failed: it answered 403: is forbidden"}


async def test_another_pods_agent_is_not_believed() -> None:
    def foreign(work: bytes) -> list[Step]:
        header, said, last = speech(work)
        return [header.replace(b'"nonce": "nonce"', b'"nonce": "other"'), *said, last]

    seen = await seen_with(Agent(foreign))

    assert outcomes(seen) == [FAULT] * 4
    assert seen[0].detail == "the agent that answered is that of another pod"


async def test_an_agent_that_never_stops_talking() -> None:
    """What is read is bounded, in each asking and in all of them."""
    api = MemoryApi()
    seen = await seen_with(Agent(lambda _: [b"x" * 8000 + b"\n"] * 100_000), api)

    assert {item.detail for item in seen} == {"the agent said more than all its answers can take"}
    assert len(api.logs[POD]) < 4 * conversation.NOISE * conversation.ASKS


async def test_a_kubelet_that_is_slow_to_hand_it_over() -> None:
    """At its next sync in the worst case; the agent's own silence is not waited for so long."""

    def slow(work: bytes) -> Iterable[Step]:
        return [90.0, *answering(work)]

    assert outcomes(await seen_with(Agent(slow))) == [REACHED] * 4
    began = now()
    assert FAULT in outcomes(await seen_with(Agent(says(1, 1e6))))
    assert now() - began < 2 * conversation.MARGIN + conversation.DELIVERY


async def test_big_batches_are_parted() -> None:
    """All annotations of an object together may take 256 KiB."""
    api = MemoryApi()
    works: list[str] = []
    agent = Agent(answering)

    def keep(pod: str, work: bytes) -> Iterable[Step]:
        works.append(api.objects[f"/api/v1/namespaces/shop/pods/{POD}"]["metadata"]["annotations"][WORK])
        return agent(pod, work)

    api.agent = keep
    probes = [Probe("i0", "c0", V4, port, (1.0,)) for port in range(10_000, 17_000)]
    async with a_run(api) as session:
        seen = await session.run_round(1, probes)

    assert {item.outcomes for item in seen} == {(REACHED,)}
    assert len(works) == 3
    assert max(map(len, works)) < 250_000


async def test_batches_of_one_source_take_turns() -> None:
    """A pod has one annotation: what would overwrite work that nobody has read yet waits."""
    api = MemoryApi()
    agent = Agent(answering)
    api.agent = agent
    async with a_run(api) as session:
        rounds = await asyncio.gather(*(session.run_round(1, [probe]) for probe in PROBES))

    assert [item.outcomes for seen in rounds for item in seen] == [(REACHED, REACHED)] * 2
    assert agent.asked == [[0, 1], [0, 1]]

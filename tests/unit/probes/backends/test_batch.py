"""A batch that goes wrong: every try that was not answered is a FAULT with its reason, every answer counts."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from auditor.model.probe import Observation, Outcome
from tests.memory_api import MemoryApi, Step
from tests.unit.probes.backends.acting import PROBES, a_run, answering, speech

FAULT, REACHED = Outcome.FAULT, Outcome.REACHED


async def seen_with(api: MemoryApi) -> Sequence[Observation]:
    """Make one round of two probes with two tries each."""
    async with a_run(api) as session:
        seen = await session.run_round(1, PROBES)
    assert [item.probe for item in seen] == list(PROBES)
    assert api.paths() == []
    return seen


def scripted(api: MemoryApi, records: int, *then: Step) -> None:
    """Let the agent give its header and so many records, and then do something else."""

    def agent(pod: str, work: bytes) -> list[Step]:
        header, said, _ = speech(work)
        return [header, *said[:records], *then]

    api.agent = agent


async def test_every_answer_is_a_reached() -> None:
    """An agent that answers everything gives two tries for each probe and no fault."""
    api = MemoryApi()
    api.agent = lambda pod, work: answering(work)
    assert [item.outcomes for item in await seen_with(api)] == [(REACHED, REACHED)] * 2


async def test_an_exec_that_is_refused() -> None:
    """All tries are faults with the API server's words."""
    api = MemoryApi()
    api.fail("EXEC", ".*", 403, "pods/exec is forbidden")
    seen = await seen_with(api)
    assert [item.outcomes for item in seen] == [(FAULT, FAULT)] * 2
    assert {item.detail for item in seen} == {"the exec failed: it answered 403: pods/exec is forbidden"}


@pytest.mark.parametrize(
    ("then", "reason"),
    [
        pytest.param((), "the exec ended without its footer, exit code 1", id="ends"),
        pytest.param((1e6,), "the exec did not end within", id="hangs"),
        pytest.param((ConnectionResetError("peer"),), "the exec was cut off: peer", id="cut"),
        pytest.param((ConnectionResetError(),), "the exec was cut off: ConnectionResetError", id="cut without a word"),
    ],
)
@pytest.mark.parametrize("records", [0, 1, 3])
async def test_what_was_answered_counts_and_the_rest_has_the_reason(
    then: tuple[Step, ...], reason: str, records: int
) -> None:
    """First tries come first, so the answers that came are those of the first tries."""
    api = MemoryApi()
    scripted(api, records, *then)
    seen = await seen_with(api)
    tries = [item.outcomes[turn] for turn in range(2) for item in seen]
    assert tries == [REACHED] * records + [FAULT] * (4 - records)
    assert seen[1].detail.startswith(reason)


async def test_an_agent_that_forgets_an_attempt() -> None:
    """A footer without all records leaves a fault that counts what is missing."""
    api = MemoryApi()
    api.agent = lambda pod, work: [speech(work)[0], *speech(work)[1][:3], speech(work)[2]]
    seen = await seen_with(api)
    assert seen[1].outcomes == (REACHED, FAULT)
    assert seen[1].detail == "no record of 1 of 4 attempts"


async def test_an_agent_that_says_nothing_but_noise() -> None:
    """Noise is no answer, however much of it there is."""
    api = MemoryApi()
    api.agent = lambda pod, work: [b"\xff{}[\n" * 1000, b"x" * 100_000]
    assert [item.outcomes for item in await seen_with(api)] == [(FAULT, FAULT)] * 2

"""The attempts of one source, asked of its agent by execs until each has its record, or no more may be asked.

What is missing is asked for again, alone, under a batch id of its own, so that nothing that an earlier exec still says
is ever taken for an answer to a later one.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from auditor.cluster.api import KubeApi
from auditor.errors import NetauditError
from auditor.model.probe import Placed, Probe
from auditor.rounds import CLOSING, OPENING
from probes import wire
from probes.pace import one_try_wide
from probes.placement import CONTAINER, AgentSpec

MARGIN = 45.0
"""Seconds that all asking of one batch may take beyond the sum of its windows."""
STALL = 15.0
"""Seconds of silence, beyond three times the longest time limit, after which an exec is given up."""
ASKS = 3
"""Execs of one batch at most."""
EXECS = 8
"""Execs of one probe pod in a run at most, two for handshakes apart: with its creation and removal ten requests."""
NOISE = 65536
"""Bytes that an agent may say beyond its records."""
RECORD = 1024
"""Bytes that one record may take."""
Asked = Mapping[int, tuple[Probe, wire.Attempt]]


@dataclass(frozen=True, slots=True)
class Desk:
    """What every batch of a round shares."""

    api: KubeApi
    agent: AgentSpec
    here: Mapping[str, Placed]
    number: int
    elapsed: Callable[[], float]
    """Seconds since the first round began."""
    chance: Callable[[], float]
    """Gives numbers from 0 to 1."""
    execs: Counter[str]
    """How many execs each source has had in this run, those for handshakes apart."""
    greeted: Counter[str]
    """How many of those."""


@dataclass(slots=True)
class Answers:
    """What came of the asking: one record each, and why others are missing."""

    records: dict[int, wire.Record] = field(default_factory=dict)
    fault: str = ""


def asks_left(used: int, number: int) -> int:
    """How many execs a pod that had `used` of them may have in a round, if every round to come is to have its own."""
    to_come = CLOSING - number + (number == OPENING and not used)
    return max(1, min(ASKS, EXECS - used - to_come))


async def ask(desk: Desk, source: str, asked: Asked, window: int) -> Answers:
    """Ask for all records, and again for those that are missing; never raises but when it is cancelled."""
    answers = Answers()
    waits = sum(attempt.timeout for _, attempt in asked.values())
    limit = MARGIN + 4 * waits / window + len(asked) / 10
    try:
        async with asyncio.timeout(limit):
            # A stranger is not met again because a record was lost: the handshake itself may have been made.
            asks = 1 if _meets(asked) else asks_left(desk.execs[source], desk.number)
            for turn in range(asks):
                await asyncio.sleep(desk.chance() * 2**turn if turn else 0)
                missing = {number: item for number, item in asked.items() if number not in answers.records}
                if not missing or not await _once(desk, source, missing, window, answers):
                    break
    except TimeoutError:
        answers.fault = f"the exec did not end within {limit:.0f} s"
    return answers


def _meets(asked: Asked) -> bool:
    """Whether it is strangers that are to be tried."""
    return any(attempt.handshake for _, attempt in asked.values())


async def _once(desk: Desk, source: str, asked: Asked, window: int, answers: Answers) -> bool:
    """Ask by one exec; whether it makes sense to ask for the rest."""
    kind, execs = ("h", desk.greeted) if _meets(asked) else ("r", desk.execs)
    batch = f"{kind}{desk.number}-{source}-{execs[source]}"
    execs[source] += 1
    reader = wire.BatchReader(batch, asked)
    narrow = one_try_wide([probe for probe, _ in asked.values()], window)
    work = wire.encode_batch(batch, narrow, [attempt for _, attempt in asked.values()])
    try:
        patience = STALL + 3 * max(attempt.timeout for _, attempt in asked.values())
        answers.fault = await _converse(desk, source, work, reader, patience)
    except NetauditError as error:
        # The API was tried again already as often as makes sense.
        answers.fault = f"the exec failed: {error.why}"
        return False
    finally:
        if reader.header is not None and reader.header.nonce == desk.here[source].nonce:
            answers.records |= reader.records
        elif reader.header is not None:
            answers.fault = "the agent that answered is that of another pod"
    answers.fault = answers.fault or reader.shortfall
    return True


async def _converse(desk: Desk, source: str, work: bytes, reader: wire.BatchReader, patience: float) -> str:
    """Send the work and feed the reader until the footer or the end; the reason where it went wrong, else empty."""
    pod, words = desk.here[source].pod, desk.agent.command("probe")
    room = NOISE + RECORD * len(reader.asked)
    try:
        async with desk.api.exec(pod.namespace, pod.name, CONTAINER, words) as channel:
            async with asyncio.timeout(patience) as alarm:
                await channel.write(work)
                async for data in channel.read():
                    alarm.reschedule(asyncio.get_running_loop().time() + patience)
                    reader.feed(data)
                    room -= len(data)
                    if reader.footer is not None:
                        return ""
                    if room < 0:
                        return "the agent said more than all its answers can take"
            return f"the exec ended without its footer, exit code {channel.exit_code}"
    except TimeoutError:
        return f"the exec said nothing for {patience:.0f} s"
    except OSError as error:
        return f"the exec was cut off: {str(error) or type(error).__name__}"

"""The attempts of one source, asked of its agent until each has its record, or no more may be asked.

By execs; or, where nobody may exec, by an annotation of the pod, which its courier reads, and by its log.

What is missing is asked for again, alone, under a batch id of its own, so that nothing that an earlier exec still says
is ever taken for an answer to a later one.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass, field
from typing import Protocol

from auditor.errors import NetauditError
from auditor.model.probe import Placed, Probe
from auditor.rounds import CLOSING, OPENING
from probes import wire
from probes.pace import one_try_wide
from probes.placement import CONTAINER, WORK, AgentSpec

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
DELIVERY = 100.0
"""Seconds that a kubelet may take to hand an annotation to a pod: none as a rule, until its next sync at worst."""
FOLLOWED = 3600.0
"""Seconds for which a log is followed at most; other limits come first."""
ANNOTATED = 3000
"""Attempts of one batch in an annotation: all of an object's may take 256 KiB (`TotalAnnotationSizeLimitB`)."""
RECORD = 1024
"""Bytes that one record may take."""
Asked = Mapping[int, tuple[Probe, wire.Attempt]]


class Channel(Protocol):
    """A running command's stdin, stdout and exit code."""

    @property
    def exit_code(self) -> int | None:
        """None until it is known."""

    async def write(self, data: bytes) -> None:
        """Send to stdin; raises OSError where it is not read any more."""

    def read(self) -> AsyncIterator[bytes]:
        """Yield stdout as it comes, to its end; raises OSError where it is cut off."""


class Reach(Protocol):
    """How agents in pods are reached: the API server, or what stands in its place."""

    def exec(
        self, namespace: str, pod: str, container: str, command: Sequence[str], /
    ) -> AbstractAsyncContextManager[Channel]:
        """Start a command in a container; raises NetauditError where that fails."""

    async def annotate(self, path: str, annotations: Mapping[str, str], /) -> None:
        """Set annotations of a pod; raises NetauditError where that fails."""

    def log(self, namespace: str, pod: str, container: str, seconds: float, /) -> AsyncGenerator[bytes, None]:
        """Yield what a container has said and goes on to say; raises OSError where that is cut off."""


@dataclass(frozen=True, slots=True)
class Logs:
    """What is known of the logs of a run, by source."""

    heard: Counter[str] = field(default_factory=Counter)
    """How many bytes were read of each when it was last read."""
    turns: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    """One batch of a source at a time: it has one annotation."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What every batch of a round shares."""

    api: Reach
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
    logs: Logs = field(default_factory=Logs)


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
    if not desk.agent.courier:
        await _ask_for(desk, source, asked, window, answers)
        return answers
    async with desk.logs.turns[source]:
        for part in _parts(asked):
            await _ask_for(desk, source, part, window, answers)
    return answers


def _parts(asked: Asked) -> Iterator[Asked]:
    """What fits into one annotation at a time."""
    numbers = list(asked)
    for begin in range(0, len(numbers), ANNOTATED):
        yield {number: asked[number] for number in numbers[begin : begin + ANNOTATED]}


async def _ask_for(desk: Desk, source: str, asked: Asked, window: int, answers: Answers) -> None:
    waits = sum(attempt.timeout for _, attempt in asked.values())
    limit = MARGIN + (DELIVERY if desk.agent.courier else 0) + 4 * waits / window + len(asked) / 10
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
        answers.fault = f"the {_way(desk)} did not end within {limit:.0f} s"


def _way(desk: Desk) -> str:
    return "log" if desk.agent.courier else "exec"


def _meets(asked: Asked) -> bool:
    """Whether it is strangers that are to be tried."""
    return any(attempt.handshake for _, attempt in asked.values())


async def _once(desk: Desk, source: str, asked: Asked, window: int, answers: Answers) -> bool:
    """Ask by one exec, or by one annotation; whether it makes sense to ask for the rest."""
    kind, execs = ("h", desk.greeted) if _meets(asked) else ("r", desk.execs)
    batch = f"{kind}{desk.number}-{source}-{execs[source]}"
    execs[source] += 1
    reader = wire.BatchReader(batch, asked)
    narrow = one_try_wide([probe for probe, _ in asked.values()], window)
    work = wire.encode_batch(batch, narrow, [attempt for _, attempt in asked.values()])
    converse = _by_log if desk.agent.courier else _by_exec
    try:
        patience = STALL + 3 * max(attempt.timeout for _, attempt in asked.values())
        answers.fault = await converse(desk, source, work, reader, patience)
    except NetauditError as error:
        # The API was tried again already as often as makes sense.
        answers.fault = f"the {_way(desk)} failed: {error.why}"
        return False
    finally:
        if reader.header is not None and reader.header.nonce == desk.here[source].nonce:
            answers.records |= reader.records
        elif reader.header is not None:
            answers.fault = "the agent that answered is that of another pod"
    answers.fault = answers.fault or reader.shortfall
    return True


async def _by_exec(desk: Desk, source: str, work: bytes, reader: wire.BatchReader, patience: float) -> str:
    """Send the work and feed the reader until the footer or the end; the reason where it went wrong, else empty."""
    return await by_exec(desk.api, desk.here[source], desk.agent.command("probe"), (work, reader, patience))


async def by_exec(api: Reach, placed: Placed, words: Sequence[str], said: tuple[bytes, wire.BatchReader, float]) -> str:
    """Run these words in a pod, say the work, and read until the footer; the reason where it went wrong, else empty.

    `said` is the work, what reads the answers, and how many seconds may pass without a word.
    """
    work, reader, patience = said
    try:
        async with api.exec(placed.pod.namespace, placed.pod.name, placed.container, words) as channel:
            await channel.write(work)
            fault = await _listen(channel.read(), reader, _Patience("exec", patience, patience), NOISE)
            return f"{fault}, exit code {channel.exit_code}" if fault == _ENDED.format("exec") else fault
    except OSError as error:
        return f"the exec was cut off: {str(error) or type(error).__name__}"


async def _by_log(desk: Desk, source: str, work: bytes, reader: wire.BatchReader, patience: float) -> str:
    """Lay the work into the pod's annotation and read its log, which begins with what was said to earlier batches."""
    pod = desk.here[source].pod
    path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}"
    await desk.api.annotate(path, {WORK: work.decode("ascii")})
    waits = _Patience("log", DELIVERY, patience)
    async with aclosing(desk.api.log(pod.namespace, pod.name, CONTAINER, FOLLOWED)) as said:
        try:
            return await _listen(said, reader, waits, NOISE + desk.logs.heard[source])
        except OSError as error:
            return f"the log was cut off: {error}"
        finally:
            desk.logs.heard[source] = max(desk.logs.heard[source], waits.heard)


@dataclass(slots=True)
class _Patience:
    """How long an agent may be silent, and how much it has said."""

    way: str
    first: float
    """Seconds until it says its header."""
    between: float
    heard: int = 0


_ENDED = "the {} ended without its footer"


async def _listen(said: AsyncIterator[bytes], reader: wire.BatchReader, waits: _Patience, noise: int) -> str:
    """Feed the reader until the footer or the end; the reason where it went wrong, else empty."""
    room = noise + RECORD * len(reader.asked)
    clock = asyncio.get_running_loop().time
    until = clock() + waits.first
    try:
        async with asyncio.timeout_at(until) as alarm:
            async for data in said:
                reader.feed(data)
                waits.heard += len(data)
                if reader.footer is not None:
                    return ""
                if waits.heard > room:
                    return "the agent said more than all its answers can take"
                if reader.header is not None or waits.way == "exec":
                    alarm.reschedule(clock() + waits.between)
    except TimeoutError:
        silence = waits.between if reader.header is not None else waits.first
        return f"the {waits.way} said nothing for {silence:.0f} s"
    return _ENDED.format(waits.way)

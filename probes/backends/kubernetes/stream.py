"""One exec whose work is asked for as time goes on: a timeline of new connections, by our own clock.

An agent begins each attempt as soon as it has read its line, so a connection began between the moment when its line was
sent and that of its record less the time that it took.  No clock of another machine has to agree with ours.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from auditor.cluster.api import KubeApi
from auditor.cluster.exec import ExecChannel
from auditor.errors import NetauditError
from auditor.model.flow import Family
from auditor.model.probe import Placed
from auditor.model.timing import Moment, Path, Sample
from probes import wire
from probes.outcome import classify
from probes.placement import CONTAINER, AgentSpec

STEPS: Mapping[str, float] = {"shell": 0.1, "python": 0.05}
"""By agent, seconds between two tries of a path: two processes, or one socket, for each."""
SLOWING = 0.05
"""Part of the time since the change that may pass between two tries, so that a long wait costs few."""
GRAIN = 0.01
"""Seconds by which an agent's own time of an attempt may be wrong: the shell's clock ticks in hundredths."""
WINDOW = 32
MOST = 4000
"""Attempts of one stream."""
ON_THE_WAY = 48
"""Attempts without a record from which on no more are asked for: an agent that hangs is not fed."""


@dataclass(frozen=True, slots=True)
class Target:
    """A listener."""

    placed: Placed
    family: Family
    port: int


@dataclass(frozen=True, slots=True)
class Aim:
    """Where a path leads, and how long one connection may take, in seconds."""

    target: Target
    timeout: float


class Stream:
    """The attempts of one pod; `aims` and `since` may be changed while it runs."""

    def __init__(self, api: KubeApi, agent: AgentSpec, source: Placed, batch: str, heard: Callable[[], None]) -> None:
        """Begin nothing yet; `heard` is told of each record, and of the end."""
        self._api, self._agent, self._source, self._batch, self._heard = api, agent, source, batch, heard
        self._now = asyncio.get_running_loop().time
        self._asked: dict[int, tuple[Path, Aim, float]] = {}
        self._reader = wire.BatchReader(batch, range(MOST))
        self._turn = 0
        self._task: asyncio.Task[None] | None = None
        self._opened = 0.0
        self.aims: dict[Path, Aim] = {}
        self.since = self._now()
        """From when on tries may become rarer."""
        self.samples: dict[Path, list[Sample]] = defaultdict(list)
        self.fault = ""
        self.born: Moment | None = None
        """When the pod's first process began, as far as its agent can tell."""

    def start(self) -> None:
        """Ask and listen until it is stopped, or until the exec ends, which is a fault."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Leave: the agent ends what is under way."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        pod = self._source.pod
        try:
            async with self._api.exec(pod.namespace, pod.name, CONTAINER, self._agent.command("probe")) as channel:
                self._opened = self._now()
                opening = wire.opening_line(self._batch, WINDOW, MOST, self._agent.seconds)
                await channel.write(f"{opening}\n".encode("ascii"))
                asking = asyncio.create_task(self._ask(channel))
                try:
                    async for data in channel.read():
                        self._read(data)
                finally:
                    asking.cancel()
                    await asyncio.gather(asking, return_exceptions=True)
            self.fault = "the exec ended before its time"
        except NetauditError as error:
            self.fault = f"the exec failed: {error.why}"
        except (OSError, TimeoutError) as error:
            self.fault = f"the exec was cut off: {str(error) or type(error).__name__}"
        finally:
            self._heard()

    async def _ask(self, channel: ExecChannel) -> None:
        while self._turn < MOST - len(Path):
            if len(self._asked) < ON_THE_WAY:
                lines = [
                    self._next(path, aim) for path, aim in sorted(self.aims.items(), key=lambda item: item[0].value)
                ]
                if lines:
                    await channel.write("".join(lines).encode("ascii"))
            await asyncio.sleep(max(STEPS[self._agent.name], SLOWING * (self._now() - self.since)))

    def _next(self, path: Path, aim: Aim) -> str:
        self._turn += 1
        self._asked[self._turn] = path, aim, self._now()
        address = aim.target.placed.pod.address(aim.target.family) or ""
        return wire.work_line(wire.Attempt(self._turn, address, aim.target.port, aim.timeout)) + "\n"

    def _read(self, data: bytes) -> None:
        now = self._now()
        for event in self._reader.feed(data):
            if isinstance(event, wire.Header):
                self._meet(event, now)
            elif isinstance(event, wire.Record) and event.id in self._asked:
                self._keep(event, now)
        self._heard()

    def _meet(self, header: wire.Header, now: float) -> None:
        if header.nonce != self._source.nonce:
            self.fault = "the agent that answered is that of another pod"
        elif header.age >= 0:
            # It reads its clock between our first line and its own.
            self.born = Moment(self._opened - header.age / 1000 - GRAIN, now - header.age / 1000)

    def _keep(self, record: wire.Record, now: float) -> None:
        path, aim, sent = self._asked.pop(record.id)
        if self.aims.get(path) is not aim:
            return  # it was asked for when the path led elsewhere
        outcome, _ = classify(record, aim.target.placed.nonce, aim.target.port)
        took = max(0.0, record.milliseconds / 1000 - GRAIN)
        found = self.samples[path]
        found.append(Sample(sent, max(sent, now - took), now, outcome))
        # Those that nobody answers end long after those that were asked for later.
        found.sort(key=lambda sample: sample.sent)

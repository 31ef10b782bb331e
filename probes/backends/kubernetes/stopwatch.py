"""Carrying out what is to be timed: a policy made over pods that talk, a pod made under it, and the policy removed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from auditor.cluster.api import KubeApi
from auditor.errors import NetauditError
from auditor.model.flow import Family
from auditor.model.probe import NotPlaced, Placed, StandIn, TimedNode, Timing
from auditor.model.timing import Change, Moment, Path, Trace
from auditor.rounds import PATIENCE
from auditor.timing import is_settled, is_talking
from auditor.timing_plan import waves
from probes.backends.kubernetes.pods import PodFollower, settled, unsettled_reason
from probes.backends.kubernetes.stream import Aim, Stream, Target
from probes.placement import AgentSpec, Marks, pod_manifest, policies_path, policy_manifest

TALKING = 10.0
"""Seconds in which the flows that are to be denied must have got through."""
LOOK = 0.2
"""Seconds between two looks at what was seen."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """What making and following the pods takes."""

    api: KubeApi
    marks: Marks
    agent: AgentSpec
    nonce: Callable[[], str]
    follower: PodFollower
    holder: str
    """UID of the holder in the namespace where the timed pods stand."""
    start_timeout: float
    controls: Mapping[str, Placed]
    """The controls that run, by key."""

    async def make(self, stand_in: StandIn) -> Placed | NotPlaced:
        """Make a pod and wait until it runs, or never will."""
        nonce, key = self.nonce(), (stand_in.namespace, self.marks.pod(stand_in))
        manifest = pod_manifest(stand_in, self.marks, self.agent, nonce, self.holder)
        try:
            await self.api.create(f"/api/v1/namespaces/{stand_in.namespace}/pods", manifest)
        except NetauditError as error:
            return NotPlaced(stand_in, f"its pod was not accepted: {error.why}")
        found: list[Placed | NotPlaced] = []

        def missing() -> int:
            state = settled(stand_in, self.follower.pods.get(key), nonce)
            found.extend([] if state is None or found else [state])
            return 0 if found else 1

        await self.follower.wait(missing, self.start_timeout)
        return found[0] if found else NotPlaced(stand_in, unsettled_reason(self.follower.pods.get(key)))


@dataclass(slots=True)
class Bench:
    """One node in one wave: its streams, and what is being timed there."""

    node: TimedNode
    family: Family = Family.IPV4
    caller: Stream | None = None
    subject: Stream | None = None
    asked: float = 0.0
    """When the change was asked for."""
    answered: float = 0.0
    """When it was there: the API server's answer, or the first look at a pod that runs."""
    fault: str = ""

    @property
    def streams(self) -> list[Stream]:
        """Those that run."""
        return [stream for stream in (self.caller, self.subject) if stream is not None]

    def trace(self, change: Change, now: float) -> Trace:
        """What was seen until now."""
        faults = [self.fault, *(stream.fault for stream in self.streams)]
        return Trace(
            change=change,
            node=self.node.node,
            family=self.family,
            port=self.node.port,
            asked=self.asked,
            zero=self._zero(change),
            until=now,
            samples={path: tuple(found) for stream in self.streams for path, found in stream.samples.items()},
            fault=next((text for text in faults if text), ""),
        )

    def _zero(self, change: Change) -> Moment | None:
        if change is not Change.FRESH_POD:
            return Moment(self.answered, self.answered) if self.answered else None
        born = self.subject.born if self.subject is not None else None
        # An age that is older than the pod itself is no age: then all is known that the API server's answers tell.
        return born if born is not None and born.latest >= self.asked else self._told()

    def _told(self) -> Moment | None:
        heard = self.subject is not None and any(self.subject.samples.values())
        return Moment(self.asked, self.answered) if heard else None


class Stopwatch:
    """Times one plan; traces are added to `seen` as they come, so that a run that ends early keeps what it has."""

    def __init__(self, shop: Workshop, timing: Timing, seen: list[Trace], done: Callable[[int], None]) -> None:
        """Begin nothing yet; `done` is told how many nodes are through."""
        self._shop, self._timing, self._seen, self._done = shop, timing, seen, done
        self._now = asyncio.get_running_loop().time
        self._news = asyncio.Event()
        self._streams: list[Stream] = []

    async def run(self) -> None:
        """Time the nodes, some of them side by side."""
        through = 0
        for wave in waves(self._timing):
            try:
                await self._wave([self._bench(node) for node in wave])
            finally:
                await asyncio.gather(*(stream.stop() for stream in self._streams))
                self._streams.clear()
            through += len(wave)
            self._done(through)

    def _bench(self, node: TimedNode) -> Bench:
        bench, controls = Bench(node), self._shop.controls
        if node.caller not in controls or node.peer not in controls:
            bench.fault = "the node's controls do not run"
            return bench
        both = set(controls[node.caller].pod.families) & set(controls[node.peer].pod.families)
        bench.family = next((family for family in Family if family in both), Family.IPV4)
        return bench

    async def _wave(self, benches: Sequence[Bench]) -> None:
        await asyncio.gather(*(self._seat(bench, bench.node.steady) for bench in benches))
        await self._await(lambda: all(self._talks(bench) for bench in benches), TALKING)
        await self._change(Change.NEW_POLICY, benches, self._make_policy)
        await asyncio.gather(*(self._reseat(bench) for bench in benches))
        await self._watch(Change.FRESH_POD, benches)
        await self._change(Change.POLICY_REMOVED, benches, self._remove_policy)

    async def _seat(self, bench: Bench, stand_in: StandIn) -> None:
        """Make a pod, and lead the streams to it and from it."""
        if bench.fault:
            return
        placed = await self._shop.make(stand_in)
        if isinstance(placed, NotPlaced):
            bench.fault = f"its pod does not run: {placed.reason}"
            return
        controls, node, timing = self._shop.controls, bench.node, self._timing
        bench.caller = bench.caller or self._stream(controls[node.caller])
        bench.subject = self._stream(placed)
        here, peer = Target(placed, bench.family, node.port), Target(controls[node.peer], bench.family, node.port)
        # What must get through has time for a second SYN, which goes out after one second.
        bench.caller.aims[Path.TWIN] = Aim(peer, PATIENCE * timing.timeout)
        bench.subject.aims[Path.ITSELF] = Aim(here, PATIENCE * timing.timeout)
        bench.caller.aims[Path.INGRESS] = Aim(here, timing.timeout)
        bench.subject.aims[Path.EGRESS] = Aim(peer, timing.timeout)

    async def _reseat(self, bench: Bench) -> None:
        """The next pod in the place of the one before."""
        bench.asked = self._now()
        if bench.caller is not None and bench.subject is not None:
            del bench.caller.aims[Path.INGRESS]
            bench.caller.samples.pop(Path.INGRESS, None)
            bench.caller.since = self._now()
            await bench.subject.stop()
        await self._seat(bench, bench.node.fresh)
        bench.answered = self._now()

    def _stream(self, source: Placed) -> Stream:
        batch = f"time-{source.stand_in.key}-{len(self._streams)}"
        stream = Stream(self._shop.api, self._shop.agent, source, batch, self._news.set)
        stream.start()
        self._streams.append(stream)
        return stream

    def _talks(self, bench: Bench) -> bool:
        trace = bench.trace(Change.NEW_POLICY, self._now())
        return bool(trace.fault) or is_talking(trace)

    async def _make_policy(self) -> None:
        policy = self._timing.policy
        await self._shop.api.create(policies_path(policy.namespace), policy_manifest(policy, self._shop.marks))

    async def _remove_policy(self) -> None:
        policy = self._timing.policy
        await self._shop.api.delete(f"{policies_path(policy.namespace)}/{policy.name}")

    async def _change(self, change: Change, benches: Sequence[Bench], act: Callable[[], Awaitable[None]]) -> None:
        """Do something to the policy, and watch what follows."""
        asked, fault = self._now(), ""
        try:
            await act()
        except NetauditError as error:
            fault = f"the policy could not be changed: {error.why}"
        for bench in benches:
            bench.asked, bench.answered, bench.fault = asked, self._now(), bench.fault or fault
            for stream in bench.streams:
                stream.since = self._now()
        await self._watch(change, benches)

    async def _watch(self, change: Change, benches: Sequence[Bench]) -> None:
        def settled_all() -> bool:
            return all(is_settled(bench.trace(change, self._now()), self._timing.limit) for bench in benches)

        try:
            await self._await(settled_all, self._timing.limit + TALKING)
        finally:
            self._seen += [bench.trace(change, self._now()) for bench in benches]

    async def _await(self, holds: Callable[[], bool], seconds: float) -> None:
        """Wait until something holds, at most so long; it is looked at from time to time when there is news."""
        end = self._now() + seconds
        while not holds() and self._now() < end:
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(end):
                    await self._news.wait()
            await asyncio.sleep(LOOK)


def untimed(timing: Timing, reason: str) -> list[Trace]:
    """Traces in which nothing was seen, and why."""
    return [
        Trace(change, item.node, Family.IPV4, item.port, 0.0, None, 0.0, fault=reason)
        for item in timing.nodes
        for change in Change
    ]

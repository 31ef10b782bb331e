"""A cluster and a probe backend that exist only in memory: the two doors of an audit, faked.

In `FakeBackend` the model answers for itself: whatever it denies is silent, whatever it allows is reached.  Twists bend
single attempts; each is a function of an attempt and of the outcome so far, and later ones see what earlier ones did.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from auditor.cluster.decode import decode
from auditor.cluster.resources import FOREIGN_POLICIES
from auditor.errors import ClusterUnreachable, Withdrawn
from auditor.evaluate.model import Model
from auditor.events import Event
from auditor.model.cluster import Pod, Snapshot
from auditor.model.flow import Direction, Traffic, Verdict
from auditor.model.ping import Echo, Ping, Pinged
from auditor.model.policy import NetworkPolicy
from auditor.model.probe import (
    Mark,
    NotPlaced,
    Observation,
    Outcome,
    Placed,
    Probe,
    ProbePlan,
    Rehearsal,
    Role,
    ServicePlan,
    StandIn,
    Timing,
    Way,
)
from auditor.model.service_path import Answer, Laid, LaidService, Named, Naming, Resolving
from auditor.model.timing import Change, Trace
from auditor.plan import own_namespaces
from auditor.ports import OnEvent, ProbeSession, RawSnapshot
from probes.admitted import look_of
from tests.builders import Raw, raw
from tests.timelines import quick

Deniers = Callable[[Pod, Pod, Traffic], frozenset[Direction]]
"""What really denies a flow: the directions, or none."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of one probe, before it is known what comes of it."""

    round: int
    turn: int
    """Counts the tries of a probe in a round, from 0."""
    probe: Probe
    source: Placed
    destination: Placed
    deniers: frozenset[Direction]

    @property
    def is_listener_check(self) -> bool:
        return self.probe.source == self.probe.destination

    @property
    def is_twin(self) -> bool:
        roles = {self.source.stand_in.role, self.destination.stand_in.role}
        return roles == {Role.CONTROL} and not self.is_listener_check

    def node(self, direction: Direction) -> str:
        """The node that has to deny in a direction."""
        return (self.source if direction is Direction.EGRESS else self.destination).pod.node


Twist = Callable[[Attempt, Outcome], Outcome]
Stranger = Callable[[int, Probe, Placed], Outcome]
"""What comes of a handshake in a round, from a probe pod."""


@dataclass
class FakeCluster:
    """A SnapshotSource over raw objects; `later` are those of the second reading, where they differ."""

    objects: Sequence[Raw]
    later: Sequence[Raw] | None = None
    unreadable: Mapping[str, str] = field(default_factory=dict)
    breaks_off: str = ""
    """Why the second reading fails; empty when it does not."""
    without: Sequence[Raw] = ()
    """What is left of the objects from some look at pods on."""
    gone_after: int = 99
    """The look from which it is so, counted from 1."""
    looks: int = 0

    async def collect(self) -> RawSnapshot:
        return raw(*self.objects, unreadable=self.unreadable)

    async def collect_pods(self, namespaces: Sequence[str], /) -> RawSnapshot:
        self.looks += 1
        found = self.objects if self.looks < self.gone_after else self.without
        return RawSnapshot({"pods": [item for item in raw(*found).objects.get("pods", ()) if _is_in(item, namespaces)]})

    async def collect_policies(self) -> RawSnapshot:
        if self.breaks_off:
            raise ClusterUnreachable("cannot list networkpolicies", why=self.breaks_off, attempt="later")
        everything = raw(*(self.objects if self.later is None else self.later))
        wanted = ("namespaces", "networkpolicies", *FOREIGN_POLICIES)
        return RawSnapshot({name: everything.objects.get(name, ()) for name in wanted})


def _is_in(item: Mapping[str, Any], namespaces: Sequence[str]) -> bool:
    return item["metadata"]["namespace"] in namespaces


def by_model(objects: Sequence[Raw]) -> Deniers:
    """The model's own answer about these objects."""
    model = Model(decode(raw(*objects)), own_namespaces())

    def deniers(source: Pod, destination: Pod, traffic: Traffic) -> frozenset[Direction]:
        decision = model.decide(source, destination, traffic.family, traffic.port, traffic.protocol)
        return frozenset(decision.deniers) if decision.verdict is Verdict.DENIED else frozenset()

    return deniers


TIMING = 99
"""Stands for a round in which something reacts: while it is timed how soon policies hold."""


@dataclass
class FakeBackend:
    """A ProbeBackend without packets; `calls` counts the rounds that were asked for."""

    deniers: Deniers
    twists: Sequence[Twist] = ()
    broken: Mapping[str, str] = field(default_factory=dict)
    cut_off_in: int | None = None
    """The round in which the budget ends."""
    reacted_in: int | None = None
    """The round in which something reacts to the probe pods."""
    ended_in: int | None = None
    """The round in which the run is asked to end."""
    dual_stack: bool = False
    leftovers: Sequence[str] = ()
    calls: list[int] = field(default_factory=list)
    is_open: bool = False
    waited: list[float] = field(default_factory=list)
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """What admission makes of the labels of some stand-ins."""
    relabelled: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """What somebody makes of the labels of some stand-ins after the first round."""
    rehearsals: Mapping[str, Rehearsal] = field(default_factory=dict)
    refuses: Callable[[StandIn], str] = lambda _: ""
    """Why admission refuses the pod of a stand-in; empty where it does not."""
    rehearsed: list[ProbePlan] = field(default_factory=list)
    stranger: Stranger = lambda _, __, ___: Outcome.REACHED
    greeted: list[tuple[int, Probe]] = field(default_factory=list)
    """Handshakes, with their rounds, which do not count as `calls`."""
    marks_left: Sequence[Mark] = ()
    timelines: Callable[[Change], Trace] = quick
    """What is seen of a change on every node."""
    timed_in: float = 20.0
    refused: Mapping[Way, str] = field(default_factory=dict)
    dns: Callable[[int, Naming, str], Answer] = lambda _, __, own: Answer(Resolving.RESOLVED, (own,), "in the fake", 3)
    """What comes of a name, by the turn of asking; given the server's own address."""
    looked: list[list[Naming]] = field(default_factory=list)
    refused_policies: str = ""
    """Why policies are not accepted that are made while the run is under way; empty where they are."""
    made: list[NetworkPolicy] = field(default_factory=list)
    policed_at: float = 0.0
    """When they were."""
    echo: Callable[[Ping], Echo] = lambda _: Echo.ANSWERED
    pinged_at: float = -1.0
    """When echoes were asked for, by the session's clock; below zero where they were not."""

    async def rehearse(self, plan: ProbePlan) -> Mapping[str, Rehearsal]:
        self.rehearsed.append(plan)
        told = {item: self.refuses(item) for item in plan.stand_ins if item.namespace not in plan.own_namespaces}
        return {**self.rehearsals, **{look_of(it): Rehearsal(it.key, why) for it, why in told.items() if why}}

    @asynccontextmanager
    async def session(self, plan: ProbePlan, on_event: OnEvent) -> AsyncIterator[ProbeSession]:
        self.is_open = True
        try:
            yield FakeSession(self, {item.key: self._place(n, item) for n, item in enumerate(plan.stand_ins)})
        finally:
            self.is_open = False

    def _place(self, number: int, item: StandIn) -> Placed | NotPlaced:
        if item.key in self.broken:
            return NotPlaced(item, self.broken[item.key])
        addresses = (f"192.0.2.{number}", f"2001:db8::{number}")[: 2 if self.dual_stack else 1]
        if item.pod:
            self.marks_left = [*self.marks_left, Mark(item.namespace, item.pod, f"netaudit-{item.key}", "ended")]
        labels = self.labels.get(item.key, dict(item.labels))
        pod = Pod(item.namespace, item.pod or f"probe-{item.key}", labels, item.node, addresses, item.named_ports)
        return Placed(item, pod, f"nonce-{item.key}")


@dataclass
class FakeSession:
    """Answers every probe at once; its clock goes on by a second with each round."""

    backend: FakeBackend
    made: Mapping[str, Placed | NotPlaced]
    clock: float = 0.0
    later: Model | None = None
    """The policies that were made while the run was under way."""

    @property
    def placed(self) -> Mapping[str, Placed | NotPlaced]:
        return {key: self._now(item) if isinstance(item, Placed) else item for key, item in self.made.items()}

    def _now(self, item: Placed) -> Placed:
        labels = self.backend.relabelled.get(item.stand_in.key)
        return item if labels is None or not self.backend.calls else replace(item, pod=replace(item.pod, labels=labels))

    async def run_round(self, number: int, probes: Sequence[Probe]) -> Sequence[Observation]:
        if any(probe.address for probe in probes):
            return self._greet(number, probes)
        self.backend.calls.append(number)
        if number == self.backend.cut_off_in:
            raise TimeoutError
        if number == self.backend.ended_in:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await asyncio.sleep(0)
        if number == self.backend.reacted_in:
            raise Withdrawn("ReplicaSet web adopted a probe pod")
        assert len(set(probes)) == len(probes)
        self.clock += 1.0
        return tuple(self._observe(number, probe) for probe in probes)

    def _greet(self, number: int, probes: Sequence[Probe]) -> Sequence[Observation]:
        assert len(set(probes)) == len(probes)
        assert all(probe.address and not probe.destination for probe in probes)
        self.backend.greeted += [(number, probe) for probe in probes]
        self.clock += 1.0
        return tuple(self._handshake(number, probe) for probe in probes)

    def _handshake(self, number: int, probe: Probe) -> Observation:
        source = self.made[probe.source]
        assert isinstance(source, Placed)
        outcome = self.backend.stranger(number, probe, source)
        return Observation(number, probe, (outcome,) * len(probe.timeouts), f"{outcome.value} in the fake", self.clock)

    async def time_enforcement(self, timing: Timing, seen: list[Trace]) -> None:
        self.clock += self.backend.timed_in
        if self.backend.reacted_in == TIMING:
            raise Withdrawn("ReplicaSet web adopted a probe pod")
        seen += [replace(self.backend.timelines(change), node=item.node) for item in timing.nodes for change in Change]

    async def lay_services(self, plan: ServicePlan) -> Laid:
        stand_ins = [plan.server, *(caller.gated for caller in plan.callers)]
        placed = {item.key: self.backend._place(200 + n, item) for n, item in enumerate(stand_ins)}
        self.made = {**self.made, **placed}
        laid = {}
        for number, service in enumerate(plan.services):
            ports = {port.target: port.number for port in service.ports if isinstance(port.target, int)}
            if service.way is Way.NODE_PORT:
                ports = {target: 30000 + target for target in ports}
            fault = self.backend.refused.get(service.way, "")
            laid[service.way] = LaidService(fault=fault) if fault else LaidService((f"10.96.0.{number}",), ports)
        return Laid(placed, laid)

    async def look_up(self, namings: Sequence[Naming]) -> Sequence[Named]:
        self.clock += 1.0
        self.backend.looked.append(list(namings))
        server = self.made["v"]
        assert isinstance(server, Placed)
        turn = len(self.backend.looked)
        return [
            Named(naming, (self.backend.dns(turn, naming, server.pod.address(naming.family) or ""),) * naming.tries)
            for naming in namings
        ]

    async def send_pings(self, pings: Sequence[Ping]) -> Sequence[Pinged]:
        self.backend.pinged_at = self.clock
        return [Pinged(item, self.backend.echo(item), "in the fake", 2, 3) for item in pings]

    async def make_policies(self, policies: Sequence[NetworkPolicy]) -> str:
        if self.backend.refused_policies:
            return self.backend.refused_policies
        self.backend.made += policies
        self.later = Model(Snapshot(policies=tuple(self.backend.made)), own_namespaces())
        self.clock += 1.0
        self.backend.policed_at = self.clock
        return ""

    def elapsed(self) -> float:
        return self.clock

    async def wait_until(self, seconds: float) -> None:
        self.backend.waited.append(seconds)
        self.clock = max(self.clock, seconds)

    def _observe(self, number: int, probe: Probe) -> Observation:
        source, destination = self.made[probe.source], self.made[probe.destination]
        assert isinstance(source, Placed)
        assert isinstance(destination, Placed)
        traffic = Traffic(probe.family, probe.protocol, probe.port)
        deniers = self.backend.deniers(source.pod, destination.pod, traffic) | self._later(source, destination, traffic)
        outcomes = []
        for turn in range(len(probe.timeouts)):
            attempt = Attempt(number, turn, probe, source, destination, deniers)
            outcome = Outcome.SILENT if deniers and not attempt.is_listener_check else Outcome.REACHED
            for twist in self.backend.twists:
                outcome = twist(attempt, outcome)
            outcomes.append(outcome)
        return Observation(number, probe, tuple(outcomes), f"{outcomes[-1].value} in the fake", self.clock, 1)

    def _later(self, source: Placed, destination: Placed, traffic: Traffic) -> frozenset[Direction]:
        """What the policies deny that were made while the run was under way."""
        if self.later is None:
            return frozenset()
        decision = self.later.decide(source.pod, destination.pod, traffic.family, traffic.port, traffic.protocol)
        return frozenset(decision.deniers)


def ignore(event: Event) -> None:
    """Take no notice of progress."""

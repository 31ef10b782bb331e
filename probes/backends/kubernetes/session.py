"""A session: probe pods made, followed, driven by one exec for each source and round, and removed again."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import Any

from auditor.cluster.api import KubeApi
from auditor.errors import ApiRefused, NetauditError
from auditor.events import Progressed, StageStarted, Warned
from auditor.model.ping import Ping, Pinged
from auditor.model.policy import NetworkPolicy
from auditor.model.probe import (
    Mark,
    NotPlaced,
    Observation,
    Placed,
    Probe,
    ProbePlan,
    Rehearsal,
    Role,
    ServicePlan,
    StandIn,
    Timing,
)
from auditor.model.service_path import Laid, Named, Naming
from auditor.model.timing import Trace
from auditor.ports import OnEvent, ProbeSession
from probes.admitted import obstacle, rehearsed, unforeseen
from probes.backends.conversation import Desk, Logs
from probes.backends.kubernetes import sweep
from probes.backends.kubernetes.announce import announce, began, ended
from probes.backends.kubernetes.ending import Ending, to_the_end, unfailing
from probes.backends.kubernetes.homes import HOME, NotMade, ensure_namespaces, make_holder
from probes.backends.kubernetes.lease import Clock, HeldLease
from probes.backends.kubernetes.lodging import Lodging
from probes.backends.kubernetes.names import look_up
from probes.backends.kubernetes.pings import send_pings
from probes.backends.kubernetes.pods import PodFollower, settled, unsettled_reason
from probes.backends.kubernetes.rehearse import rehearse
from probes.backends.kubernetes.services import lay, make_policies, make_policy, not_laid
from probes.backends.kubernetes.stopwatch import Stopwatch, Workshop, untimed
from probes.backends.kubernetes.surroundings import Surroundings
from probes.backends.rounds import Rounds
from probes.guard import Guard, Worn, own_reaction
from probes.placement import AgentSpec, Marks, pod_manifest

CREATORS = 16
UNDER_WAY = 1.0
"""Seconds in which a request whose sender was cancelled may still come through."""


@dataclass(slots=True)
class KubernetesBackend:
    """Makes a plan's stand-ins in a cluster and removes them again."""

    api: KubeApi
    marks: Marks
    agent: AgentSpec
    nonce: Callable[[], str]
    """Gives a new secret of lower-case letters and digits at each call."""
    start_timeout: float
    clock: Clock
    chance: Callable[[], float]
    """Gives numbers from 0 to 1, which spread what is asked again."""
    confined: bool = False
    """Whether nothing outside the plan's own namespaces may be looked at or made, and no right there is needed."""
    leftovers: Sequence[str] = field(default=())
    marks_left: Sequence[Mark] = field(default=(), init=False)
    """Real pods that hold an ephemeral container of this run."""
    rehearsals: Mapping[str, Rehearsal] = field(default_factory=dict, init=False)
    """What the dry runs of this run have shown."""
    _announced: bool = field(default=False, init=False)
    """Whether an Event told of the run's beginning, so that another has to tell of its end."""

    @asynccontextmanager
    async def session(self, plan: ProbePlan, on_event: OnEvent) -> AsyncIterator[ProbeSession]:
        """Bring the stand-ins to run; whatever happens inside, they are gone afterwards or stand in `leftovers`."""
        tell = unfailing(on_event)
        lease = HeldLease(self.api, self.marks.run, self.clock)
        around, lodging = self._surroundings(plan), self._lodging(plan)
        follower = PodFollower(self.api, f"{self.marks.holder}-", partial(self._heard, around, lodging), lodging.pods)
        homes = sorted({stand_in.namespace for stand_in in plan.stand_ins} | {HOME})
        ending = Ending(self.api, self.marks, lease, follower, around, homes, self._reach(plan), tell)
        started = False
        try:
            await self._prepare(lease, plan, tell)
            await around.watch()
            await self._announce(plan, tell)
            session = _Session(self, plan, follower, around, lodging=lodging, on_event=tell)
            await around.unless_withdrawn(session.start())
            started = True
            yield session
        finally:
            await to_the_end(self._end(ending, lodging, 0.0 if started else UNDER_WAY), tell)

    def _lodging(self, plan: ProbePlan) -> Lodging:
        until = self.clock() + timedelta(seconds=self.agent.seconds)
        return Lodging(self.api, plan, self.marks, self.agent, until)

    def _heard(self, around: Surroundings, lodging: Lodging, raw: Mapping[str, Any]) -> None:
        """Tell who watches over real objects what became of a pod that is followed."""
        name = str((raw.get("metadata") or {}).get("name", ""))
        ours = name.startswith(f"{self.marks.holder}-")
        around.report(own_reaction(raw, self.marks.holder) if ours else lodging.reaction(raw))

    async def _end(self, ending: Ending, lodging: Lodging, pause: float) -> None:
        # What listens in other people's pods goes first.
        alive: Sequence[str] = ()
        try:
            self.marks_left, alive = await lodging.end(pause)
        finally:
            self.leftovers = (*alive, *await ending.clean_up(pause))
        if self._announced:
            text = ended(self.marks, len(self.leftovers))
            await announce(self.api, self.marks, self.clock, "AuditEnded", text)
        if ending.lease.lost and ending.lease.held_once:
            ending.tell(Warned(f"the Lease was lost during the run: {ending.lease.lost}"))
        elif ending.lease.refused:
            why = ending.lease.refused
            ending.tell(Warned(f"the Lease could not be renewed, so another run may have begun beside: {why}"))

    async def rehearse(self, plan: ProbePlan) -> Mapping[str, Rehearsal]:
        """A dry run for each namespace and look, and for each real pod that is to hold an agent; none is made twice."""
        made = await rehearse(self.api, plan, self.marks, self.agent, self.rehearsals)
        self.rehearsals = {**made, **await self._lodging(plan).rehearse(self.rehearsals)}
        return self.rehearsals

    def _surroundings(self, plan: ProbePlan) -> Surroundings:
        beside = [
            Worn(
                stand_in.namespace,
                stand_in.pod or self.marks.pod(stand_in),
                dict(stand_in.labels),
                real=bool(stand_in.pod),
            )
            for stand_in in plan.stand_ins
            if stand_in.namespace not in plan.own_namespaces
        ]
        return Surroundings(self.api, Guard(beside), plan.near)

    def _reach(self, plan: ProbePlan) -> Sequence[str] | None:
        """Where this run looks for what runs left: None is everywhere."""
        return plan.own_namespaces if self.confined else None

    async def _announce(self, plan: ProbePlan, on_event: OnEvent) -> None:
        if self.confined:
            return
        homes = {stand_in.namespace for stand_in in plan.stand_ins}
        text = began(self.marks, len(plan.stand_ins), len(homes))
        fault = await announce(self.api, self.marks, self.clock, "AuditStarted", text)
        self._announced = not fault
        if fault:
            on_event(Warned(f"no Event says that this run is here: {fault}"))

    async def _prepare(self, lease: HeldLease, plan: ProbePlan, on_event: OnEvent) -> None:
        say = _speaker(on_event)
        await self._take(lease, say)
        on_event(StageStarted("prepare", "remove what earlier runs left"))
        found = await sweep.find(self.api, within=self._reach(plan))
        # The namespace that holds the Lease stays, and so does whatever this run made already.
        stale = replace(found, namespaces=tuple(name for name in found.namespaces if name != HOME))
        if stale.names():
            trouble = await sweep.remove(self.api, stale, say)
            for text in trouble:
                say(f"left by an earlier run and not removed: {text}")
        await ensure_namespaces(self.api, self.marks, plan.own_namespaces, plan.labels)

    async def _take(self, lease: HeldLease, say: Callable[[str], None]) -> None:
        """Take the Lease; its namespace may go away in between, with a run that just ends."""
        for last in (False, False, True):
            await ensure_namespaces(self.api, self.marks, (HOME,))
            try:
                await lease.take(say)
            except ApiRefused as error:
                going = error.status == sweep.MISSING or "being terminated" in error.why
                if last or not going:
                    raise
            else:
                return


def _speaker(on_event: OnEvent) -> Callable[[str], None]:
    return lambda text: on_event(Warned(text))


class _Session:
    """The stand-ins of one plan, in place."""

    def __init__(
        self,
        backend: KubernetesBackend,
        plan: ProbePlan,
        follower: PodFollower,
        around: Surroundings,
        *,
        lodging: Lodging,
        on_event: OnEvent,
    ) -> None:
        self._backend = backend
        self._around = around
        self._lodging = lodging
        self._plan = plan
        self._follower = follower
        self._on_event = on_event
        self._placed: dict[str, Placed | NotPlaced] = {}
        self._holders: dict[str, str | NotMade] = {}
        self._nonces = {stand_in.key: backend.nonce() for stand_in in plan.stand_ins}
        self._began = time.monotonic()
        self._execs: Counter[str] = Counter()
        self._greeted: Counter[str] = Counter()
        self._logs = Logs()
        self._asked = 0
        """How often names were looked up."""
        self._rounds = Rounds(backend.agent, on_event)

    @property
    def placed(self) -> Mapping[str, Placed | NotPlaced]:
        """Every stand-in by key, as it is stored now; one that is gone stays what it was."""
        return {key: self._now(item) if isinstance(item, Placed) else item for key, item in self._placed.items()}

    def _now(self, item: Placed) -> Placed | NotPlaced:
        raw = self._raw(item.stand_in)
        if item.stand_in.pod:
            return self._lodging.now(item, raw)
        labels = ((raw or {}).get("metadata") or {}).get("labels") or {}
        if raw is None or labels == dict(item.pod.labels):
            return item
        return NotPlaced(item.stand_in, "its labels were changed during the run")

    async def start(self) -> None:
        """Create policies, holders and pods and wait until each pod runs or is known not to."""
        stand_ins = self._plan.stand_ins
        for policy in self._plan.policies:
            await make_policy(self._backend.api, self._backend.marks, policy)
        self._on_event(StageStarted("start probe pods", total=len(stand_ins)))
        namespaces = sorted({stand_in.namespace for stand_in in stand_ins if not stand_in.pod})
        it = self._backend
        made = await asyncio.gather(*(make_holder(it.api, it.marks, name) for name in namespaces))
        holders = self._holders = dict(zip(namespaces, made, strict=True))
        followed = {name for name, uid in holders.items() if not isinstance(uid, NotMade)}
        self._follower.follow(followed | {home for home, _ in self._lodging.pods})
        room = asyncio.Semaphore(CREATORS)
        # Without its controls nothing on a node can be proven, so they do not wait behind the others.
        order = sorted(stand_ins, key=lambda item: item.role is not Role.CONTROL)
        await asyncio.gather(*(self._bring(stand_in, room) for stand_in in order))
        await self._follower.wait(self._unsettled, self._backend.start_timeout)
        for stand_in in stand_ins:
            if stand_in.key not in self._placed:
                self._placed[stand_in.key] = NotPlaced(stand_in, self._unsettled_reason(stand_in))
        self._began = time.monotonic()

    def _unsettled_reason(self, stand_in: StandIn) -> str:
        raw = self._raw(stand_in)
        return self._lodging.unsettled_reason(stand_in, raw) if stand_in.pod else unsettled_reason(raw)

    async def _bring(self, stand_in: StandIn, room: asyncio.Semaphore) -> None:
        if not stand_in.pod:
            await self._create(stand_in, self._holders[stand_in.namespace], room)
            return
        async with room:
            reason = await self._lodging.mark(stand_in, self._nonces[stand_in.key])
        if reason:
            self._placed[stand_in.key] = NotPlaced(stand_in, reason)

    async def _create(self, stand_in: StandIn, holder: str | NotMade, room: asyncio.Semaphore) -> None:
        if isinstance(holder, NotMade):
            self._placed[stand_in.key] = NotPlaced(stand_in, holder.reason)
            return
        backend = self._backend
        manifest = pod_manifest(stand_in, backend.marks, backend.agent, self._nonces[stand_in.key], holder)
        path = f"/api/v1/namespaces/{stand_in.namespace}/pods"
        try:
            async with room:
                stored = await backend.api.create(path, manifest)
        except NetauditError as error:
            self._placed[stand_in.key] = NotPlaced(stand_in, f"its pod was not accepted: {error.why}")
            return
        ours = stand_in.namespace in self._plan.own_namespaces
        foreseen = rehearsed(backend.rehearsals, stand_in)
        reason = obstacle(stand_in, stored) or ("" if ours else unforeseen(manifest, stored, foreseen))
        if reason:
            self._placed[stand_in.key] = NotPlaced(stand_in, reason)
            # It is not what was shown to be harmless.  What does not go now goes with all the rest.
            with suppress(NetauditError):
                await backend.api.delete(f"{path}/{manifest['metadata']['name']}")

    def _raw(self, stand_in: StandIn) -> Mapping[str, Any] | None:
        return self._follower.pods.get((stand_in.namespace, stand_in.pod or self._backend.marks.pod(stand_in)))

    def _unsettled(self) -> int:
        """How many stand-ins are still to run, or to be known not to."""
        for stand_in in self._plan.stand_ins:
            if stand_in.key in self._placed:
                continue
            look = self._lodging.settled if stand_in.pod else settled
            state = look(stand_in, self._raw(stand_in), self._nonces[stand_in.key])
            if state is not None:
                self._placed[stand_in.key] = state
            elif stand_in.namespace in self._follower.faults:
                reason = f"its namespace cannot be watched: {self._follower.faults[stand_in.namespace]}"
                self._placed[stand_in.key] = NotPlaced(stand_in, reason)
        self._on_event(Progressed(len(self._placed)))
        return len(self._plan.stand_ins) - len(self._placed)

    async def run_round(self, number: int, probes: Sequence[Probe]) -> Sequence[Observation]:
        """Run one batch for each source, as fast as the rounds before have shown that the nodes can follow."""
        here = {key: item for key, item in self._placed.items() if isinstance(item, Placed)}
        it = self._backend
        desk = Desk(it.api, it.agent, here, number, self.elapsed, it.chance, self._execs, self._greeted, self._logs)
        return await self._around.unless_withdrawn(self._rounds.run(desk, probes))

    async def time_enforcement(self, timing: Timing, seen: list[Trace]) -> None:
        """Make and remove a policy over pods made for it, and watch."""
        self._on_event(StageStarted("time how soon policies hold", total=len(timing.nodes)))
        shop = await self._workshop(timing.policy.namespace)
        if isinstance(shop, NotMade):
            seen += untimed(timing, shop.reason)
            return
        watch = Stopwatch(shop, timing, seen, lambda done: self._on_event(Progressed(done)))
        await self._around.unless_withdrawn(watch.run())

    async def _workshop(self, home: str) -> Workshop | NotMade:
        """What it takes to make pods in one of netaudit's own namespaces while the run is under way."""
        it = self._backend
        if home not in self._holders:
            self._holders[home] = await make_holder(it.api, it.marks, home)
            self._follower.follow([home])
        holder = self._holders[home]
        if isinstance(holder, NotMade):
            return holder
        controls = {key: item for key, item in self.placed.items() if isinstance(item, Placed)}
        return Workshop(it.api, it.marks, it.agent, it.nonce, self._follower, holder, it.start_timeout, controls)

    async def lay_services(self, plan: ServicePlan) -> Laid:
        """Make Services over a pod made for them, and the pods that try them."""
        self._on_event(StageStarted("make Services", total=len(plan.services)))
        shop = await self._workshop(plan.server.namespace)
        if isinstance(shop, NotMade):
            return not_laid(plan, shop.reason)
        laid = await self._around.unless_withdrawn(lay(shop, plan))
        self._placed |= laid.placed
        return laid

    async def look_up(self, namings: Sequence[Naming]) -> Sequence[Named]:
        """Look names up in pods that run."""
        self._on_event(StageStarted("look names up", total=len(namings)))
        here = {key: item for key, item in self._placed.items() if isinstance(item, Placed)}
        self._asked += 1
        work = look_up(self._backend.api, self._backend.agent, here, self._asked, namings)
        return await self._around.unless_withdrawn(work)

    async def send_pings(self, pings: Sequence[Ping]) -> Sequence[Pinged]:
        """Ask for ICMP echoes from pods that run."""
        self._on_event(StageStarted("ping", total=len(pings)))
        here = {key: item for key, item in self._placed.items() if isinstance(item, Placed)}
        work = send_pings(self._backend.api, self._backend.agent, here, pings)
        return await self._around.unless_withdrawn(work)

    async def make_policies(self, policies: Sequence[NetworkPolicy]) -> str:
        """Make policies in own namespaces; the reason where one was not accepted."""
        return await make_policies(self._backend.api, self._backend.marks, policies)

    async def wait_until(self, seconds: float) -> None:
        """Wait for a moment of the run."""
        await self._around.unless_withdrawn(asyncio.sleep(max(0.0, seconds - self.elapsed())))

    def elapsed(self) -> float:
        """Seconds since the first round could begin."""
        return time.monotonic() - self._began

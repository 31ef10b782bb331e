"""A session in a sandbox: agents in namespaces of their own, driven as those in a cluster's pods are."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from auditor.cluster.decode_pod import decode_pod
from auditor.errors import NetauditError
from auditor.events import Progressed, StageStarted
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
    ServicePlan,
    StandIn,
    Timing,
)
from auditor.model.service_path import NO_DNS, Answer, Laid, Named, Naming, Resolving
from auditor.model.timing import Trace
from auditor.ports import OnEvent, ProbeSession
from probes.backends.conversation import Channel, Desk
from probes.backends.netns.allowed import SEARCHED
from probes.backends.netns.realm import CHUNK, Process, RealmError
from probes.backends.netns.sandbox import Sandbox
from probes.backends.rounds import Rounds
from probes.laying import as_laid, pods_of, service_manifest
from probes.placement import AgentSpec, Marks, agent_env, pod_manifest, policy_manifest

READY = b'"serve"'
"""What an agent's first line holds once it listens."""
Name = tuple[str, str]


class NotHereError(NetauditError):
    """Something that a sandbox has no part for."""


@dataclass(slots=True)
class NetnsBackend:
    """Makes a plan's stand-ins in a sandbox."""

    sandbox: Sandbox
    marks: Marks
    agent: AgentSpec
    nonce: Callable[[], str]
    """Gives a new secret of lower-case letters and digits at each call."""
    start_timeout: float
    chance: Callable[[], float]
    leftovers: Sequence[str] = field(default=(), init=False)
    """Nothing: the kernel takes all of it."""
    marks_left: Sequence[Mark] = field(default=(), init=False)

    @asynccontextmanager
    async def session(self, plan: ProbePlan, on_event: OnEvent) -> AsyncIterator[ProbeSession]:
        """Bring the stand-ins to run; on leaving they are gone."""
        session = _Session(self, plan, on_event)
        try:
            await session.start()
            yield session
        finally:
            await session.end()

    async def rehearse(self, _: ProbePlan) -> Mapping[str, Rehearsal]:
        """No admission: a sandbox takes any pod."""
        return {}


class _Session:
    """The stand-ins of one plan, in place; what its agents are reached by as well."""

    def __init__(self, backend: NetnsBackend, plan: ProbePlan, on_event: OnEvent) -> None:
        self._backend = backend
        self._plan = plan
        self._on_event = on_event
        self._placed: dict[str, Placed | NotPlaced] = {}
        self._names: list[Name] = []
        self._running: dict[Name, Process] = {}
        self._environment: dict[Name, dict[str, str]] = {}
        self._execs: Counter[str] = Counter()
        self._greeted: Counter[str] = Counter()
        self._rounds = Rounds(backend.agent, on_event)
        self._began = time.monotonic()

    @property
    def placed(self) -> Mapping[str, Placed | NotPlaced]:
        """Every stand-in by key."""
        return self._placed

    async def start(self) -> None:
        """Take in namespaces and policies, and bring the stand-ins to run."""
        box, plan, marks = self._backend.sandbox, self._plan, self._backend.marks
        self._on_event(StageStarted("start probe pods", total=len(plan.stand_ins)))
        policies = [policy_manifest(policy, marks) for policy in plan.policies]
        box.govern({name: plan.labels.get(name, {}) for name in plan.own_namespaces}, policies)
        await self._add(plan.stand_ins)
        self._began = time.monotonic()

    async def _add(self, stand_ins: Sequence[StandIn]) -> None:
        """Make pods, then the rules over them, then the agents in them; no Service of others leads to them."""
        box, backend, marks = self._backend.sandbox, self._backend, self._backend.marks
        nonces = {item.key: backend.nonce() for item in stand_ins}
        raws = [pod_manifest(item, marks, backend.agent, nonces[item.key], "") for item in stand_ins]
        self._names += [(item.namespace, marks.pod(item)) for item in stand_ins]
        seats = await box.add_pods(
            ((raw, item.node) for raw, item in zip(raws, stand_ins, strict=True)),
            ready=False,
        )
        await box.enforce()
        await asyncio.gather(
            *(
                self._bring(item, {**raw, "status": _running_at(seat.addresses)}, nonces[item.key])
                for item, raw, seat in zip(stand_ins, raws, seats, strict=True)
            )
        )

    async def _bring(self, stand_in: StandIn, raw: dict[str, Any], nonce: str) -> None:
        """Start an agent and wait until it listens."""
        backend = self._backend
        name = stand_in.namespace, backend.marks.pod(stand_in)
        environment = _environment(stand_in, backend.marks, backend.agent, nonce)
        self._environment[name] = environment
        self._placed[stand_in.key] = NotPlaced(stand_in, "its agent did not begin to listen in time")
        words = words_here(backend.agent.first)
        try:
            async with asyncio.timeout(backend.start_timeout):
                process = await backend.sandbox.start(name, words, environment)
                self._running[name] = process
                line = await process.output.readline()
        except (TimeoutError, RealmError) as error:
            if isinstance(error, RealmError):
                self._placed[stand_in.key] = NotPlaced(stand_in, f"its agent was not started: {error}")
            return
        if READY in line:
            self._placed[stand_in.key] = Placed(stand_in, decode_pod(raw), nonce)
            self._on_event(Progressed(sum(isinstance(item, Placed) for item in self._placed.values())))
        else:
            said = line.decode(errors="replace").strip()[:200]
            self._placed[stand_in.key] = NotPlaced(stand_in, f"its agent said: {said or 'nothing'}")

    async def end(self) -> None:
        """End all agents and take their networks away."""
        self._on_event(StageStarted("clean up"))
        box = self._backend.sandbox
        await asyncio.gather(*map(box.end, self._running.values()))
        # Also those whose agent never started.
        await box.remove_pods(self._names)
        box.release(self._plan.own_namespaces)
        await box.enforce()

    async def run_round(self, number: int, probes: Sequence[Probe]) -> Sequence[Observation]:
        """Run one batch for each source."""
        here = {key: item for key, item in self._placed.items() if isinstance(item, Placed)}
        it = self._backend
        desk = Desk(self, it.agent, here, number, self.elapsed, it.chance, self._execs, self._greeted)
        return await self._rounds.run(desk, probes)

    @asynccontextmanager
    async def exec(self, namespace: str, pod: str, _: str, command: Sequence[str], /) -> AsyncIterator[Channel]:
        """Start a command beside a pod's agent."""
        name = namespace, pod
        try:
            process = await self._backend.sandbox.start(
                name, words_here(command), self._environment[name], beside=self._running[name]
            )
        except RealmError as error:
            raise NotHereError(
                f"nothing can be run in {namespace}/{pod}", why=str(error), attempt="run it again"
            ) from error
        try:
            yield _Pipe(process)
        finally:
            await self._backend.sandbox.end(process)

    async def annotate(self, path: str, _: Mapping[str, str], /) -> None:
        """No annotation is read here; raises NetauditError."""
        raise NotHereError(f"{path} cannot be annotated", why="a sandbox has no kubelet", attempt="--transport exec")

    def log(self, namespace: str, pod: str, _: str, __: float, /) -> AsyncGenerator[bytes, None]:
        """No log is kept here; raises NetauditError."""
        raise NotHereError(f"{namespace}/{pod} has no log", why="a sandbox has no kubelet", attempt="--transport exec")

    async def time_enforcement(self, _: Timing, __: list[Trace], /) -> None:
        """Not timed: a sandbox's rules stand before its pods do; raises NetauditError."""
        raise NotHereError(
            "a sandbox has nothing to time", why="rules stand before pods do", attempt="leave out --enforce-time"
        )

    async def lay_services(self, plan: ServicePlan, /) -> Laid:
        """Make Services over a pod made for them, and the pods that try them."""
        self._on_event(StageStarted("make Services", total=len(plan.services)))
        box, made = self._backend.sandbox, pods_of(plan)
        await self._add(made)
        stored = box.serve([service_manifest(item, self._backend.marks) for item in plan.services])
        await box.enforce()
        laid = {item.way: as_laid(item, raw) for item, raw in zip(plan.services, stored, strict=True)}
        return Laid({item.key: self._placed[item.key] for item in made}, laid)

    async def look_up(self, namings: Sequence[Naming], /) -> Sequence[Named]:
        """No names: there is nobody to ask."""
        return [Named(naming, (Answer(Resolving.UNTESTED, (), NO_DNS),)) for naming in namings]

    async def send_pings(self, _: Sequence[Ping], /) -> Sequence[Pinged]:
        """No pings either: the sandbox's engine is no real one's."""
        raise NotHereError("a sandbox is not pinged", why="it says nothing of an engine", attempt="leave out --ping")

    async def make_policies(self, policies: Sequence[NetworkPolicy]) -> str:
        """Add policies in own namespaces."""
        self._backend.sandbox.govern({}, [policy_manifest(policy, self._backend.marks) for policy in policies])
        await self._backend.sandbox.enforce()
        return ""

    async def wait_until(self, seconds: float) -> None:
        """Wait for a moment of the run."""
        await asyncio.sleep(max(0.0, seconds - self.elapsed()))

    def elapsed(self) -> float:
        """Seconds since the first round could begin."""
        return time.monotonic() - self._began


class _Pipe:
    """A process in a pod, as the runner of probes sees it."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        ended = self._process.ended
        return ended.result() if ended.done() else None

    async def write(self, data: bytes) -> None:
        """Send to stdin."""
        await self._process.write(data)

    async def read(self) -> AsyncIterator[bytes]:
        """Yield stdout as it comes."""
        while data := await self._process.output.read(CHUNK):
            yield data


def _running_at(addresses: Sequence[str]) -> dict[str, Any]:
    return {"phase": "Running", "podIP": addresses[0], "podIPs": [{"ip": address} for address in addresses]}


def words_here(command: Sequence[str]) -> list[str]:
    """The words that run an agent's half: its Python is the one that runs netaudit."""
    program, *rest = command
    return [sys.executable if program == "python3" else program, *rest]


def _environment(stand_in: StandIn, marks: Marks, agent: AgentSpec, nonce: str) -> dict[str, str]:
    """What a kubelet would give the container: it reads $$ as one $."""
    said = {item["name"]: item["value"].replace("$$", "$") for item in agent_env(stand_in, marks, agent, nonce)}
    return {"PATH": SEARCHED, **said}

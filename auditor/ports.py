"""The doors to the outside: where snapshots come from, who carries out probes, who keeps a run's journal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from auditor.events import Event
from auditor.model.journal import Entry, Marks
from auditor.model.ping import Ping, Pinged
from auditor.model.policy import NetworkPolicy
from auditor.model.probe import Mark, NotPlaced, Observation, Placed, Probe, ProbePlan, Rehearsal, ServicePlan, Timing
from auditor.model.problem import Problem
from auditor.model.service_path import Laid, Named, Naming
from auditor.model.timing import Trace

OnEvent = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class RawSnapshot:
    """Objects as the API server sends them, by resource such as `pods` or `networkpolicies.networking.k8s.io`."""

    objects: Mapping[str, Sequence[Mapping[str, Any]]]
    unreadable: Mapping[str, str] = field(default_factory=dict)
    """Resources that could not be listed, with the reason."""
    server_version: str = ""
    unlisted_namespaces: frozenset[str] = frozenset()
    """Namespaces of which only the name is known."""
    unread: Mapping[str, str] = field(default_factory=dict)
    """Resources that this source can do without and could not list, with the reason."""
    lost: Sequence[Problem] = ()
    """Why some of what the source was meant to hold is not among `objects`, or may not be."""


class SnapshotSource(Protocol):
    """Reads a cluster, or a file that holds what was read."""

    async def collect(self) -> RawSnapshot:
        """Read everything.  Raises NetauditError when the cluster gives no usable answer."""

    async def collect_policies(self) -> RawSnapshot:
        """Read again just what can change a verdict while probes run: namespaces and policies."""

    async def collect_pods(self, namespaces: Sequence[str], /) -> RawSnapshot:
        """Read the pods of some namespaces, or of all, with their whole status."""


class ProbeSession(Protocol):
    """Probe pods in place; leaving the session removes them."""

    @property
    def placed(self) -> Mapping[str, Placed | NotPlaced]:
        """Every stand-in of the plan by key, as it was stored or why it does not run."""

    async def run_round(self, number: int, probes: Sequence[Probe]) -> Sequence[Observation]:
        """Carry out one round, a batch for each source; every probe gets exactly one observation."""

    async def time_enforcement(self, timing: Timing, seen: list[Trace]) -> None:
        """Make and remove a policy over pods made for it, and watch; traces are added to `seen` as they come."""

    async def lay_services(self, plan: ServicePlan) -> Laid:
        """Make Services over a pod made for them, and the pods that try them; both are `placed` from then on."""

    async def look_up(self, namings: Sequence[Naming]) -> Sequence[Named]:
        """Look names up in pods that are placed; every naming gets exactly one answer or more."""

    async def send_pings(self, pings: Sequence[Ping]) -> Sequence[Pinged]:
        """Ask for ICMP echoes from pods that are placed; every ping gets exactly one answer."""

    async def make_policies(self, policies: Sequence[NetworkPolicy]) -> str:
        """Make policies in own namespaces; the reason where one was not accepted, else empty."""

    def elapsed(self) -> float:
        """Seconds since the first round could begin, by the clock of the observations."""

    async def wait_until(self, seconds: float) -> None:
        """Wait until so many seconds after the first round began; at once when they have passed."""


class ProbeBackend(Protocol):
    """Makes probe pods and removes them again, whatever happens in between."""

    def session(self, plan: ProbePlan, on_event: OnEvent) -> AbstractAsyncContextManager[ProbeSession]:
        """Bring the plan's stand-ins to run; on leaving, also by cancellation, nothing of them stays."""

    async def rehearse(self, plan: ProbePlan) -> Mapping[str, Rehearsal]:
        """Ask what admission would make of the probe pods in namespaces that are not ours; nothing is made.

        The answers have names that hold for every plan (`probes.admitted.look_of`, or a namespace alone), and those to
        earlier plans are among them.
        """

    @property
    def leftovers(self) -> Sequence[str]:
        """What could not be removed, after the session has ended."""

    @property
    def marks_left(self) -> Sequence[Mark]:
        """The real pods that stay marked, after the session has ended."""


class Journal(Protocol):
    """Keeps what a run notes down while it is at work; never fails a run."""

    def begin(self, cluster: str, marks: Marks) -> None:
        """Start the journal of a run in the cluster of that UID."""

    def write(self, entry: Entry) -> None:
        """Add one entry."""

    def now(self) -> str:
        """The time, RFC 3339 in UTC."""


class NoJournal:
    """Keeps nothing."""

    def begin(self, cluster: str, marks: Marks) -> None:
        """Start nothing."""

    def write(self, entry: Entry) -> None:
        """Add nothing."""

    def now(self) -> str:
        """No time."""
        return ""

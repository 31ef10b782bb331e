"""Connections through Services of netaudit's own: what was made, what was tried, what came of it."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from auditor.model.finding import Agreement
from auditor.model.flow import Decision, Family, Verdict
from auditor.model.probe import NotPlaced, Observation, Outcome, Placed, Probe, Way

JUDGED = frozenset({Verdict.ALLOWED, Verdict.DENIED})
"""The verdicts of paths that are judged; of others it is said what was seen."""

NO_DNS = "a sandbox has no DNS"
"""Why no name is looked up there."""


class Resolving(enum.Enum):
    """What came of looking up a name; nothing but the first is an address, and none of them is a denial."""

    RESOLVED = "resolved"
    NOT_RESOLVED = "did not resolve"
    SILENT = "no answer"
    FAULT = "fault"
    """Looking it up failed by itself."""
    UNTESTED = "untested"
    """The pod has no means for it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one question gave."""

    outcome: Resolving
    addresses: tuple[str, ...]
    detail: str
    milliseconds: int = -1


@dataclass(frozen=True, slots=True)
class Naming:
    """A name to look up from one pod, some times one after the other."""

    source: str
    source_node: str
    name: str
    """NAME.NAMESPACE; the domain that follows is the pod's own."""
    family: Family
    tries: int
    seconds: int
    """For each try."""


@dataclass(frozen=True, slots=True)
class Named:
    """What came of it, try by try; never empty."""

    naming: Naming
    answers: tuple[Answer, ...]

    @property
    def best(self) -> Answer:
        """The first answer that is an address, else the last one of all."""
        good = [answer for answer in self.answers if answer.outcome is Resolving.RESOLVED]
        return good[0] if good else self.answers[-1]


@dataclass(frozen=True, slots=True)
class LaidService:
    """A Service as the API server stored it, or why it did not."""

    addresses: tuple[str, ...] = ()
    """`spec.clusterIPs`; empty for a headless one."""
    ports: Mapping[int, int] = field(default_factory=dict)
    """What to connect to by the pod's own port: the Service's port, or that of every node."""
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Laid:
    """What was made for the tries."""

    placed: Mapping[str, Placed | NotPlaced]
    """The server and the gated callers, by key."""
    services: Mapping[Way, LaidService]


@dataclass(frozen=True, slots=True)
class ServicePath:
    """One way from one pod to a port of the server."""

    id: int
    way: Way
    source: str
    source_node: str
    destination: str
    address: str
    """The server's own."""
    family: Family
    port: int
    """The server's own."""
    via: tuple[str, int] | None
    """Address and port that are connected to; None for the pod's own."""
    door: str
    """The node whose port it is; empty for other ways."""
    predicted: Decision
    """With the policies in place; without them nothing of netaudit's own denies it."""

    def probe(self, timeouts: tuple[float, ...]) -> Probe:
        """As a probe, with the time limits of its tries."""
        return Probe(self.source, self.destination, self.family, self.port, timeouts, via=self.via)


@dataclass(slots=True)
class Crossing:
    """What was seen until now; it is added to as the rounds come, so that a run that ends early keeps what it has."""

    laid: Laid | None = None
    paths: tuple[ServicePath, ...] = ()
    names: list[Named] = field(default_factory=list)
    """The headless Service's, as each node was told last."""
    before: list[Observation] = field(default_factory=list)
    """Without the policies."""
    given_up: set[int] = field(default_factory=set)
    """Ids of the paths that never got through without them, and are waited for no more."""
    after: list[Observation] = field(default_factory=list)
    """With them."""
    policed: bool = False
    """Whether the policies were made."""
    policed_at: float = 0.0
    """When they were, in seconds as of observations."""
    is_over: bool = False
    """Whether what is wrong now has been so for the whole limit."""
    fault: str = ""
    """Why it ended early; empty where it did not."""


@dataclass(frozen=True, slots=True)
class Crossed:
    """One path judged; `reason` names the missing piece where it is inconclusive."""

    path: ServicePath
    agreement: Agreement
    outcome: Outcome
    reason: str
    observations: tuple[Observation, ...] = ()
    """With the policies in place."""
    settled_after: float = 0.0
    """Seconds until it was right, for LATE, from when the policies were made."""

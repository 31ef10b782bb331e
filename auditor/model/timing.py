"""How long an engine takes: what was seen of new connections, and what that comes to.

All moments are seconds of one monotonic clock, that of the machine where netaudit runs.  Only new connections are
tried; one that stands already is another matter, which no figure here speaks of.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from auditor.model.flow import Direction, Family
from auditor.model.probe import Outcome


class Change(enum.Enum):
    """What happens to a pod and a policy, and what ought to follow at once."""

    NEW_POLICY = "new policy"
    """A policy is made over a pod that runs and talks: its flows are to be denied."""
    FRESH_POD = "fresh pod"
    """A pod begins to run under a policy that stands: its flows are to be denied from the first one on."""
    POLICY_REMOVED = "policy removed"
    """The policy goes: what it denied is to get through again."""


class Pace(enum.Enum):
    """How soon it followed."""

    AT_ONCE = "at once"
    """Already in the first try; `milliseconds` says how much time before it nobody looked."""
    AFTER = "after a while"
    NEVER = "never"
    """Not within the limit."""
    INCONCLUSIVE = "inconclusive"


class Path(enum.Enum):
    """The flows that are tried side by side on one node."""

    INGRESS = "ingress"
    """From an unpoliced control to the pod."""
    EGRESS = "egress"
    """From the pod to the other control."""
    TWIN = "twin"
    """From one control to the other, on the same port: no policy may stop it."""
    ITSELF = "itself"
    """From the pod to its own address, which no policy may deny."""


PATHS = {Direction.INGRESS: Path.INGRESS, Direction.EGRESS: Path.EGRESS}


@dataclass(frozen=True, slots=True)
class Moment:
    """When something happened, as far as is known."""

    earliest: float
    latest: float


@dataclass(frozen=True, slots=True)
class Sample:
    """One new connection: asked for, begun at the latest, ended."""

    sent: float
    """It cannot have begun before."""
    begun: float
    """It cannot have begun later: its end less the time that it took by the agent's own clock."""
    ended: float
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Trace:
    """What was seen of one change on one node."""

    change: Change
    node: str
    family: Family
    port: int
    asked: float
    """Until then the change had not even been asked for."""
    zero: Moment | None
    """From when time counts: the API server's answer, or the start of the pod's first process; None: it never came."""
    until: float
    """When it was no longer looked at."""
    samples: Mapping[Path, tuple[Sample, ...]] = field(default_factory=dict)
    """In the order in which they were sent."""
    fault: str = ""
    """Why there is nothing to judge; empty where there is."""


@dataclass(frozen=True, slots=True)
class Figure:
    """How long one change took to follow, on one node and in one direction."""

    change: Change
    node: str
    direction: Direction
    pace: Pace
    reason: str
    """What was seen, or the piece of proof that is missing."""
    milliseconds: int = -1
    """At most so long; for NEVER at least so long; -1 where nothing is known."""
    resolution: int = -1
    """Milliseconds by which it may have been quicker."""
    tries: int = 0
    """New connections that were tried on the flow itself."""


@dataclass(frozen=True, slots=True)
class EnforcementEntry:
    """How soon one of netaudit's own policies held, or held no longer, on one node; for new connections only."""

    node: str
    direction: str
    change: str
    """new policy: over a pod that runs and talks; fresh pod: under a policy that stands; policy removed: after it."""
    pace: str
    """at once: already in the first try; after a while; never: not within the limit; inconclusive."""
    milliseconds: int
    """At most so long, for never at least; counted from the API server's answer, or from the start of the pod's first
    process; -1 where nothing is known."""
    resolution_milliseconds: int
    """By so much it may have been quicker; -1 where nothing is known."""
    limit_seconds: float
    tries: int
    """New connections."""
    reason: str
    """What was seen, or the piece of proof that is missing."""

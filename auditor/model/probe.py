"""What is to be measured and what was: plans, probes, outcomes, observations.

An outcome is measured, never predicted; predicted values live in `flow`.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from auditor.model.cluster import ContainerPort, Pod, ServicePort
from auditor.model.flow import Decision, Family, Protocol
from auditor.model.handshake import Handshake
from auditor.model.matrix import Query
from auditor.model.ping import Ping
from auditor.model.policy import NetworkPolicy


class Outcome(enum.Enum):
    """What a probe measured."""

    REACHED = "reached"
    """The nonce of the intended listener came back."""
    REFUSED = "refused"
    """Something answered that the connection is not wanted: a reset, or ICMP unreachable."""
    SILENT = "silent"
    """No answer within the time limit."""
    FAULT = "fault"
    """The measurement itself failed; it says nothing about the network."""
    UNTESTED = "untested"


class Role(enum.Enum):
    """Why a probe pod exists, or an agent in somebody else's pod."""

    CLONE = "clone"
    """Stands for an identity: its namespace, its policy-relevant labels, a node that runs a replica."""
    SENTINEL = "sentinel"
    """Stands in netaudit's own namespace for one of netaudit's own policies."""
    RESIDENT = "resident"
    """Is a real pod, with an agent in an ephemeral container."""
    CONTROL = "control"
    """Stands in netaudit's own namespace, selected by no policy: source, target and twin."""


MEBI = 1024**2


@dataclass(frozen=True, slots=True)
class Resources:
    """What a probe pod's only container asks for and may use: CPU in thousandths, memory and storage in bytes."""

    cpu: int = 10
    cpu_limit: int = 1000
    memory: int = 32 * MEBI
    memory_limit: int = 64 * MEBI
    storage: int = 0
    """`ephemeral-storage`, request and limit alike; 0 where nobody asks for it."""


@dataclass(frozen=True, slots=True)
class StandIn:
    """A probe pod to be made, or a real pod to put an agent into."""

    key: str
    """Short, unique in the plan, letters and digits only: it becomes part of the pod's name."""
    role: Role
    namespace: str
    node: str
    labels: tuple[tuple[str, str], ...]
    listens: tuple[Query, ...]
    """Protocols and ports, sorted."""
    named_ports: tuple[ContainerPort, ...] = ()
    """Container ports to declare, because policies name them."""
    identity: str = ""
    """Id of the identity that a clone or a sentinel stands for, or a resident is of; empty for controls."""
    account: str = ""
    """Service account to run as, because policies select by it; empty for the namespace's default."""
    resources: Resources = Resources()
    annotations: tuple[tuple[str, str], ...] = ()
    """Marks that keep meshes off the pod."""
    pod: str = ""
    """Name and UID of the real pod that a resident is; empty for pods that are made."""
    uid: str = ""


@dataclass(frozen=True, slots=True)
class PlannedFlow:
    """A flow between two stand-ins that is to be measured and judged."""

    id: int
    source: str
    destination: str
    """Keys of stand-ins."""
    family: Family
    protocol: Protocol
    port: int
    predicted: Decision


@dataclass(frozen=True, slots=True)
class Skip:
    """Something that is not tested, why, and how many flows or objects that concerns."""

    what: str
    reason: str
    flows: int = 0
    identity: bool = False
    """Whether an identity that was asked for is not tested at all because of it."""
    unjudged: bool = False
    """Whether its flows should have been judged and are not: they count against the coverage."""
    by_choice: bool = False
    """Whether `--coverage` left it out: its flows could be tried, were not planned, and do not count as unjudged."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a plan costs, known before it starts."""

    pods: int
    namespaces: int
    flows: int
    probes: int
    """Connections in the first round, repeats and controls included."""
    requests: int
    """API requests, without watches' reconnects and surprises."""
    seconds: int
    handshakes: int = 0
    """Handshakes with strangers, without those that only show that there is somebody."""


@dataclass(frozen=True, slots=True)
class TimedNode:
    """One node with its controls, and the pods that are made there."""

    node: str
    caller: str
    peer: str
    """Keys of the controls: the one that opens connections and the one that takes them."""
    port: int
    """TCP, the same for all four paths."""
    steady: StandIn
    """Runs before the policy is made."""
    fresh: StandIn
    """Is made when the policy stands."""


@dataclass(frozen=True, slots=True)
class Timing:
    """What is to be timed: one policy over one pod after the other, on each of these nodes."""

    policy: NetworkPolicy
    nodes: tuple[TimedNode, ...]
    limit: float
    """Seconds after which what has not followed never will."""
    timeout: float
    """Seconds that a connection may take which is to be denied."""
    requests: int
    """API requests for all of it, about."""
    seconds: int
    """How long all of it takes where everything follows at once; where nothing does, `limit` for each change more."""


class Way(enum.Enum):
    """How a connection is led to a pod."""

    POD = "pod address"
    """At its own address: what the others are compared with."""
    CLUSTER_IP = "ClusterIP"
    HEADLESS = "headless"
    """By a name in DNS, which stands for the pod's own address."""
    NODE_PORT = "NodePort"


@dataclass(frozen=True, slots=True)
class OwnService:
    """A Service to be made in one of netaudit's own namespaces, over pods of netaudit's own."""

    namespace: str
    name: str
    way: Way
    selector: tuple[tuple[str, str], ...]
    ports: tuple[ServicePort, ...]
    """Their targets are numbers."""


@dataclass(frozen=True, slots=True)
class Caller:
    """One node from which Services are tried."""

    node: str
    free: str
    """Key of the node's control, which no policy selects."""
    gated: StandIn
    """Is made beside it, and policed on its way out."""
    doors: tuple[str, ...]
    """Nodes whose node ports are tried from here."""


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """What `--targets service` makes and tries: Services over one pod, before policies are made and after."""

    server: StandIn
    callers: tuple[Caller, ...]
    services: tuple[OwnService, ...]
    policies: tuple[NetworkPolicy, ...]
    limit: float
    """Seconds that the engine has to follow the policies, and the cluster to follow the Services."""
    requests: int
    """API requests for all of it, about."""
    seconds: int
    """How long all of it takes where everything follows at once."""


@dataclass(frozen=True, slots=True)
class ProbePlan:
    """Which pods to make and which flows to try; `own_namespaces` are created by netaudit."""

    own_namespaces: tuple[str, ...]
    stand_ins: tuple[StandIn, ...]
    flows: tuple[PlannedFlow, ...]
    skipped: tuple[Skip, ...] = ()
    notes: tuple[str, ...] = ()
    policies: tuple[NetworkPolicy, ...] = ()
    """Policies to make before the pods, in `own_namespaces` only (design.md, law 2)."""
    labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """What own namespaces wear, by name, where it is more than all of them do."""
    near: tuple[tuple[str, str], ...] = ()
    """Resources that stand around the stand-ins and could react to them, as (resource, namespace), sorted."""
    estimate: Estimate = field(default=Estimate(0, 0, 0, 0, 0, 0))
    spared: tuple[str, ...] = ()
    """Ids of the identities that were asked for and of which `--coverage` chose no flow, sorted."""

    @property
    def unchosen(self) -> int:
        """Flows that could be tried and that `--coverage` left out."""
        return sum(skip.flows for skip in self.skipped if skip.by_choice)

    kept: frozenset[int] = frozenset()
    """Ids of the flows that were asked for by name: no selection leaves them out."""
    handshakes: tuple[Handshake, ...] = ()
    """What is tried with strangers, by id."""
    timing: Timing | None = None
    """What is timed once the flows were tried; None where nothing is."""
    services: ServicePlan | None = None
    """What is tried through Services after that; None where nothing is."""
    pings: tuple[Ping, ...] = ()
    """What is asked for an ICMP echo once the flows were tried, by id."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What admission makes of a probe pod in one namespace, known from a dry run."""

    key: str
    """Of the stand-in that was tried for all of them."""
    refusal: str
    """Why no probe pod may stand there; empty where one may."""
    labels: Mapping[str, str | None] = field(default_factory=dict)
    """Labels that it changes or adds; None for one that it removes."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Placed:
    """A stand-in as the API server stored it, running."""

    stand_in: StandIn
    pod: Pod
    nonce: str
    container: str = "probe"
    """In which the agent runs."""


@dataclass(frozen=True, slots=True)
class Mark:
    """An ephemeral container in a real pod: it stays until the pod is replaced."""

    namespace: str
    pod: str
    container: str
    state: str
    """What became of the agent in it, in words."""


@dataclass(frozen=True, slots=True)
class NotPlaced:
    """A stand-in that could not be brought to run, and why."""

    stand_in: StandIn
    reason: str


@dataclass(frozen=True, slots=True)
class Probe:
    """One flow to try in one round: `timeouts` in seconds, one for each try."""

    source: str
    destination: str
    family: Family
    port: int
    timeouts: tuple[float, ...]
    protocol: Protocol = Protocol.TCP
    address: str = ""
    """Of a stranger, with whom nothing but a handshake is tried; `destination` is empty then."""
    via: tuple[str, int] | None = None
    """Address and port to connect to in place of the destination's own, as a Service's; the nonce is still its own."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What the tries of one probe in one round gave."""

    round: int
    probe: Probe
    outcomes: tuple[Outcome, ...]
    """In the order of the tries; never empty."""
    detail: str
    """One sentence on what was seen, bounded and printable."""
    at: float
    """Seconds since the first round began, when the probe's batch ended."""
    milliseconds: int = -1
    """Time that the last try took; -1 where the agent cannot tell."""

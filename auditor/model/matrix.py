"""Identities, and the verdicts between them: sets of classes inside, one cell at a time outside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from auditor.model.cluster import ContainerPort, Owner, Pod
from auditor.model.flow import Direction, Family, Protocol, Verdict

TITLE_OWNERS = 3
Query = tuple[Protocol, int]
"""A protocol and a port of the destination."""


def in_order(queries: Iterable[Query]) -> tuple[Query, ...]:
    """Each once, by protocol and number: enums have no order of their own."""
    return tuple(sorted(set(queries), key=lambda query: (query[0].value, query[1])))


Rows = list[int]
"""For each destination, the set of its sources: bit i is class i."""


@dataclass(frozen=True, slots=True)
class Plane:
    """Verdicts of one query between classes; what is in no set is DENIED."""

    allowed: Rows
    undefined: Rows | None = None
    unknown: Rows | None = None

    def verdict(self, source: int, destination: int) -> Verdict:
        """The verdict between two classes, by number."""
        for rows, verdict in (
            (self.allowed, Verdict.ALLOWED),
            (self.undefined, Verdict.UNDEFINED),
            (self.unknown, Verdict.UNKNOWN),
        ):
            if rows is not None and rows[destination] >> source & 1:
                return verdict
        return Verdict.DENIED


@dataclass(frozen=True, slots=True)
class Identity:
    """One equivalence class of pods: no policy in use can tell its members apart."""

    id: str
    """Hash of namespace, labels and named ports: the same in every run."""
    namespace: str
    labels: tuple[tuple[str, str], ...]
    """The policy-relevant labels, projected from a member and sorted."""
    named_ports: tuple[ContainerPort, ...]
    """Container ports whose names some policy uses."""
    pods: tuple[Pod, ...]
    """Members, sorted by name; never empty."""
    asks: tuple[Query, ...]
    """Ports worth asking for: declared, named by policies, and one TCP port that nobody names."""
    isolated: frozenset[Direction]
    """Directions in which some policy has a say."""
    account: str = ""
    """The members' service account where some policy can see it."""
    listens: tuple[Query, ...] = ()
    """Ports worth testing: all of TCP that are asked for, of other protocols those that are spoken of by protocol."""

    @property
    def owners(self) -> tuple[Owner, ...]:
        """Workloads of the members, sorted, each once; a bare pod is its own owner."""
        return tuple(sorted({pod.owner or Owner("Pod", pod.name) for pod in self.pods}))

    @property
    def nodes(self) -> tuple[str, ...]:
        """Nodes that run a member, sorted."""
        return tuple(sorted({pod.node for pod in self.pods if pod.node}))

    @property
    def alone(self) -> bool:
        """Whether it is a single pod, which has no other like it to talk to."""
        first = self.pods[0]
        # A pod that is planned for a workload stands for all its replicas.
        return len(self.pods) == 1 and not (first.planned and first.owner is not None and first.owner.kind != "Pod")

    @property
    def title(self) -> str:
        """What a person calls it: its namespace and workloads."""
        names = ", ".join(owner.name for owner in self.owners[:TITLE_OWNERS])
        more = f" and {len(self.owners) - TITLE_OWNERS} more" if len(self.owners) > TITLE_OWNERS else ""
        return f"{self.namespace}/{names}{more}"


@dataclass(frozen=True, slots=True)
class ReachabilityMatrix:
    """Predicted verdicts between identities; on the diagonal, between two members of one."""

    identities: tuple[Identity, ...]
    places: tuple[int, ...]
    """For each identity, its number in the planes."""
    families: tuple[Family, ...]
    queries: tuple[Query, ...]
    planes: Mapping[tuple[Family, Query], Plane]

    def cell(
        self, source: int, destination: int, family: Family, port: int, protocol: Protocol = Protocol.TCP
    ) -> Verdict | None:
        """The verdict by positions in `identities`; None where the port is not asked for or a family is lacking."""
        one, other = self.identities[source], self.identities[destination]
        has_family = family in one.pods[0].families and family in other.pods[0].families
        if (protocol, port) not in other.asks or not has_family:
            return None
        plane = self.planes[family, (protocol, port)]
        return plane.verdict(self.places[source], self.places[destination])

"""What `netaudit predict` says: verdicts between identities, how far default deny reaches, what stands in the way."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.model.expectation import Answer
from auditor.model.flow import Direction, Family, Verdict
from auditor.model.lint import LintFinding
from auditor.model.matrix import Query, ReachabilityMatrix
from auditor.model.problem import Problem


@dataclass(frozen=True, slots=True)
class Coverage:
    """How far policies reach in one namespace and direction."""

    namespace: str
    direction: Direction
    pods: int
    isolated: int
    """Pods that some policy isolates in this direction."""
    default_deny: bool
    """Whether a policy isolates every pod of the namespace, those to come included."""


@dataclass(frozen=True, slots=True)
class Unselected:
    """Pods of one workload that no policy selects in any direction."""

    namespace: str
    workload: str
    pods: int


@dataclass(frozen=True, slots=True)
class Excluded:
    """Pods that stand outside the matrix, and why."""

    reason: str
    pods: int


@dataclass(frozen=True, slots=True)
class NamespaceCell:
    """One pair of namespaces on one port: how many pairs of pods have which verdict."""

    source: str
    destination: str
    family: Family
    query: Query
    counts: tuple[tuple[Verdict, int], ...]
    """Verdicts that occur, each with its pairs of pods, in the order of `Verdict`."""

    @property
    def verdict(self) -> Verdict | None:
        """The verdict of all pairs; None where they differ."""
        return self.counts[0][0] if len(self.counts) == 1 else None


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer to `netaudit predict`, sorted and complete: formats leave out what does not fit them."""

    origin: str
    """The context, or the files that were read."""
    engine: str
    """The engine whose dialect answers what the API leaves open; empty where none is known."""
    matrix: ReachabilityMatrix
    sources: tuple[int, ...]
    """Positions of the identities that were asked for as sources."""
    destinations: tuple[int, ...]
    queries: tuple[Query, ...]
    """The ports that were asked for; of a destination only those that it `asks` about, unless `all_ports`."""
    all_ports: bool
    """Whether the user named the ports, so that every one is shown for every destination."""
    namespaces: tuple[str, ...]
    pods: int
    policies: int
    coverage: tuple[Coverage, ...]
    unselected: tuple[Unselected, ...]
    excluded: tuple[Excluded, ...]
    unread: tuple[str, ...]
    """Why flows are UNKNOWN."""
    findings: tuple[LintFinding, ...] = ()
    problems: tuple[Problem, ...] = ()
    warnings: tuple[str, ...] = ()
    scope: frozenset[int] | None = None
    """Positions of identities of which every flow has one end at least; None where all flows were asked for."""
    unnamed: tuple[Query, ...] = ()
    """Ports that no policy names and no container declares: each stands for all of its kind."""
    expectations: tuple[Answer, ...] = ()
    """What of the user's expectations the policies say."""

    def verdict(self, source: int, destination: int, family: Family, query: Query) -> Verdict | None:
        """The verdict by positions of identities; None where it was not asked for."""
        if not self.all_ports:
            return self.matrix.cell(source, destination, family, query[1], query[0])
        ends = (self.matrix.identities[place].pods[0] for place in (source, destination))
        plane = self.matrix.planes.get((family, query))
        if plane is None or not all(family in pod.families for pod in ends):
            return None
        return plane.verdict(self.matrix.places[source], self.matrix.places[destination])


@dataclass(frozen=True, slots=True)
class Change:
    """Flows between two identities that two sets of manifests judge differently."""

    source: str
    destination: str
    family: Family
    query: Query
    before: Verdict | None
    """None where an end did not exist."""
    after: Verdict | None
    because: tuple[str, ...] = ()
    """The policies that decide after the change, or before it where the flow is gone."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The answer to `netaudit predict --diff OLD NEW`."""

    old: str
    new: str
    opened: tuple[Change, ...]
    closed: tuple[Change, ...]
    other: tuple[Change, ...]
    """Changes to or from UNDEFINED and UNKNOWN."""
    appeared: tuple[str, ...]
    """Workloads that only the new manifests have."""
    vanished: tuple[str, ...]
    flows: int
    """Flows that were compared."""
    problems: tuple[Problem, ...] = ()
    """Those that both sets have, each once."""
    old_problems: tuple[Problem, ...] = ()
    new_problems: tuple[Problem, ...] = ()
    unnamed: tuple[Query, ...] = ()
    """Ports that no policy names and no container declares in either set: each stands for all of its kind."""

"""One end of a flow, with everything that a predicate may ask of it.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

from auditor.model.cluster import Namespace, Node, Pod
from auditor.model.flow import DirectionDecision, Family, Traffic
from auditor.model.labels import Labels
from auditor.model.rules import Action, Clause, EndKind, Ports, Section, Tier

NOBODY: Labels = {}


@dataclass(slots=True, eq=False)
class Applied:
    """A section that selects an end; `sure` is False where that depends on something unread."""

    section: Section
    sure: bool


class Selection:
    """The sections that select an end in one direction, in the order in which they are asked."""

    def __init__(self, applied: Iterable[Applied]) -> None:
        """Sort `applied` by tier and rank."""
        self.applied = tuple(sorted(applied, key=lambda item: (item.section.tier, item.section.rank)))
        self.known: dict[tuple[int, ...], DirectionDecision] = {}
        """What is decided where just these of `clauses` match, for sure; worked out once."""
        self._fitting: dict[tuple[int, int], tuple[Clause, ...]] = {}

    @cached_property
    def tiers(self) -> tuple[tuple[Tier, tuple[tuple[Applied, ...], ...]], ...]:
        """The sections by tier and, in it, by rank."""
        return tuple(
            (tier, tuple(tuple(rank) for _, rank in groupby(members, key=lambda item: item.section.rank)))
            for tier, members in groupby(self.applied, key=lambda item: item.section.tier)
        )

    @cached_property
    def clauses(self) -> tuple[Clause, ...] | None:
        """All clauses, where their order cannot matter: one rank, all sure, nothing but ALLOW; else None."""
        if len(self.tiers) != 1 or len(self.tiers[0][1]) != 1:
            return None
        clauses = tuple(clause for item in self.applied for clause in item.section.clauses)
        plain = all(item.sure for item in self.applied) and all(item.action is Action.ALLOW for item in clauses)
        return clauses if plain else None

    def fitting(self, traffic: Traffic) -> tuple[Clause, ...]:
        """The plain clauses whose ports fit or, where they are names, may fit."""
        key = traffic.port, id(traffic.protocol)
        found = self._fitting.get(key)
        if found is None:
            found = self._fitting[key] = tuple(
                clause for clause in self.clauses or () if all(may_fit(ports, traffic) for ports in clause.ports)
            )
        return found


def may_fit(ports: Ports, traffic: Traffic) -> bool:
    """Whether a condition on ports holds, or holds at some destinations."""
    fits = (
        (term.protocol is None or term.protocol is traffic.protocol) and term.first <= traffic.port <= term.last
        for term in ports.terms
    )
    return any(term.name for term in ports.terms) or any(fits) is not ports.inverted


@dataclass(slots=True, eq=False)
class End:
    """A pod, a node or an address outside.

    `addresses` holds what is known of each family, as integers.  A pod that is only planned has none, and one on the
    host's network is read as a pod or as its node.
    """

    kind: EndKind
    addresses: dict[Family, tuple[int, ...]]
    pod: Pod | None = None
    namespace: Namespace | None = None
    account: Labels | None = None
    """Labels of the pod's service account; None where accounts were not read."""
    node: Node | None = None
    """The node that this end is, or that its pod runs on, where the snapshot has it."""
    node_name: str = ""
    egress: Selection | None = None
    """What selects this end as a source, found once."""
    ingress: Selection | None = None

    @property
    def title(self) -> str:
        """What a person calls it."""
        if self.pod is not None:
            return f"{self.pod.namespace}/{self.pod.name}"
        return f"node {self.node_name}" if self.kind is EndKind.NODE else "an address outside"

"""What every rule looks at, how findings are grouped and named, and the shape of the leaks.

Pure.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from auditor.claims import enforcing_node
from auditor.model.expectation import Answer
from auditor.model.finding import Agreement, Comparison, Confidence, Judgement
from auditor.model.flow import PolicyRef
from auditor.model.matrix import Identity
from auditor.model.probe import ProbePlan, Role, StandIn
from auditor.model.service_path import Crossed
from auditor.model.timing import Figure
from auditor.rounds import Placement

CONTROL = "an unpoliced pod of another namespace"
ENOUGH = 3
"""Cells that a shape needs before it is more than suspected."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Which part of the cluster the leaks follow."""

    everywhere: bool
    """Every flow that is denied and gave an answer got through."""
    nodes: tuple[str, ...]
    """Nodes on which every direction that alone denies leaks, while others hold."""
    support: int
    """Leaks that the shape explains."""

    @property
    def is_sure(self) -> bool:
        """Whether enough cells support it."""
        return self.support >= ENOUGH


@dataclass(frozen=True, slots=True)
class Case:
    """A finished comparison with all that is needed to talk about it."""

    plan: ProbePlan
    placement: Placement
    comparison: Comparison
    identities: Mapping[str, Identity]
    """By id."""
    cluster_uid: str
    doubts: tuple[str, ...] = ()
    """What was not read although it may explain what was seen."""
    answers: tuple[Answer, ...] = ()
    """What came of the user's expectations."""
    timed: tuple[Figure, ...] = ()
    """How soon policies held, where that was timed."""
    crossed: tuple[Crossed, ...] = ()
    """What came of paths through netaudit's own Services."""

    @property
    def confidence(self) -> Confidence:
        """How sure it is that what was seen is wrong."""
        return Confidence.LIKELY if self.doubts else Confidence.CONFIRMED

    @property
    def proviso(self) -> str:
        """What else may explain it, to be put after a cause; empty where all was read."""
        return f"; or a policy that may not be read: {'; '.join(self.doubts)}" if self.doubts else ""

    def of(self, agreement: Agreement) -> list[Judgement]:
        """The judgements of one kind, in order."""
        return [item for item in self.comparison.judgements if item.agreement is agreement]

    def end(self, key: str) -> str:
        """What a person calls one end of a flow."""
        stand_in = self._stand_in(key)
        return CONTROL if stand_in.role is Role.CONTROL else self.identities[stand_in.identity].title

    def namespace(self, key: str) -> str:
        """The namespace of one end."""
        return self._stand_in(key).namespace

    def owners(self, key: str) -> str:
        """The workloads of one end: stable across runs, unlike pods and nodes."""
        stand_in = self._stand_in(key)
        if stand_in.role is Role.CONTROL:
            return "control"
        identity = self.identities[stand_in.identity]
        return ",".join([identity.namespace, *(str(owner) for owner in identity.owners)])

    def node(self, key: str) -> str:
        """The node on which one end stands."""
        return self._stand_in(key).node

    def _stand_in(self, key: str) -> StandIn:
        return self.placement[key].stand_in if key in self.placement else self._planned(key)

    def _planned(self, key: str) -> StandIn:
        return next(item for item in self.plan.stand_ins if item.key == key)


Group = tuple[tuple[PolicyRef, ...], str, str]


def grouped(
    case: Case, judgements: Iterable[Judgement], policies: Callable[[Judgement], tuple[PolicyRef, ...]]
) -> dict[Group, list[Judgement]]:
    """Flows that a person would call one fault: same policies and same workloads at both ends."""
    groups: dict[Group, list[Judgement]] = defaultdict(list)
    for item in judgements:
        groups[policies(item), case.owners(item.flow.source), case.owners(item.flow.destination)].append(item)
    return dict(sorted(groups.items()))


def finding_id(rule: str, cluster_uid: str, group: Group) -> str:
    """Hash of rule, cluster, policies and workloads: the same for the same fault in every run."""
    policies, source, destination = group
    text = "\n".join([rule, cluster_uid, *(str(policy) for policy in policies), source, destination])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def ports_of(judgements: Sequence[Judgement]) -> str:
    """The ports of a group in words, each once, families named only where both occur."""
    families = {item.flow.family for item in judgements}
    words = [
        f"{item.flow.protocol.value} {item.flow.port}" + (f" ({item.flow.family.value})" if len(families) > 1 else "")
        for item in sorted(judgements, key=_traffic)
    ]
    return ", ".join(dict.fromkeys(words))


def _traffic(item: Judgement) -> tuple[int, str, str]:
    return item.flow.port, item.flow.protocol.value, item.flow.family.value


def evidence_of(case: Case, judgements: Sequence[Judgement]) -> tuple[str, ...]:
    """One sentence for each flow: where its ends stood and what was seen."""
    return tuple(
        f"flow {item.flow.id}: {case.node(item.flow.source)} to {case.node(item.flow.destination)}, "
        f"{item.flow.protocol.value} {item.flow.port} {item.flow.family.value}: {item.reason}"
        for item in judgements
    )


def shape_of(case: Case) -> Shape:
    """Find the smallest part of the cluster that explains the leaks: everywhere, or single nodes."""
    leaks = case.of(Agreement.LEAK)
    right = [*case.of(Agreement.AS_EXPECTED), *case.of(Agreement.LATE)]
    held = [item for item in right if item.flow.predicted.deniers]
    if leaks and not held:
        return Shape(everywhere=True, nodes=(), support=len(leaks))
    guilty = set.intersection(*[_enforcers(case, item) for item in leaks]) if leaks else set()
    every = {node for item in leaks for node in _enforcers(case, item)}
    holding = {node for item in held if len(_enforcers(case, item)) == 1 for node in _enforcers(case, item)}
    nodes = tuple(sorted((guilty or every) - holding))
    explained = [item for item in leaks if _enforcers(case, item) <= set(nodes)]
    return Shape(everywhere=False, nodes=nodes if len(explained) == len(leaks) else (), support=len(explained))


def _enforcers(case: Case, judgement: Judgement) -> set[str]:
    """The nodes of which each alone would have had to deny the flow."""
    nodes = {enforcing_node(judgement, direction, case.placement) for direction in judgement.flow.predicted.deniers}
    return nodes - {""}

"""Policies as rules look at them: each object, rule and peer with the pods that it may mean.

Pure.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from auditor.model.flow import Direction, PolicyRef
from auditor.model.lint import ObjectRef
from auditor.model.policy import NetworkPolicy, Peer, Rule
from auditor.model.rules import (
    AccountIs,
    AccountLabels,
    AllOf,
    AnyOf,
    Clause,
    EndKind,
    InNamespace,
    IsKind,
    NamespaceLabels,
    PodLabels,
    Predicate,
    Section,
)


@dataclass(slots=True, eq=False)
class PeerView:
    """One item of `from` or `to` of a NetworkPolicy, and the pods it may mean."""

    path: str
    peer: Peer
    pods: int


@dataclass(slots=True, eq=False)
class RuleView:
    """One rule of a policy of any kind, and whom it may mean."""

    of: PolicyView
    direction: Direction
    path: str
    clause: Clause
    subject: int
    """The pods that it is a rule for."""
    pods: int
    """The pods at the other end."""
    beyond: bool
    """Whether anything but pods may be at the other end."""
    rule: Rule | None = None
    """Of a NetworkPolicy."""
    peers: tuple[PeerView, ...] = ()

    @property
    def destinations(self) -> int:
        """The pods whose ports it speaks of."""
        return self.subject if self.direction is Direction.INGRESS else self.pods


@dataclass(slots=True, eq=False)
class PolicyView:
    """One policy object and the pods it selects."""

    ref: PolicyRef
    namespace: str
    """Empty for kinds of the whole cluster."""
    subject: int
    sections: tuple[Section, ...]
    policy: NetworkPolicy | None = None
    rules: list[RuleView] = field(default_factory=list)
    """In force: those of a direction in which it has a say."""

    @property
    def object(self) -> ObjectRef:
        """Its name."""
        return ObjectRef(self.ref.kind, self.ref.namespace, self.ref.name)

    @property
    def isolates(self) -> frozenset[Direction]:
        """The directions in which selecting a pod isolates it."""
        return frozenset(section.direction for section in self.sections if section.isolates)

    def rules_of(self, direction: Direction) -> list[RuleView]:
        """The rules of a direction."""
        return [rule for rule in self.rules if rule.direction is direction]


def only_pods(predicate: Predicate) -> bool:
    """Whether nothing but a pod can meet a predicate, by its form."""
    match predicate:
        case PodLabels() | NamespaceLabels() | InNamespace() | AccountIs() | AccountLabels():
            return True
        case IsKind():
            return predicate.kinds <= {EndKind.POD}
        case AllOf():
            return any(only_pods(part) for part in predicate.parts)
        case AnyOf():
            return all(only_pods(part) for part in predicate.parts)
        case _:
            return False


def is_choosy(predicate: Predicate) -> bool:
    """Whether a predicate selects by labels: what it selects may be missing by mistake."""
    if isinstance(predicate, AllOf | AnyOf):
        return any(is_choosy(part) for part in predicate.parts)
    return isinstance(predicate, PodLabels | NamespaceLabels)

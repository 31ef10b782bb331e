"""What every policy API says, in one form: tiers of sections of clauses, over predicates on the two ends of a flow.

Each API of `auditor.policy` is translated into these values; what they mean together is in `auditor.evaluate`.  A
predicate has four answers: NO, OPEN (the API leaves it to the engine), UNKNOWN (not modelled or not read), YES.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol as Interface

from auditor.model.flow import Direction, PolicyRef, Protocol
from auditor.model.labels import Labels, LabelSelector
from auditor.model.policy import IPBlock

FIRST_PORT, LAST_PORT = 0, 65535
"""What "all ports" is written as; a range that somebody spells out begins at 1."""


class Match(enum.IntEnum):
    """Ordered so that the answer of an OR is the maximum."""

    NO = 0
    OPEN = 1
    UNKNOWN = 2
    YES = 3


class EndKind(enum.Enum):
    """What stands at one end of a flow."""

    POD = "pod"
    NODE = "node"
    OUTSIDE = "outside"
    """An address that is neither a pod's nor a node's."""


class Selector(Interface):
    """Anything that answers for a set of labels and can be compared by value: `LabelSelector`, Calico's expressions."""

    def matches(self, labels: Labels) -> bool:
        """Tell whether these labels are selected."""

    @property
    def keys(self) -> frozenset[str]:
        """The label keys that can change the answer."""


@dataclass(frozen=True, slots=True)
class Everything:
    """Any end: pods, nodes and outside."""


@dataclass(frozen=True, slots=True)
class IsKind:
    """An end of one of these kinds."""

    kinds: frozenset[EndKind]


@dataclass(frozen=True, slots=True)
class PodLabels:
    """A pod whose own labels are selected; NO for what is not a pod."""

    selector: Selector


@dataclass(frozen=True, slots=True)
class NamespaceLabels:
    """A pod in a namespace whose labels are selected; UNKNOWN where they were not read and could decide."""

    selector: Selector


@dataclass(frozen=True, slots=True)
class InNamespace:
    """A pod of this namespace."""

    name: str


@dataclass(frozen=True, slots=True)
class AccountLabels:
    """A pod whose service account's labels are selected; UNKNOWN where the accounts were not read."""

    selector: Selector


@dataclass(frozen=True, slots=True)
class AccountIs:
    """A pod that runs as one of these service accounts, by name."""

    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class NodeLabels:
    """A node whose labels are selected, or a pod on its network, however such pods are read."""

    selector: Selector


@dataclass(frozen=True, slots=True)
class OwnNode:
    """The node on which the subject of the policy runs."""


@dataclass(frozen=True, slots=True)
class InBlock:
    """An address inside a block; `pods` and `nodes` say what holds where the address is that of a pod or a node."""

    block: IPBlock
    pods: Match = Match.YES
    nodes: Match = Match.YES


@dataclass(frozen=True, slots=True)
class Unsure:
    """`answer` (OPEN or UNKNOWN) wherever `where` is not NO; `reason` names the object's field and why."""

    answer: Match
    reason: str
    where: Predicate


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every part holds."""

    parts: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part holds; no part means nothing."""

    parts: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold; OPEN and UNKNOWN stay so."""

    part: Predicate


Predicate = (
    Everything
    | IsKind
    | PodLabels
    | NamespaceLabels
    | InNamespace
    | AccountLabels
    | AccountIs
    | NodeLabels
    | OwnNode
    | InBlock
    | Unsure
    | AllOf
    | AnyOf
    | Not
)
EVERYTHING_AT_ALL = Everything()
NOTHING = AnyOf(())
ANY_POD = IsKind(frozenset({EndKind.POD}))


@dataclass(frozen=True, slots=True)
class PortTerm:
    """Destination ports `first` to `last` of a protocol, or those that the destination pod declares under `name`.

    `protocol` None means any; for a name, that of the declared port.
    """

    protocol: Protocol | None = Protocol.TCP
    first: int = FIRST_PORT
    last: int = LAST_PORT
    name: str = ""


@dataclass(frozen=True, slots=True)
class Ports:
    """Any of these terms, or none of them when `inverted`."""

    terms: tuple[PortTerm, ...]
    inverted: bool = False


class Action(enum.Enum):
    """What a clause does with a flow that it matches."""

    ALLOW = "allow"
    DENY = "deny"
    PASS = "pass"  # noqa: S105  # the APIs' own word
    """Leave the rest of this tier and go on with the next one."""


@dataclass(frozen=True, slots=True)
class Clause:
    """One rule: peer AND every one of `ports` (none means any port of any protocol)."""

    action: Action
    path: str
    """Where it stands in its object, such as `ingress[0]`."""
    peer: Predicate = EVERYTHING_AT_ALL
    ports: tuple[Ports, ...] = ()
    unsure: str = ""
    """Why a match is UNKNOWN rather than YES, naming the field: a layer 7 rule, for one."""


@dataclass(frozen=True, slots=True, order=True)
class Tier:
    """Sections that are asked together; lower `order` first.

    `end` is what befalls a flow that no clause decided when some isolating section of the tier selects the subject;
    PASS means the next tier.
    """

    order: float
    name: str
    end: Action = Action.PASS


ADMIN = Tier(1_000, "Admin")
MIDDLE = Tier(1_000_000, "NetworkPolicy", Action.DENY)
"""NetworkPolicy v1, Cilium's kinds, and Calico's tier `default`."""
BASELINE = Tier(10_000_000, "Baseline")
MIDDLE_RANK = (1_000.0, "")
"""NetworkPolicies stand at order 1000 of their tier, as Calico converts them."""


@dataclass(frozen=True, slots=True)
class Section:
    """What one policy object says in one direction.

    Sections of a tier are asked by ascending `rank`, the clauses of one in their order, first match wins.  Of sections
    with equal rank any may come first: where that makes a difference the verdict is UNDEFINED.
    """

    ref: PolicyRef
    direction: Direction
    tier: Tier
    rank: tuple[float, str]
    subject: Predicate
    """Asked of pods that policies apply to only."""
    clauses: tuple[Clause, ...] = ()
    isolates: bool = True
    """Whether selecting a pod brings the tier's `end` about."""
    perhaps: str = ""
    """Why the engine may pass the section over as a whole; empty where it may not."""


@dataclass(frozen=True, slots=True)
class Translation:
    """What one object, or all objects of an API, turned into."""

    sections: tuple[Section, ...] = ()
    notes: tuple[str, ...] = ()
    """What a user should know: a staged policy, a field that was ignored; sorted."""


def all_of(*parts: Predicate | None) -> Predicate:
    """Join what is there; nothing at all is everything."""
    kept = tuple(part for part in parts if part is not None and part != EVERYTHING_AT_ALL)
    if not kept:
        return EVERYTHING_AT_ALL
    return kept[0] if len(kept) == 1 else AllOf(kept)


def any_of(parts: Iterable[Predicate]) -> Predicate:
    """Join alternatives, each in its place; none is nothing."""
    kept = tuple(parts)
    return kept[0] if len(kept) == 1 else AnyOf(kept)


def pods(
    namespace: str | None = None, namespaces: LabelSelector | None = None, selector: Selector | None = None
) -> Predicate:
    """Pods by the name or the labels of their namespace, and by their own labels; all pods where nothing is given."""
    home = InNamespace(namespace) if namespace is not None else None
    labels = NamespaceLabels(namespaces) if namespaces is not None and namespaces.requirements else None
    own = PodLabels(selector) if selector is not None and selector.keys else None
    joined = all_of(home, labels, own)
    return ANY_POD if joined == EVERYTHING_AT_ALL else joined

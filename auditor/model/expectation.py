"""What a user says must work and must not: expectations, the flows they cover, and what came of them.

The third voice beside the model's verdict and the measured outcome.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from auditor.model.flow import Family, PolicyRef, Protocol, Verdict


class Wish(enum.Enum):
    """What a user expects of a flow."""

    ALLOWED = "allowed"
    DENIED = "denied"


class Accord(enum.Enum):
    """What user, model and packets say together of one flow, worst first."""

    LEAK = "leak"
    """User and model say denied; packets got through."""
    POLICIES_ALLOW = "policies allow it"
    """The user says denied, the model allowed, and packets got through."""
    BLOCKAGE = "blockage"
    """User and model say allowed; packets did not get through."""
    POLICIES_FORBID = "policies forbid it"
    """The user says allowed, the model denied, and packets did not get through."""
    AGAINST_POLICIES = "against the policies"
    """Packets do what the user says and the model does not: it holds for another reason than the policies."""
    INCONCLUSIVE = "inconclusive"
    """Not measured, or without proof."""
    LATE = "kept late"
    """As the user and the model say, after a while."""
    KEPT = "kept"
    """User, model and packets agree; for `predict`, user and model."""

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return list(Accord).index(self)


BROKEN = frozenset({Accord.LEAK, Accord.POLICIES_ALLOW, Accord.BLOCKAGE, Accord.POLICIES_FORBID})
"""What the user expects is not so."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """One item of a file of expectations; ends in the words of `netaudit explain`."""

    source: str
    destination: str
    protocol: Protocol
    port: int | str
    """A number, or the name of a container port."""
    wish: Wish
    name: str = ""
    reason: str = ""
    place: str = ""
    """File and line."""

    @property
    def title(self) -> str:
        """What a person calls it."""
        return self.name or f"{self.source} to {self.destination} on {self.port}/{self.protocol.value}"


@dataclass(frozen=True, slots=True)
class Demand:
    """A flow between two identities, by their ids, that a plan must hold whatever else is chosen."""

    source: str
    destination: str
    protocol: Protocol
    port: int


@dataclass(frozen=True, slots=True)
class ExpectedFlow:
    """One flow that an expectation covers, and the model's verdict on it."""

    source: str
    destination: str
    """What a person calls the ends."""
    family: Family
    protocol: Protocol
    port: int
    verdict: Verdict
    reason: str
    policies: tuple[PolicyRef, ...] = ()
    """Those that deny it."""
    demand: Demand | None = None
    """What the plan must hold for it; None where packets cannot tell."""
    untested: str = ""
    """Why packets cannot tell."""


@dataclass(frozen=True, slots=True)
class Covered:
    """An expectation and all its flows, at least one."""

    expectation: Expectation
    flows: tuple[ExpectedFlow, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """One expected flow with what came of it."""

    flow: ExpectedFlow
    verdict: Verdict
    """The model's on the pods that are meant, which is the probe pods' own wherever packets spoke."""
    accord: Accord
    reason: str
    id: int = 0
    """Of the measured flow; 0 where there is none."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an expectation, flow by flow; never empty."""

    expectation: Expectation
    told: tuple[Told, ...]

    @property
    def accord(self) -> Accord:
        """The worst of its flows'."""
        return min((item.accord for item in self.told), key=lambda accord: accord.rank)

    @property
    def worst(self) -> Told:
        """The first flow that fared worst."""
        return next(item for item in self.told if item.accord is self.accord)

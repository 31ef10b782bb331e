"""Why a flow has its verdict: each rule that had a say, and the first thing that failed in those that did not."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.model.flow import Decision, Direction, PolicyRef, Traffic, Verdict


@dataclass(frozen=True, slots=True)
class RuleStep:
    """One rule that was asked."""

    policy: PolicyRef
    path: str
    """Where it stands in its object, such as `spec.ingress[0]`."""
    matched: str
    """yes, no, open or unknown."""
    action: str
    """allow, deny or pass."""
    because: str
    """What matched, or the first thing that did not."""


@dataclass(frozen=True, slots=True)
class TierStep:
    """One tier: the policies of it that select the pod, and their rules in the order in which they are asked."""

    name: str
    policies: tuple[PolicyRef, ...]
    rules: tuple[RuleStep, ...]
    end: str
    """What befell the flow: decided by a rule, denied by default, passed on."""


@dataclass(frozen=True, slots=True)
class DirectionSteps:
    """One direction: the source's egress or the destination's ingress."""

    direction: Direction
    subject: str
    verdict: Verdict
    reason: str
    tiers: tuple[TierStep, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """The verdict for one flow and the chain that gives it."""

    source: str
    destination: str
    traffic: Traffic
    decision: Decision
    directions: tuple[DirectionSteps, ...]
    """Egress, then ingress."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """Flows with the same verdict for the same reasons, and one of them explained."""

    verdict: Verdict
    flows: int
    sources: int
    destinations: int
    example: Explanation


@dataclass(frozen=True, slots=True)
class Explained:
    """The answer to `netaudit explain`: every flow between two targets, grouped."""

    source: str
    destination: str
    port: str
    groups: tuple[Group, ...]
    notes: tuple[str, ...] = ()

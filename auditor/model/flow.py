"""A flow and what the model says of it.

A verdict is predicted, never measured; measured values live in `probe`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Protocol(enum.Enum):
    """Transport protocols that the NetworkPolicy API knows (`corev1.Protocol`)."""

    TCP = "TCP"
    UDP = "UDP"
    SCTP = "SCTP"


class Family(enum.Enum):
    """Address families (`corev1.IPFamily`)."""

    IPV4 = "IPv4"
    IPV6 = "IPv6"


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a flow carries, whoever its ends are; `port` is the destination's, behind any Service."""

    family: Family
    protocol: Protocol
    port: int


class Direction(enum.Enum):
    """Seen from the pod that a policy selects (`networkingv1.PolicyType`)."""

    INGRESS = "Ingress"
    EGRESS = "Egress"


class Verdict(enum.Enum):
    """What the model predicts for a flow."""

    ALLOWED = "allowed"
    DENIED = "denied"
    UNDEFINED = "undefined"
    """The API leaves the answer open."""
    UNKNOWN = "unknown"
    """Something that can decide the answer is not modelled or could not be read."""


@dataclass(frozen=True, slots=True, order=True)
class PolicyRef:
    """Name of a policy object; `namespace` is empty for kinds of the whole cluster."""

    namespace: str
    name: str
    kind: str = "NetworkPolicy"

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


@dataclass(frozen=True, slots=True)
class DirectionDecision:
    """What one end's policies say of a flow: the egress of its source or the ingress of its destination."""

    direction: Direction
    verdict: Verdict
    isolating: tuple[PolicyRef, ...]
    """Policies that isolate this end in this direction, or whose rule denies; empty where none has a say."""
    allowing: tuple[str, ...]
    """Rules that allow the flow, as `namespace/policy.ingress[0]`; those that might, where it is not certain."""
    reason: str
    denying: tuple[str, ...] = ()
    """Rules that deny it by name; empty where it is denied because no rule allows it."""
    doubtful: tuple[str, ...] = ()
    """For ALLOWED, rules that may allow it as well, beside those of `allowing`, which do."""
    free: bool = False
    """For ALLOWED, whether it would get through, or might, without all of those rules: nothing denies it otherwise."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict for a flow, with what each end contributed and one sentence on why."""

    verdict: Verdict
    egress: DirectionDecision
    ingress: DirectionDecision
    reason: str

    @property
    def deniers(self) -> tuple[Direction, ...]:
        """The directions that deny the flow, egress first."""
        return tuple(end.direction for end in (self.egress, self.ingress) if end.verdict is Verdict.DENIED)

    @property
    def denied_by(self) -> tuple[PolicyRef, ...]:
        """The policies whose isolation denies the flow, sorted; empty unless it is DENIED."""
        ends = [end for end in (self.egress, self.ingress) if end.verdict is Verdict.DENIED]
        return tuple(sorted({policy for end in ends for policy in end.isolating}))

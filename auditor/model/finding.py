"""What a measurement says of a prediction, and what is wrong."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from auditor.model.flow import Direction, PolicyRef
from auditor.model.handshake import Handshake
from auditor.model.probe import Observation, Outcome, PlannedFlow


class Agreement(enum.Enum):
    """Verdict against outcome."""

    AS_EXPECTED = "as-expected"
    LEAK = "leak"
    """Predicted denied, got through, and still did at the end of the settle time."""
    BLOCKAGE = "blockage"
    """Predicted allowed, did not get through to the end of the settle time."""
    LATE = "late"
    """Wrong at first, right within the settle time."""
    INCONCLUSIVE = "inconclusive"


class Severity(enum.Enum):
    """How bad it is if it is true; how sure that is, is `Confidence`."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"

    @property
    def rank(self) -> int:
        """4 for critical down to 0 for info."""
        return 4 - list(Severity).index(self)


class Confidence(enum.Enum):
    """How sure a statement is."""

    CONFIRMED = "confirmed"
    LIKELY = "likely"
    SUSPECTED = "suspected"


class Proof(enum.Enum):
    """What a run shows of one claim, such as one direction of a policy or of a node."""

    PROVEN = "proven"
    LEAKING = "leaking"
    NOT_PROVEN = "not separately proven"
    UNTESTED = "not tested"
    """It speaks of pods of which none was stood for."""
    NOT_CHOSEN = "not chosen"
    """It could have been tested, and `--coverage` chose no flow for it."""
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True, slots=True)
class Judgement:
    """One flow judged; `reason` names the missing piece when it is inconclusive."""

    flow: PlannedFlow
    agreement: Agreement
    outcome: Outcome
    reason: str
    observations: tuple[Observation, ...] = ()
    settled_after: float = 0.0
    """Seconds until it was right, for LATE."""
    measured: str = ""
    """When another run measured it, from which it was taken over (RFC 3339); empty for what this run measured."""


@dataclass(frozen=True, slots=True)
class Greeting:
    """One handshake judged; `reason` names the missing piece when it is inconclusive."""

    handshake: Handshake
    agreement: Agreement
    outcome: Outcome
    reason: str
    observations: tuple[Observation, ...] = ()
    settled_after: float = 0.0
    """Seconds until it was right, for LATE."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Whether one direction of a policy, or of a node, or a rule is enforced, and the flows that show it."""

    subject: PolicyRef | str
    """A policy, or the name of a node or a rule."""
    direction: Direction
    proof: Proof
    reason: str
    flows: tuple[int, ...] = ()
    whole: bool = False
    """For LEAKING: nothing that it alone denies was shown to be denied."""
    is_open: bool = False
    """For NOT_PROVEN: flows that could have proven it were tried, and all were inconclusive."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """All flows judged, and the claims that follow."""

    judgements: tuple[Judgement, ...]
    policies: tuple[Claim, ...] = ()
    nodes: tuple[Claim, ...] = ()
    rules: tuple[Claim, ...] = ()
    greetings: tuple[Greeting, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong, told for a person and with an id that lives as long as the fault."""

    id: str
    rule: str
    severity: Severity
    confidence: Confidence
    title: str
    cause: str
    remedy: str
    policies: tuple[PolicyRef, ...] = ()
    source: str = ""
    destination: str = ""
    flows: tuple[int, ...] = ()
    evidence: tuple[str, ...] = field(default=())

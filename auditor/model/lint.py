"""What is odd about a cluster's policies, told from its objects alone: no packet is sent for it."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class LintSeverity(enum.Enum):
    """How much a user should care; reports show warnings and errors unless asked for more."""

    ERROR = "error"
    """It does not do what it says, whoever reads it."""
    WARNING = "warning"
    """It most likely does not do what its author meant."""
    INFO = "info"
    """It does what it says, and that may be news to a reader."""

    @property
    def rank(self) -> int:
        """2 for error down to 0 for info."""
        return 2 - list(LintSeverity).index(self)


@dataclass(frozen=True, slots=True, order=True)
class ObjectRef:
    """Name of any object; `namespace` is empty for kinds of the whole cluster."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class LintFinding:
    """One oddity of one object, with the reason to call it that and what to do about it."""

    id: str
    """The rule's, such as `policy-selects-nothing`: stable across versions."""
    severity: LintSeverity
    object: ObjectRef
    path: str
    """Where in the object, such as `spec.ingress[0].from[1]`."""
    message: str
    """What is odd, in a sentence that names no path and no object: both stand beside it."""
    why: tuple[str, ...]
    """What shows it; never empty."""
    remedy: str
    fingerprint: str = ""
    """Hash of rule, cluster, object and what was found: lives as long as the oddity, wherever in the list it moves."""

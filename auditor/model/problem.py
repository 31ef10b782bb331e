"""What is wrong with a file of manifests: a value, because the rest of the input is read all the same."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Effect(enum.Enum):
    """What becomes of the thing that has the problem."""

    REFUSED = "refused"
    """The API server would not take the object, so it is left out."""
    UNREADABLE = "unreadable"
    """Text that holds no manifest; what was meant is not known."""
    UNSURE = "unsure"
    """The flows that the object can touch are UNKNOWN."""
    INERT = "inert"
    """The object has no effect on any flow."""
    NOTED = "noted"
    """It was read, in the way that `why` says."""


LEFT_OUT = "was left out"
LOST = frozenset({Effect.REFUSED, Effect.UNREADABLE, Effect.UNSURE})
"""What makes an answer incomplete: something that was meant to count did not."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something to mend in the input; `what`, `why` and `attempt` are sentences for the user, as in every error."""

    effect: Effect
    file: str
    """As the user named it, `-` for standard input; empty where it is about the whole input."""
    line: int | None
    """Counted from 1; None where it is not known."""
    object: str
    """`Kind namespace/name`; empty where it is about no object."""
    what: str
    why: str
    attempt: str

    @property
    def place(self) -> str:
        """The file and line, as compilers and editors write it."""
        return self.file if self.line is None else f"{self.file}:{self.line}"

    @property
    def subject(self) -> str:
        """What it is about, and where that stands."""
        return ": ".join(part for part in (self.place, self.object) if part)

    @property
    def loss(self) -> str:
        """What became of it, and why."""
        return f"{LEFT_OUT if self.effect is Effect.REFUSED and self.object else self.what}: {self.why}"

    @property
    def told(self) -> str:
        """Subject and loss in one sentence."""
        return f"{self.subject}{' ' if self.loss.startswith(LEFT_OUT) else ': '}{self.loss}"

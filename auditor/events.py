"""Progress as values; whoever shows them decides how."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StageStarted:
    """A stage of the pipeline begins; `total` is 0 where nothing can be counted."""

    name: str
    detail: str = ""
    total: int = 0


@dataclass(frozen=True, slots=True)
class Progressed:
    """So many of the current stage's `total` are done."""

    done: int


@dataclass(frozen=True, slots=True)
class Warned:
    """Something that the user should know now and not only from the report."""

    text: str


ASKED_TO_END = "asked to end: the probe pods go, then what was measured is told; once more ends it without"
"""What one run says that is interrupted."""

Event = StageStarted | Progressed | Warned

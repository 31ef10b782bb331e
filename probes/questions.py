"""Names to look up, as lines for the programs `agents/names.*`; what they say back is read by `wire`.

Sans-I/O.  A work line is `ID NAME a|aaaa SECONDS`.  A record has no `c`; its text is the addresses, or one word for why
there are none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from auditor.model.flow import Family
from probes.wire import MAX_TIMEOUT, opening_line

SPARE = 30
"""Seconds that a batch may take beside the time limits of its questions."""
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,250}")
_KINDS = {Family.IPV4: "a", Family.IPV6: "aaaa"}


@dataclass(frozen=True, slots=True)
class Question:
    """One name to look up."""

    id: int
    name: str
    """NAME.NAMESPACE of a Service; the pod's own resolv.conf says what follows."""
    family: Family
    seconds: int


def encode_questions(batch_id: str, questions: Sequence[Question]) -> bytes:
    """Write names to look up, one after the other; raise ValueError for what the agent would refuse."""
    total = sum(question.seconds for question in questions)
    lines = [opening_line(batch_id, 1, len(questions), total + SPARE), *map(_line, questions)]
    return "\n".join([*lines, f"end {len(questions)}", ""]).encode("ascii")


def _line(question: Question) -> str:
    if not _NAME.fullmatch(question.name):
        raise ValueError(f"{question.name!r} is no name")
    if question.id < 0 or not 1 <= question.seconds <= MAX_TIMEOUT:
        raise ValueError(f"question {question.id} is out of bounds")
    return f"{question.id} {question.name} {_KINDS[question.family]} {question.seconds}"

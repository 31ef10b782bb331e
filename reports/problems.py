"""What is wrong with the input, as lines: each problem with its place, why it matters and what to try.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from auditor.model.problem import Problem
from reports.columns import paragraph
from reports.plain import plain

MOST = 20
"""Problems that are told one by one."""


def problem_lines(problems: Sequence[Problem], width: int) -> Iterator[str]:
    """Tell problems like errors of a compiler; of many, how many more there are."""
    for item in problems[:MOST]:
        where = ": ".join(part for part in (item.place, item.object) if part)
        lead = f"{where}: {item.effect.value}" if where else item.effect.value
        yield from paragraph(f"{lead}: {item.what}", width, "- ", "  ")
        yield from paragraph(item.why, width, "  why: ", "       ")
        # What to apply instead may be a manifest, which is nothing without its lines.
        first, *more = item.attempt.splitlines() or [""]
        yield from paragraph(first, width, "  try: ", "       ")
        yield from (f"       {plain(line)}" for line in more)
    if len(problems) > MOST:
        yield f"... and {len(problems) - MOST:,} more; -o json has all of them"

"""What would become of an allowed flow without the rules that allow it.

Pure.  A rule whose absence changes nothing is not shown to be enforced by packets that get through.
"""

from __future__ import annotations

from dataclasses import replace

from auditor.evaluate.end import Applied, Selection
from auditor.evaluate.match import Asked
from auditor.evaluate.walk import Course, Hit, walk
from auditor.model.rules import Action, Match


def is_free(selection: Selection, course: Course, asked: Asked) -> bool:
    """Whether a flow that rules allow would be allowed without them too, or might be."""
    allows = [hit for hit in course.hits if hit.clause.action is Action.ALLOW]
    if len(allows) == len(course.hits) and any(_isolates(hit) for hit in allows):
        return False
    clauses = {id(hit.clause) for hit in allows}
    rest = Selection(
        Applied(
            replace(item.section, clauses=tuple(one for one in item.section.clauses if id(one) not in clauses)),
            item.sure,
        )
        for item in selection.applied
    )
    return walk(rest, asked).outcomes != {Action.DENY}


def _isolates(hit: Hit) -> bool:
    """Whether the rule's own section denies what no rule allows, which it does without that rule as well."""
    return hit.match is Match.YES and hit.section.isolates and hit.section.tier.end is Action.DENY

"""A walk's course put into a decision: the verdict of one direction, who decided, and one sentence on why.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterator

from auditor.evaluate.end import End
from auditor.evaluate.match import Asked, matches
from auditor.evaluate.walk import Course, Hit
from auditor.model.flow import Direction, DirectionDecision, Verdict
from auditor.model.rules import (
    Action,
    AllOf,
    AnyOf,
    InBlock,
    Match,
    NamespaceLabels,
    Not,
    Predicate,
    Unsure,
)


def decision(direction: Direction, course: Course, asked: Asked) -> DirectionDecision:
    """Say what one direction decides."""
    if course.outcomes == {Action.ALLOW}:
        return _allowed(direction, course)
    if course.outcomes == {Action.DENY}:
        return _denied(direction, course)
    unsure = [hit for hit in course.hits if hit.match in {Match.OPEN, Match.UNKNOWN}]
    refs = tuple(sorted({*course.isolating, *(hit.section.ref for hit in unsure), *course.tied}))
    verdict = Verdict.UNKNOWN if course.unread else Verdict.UNDEFINED
    wanted = Match.UNKNOWN if course.unread else Match.OPEN
    names = tuple(dict.fromkeys(sorted(hit.name for hit in unsure if hit.match is wanted)))
    return DirectionDecision(direction, verdict, refs, names, _unsure_reason(course, asked, wanted))


def _allowed(direction: Direction, course: Course) -> DirectionDecision:
    allows = [hit for hit in course.hits if hit.clause.action is Action.ALLOW]
    names = tuple(sorted({hit.name for hit in allows if hit.match is Match.YES}))
    doubtful = tuple(sorted({hit.name for hit in allows} - {*names}))
    refs = {hit.section.ref for hit in course.hits if hit.clause.action is not Action.PASS}
    refs |= set(course.isolating)
    if names:
        reason = f"allowed by {names[0]}" + (f" and {len(names) - 1} more" if len(names) > 1 else "")
    else:
        reason = f"no policy isolates it for {direction.value}"
    return DirectionDecision(direction, Verdict.ALLOWED, tuple(sorted(refs)), names, reason, doubtful=doubtful)


def _denied(direction: Direction, course: Course) -> DirectionDecision:
    deniers = [hit for hit in course.hits if hit.clause.action is Action.DENY and hit.match is Match.YES]
    if deniers and course.ended is None:
        names = tuple(sorted({hit.name for hit in deniers}))
        refs = tuple(sorted({hit.section.ref for hit in deniers}))
        return DirectionDecision(direction, Verdict.DENIED, refs, (), f"denied by {names[0]}", names)
    refs = tuple(course.isolating)
    policies = "1 policy isolates" if len(refs) == 1 else f"{len(refs)} policies isolate"
    reason = f"{policies} it for {direction.value} and no rule allows the flow"
    return DirectionDecision(direction, Verdict.DENIED, refs, (), reason)


def _unsure_reason(course: Course, asked: Asked, wanted: Match) -> str:
    for hit in course.hits:
        for text in _hit_causes(hit, asked, wanted):
            return text
    if course.tied:
        names = ", ".join(str(ref) for ref in sorted(set(course.tied)))
        return f"{names} have equal priority and say different things; the API leaves the order to the engine"
    for hit in course.hits:
        if hit.match is Match.UNKNOWN:
            return f"whether {hit.section.ref} selects the pod could not be read"
    return "whether the policies of its tier select the pod could not be read"


def _hit_causes(hit: Hit, asked: Asked, wanted: Match) -> Iterator[str]:
    """What made a clause answer OPEN or UNKNOWN: its own form, its section's place, its peer."""
    if hit.match is not wanted:
        return
    if hit.clause.unsure and wanted is Match.UNKNOWN:
        yield f"{hit.name}: {hit.clause.unsure}"
    if hit.section.perhaps and wanted is Match.OPEN:
        yield f"{hit.name} {hit.section.perhaps}"
    for text in causes(hit.clause.peer, asked.peer, asked, wanted):
        yield f"{hit.name} {text}"


def causes(predicate: Predicate, end: End, asked: Asked, wanted: Match) -> Iterator[str]:
    """What made a predicate answer OPEN or UNKNOWN, innermost first."""
    if matches(predicate, end, asked.subject, asked.traffic.family) is not wanted:
        return
    if isinstance(predicate, AllOf | AnyOf):
        for part in predicate.parts:
            yield from causes(part, end, asked, wanted)
    elif isinstance(predicate, Not):
        yield from causes(predicate.part, end, asked, wanted)
    else:
        yield _cause(predicate, end, wanted)


def _cause(predicate: Predicate, end: End, wanted: Match) -> str:
    if isinstance(predicate, Unsure):
        return predicate.reason
    if isinstance(predicate, InBlock) and wanted is Match.OPEN:
        return "has an ipBlock that holds the pod's address; the API leaves open whether it applies to pods"
    if isinstance(predicate, InBlock):
        return "has a block of addresses, and the pod's is not known yet"
    if isinstance(predicate, NamespaceLabels) and end.namespace is not None:
        return f"selects by labels of namespace {end.namespace.name}, which were not read"
    return "asks for something that was not read"

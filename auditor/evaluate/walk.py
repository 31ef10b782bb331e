"""One direction of one flow through the tiers, with everything that a reason may be made of.

Pure.  At any point a flow may be decided, have passed on, or be undecided still; where a match is not certain more than
one of these stays possible, and nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from auditor.evaluate.end import Applied, Selection
from auditor.evaluate.match import Asked, both, clause_matches
from auditor.model.flow import PolicyRef
from auditor.model.rules import Action, Clause, Match, Section, Tier


@dataclass(frozen=True, slots=True)
class Hit:
    """A clause that matched, for sure or perhaps."""

    section: Section
    clause: Clause
    match: Match

    @property
    def name(self) -> str:
        """The rule's name in reports."""
        return f"{self.section.ref}.{self.clause.path}"


@dataclass(slots=True)
class Course:
    """What a walk found: the outcomes that are possible, and how they came about."""

    outcomes: set[Action] = field(default_factory=set)
    """ALLOW, DENY or both."""
    hits: list[Hit] = field(default_factory=list)
    """Clauses that matched where the flow could still be undecided, in the order in which they were asked."""
    isolating: list[PolicyRef] = field(default_factory=list)
    """Policies that isolate this end, of the tiers that were asked and deny by default."""
    ended: Tier | None = None
    """The tier whose default action applied."""
    unread: bool = False
    """Whether an UNKNOWN was met."""
    tied: list[PolicyRef] = field(default_factory=list)
    """Policies of equal rank that say different things of the flow."""


def walk(selection: Selection, asked: Asked) -> Course:
    """Ask the sections that select the subject, tier by tier; what nothing decides is allowed."""
    course = Course()
    undecided = True
    for tier, ranks in selection.tiers:
        here, passed = undecided, False
        isolating = _isolating(tier, ranks, course)
        for rank in ranks:
            if not here:
                break
            actions, here = ask_rank(rank, asked, course)
            passed = passed or Action.PASS in actions
            course.outcomes |= actions - {Action.PASS}
        here = here and _end_of(tier, isolating, course)
        undecided = here or passed
        if not undecided:
            return course
    course.outcomes.add(Action.ALLOW)
    return course


def _isolating(tier: Tier, ranks: Sequence[Sequence[Applied]], course: Course) -> list[Applied]:
    """The sections that bring a tier's default action about."""
    found = [item for rank in ranks for item in rank if item.section.isolates and tier.end is not Action.PASS]
    course.isolating = sorted({*course.isolating, *(item.section.ref for item in found)})
    return found


def _end_of(tier: Tier, isolating: Sequence[Applied], course: Course) -> bool:
    """Apply the tier's default action to what is undecided; tell whether anything may go on to the next one."""
    if not isolating:
        return True
    course.outcomes.add(tier.end)
    course.ended = tier
    sure = any(item.sure for item in isolating)
    course.unread = course.unread or not sure
    return not sure


def ask_rank(rank: Sequence[Applied], asked: Asked, course: Course) -> tuple[set[Action], bool]:
    """The outcomes that sections of one rank make possible, any of which may come first, and whether none may match."""
    found = [_section(item, asked, course) for item in rank]
    actions: set[Action] = set().union(*(one for one, _, _ in found))
    nothing = all(item[1] for item in found)
    if len(actions) > 1 and len(rank) > 1:
        course.tied = [item.section.ref for item, (one, *_) in zip(rank, found, strict=True) if one]
    # What was not read makes no difference where everything else agrees.
    if nothing or len(actions) > 1:
        course.unread = course.unread or any(item[2] for item in found)
    return actions, nothing


def _section(applied: Applied, asked: Asked, course: Course) -> tuple[set[Action], bool, bool]:
    """First match of one section: the actions that are possible, whether it may be none, whether UNKNOWN was met."""
    actions: set[Action] = set()
    section, nothing, unread = applied.section, True, False
    doubt = Match.OPEN if section.perhaps else Match.YES if applied.sure else Match.UNKNOWN
    for clause in section.clauses:
        if not nothing and clause.action not in actions:
            break
        match = clause_matches(clause, asked)
        if match is Match.NO:
            continue
        # After a certain match others with the same action change nothing, but a reader wants to know of them.
        course.hits.append(Hit(section, clause, both(match, doubt)))
        if nothing:
            actions.add(clause.action)
            unread = unread or match is Match.UNKNOWN or not applied.sure
            nothing = match is not Match.YES
    # It is the section as a whole that applies or does not, so the first certain match ends it either way.
    return actions, nothing or doubt is not Match.YES, unread

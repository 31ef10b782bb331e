"""What judged flows prove of single rules.

Pure.  A rule that allows is proven by a flow that got through and that it alone allows, together with a flow next to it
that nothing allows and that did not get through: another port of the same pair, or another peer at the same policed
end's port.  A rule that denies is proven by a flow that did not get through and would be allowed without it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from auditor.claims import SHOWN, selecting
from auditor.duties import Spot, denies_alone, end_of, rules_alone, spots
from auditor.evaluate.end import Applied, Selection
from auditor.evaluate.match import Asked
from auditor.evaluate.model import Model
from auditor.evaluate.walk import walk
from auditor.model.finding import Agreement, Claim, Judgement, Proof
from auditor.model.flow import Direction, PolicyRef, Traffic, Verdict
from auditor.model.rules import Action, Section
from auditor.rounds import Placement, running

NAMED = 3
"""Other rules that a reason names."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """A rule that allows or denies; several clauses of one path are one rule."""

    ref: PolicyRef
    direction: Direction
    path: str
    action: Action

    @property
    def name(self) -> str:
        return f"{self.ref}.{self.path}"


def rule_claims(judgements: Sequence[Judgement], model: Model, placement: Placement) -> tuple[Claim, ...]:
    """For each rule of a policy that selects a running stand-in: proven, leaking, or not separately proven and why.

    In the order of policies, directions, and rules in their policy; `subject` is the rule's name.
    """
    stood_for = selecting(model, [item.pod for item in running(placement).values()])
    rules = [rule for rule in _rules(model) if (rule.ref, rule.direction) in stood_for]
    owners: dict[str, set[PolicyRef]] = defaultdict(set)
    for rule in rules:
        owners[rule.name].add(rule.ref)
    seen = _Seen(judgements)
    claims = []
    for rule in rules:
        if len(owners[rule.name]) > 1:
            claims.append(_open(rule, "an object of another kind has a rule of the same name"))
        elif rule.action is Action.ALLOW:
            claims.append(_allows(rule, seen))
        else:
            claims.append(_denies(rule, seen, model, placement))
    return tuple(claims)


def _rules(model: Model) -> Iterable[_Rule]:
    sections = sorted(model.all_sections(), key=lambda section: (section.ref, section.direction.value))
    return dict.fromkeys(
        _Rule(section.ref, section.direction, clause.path, clause.action)
        for section in sections
        for clause in section.clauses
        if clause.action is not Action.PASS
    )


class _Seen:
    """Judged flows by the rules that decide them, and denied ones by where they are."""

    def __init__(self, judgements: Iterable[Judgement]) -> None:
        self.alone: dict[tuple[str, Direction], list[Judgement]] = defaultdict(list)
        """Flows that one rule alone allows."""
        self.others: dict[tuple[str, Direction], set[str]] = defaultdict(set)
        """The rules beside which a rule allows flows."""
        self.denying: dict[tuple[str, Direction], list[Judgement]] = defaultdict(list)
        self.near: dict[Spot, list[Judgement]] = defaultdict(list)
        for item in judgements:
            if item.flow.predicted.verdict is Verdict.ALLOWED:
                self._add_allowed(item)
            else:
                self._add_denied(item)

    def _add_allowed(self, item: Judgement) -> None:
        for rule in rules_alone(item.flow.predicted):
            self.alone[rule].append(item)
        for direction in Direction:
            end = end_of(item.flow.predicted, direction)
            names = *end.allowing, *end.doubtful
            for name in names:
                self.others[name, direction].update(names)

    def _add_denied(self, item: Judgement) -> None:
        for direction in Direction:
            for name in end_of(item.flow.predicted, direction).denying:
                self.denying[name, direction].append(item)
            if denies_alone(item.flow.predicted, direction):
                for spot in spots(item.flow, direction):
                    self.near[spot].append(item)

    def neighbours(self, reached: Iterable[Judgement], direction: Direction) -> list[Judgement]:
        """What is denied next to flows that got through, each once."""
        places = dict.fromkeys(spot for item in reached for spot in spots(item.flow, direction))
        return list({item.flow.id: item for spot in places for item in self.near.get(spot, ())}.values())


def _allows(rule: _Rule, seen: _Seen) -> Claim:
    alone = seen.alone[rule.name, rule.direction]
    reached = [item for item in alone if item.agreement in SHOWN]
    if not reached:
        return _open(rule, _unreached(rule, alone, seen))
    blocked = [item for item in alone if item.agreement is Agreement.BLOCKAGE]
    near = seen.neighbours(reached, rule.direction)
    leaks = [item for item in near if item.agreement is Agreement.LEAK]
    if leaks:
        reason = f"{len(leaks)} of {len(near)} flows next to what it allows, which nothing allows, got through"
        return Claim(rule.name, rule.direction, Proof.LEAKING, reason, _ids(leaks))
    if blocked:
        return _open(rule, f"{len(blocked)} of {len(alone)} flows that it alone allows did not get through")
    held = [item for item in near if item.agreement in SHOWN]
    if held:
        reason = f"{len(reached)} flows that it alone allows got through, {len(held)} next to them did not"
        return Claim(rule.name, rule.direction, Proof.PROVEN, reason, _ids([*reached, *held]))
    if near:
        return _open(rule, "what it alone allows got through, but every denied flow next to that was inconclusive")
    return _open(rule, "what it alone allows got through, but nothing next to that is denied by this direction alone")


def _unreached(rule: _Rule, alone: Sequence[Judgement], seen: _Seen) -> str:
    if any(item.agreement is Agreement.BLOCKAGE for item in alone):
        return "no flow that it alone allows got through"
    if alone:
        return "every flow that it alone allows was inconclusive"
    allowed = seen.others[rule.name, rule.direction]
    others = sorted(allowed - {rule.name})
    if allowed and not others:
        return "each flow that it allows would be allowed without it too, or may be"
    if not others:
        return "it allows none of the flows that were tried"
    more = f" and {len(others) - NAMED} more" if len(others) > NAMED else ""
    return f"other rules allow each flow that it allows too: {', '.join(others[:NAMED])}{more}"


def _denies(rule: _Rule, seen: _Seen, model: Model, placement: Placement) -> Claim:
    denied = seen.denying[rule.name, rule.direction]
    leaks = [item for item in denied if item.agreement is Agreement.LEAK]
    if leaks:
        reason = f"{len(leaks)} of {len(denied)} flows that it denies got through"
        return Claim(rule.name, rule.direction, Proof.LEAKING, reason, _ids(leaks))
    alone = [item for item in denied if _only(rule, item, model, placement)]
    shown = [item for item in alone if item.agreement in SHOWN]
    if shown:
        reason = f"{len(shown)} flows that would be allowed without it did not get through"
        return Claim(rule.name, rule.direction, Proof.PROVEN, reason, _ids(shown))
    if alone:
        return _open(rule, "every flow that would be allowed without it was inconclusive")
    if denied:
        return _open(rule, "each flow that it denies would be denied without it too, or may be")
    return _open(rule, "it denies none of the flows that were tried")


def _only(rule: _Rule, item: Judgement, model: Model, placement: Placement) -> bool:
    """Whether a denied flow would be allowed if this rule were not there."""
    flow, here = item.flow, running(placement)
    if not denies_alone(flow.predicted, rule.direction) or not {flow.source, flow.destination} <= here.keys():
        return False
    source, destination = model.end(here[flow.source].pod), model.end(here[flow.destination].pod)
    subject, peer = (source, destination) if rule.direction is Direction.EGRESS else (destination, source)
    rest = Selection(
        Applied(_without(applied.section, rule), applied.sure) for applied in model.applied(subject, rule.direction)
    )
    traffic = Traffic(flow.family, flow.protocol, flow.port)
    return walk(rest, Asked(subject, peer, destination, traffic)).outcomes == {Action.ALLOW}


def _without(section: Section, rule: _Rule) -> Section:
    if section.ref != rule.ref:
        return section
    return replace(section, clauses=tuple(clause for clause in section.clauses if clause.path != rule.path))


def _open(rule: _Rule, reason: str) -> Claim:
    return Claim(rule.name, rule.direction, Proof.NOT_PROVEN, reason)


def _ids(judgements: Iterable[Judgement]) -> tuple[int, ...]:
    return tuple(sorted(item.flow.id for item in judgements))

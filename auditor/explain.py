"""Why a flow is allowed or denied: the chain of tiers, policies and rules, with what matched and what did not.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from auditor.evaluate.end import Applied, End, Selection
from auditor.evaluate.match import Asked, both, clause_matches, matches
from auditor.evaluate.model import Model
from auditor.evaluate.reasons import causes
from auditor.evaluate.walk import Course, ask_rank
from auditor.evaluate.wording import describe, missing, port_missing, ports_text
from auditor.model.cluster import Pod
from auditor.model.ends import Address
from auditor.model.explanation import DirectionSteps, Explanation, RuleStep, TierStep
from auditor.model.flow import Decision, DirectionDecision, PolicyRef, Traffic
from auditor.model.rules import Action, AnyOf, Clause, EndKind, Everything, Match, Predicate

LISTING = frozenset({"NetworkPolicy", "AdminNetworkPolicy", "BaselineAdminNetworkPolicy", "ClusterNetworkPolicy"})
"""Kinds whose rules list their peers under `from` or `to`."""
MOST_PEERS = 20
"""Peers of one rule of which it is said why they do not match."""
WORDS = {Match.YES: "yes", Match.NO: "no", Match.OPEN: "open", Match.UNKNOWN: "unknown"}


def explain(
    model: Model, source: Pod | Address, destination: Pod | Address, traffic: Traffic, decision: Decision | None = None
) -> Explanation:
    """Explain the verdict of one flow; `decision` where it was led there by a Service.

    A pod on the host's network is explained as a pod where that reading is open: as its node no policy sees it.
    """
    if decision is None:
        decision = model.decide(source, destination, traffic.family, traffic.port, traffic.protocol)
    here, there = model.readings(source), model.readings(destination)
    shown = [_chosen(model, found, traffic, (here, there)) for found in (decision.egress, decision.ingress)]
    (sender, receiver), (one, other) = shown
    return Explanation(
        title(model.resolve(source)),
        title(model.resolve(destination)),
        traffic,
        decision,
        (
            _steps(model, Asked(sender, receiver, receiver, traffic), decision.egress),
            _steps(model, Asked(other, one, other, traffic), decision.ingress),
        ),
        tuple(_notes(model, source, destination, same=shown == [(here[0], there[0])] * 2)),
    )


def _chosen(
    model: Model, found: DirectionDecision, traffic: Traffic, readings: tuple[tuple[End, ...], tuple[End, ...]]
) -> tuple[End, End]:
    """The reading of both ends that leads to what was decided in one direction: the first, where any does."""
    first, last = ((readings[0][place], readings[1][place]) for place in (0, -1))
    return first if model.direction(found.direction, *first, traffic) == found else last


def _notes(model: Model, source: Pod | Address, destination: Pod | Address, *, same: bool) -> Iterator[str]:
    """What a reader must know to follow the chain."""
    ends = {title(end): end for end in map(model.resolve, (source, destination))}
    for name, end in ends.items():
        if isinstance(end, Pod) and end.host_network:
            readings = model.readings(end)
            if len(readings) > 1:
                what = "it makes no difference here" if same else "shown is what they say if they do"
            else:
                as_node = readings[0].kind is EndKind.NODE
                what = f"the engine takes it for {'its node' if as_node else 'a pod like any other'}"
            yield f"{name} is on its node's network, where the API leaves open whether policies apply: {what}"
    if not any(isinstance(end, Pod) for end in ends.values()):
        yield "neither end is a pod: policies have no say in such a flow"


def title(end: Pod | Address) -> str:
    """What a person calls an end."""
    return f"{end.namespace}/{end.name}" if isinstance(end, Pod) else end.ip


def _steps(model: Model, asked: Asked, found: DirectionDecision) -> DirectionSteps:
    tiers = tuple(_tiers(model.selection(asked.subject, found.direction), asked))
    return DirectionSteps(found.direction, asked.subject.title, found.verdict, found.reason, tiers)


def _tiers(selection: Selection, asked: Asked) -> Iterator[TierStep]:
    """The tiers that are asked, until one decides for sure."""
    for tier, ranks in selection.tiers:
        course = Course()
        rules: list[RuleStep] = []
        undecided, passed = True, False
        for rank in ranks:
            rules += [_rule(item, clause, asked) for item in rank for clause in item.section.clauses]
            actions, undecided = ask_rank(rank, asked, course)
            passed = passed or Action.PASS in actions
            course.outcomes |= actions
            if not undecided:
                break
        isolating = [item for rank in ranks for item in rank if item.section.isolates and tier.end is Action.DENY]
        goes_on = passed or (undecided and not any(item.sure for item in isolating))
        policies = tuple(sorted({item.section.ref for rank in ranks for item in rank}))
        yield TierStep(tier.name, policies, tuple(rules), _end(course, isolating, undecided=undecided))
        if not goes_on:
            return


def _end(course: Course, isolating: Sequence[Applied], *, undecided: bool) -> str:
    """What befalls the flow in a tier: one thing, or everything that may."""
    found = [_by_rules(action, course) for action in Action if action in course.outcomes]
    if undecided:
        found.append(_by_default(isolating))
    if len(found) == 1:
        return found[0]
    why = ""
    if course.tied:
        names = ", ".join(str(ref) for ref in sorted(set(course.tied)))
        why = f" ({names} have equal priority)"
    return f"not certain{why}: {', or '.join(found)}"


def _by_rules(action: Action, course: Course) -> str:
    """The rules that decide so, those that do it for sure first."""
    hits = sorted(
        (hit for hit in course.hits if hit.clause.action is action), key=lambda hit: hit.match is not Match.YES
    )
    words = {Action.ALLOW: "allowed", Action.DENY: "denied", Action.PASS: "passed on"}
    more = f" and {len(hits) - 1} more" if len(hits) > 1 else ""
    return f"{words[action]} by {hits[0].section.ref} {place(hits[0].clause)}{more}"


def _by_default(isolating: Sequence[Applied]) -> str:
    """What happens where no rule decides."""
    if not isolating:
        return "passed on: no rule decides"
    sure = [item for item in isolating if item.sure]
    refs = sorted({item.section.ref for item in sure or isolating})
    verb = "isolates" if len(refs) == 1 else "isolate"
    text = f"{', '.join(map(str, refs))} {verb} the pod and no rule allows the flow"
    return f"denied: {text}" if sure else f"denied if {text}, which could not be read, else passed on"


def place(clause: Clause) -> str:
    """Where a rule stands in its object."""
    return clause.path if clause.path.startswith("specs[") else f"spec.{clause.path}"


def _rule(item: Applied, clause: Clause, asked: Asked) -> RuleStep:
    found = clause_matches(clause, asked)
    match = found if item.sure else both(found, Match.UNKNOWN)
    because = _because(item.section.ref, clause, found, asked)
    if match is not found:
        because = f"whether {item.section.ref} selects the pod could not be read; {because}"
    return RuleStep(item.section.ref, place(clause), WORDS[match], clause.action.value, because)


def _because(ref: PolicyRef, clause: Clause, match: Match, asked: Asked) -> str:
    """What matched, or the first thing that did not: the port, or for each peer what it lacks."""
    parts = [(path, part, _holds(part, asked)) for path, part in alternatives(ref, clause)]
    if match is Match.NO:
        lacking = [f"{path}{missing(part, asked)}" for path, part, _ in parts] or ["it names no peer at all"]
        more = f"; and {len(lacking) - MOST_PEERS} more peers do not match" if len(lacking) > MOST_PEERS else ""
        return port_missing(clause.ports, asked) or "; ".join(lacking[:MOST_PEERS]) + more
    if clause.unsure:
        return clause.unsure
    path, part, found = max(parts, key=lambda item: item[2])
    text = f"{path}{describe(part)}; {ports_text(clause.ports)}"
    doubt = next(causes(part, asked.peer, asked, found), "") if found is not Match.YES else ""
    return f"{text}; this rule {doubt}" if doubt else text


def _holds(part: Predicate, asked: Asked) -> Match:
    return matches(part, asked.peer, asked.subject, asked.traffic.family)


def alternatives(ref: PolicyRef, clause: Clause) -> list[tuple[str, Predicate]]:
    """The peers of a rule, each with where it stands, in the kinds that have a list of them."""
    if isinstance(clause.peer, Everything):
        return [("", clause.peer)]
    parts = clause.peer.parts if isinstance(clause.peer, AnyOf) else (clause.peer,)
    if ref.kind not in LISTING:
        return [("", part) for part in parts]
    key = "from" if clause.path.startswith("ingress") else "to"
    return [(f"{key}[{number}]: ", part) for number, part in enumerate(parts)]

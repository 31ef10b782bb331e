"""Which of the flows that could be tried are: `--coverage smoke`, `rules` or `full`.

Pure.  A set cover, greedy and the same for any order of the flows: whatever the full matrix can show of policies,
rules, nodes and identities the chosen flows can show too, and can still when any one probe pod is lost, as far as the
full matrix could.  On top come denied flows drawn by a seed, because what nobody thought of is not in any duty.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush, nsmallest

from auditor.duties import (
    NODE_DUTIES,
    PATH_DUTIES,
    POLICY_DUTIES,
    Duty,
    Scene,
    denies_alone,
    duties,
    edges_met,
    policed_end,
    rules_alone,
    spots,
)
from auditor.model.flow import Direction, Family, Verdict
from auditor.model.options import Coverage, Options
from auditor.model.probe import PlannedFlow, Skip

WAYS = tuple(Direction)
Rule = tuple[str, Direction, Family]
Pair = tuple[PlannedFlow, PlannedFlow]
"""A flow that a rule alone allows, and one next to it that nothing allows."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The flows to try, by id, and what was left out of those that could be tried."""

    flows: tuple[PlannedFlow, ...]
    skipped: tuple[Skip, ...] = ()


def choose(flows: Iterable[PlannedFlow], scene: Scene, options: Options, kept: frozenset[int] = frozenset()) -> Choice:
    """Choose among flows that have a verdict; what is left out is counted with its reason.

    Flows whose ids are `kept` were asked for by name, and are chosen whatever the coverage.
    """
    ordered = sorted(flows, key=_number)
    if options.coverage is Coverage.FULL:
        return Choice(tuple(ordered))
    offer = _Offer(ordered, scene)
    if options.coverage is Coverage.SMOKE:
        return _chosen(ordered, offer.smoke() | kept, 0, options)
    needed = offer.for_rules() | kept
    drawn = _drawn(ordered, needed, options)
    return _chosen(ordered, needed | {flow.id for flow in drawn}, len(drawn), options)


def judgeable(flows: Iterable[PlannedFlow], skipped: list[Skip]) -> list[PlannedFlow]:
    """Keep flows that have a verdict; count the others by reason."""
    kept: list[PlannedFlow] = []
    open_ones: Counter[tuple[str, str]] = Counter()
    for flow in flows:
        verdict = flow.predicted.verdict
        if verdict in {Verdict.ALLOWED, Verdict.DENIED}:
            kept.append(flow)
        else:
            open_ones[f"flows with the verdict {verdict.name}", flow.predicted.reason] += 1
    skipped.extend(Skip(what, reason, count, unjudged=True) for (what, reason), count in open_ones.items())
    return kept


def bounded(
    flows: list[PlannedFlow], options: Options, skipped: list[Skip], kept: frozenset[int] = frozenset()
) -> tuple[PlannedFlow, ...]:
    """Keep as many flows as `--max-flows` allows, those that are to be kept first, then denials; sorted by id."""
    if len(flows) > options.max_flows:
        # Denials first, after what was asked for by name: a flow that must not exist is what the audit is about.
        flows.sort(key=lambda flow: (flow.id not in kept, flow.predicted.verdict is not Verdict.DENIED, flow.id))
        lost = len(flows) - options.max_flows
        skipped.append(Skip("flows", f"more flows than --max-flows {options.max_flows} allows", lost, unjudged=True))
        flows = flows[: options.max_flows]
    return tuple(sorted(flows, key=lambda flow: flow.id))


def _number(flow: PlannedFlow) -> int:
    return flow.id


def _drawn(ordered: Sequence[PlannedFlow], needed: set[int], options: Options) -> list[PlannedFlow]:
    """Draw denied flows by the seed, as if by lot: each flow's lot is a hash, and the lowest ones win."""
    left = [flow for flow in ordered if flow.predicted.verdict is Verdict.DENIED and flow.id not in needed]
    size = min(options.sample, max(0, options.max_flows - len(needed)))
    return nsmallest(size, left, key=lambda flow: (_lot(options.seed, flow.id), flow.id))


def _lot(seed: int, number: int) -> bytes:
    return hashlib.blake2b(f"{seed}:{number}".encode(), digest_size=8).digest()


def _chosen(ordered: Sequence[PlannedFlow], numbers: set[int], drawn: int, options: Options) -> Choice:
    kept = tuple(flow for flow in ordered if flow.id in numbers)
    reason = _reason(drawn, options)
    skipped = []
    for verdict in (Verdict.ALLOWED, Verdict.DENIED):
        count = sum(flow.predicted.verdict is verdict for flow in ordered)
        left = count - sum(flow.predicted.verdict is verdict for flow in kept)
        if left:
            skipped.append(Skip(f"{left:,} of {count:,} {verdict.value} flows", reason, left, by_choice=True))
    return Choice(kept, tuple(skipped))


def _reason(drawn: int, options: Options) -> str:
    word = options.coverage.value
    if options.coverage is Coverage.SMOKE:
        what = "a denial and an allowed flow for each node and direction, and policies where no pod more is needed"
    else:
        what = "enough for each policy direction, rule, node and identity"
        what += f", and {drawn:,} denied flows drawn with --seed {options.seed}" if drawn else ""
    what += ", and what --expect names" if options.expectations else ""
    return f"--coverage {word}: chosen was {what}; --coverage full tries them"


class _Offer:
    """The flows that can be chosen, by what they show."""

    def __init__(self, ordered: Sequence[PlannedFlow], scene: Scene) -> None:
        self._scene = scene
        self._ordered = ordered
        # Flows of one pair that decide alike differ in their port only, and meet the same duties: the first stands
        # for all, but for the edges of ports that a rule gives.  Decisions made apart may be equal too; then both are
        # offered, and the later one is never needed.
        alike: dict[tuple[object, ...], PlannedFlow] = {}
        for flow in ordered:
            ends = id(flow.predicted.egress), id(flow.predicted.ingress)
            edge = flow.port if any(edges_met(flow, scene)) else 0
            alike.setdefault((flow.source, flow.destination, flow.family, flow.protocol, edge, *ends), flow)
        self._meeting: dict[Duty, list[PlannedFlow]] = defaultdict(list)
        for flow in alike.values():
            for duty in duties(flow, scene):
                self._meeting[duty].append(flow)

    def smoke(self) -> set[int]:
        """Flows for the duties of nodes, and for those of paths and policies where their pods are made anyway."""
        first = sparing([found for kind in NODE_DUTIES for duty, found in self._sorted() if duty[0] == kind])
        made = {key for flow in first for key in (flow.source, flow.destination)}
        cheap = [
            [flow for flow in found if {flow.source, flow.destination} <= made]
            for duty, found in self._sorted()
            if duty[0] in {*PATH_DUTIES, *POLICY_DUTIES}
        ]
        return {flow.id for flow in (*first, *cover(cheap))}

    def for_rules(self) -> set[int]:
        """Flows that meet each duty, and meet it still without any one pod, as far as there are such flows."""
        kept = {flow.id: flow for flow in _Neighbours(self._ordered, self._scene).pairs()}
        met = self._met(kept.values())
        once = cover([found for duty, found in self._sorted() if duty not in met])
        kept |= {flow.id: flow for flow in once}
        met = self._met(kept.values())
        again = [_without(found, key) for duty, found in self._sorted() for key in _common(met[duty])]
        return {*kept, *(flow.id for flow in cover(again))}

    def _sorted(self) -> list[tuple[Duty, list[PlannedFlow]]]:
        return sorted(self._meeting.items())

    def _met(self, flows: Iterable[PlannedFlow]) -> dict[Duty, list[PlannedFlow]]:
        met: dict[Duty, list[PlannedFlow]] = defaultdict(list)
        for flow in flows:
            for duty in duties(flow, self._scene):
                met[duty].append(flow)
        return met


def _common(flows: Sequence[PlannedFlow]) -> list[str]:
    """The stand-ins that all these flows need, sorted."""
    return sorted(set[str].intersection(*({flow.source, flow.destination} for flow in flows)))


def cover(wanted: Sequence[Sequence[PlannedFlow]]) -> list[PlannedFlow]:
    """Take one flow or more out of each group, few in all: always the one that is in most groups not yet met.

    Among equals the lowest id.  Empty groups are passed over.
    """
    groups: dict[int, list[int]] = defaultdict(list)
    flows: dict[int, PlannedFlow] = {}
    for group, found in enumerate(wanted):
        for flow in found:
            groups[flow.id].append(group)
            flows[flow.id] = flow
    unmet = {group for group, found in enumerate(wanted) if found}
    # What a flow adds only shrinks as others are taken, so an entry that is up to date and comes first is the best.
    heap = [(-len(found), number) for number, found in groups.items()]
    heapify(heap)
    taken = []
    while unmet:
        gain, number = heappop(heap)
        left = [group for group in groups[number] if group in unmet]
        if len(left) == -gain:
            taken.append(flows[number])
            unmet.difference_update(left)
        elif left:
            groups[number] = left
            heappush(heap, (-len(left), number))
    return taken


def sparing(wanted: Sequence[Sequence[PlannedFlow]]) -> list[PlannedFlow]:
    """Take a flow out of each group, one after the other, each time with as few stand-ins more as possible."""
    taken: dict[int, PlannedFlow] = {}
    made: set[str] = set()
    for found in wanted:
        if not any(flow.id in taken for flow in found):
            flow = min(found, key=lambda item: (len({item.source, item.destination} - made), item.id))
            taken[flow.id] = flow
            made |= {flow.source, flow.destination}
    return list(taken.values())


class _Neighbours:
    """For each rule the flows that it alone allows, and what is denied next to them."""

    def __init__(self, ordered: Sequence[PlannedFlow], scene: Scene) -> None:
        self._allowed: dict[Rule, list[PlannedFlow]] = defaultdict(list)
        self._denied: dict[object, list[PlannedFlow]] = defaultdict(list)
        for flow in ordered:
            for name, direction in rules_alone(flow.predicted):
                if scene.asks_for(policed_end(flow, direction)):
                    self._allowed[name, direction, flow.family].append(flow)
            for direction in WAYS:
                if denies_alone(flow.predicted, direction):
                    for spot in spots(flow, direction):
                        self._denied[spot].append(flow)

    def pairs(self) -> list[PlannedFlow]:
        """The flows of a pair for each rule, and of one without each stand-in that the first one needs."""
        found: list[PlannedFlow] = []
        for rule in sorted(self._allowed, key=lambda rule: (rule[0], rule[1].value, rule[2].value)):
            first = self._pair(rule)
            if first is None:
                continue
            found += first
            for key in sorted({key for flow in first for key in (flow.source, flow.destination)}):
                found += self._pair(rule, key) or ()
        return found

    def _pair(self, rule: Rule, without: str = "") -> Pair | None:
        """The first flow that a rule alone allows with its nearest denied one, neither of which needs `without`."""
        for flow in self._allowed[rule]:
            if without not in (flow.source, flow.destination):
                for spot in spots(flow, rule[1]):
                    near = _without(self._denied.get(spot, ()), without)
                    if near:
                        return flow, min(near, key=lambda item: _distance(item, flow))
        return None


def _without(flows: Iterable[PlannedFlow], key: str) -> list[PlannedFlow]:
    return [flow for flow in flows if key not in (flow.source, flow.destination)]


def _distance(one: PlannedFlow, other: PlannedFlow) -> tuple[bool, int, int]:
    return one.protocol is not other.protocol, abs(one.port - other.port), one.id

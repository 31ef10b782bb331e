"""What a run may take over from the journal of an earlier one, and when it still stands.

Pure.  Only what was as expected then, with every piece of the proof in the journal itself (`compare.judge` decides, as
it does in a run), is taken over, and only where nothing changed that bears on it: both identities, both nodes, both
namespaces with their policies, the policies of the whole cluster, the engine, and the rules that the verdict rests on.
Besides, the run itself must show the like: some denial by the same direction on the same node, or some flow that gets
through to the same node, is tried anew, and where that is not as expected nothing that leans on it alone stands.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from auditor.compare import judge, not_placed
from auditor.errors import UsageError
from auditor.evidence import Evidence
from auditor.model.cluster import Pod
from auditor.model.finding import Agreement, Judgement
from auditor.model.flow import Decision, Direction, DirectionDecision, Family, Protocol, Verdict
from auditor.model.journal import SCHEMA, Entry, Header, Marks, Reaction, Round, Seat, Stage, Way
from auditor.model.options import Options
from auditor.model.probe import Outcome, Placed, PlannedFlow, ProbePlan, StandIn
from auditor.recording import deciding_options, decision_mark, observations
from auditor.rounds import Placement

MAX_AGE = 3600
"""Seconds after the beginning of a run in which another may go on from it."""
SKEW = 60
"""Seconds by which a journal may seem to come from the future."""
ADDRESSES = {Family.IPV4: "192.0.2.1", Family.IPV6: "2001:db8::1"}
"""Any will do: whether a pod had one is all that counts here."""
End = tuple[str, str, str]
"""Identity (empty for controls), namespace, node."""
Course = tuple[End, End, Family, Protocol, int]
Cover = tuple[str, str]
"""A node, and a direction that denies there, or what gets through to it."""
THROUGH = "through"
_DIRECTIONS = (Direction.EGRESS, Direction.INGRESS)


@dataclass(frozen=True, slots=True)
class Measured:
    """A flow that was as expected in the earlier run."""

    judgement: Judgement
    decision: str
    at: str
    """RFC 3339 in UTC."""


@dataclass(frozen=True, slots=True)
class Past:
    """What an earlier run measured."""

    header: Header
    flows: Mapping[Course, Measured]
    """Only those that were as expected."""
    judged: int
    """All that were tried."""

    @property
    def run(self) -> str:
        """The earlier run's id."""
        return self.header.run


@dataclass(frozen=True, slots=True)
class Taken:
    """A flow of the plan that is not tried anew."""

    run: str
    measured: Measured
    leans_on: tuple[tuple[Cover, frozenset[int]], ...]
    """What one of must be shown anew for it to stand, each with the flows of this run that can show it."""


def past_of(entries: Iterable[Entry], run: str) -> Past:
    """Read a journal; raises UsageError where it is none that this version can go on from."""
    header: Header | None = None
    seats: dict[str, Seat] = {}
    ways: list[Way] = []
    rounds: list[Round] = []
    for entry in entries:
        match entry:
            case Header():
                header = entry
            case Stage():
                seats |= {seat.key: seat for seat in entry.seats}
                ways += entry.ways
            case Round():
                rounds.append(entry)
            case Reaction(what=reaction):
                raise _unfit(run, f"it was withdrawn: {reaction}", "find out what reacted, then a new run")
    if header is None:
        raise _unfit(run, "its journal is empty or damaged", "a new run, without --resume")
    if header.schema > SCHEMA:
        why = f"its journal is of schema {header.schema}, and this version knows {SCHEMA}"
        raise _unfit(run, why, "the netaudit that wrote it, or a new run")
    flows, judged = _measured(seats, ways, rounds)
    return Past(header, flows, judged)


def check(past: Past, options: Options, version: str, now: datetime) -> None:
    """Raise UsageError where a run with these options must not go on from that one."""
    header = past.header
    if header.version != version:
        why = f"netaudit {header.version} measured it, and this is {version}"
        raise _unfit(past.run, why, "a new run: what they measure may differ")
    try:
        age = (now - datetime.fromisoformat(header.started)).total_seconds()
    except (ValueError, TypeError):
        age = -float("inf")
    if not -SKEW <= age <= MAX_AGE:
        why = f"it began {_ago(age)}; what is older than an hour says little about now"
        raise _unfit(past.run, why, "a new run, without --resume")
    mine = deciding_options(options)
    other = sorted(name for name in mine.keys() | header.options.keys() if mine.get(name) != header.options.get(name))
    if other:
        why = f"it was asked for something else: {', '.join(other)}"
        raise _unfit(past.run, why, "the options of that run, or a new run")


def check_cluster(past: Past, cluster: str) -> None:
    """Raise UsageError where the cluster is another one, or cannot be told."""
    if not cluster or past.header.cluster != cluster:
        why = f"it audited the cluster {past.header.cluster or '(unknown)'}, and this is {cluster or '(unknown)'}"
        raise _unfit(past.run, why, "--context with that cluster's, or a new run")


def _ago(age: float) -> str:
    if age == -float("inf"):
        return "nobody can tell when"
    return f"{age / 60:.0f} minutes ago" if age >= 0 else "in the future, by this machine's clock"


def _unfit(run: str, why: str, attempt: str) -> UsageError:
    return UsageError(f"cannot go on from run {run}", why=why, attempt=attempt)


def _measured(
    seats: Mapping[str, Seat], ways: Sequence[Way], rounds: Sequence[Round]
) -> tuple[dict[Course, Measured], int]:
    """What was as expected, by course; where two flows took the same one, both were."""
    moved = {key for entry in rounds for key in entry.moved}
    try:
        seen = list(observations(rounds))
    except KeyError:
        return {}, 0
    flows = {way.id: _flow(way) for way in ways}
    evidence = Evidence({key: _placed(seat) for key, seat in seats.items() if key not in moved}, seen, flows.values())
    ended = {(item.round, item.source): entry.ended for entry in rounds for item in entry.seen}
    judged: dict[Course, list[Measured]] = defaultdict(list)
    for way in ways:
        found = judge(flows[way.id], evidence)
        if found.observations and all(key in seats and seats[key].plain for key in (way.source, way.destination)):
            at = ended[found.observations[-1].round, way.source]
            judged[_course(way, *(_end(seats[key]) for key in (way.source, way.destination)))].append(
                Measured(found, way.decision, at)
            )
    good = {
        course: found[0]
        for course, found in judged.items()
        if all(item.judgement.agreement is Agreement.AS_EXPECTED for item in found)
    }
    return good, sum(map(len, judged.values()))


def _end(seat: Seat | StandIn) -> End:
    return seat.identity, seat.namespace, seat.node


def _course(flow: Way | PlannedFlow, source: End, destination: End) -> Course:
    return source, destination, flow.family, flow.protocol, flow.port


def _placed(seat: Seat) -> Placed:
    addresses = tuple(ADDRESSES[family] for family in seat.families)
    pod = Pod(seat.namespace, seat.key, node=seat.node, addresses=addresses)
    return Placed(StandIn(seat.key, seat.role, seat.namespace, seat.node, (), (), identity=seat.identity), pod, "")


def _flow(way: Way) -> PlannedFlow:
    """A flow whose verdict is all that is known of its decision: nothing else is asked of it here."""
    egress, ingress = (DirectionDecision(direction, way.verdict, (), (), "") for direction in _DIRECTIONS)
    decided = Decision(way.verdict, egress, ingress, "read from a journal")
    return PlannedFlow(way.id, way.source, way.destination, way.family, way.protocol, way.port, decided)


def take_over(past: Past, plan: ProbePlan, marks: Marks) -> dict[int, Taken]:
    """The flows of a plan that need not be tried anew, by id."""
    seats = {item.key: item for item in plan.stand_ins}
    fitting = {flow.id: found for flow in plan.flows if (found := _fitting(past, flow, seats, marks))}
    covers = {flow.id: _covers(flow, seats) for flow in plan.flows}
    shows: dict[Cover, list[int]] = defaultdict(list)
    for flow in plan.flows:
        # A flow that both ends deny shows neither.
        if len(covers[flow.id]) == 1:
            shows[covers[flow.id][0]].append(flow.id)
    wanted = {cover for number in fitting for cover in covers[number]}
    anew = {min(shows[cover], key=lambda number: (number in fitting, number)) for cover in wanted if shows[cover]}
    taken = {
        number: found
        for number, found in fitting.items()
        if number not in anew and any(shows[cover] for cover in covers[number])
    }
    for number in _witnesses(plan.flows, taken):
        del taken[number]
    return {
        number: Taken(
            past.run,
            found,
            tuple((cover, frozenset(shows[cover]) - taken.keys()) for cover in covers[number]),
        )
        for number, found in taken.items()
    }


def _witnesses(flows: Sequence[PlannedFlow], taken: Mapping[int, Measured]) -> set[int]:
    """Flows to try anew, because nothing else anew shows that the path of a denied one is alive (`Evidence`)."""
    allowed: dict[tuple[int, str, Family], list[int]] = defaultdict(list)
    for flow in flows:
        if flow.predicted.verdict is Verdict.ALLOWED:
            for number, key in enumerate((flow.source, flow.destination)):
                allowed[number, key, flow.family].append(flow.id)
    sides = {
        (number, key, flow.family)
        for flow in flows
        if flow.predicted.verdict is Verdict.DENIED and flow.id not in taken
        for number, key in enumerate((flow.source, flow.destination))
    }
    return {min(allowed[side]) for side in sides if side in allowed and taken.keys() >= set(allowed[side])}


def _fitting(past: Past, flow: PlannedFlow, seats: Mapping[str, StandIn], marks: Marks) -> Measured | None:
    """What was measured of a flow, where nothing that bears on it has changed."""
    source, destination = seats[flow.source], seats[flow.destination]
    found = past.flows.get(_course(flow, _end(source), _end(destination)))
    if found is None or found.decision != decision_mark(flow.predicted):
        return None
    then = past.header.marks
    same = then.wide == marks.wide and all(
        then.namespaces.get(end.namespace, "then") == marks.namespaces.get(end.namespace, "now")
        and then.nodes.get(end.node, "then") == marks.nodes.get(end.node, "now")
        for end in (source, destination)
    )
    return found if same else None


def _covers(flow: PlannedFlow, seats: Mapping[str, StandIn]) -> tuple[Cover, ...]:
    """What must hold on which node for a flow to be as expected."""
    if flow.predicted.verdict is Verdict.ALLOWED:
        return ((seats[flow.destination].node, THROUGH),)
    at = {Direction.EGRESS: seats[flow.source].node, Direction.INGRESS: seats[flow.destination].node}
    return tuple((at[direction], direction.value) for direction in flow.predicted.deniers)


def with_past(
    fresh: Sequence[Judgement],
    flows: Sequence[PlannedFlow],
    taken: Mapping[int, Taken],
    placement: Placement,
    changed: Mapping[int, str],
) -> tuple[Judgement, ...]:
    """Every flow judged, in the order of `flows`: anew, or as it was taken over where that stands."""
    judged = {item.flow.id: item for item in fresh}
    return tuple(
        judged[flow.id] if flow.id in judged else _as_taken(flow, taken[flow.id], judged, placement, changed)
        for flow in flows
    )


def _as_taken(
    flow: PlannedFlow, taken: Taken, judged: Mapping[int, Judgement], placement: Placement, changed: Mapping[int, str]
) -> Judgement:
    then = taken.measured
    doubt = not_placed(flow, placement) or changed.get(flow.id)
    if not doubt and decision_mark(flow.predicted) != then.decision:
        doubt = "its verdict rests on other rules now than when it was measured"
    fallen = [_fallen(cover, shows, judged) for cover, shows in taken.leans_on]
    # What both ends deny is denied as long as one of them does.
    doubt = doubt or (fallen[0] if all(fallen) else None)
    source = f"measured by run {taken.run} at {then.at}"
    if doubt:
        return Judgement(flow, Agreement.INCONCLUSIVE, Outcome.UNTESTED, f"{source}, and not tried anew: {doubt}")
    reason = f"{then.judgement.reason} ({source})"
    return replace(then.judgement, flow=flow, reason=reason, measured=then.at)


def _fallen(cover: Cover, shows: frozenset[int], judged: Mapping[int, Judgement]) -> str:
    """Why what a flow leans on was not shown anew; empty where it was."""
    found = [judged[number].agreement for number in sorted(shows) if number in judged]
    wrong = set(found) - {Agreement.AS_EXPECTED, Agreement.INCONCLUSIVE}
    if Agreement.AS_EXPECTED in found and not wrong:
        return ""
    node, what = cover
    like = f"gets through to {node}" if what == THROUGH else f"is denied for {what} on {node}"
    return f"no flow that {like} was shown to be as expected by this run"

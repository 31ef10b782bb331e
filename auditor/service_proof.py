"""What was shown of paths through netaudit's own Services: judging by proof, and what to try again.

Pure.  Each path is its own twin: it must have got through before netaudit's policies were made, so that what differs
afterwards is the policies' work and not that of a Service nobody programmed, a firewall, or a node port out of reach.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from auditor.compare import BLOCKED, strongest
from auditor.model import report as doc
from auditor.model.finding import Agreement
from auditor.model.flow import Family, Protocol, Verdict
from auditor.model.probe import NotPlaced, Observation, Outcome, Probe, ServicePlan, Way
from auditor.model.service_path import JUDGED, Crossed, Crossing, Named, Resolving, ServicePath

NOT_BEFORE = "it did not get through before there was a policy either: the path itself is not there"
NO_POLICY = "the policies that it is about could not be made"
NO_TWIN = "nothing that policies allow got through the same Service from the same node in the same round"
NO_SOURCE = "nothing that policies allow left the source in the same round: its own path may be dead"
NO_LISTENER = "the server's listener did not answer its own pod {when}"
Key = tuple[str, Family, int, tuple[str, int] | None]
"""Source, family, the server's port, and what was connected to: what tells tries of one path from all others."""


class Seen:
    """What was seen of the paths, by path, with the policies and without."""

    def __init__(self, crossing: Crossing) -> None:
        """Index what there is until now."""
        self._crossing = crossing
        self._before, self._after = _indexed(crossing.before), _indexed(crossing.after)
        self._there = {item.id: self.after(item) for item in crossing.paths}

    def before(self, path: ServicePath) -> Sequence[Observation]:
        """Without the policies, by round."""
        return self._before.get(_key(path.probe(())), ())

    def after(self, path: ServicePath) -> Sequence[Observation]:
        """With them."""
        return self._after.get(_key(path.probe(())), ())

    def is_there(self, path: ServicePath) -> bool:
        """Whether it got through when there was no policy yet."""
        return any(Outcome.REACHED in item.outcomes for item in self.before(path))

    def gap(self, path: ServicePath, number: int) -> str:
        """The first piece of proof that is missing for one that did not get through in a round; empty where none is."""
        if not self.is_there(path):
            return NOT_BEFORE
        for when, seen in (("before", self._before), ("afterwards", self._after)):
            tries = seen.get((path.destination, path.family, path.port, None), ())
            if not any(Outcome.REACHED in item.outcomes for item in tries[-1:]):
                return NO_LISTENER.format(when=when)
        others = [item for item in self._crossing.paths if item != path and self._got_through(item, number)]
        if not any(_twins(item, path) for item in others):
            return NO_TWIN
        return "" if self._lives(path, others) else NO_SOURCE

    def _lives(self, path: ServicePath, others: Sequence[ServicePath]) -> bool:
        side = path.source, path.family
        free = [item for item in self._crossing.paths if _side(item) == side and _is_open(item)]
        return not free or any(_side(item) == side for item in others)

    def _got_through(self, path: ServicePath, number: int) -> bool:
        seen = self._there[path.id]
        return _is_open(path) and any(item.round == number and Outcome.REACHED in item.outcomes for item in seen)


def _indexed(observations: Iterable[Observation]) -> Mapping[Key, list[Observation]]:
    found: dict[Key, list[Observation]] = defaultdict(list)
    for item in observations:
        found[_key(item.probe)].append(item)
    return found


def _key(probe: Probe) -> Key:
    return probe.source, probe.family, probe.port, probe.via


def _side(path: ServicePath) -> tuple[str, Family]:
    return path.source, path.family


def _is_open(path: ServicePath) -> bool:
    return path.predicted.verdict is Verdict.ALLOWED


def _twins(one: ServicePath, other: ServicePath) -> bool:
    """Whether two paths differ in nothing but the pod on the same node, or the port of the same Service."""
    return (one.way, one.source_node, one.door, one.family) == (other.way, other.source_node, other.door, other.family)


def not_there(crossing: Crossing) -> tuple[ServicePath, ...]:
    """The paths that have not got through yet, before there is a policy."""
    seen = Seen(crossing)
    return tuple(path for path in crossing.paths if not seen.is_there(path))


def surprises(crossing: Crossing) -> tuple[ServicePath, ...]:
    """The paths that are to be tried again, with those beside them that have to get through in the same round."""
    seen = Seen(crossing)
    wrong = [path for path in crossing.paths if seen.is_there(path) and _is_wrong(path, seen)]
    beside = [path for path in crossing.paths if _is_open(path) and any(_bears(path, item) for item in wrong)]
    return tuple(sorted({item.id: item for item in (*wrong, *beside)}.values(), key=lambda item: item.id))


def _bears(path: ServicePath, wrong: ServicePath) -> bool:
    return _twins(path, wrong) or _side(path) == _side(wrong)


def _is_wrong(path: ServicePath, seen: Seen) -> bool:
    tries = seen.after(path)
    if not tries or path.predicted.verdict not in JUDGED:
        return False
    outcome = strongest(tries[-1])
    if _is_open(path):
        return outcome is not Outcome.REACHED
    # What got through once is watched to the end, also after a quiet round.
    early = any(Outcome.REACHED in item.outcomes for item in tries)
    return early or outcome not in BLOCKED or bool(seen.gap(path, tries[-1].round))


def unlaid(crossing: Crossing, plan: ServicePlan | None) -> tuple[str, ...]:
    """What was to be made for the paths and was not, in sentences."""
    if plan is None:
        return ()
    if crossing.laid is None:
        return (crossing.fault or "the run ended before any Service was made",)
    lost = [
        f"the pod on {item.stand_in.node} that was to try or to take connections does not run: {item.reason}"
        for item in crossing.laid.placed.values()
        if isinstance(item, NotPlaced)
    ]
    faults = [item.fault for item in crossing.laid.services.values() if item.fault]
    unnamed = [text for named in crossing.names if (text := _unnamed(named, crossing))]
    return tuple(dict.fromkeys([*lost, *faults, *unnamed, *([crossing.fault] if crossing.fault and not lost else [])]))


def _unnamed(named: Named, crossing: Crossing) -> str:
    """Why a name leads nowhere; empty where a path by it was tried."""
    naming, told = named.naming, named.best
    what = f"the headless name {naming.name} from {naming.source_node} ({naming.family.value})"
    if told.outcome is not Resolving.RESOLVED:
        return f"{what}: {told.outcome.value}: {told.detail}"
    ends = {(item.source, item.family) for item in crossing.paths if item.way is Way.HEADLESS}
    lost = (naming.source, naming.family) not in ends
    return f"{what} leads to {', '.join(told.addresses)}, which is not the server" if lost else ""


def judge_paths(crossing: Crossing) -> tuple[Crossed, ...]:
    """Judge every path."""
    seen = Seen(crossing)
    return tuple(_judged(path, seen, crossing) for path in crossing.paths)


def _judged(path: ServicePath, seen: Seen, crossing: Crossing) -> Crossed:
    tries = tuple(seen.after(path))
    if not tries:
        early = not crossing.policed and bool(seen.before(path))
        reason = (crossing.fault or NO_POLICY) if early else crossing.fault or "the run ended before it was tried"
        return Crossed(path, Agreement.INCONCLUSIVE, Outcome.UNTESTED, reason)
    outcome, verdict = strongest(tries[-1]), path.predicted.verdict
    if verdict not in JUDGED:
        reason = f"{outcome.value} is what was seen, and not judged: {path.predicted.reason}"
        return Crossed(path, Agreement.INCONCLUSIVE, outcome, reason, tries)
    if outcome is not Outcome.REACHED and outcome not in BLOCKED:
        return Crossed(path, Agreement.INCONCLUSIVE, outcome, f"the measurement failed: {tries[-1].detail}", tries)
    if verdict is Verdict.DENIED:
        return _denied(path, tries, seen, crossing)
    return _allowed(path, tries, seen, crossing)


def _denied(path: ServicePath, tries: tuple[Observation, ...], seen: Seen, crossing: Crossing) -> Crossed:
    last, outcome = tries[-1], strongest(tries[-1])
    early = [item for item in tries if Outcome.REACHED in item.outcomes]
    if outcome is Outcome.REACHED:
        if not crossing.is_over:
            reason = "got through, but the run ended before the settle time was over"
            return Crossed(path, Agreement.INCONCLUSIVE, outcome, reason, tries)
        total = sum(len(item.outcomes) for item in tries)
        reached = sum(item.outcomes.count(Outcome.REACHED) for item in early)
        when = f"the last {last.at - crossing.policed_at:.0f} s after the policies were made"
        reason = f"the server's nonce came back in {reached} of {total} tries, {when}"
        return Crossed(path, Agreement.LEAK, outcome, reason, tries)
    gap = seen.gap(path, last.round)
    if not gap and list(tries[: len(early)]) != early:
        gap = "got through in some rounds and not in others: neither denied nor let through for good"
    if gap:
        return Crossed(path, Agreement.INCONCLUSIVE, outcome, gap, tries)
    if early:
        settled = tries[len(early)].at - crossing.policed_at
        return Crossed(path, Agreement.LATE, outcome, "got through at first, then denied", tries, settled)
    reason = "got through before the policies were made and not with them, while others did"
    return Crossed(path, Agreement.AS_EXPECTED, outcome, reason, tries)


def _allowed(path: ServicePath, tries: tuple[Observation, ...], seen: Seen, crossing: Crossing) -> Crossed:
    last, outcome = tries[-1], strongest(tries[-1])
    if outcome is Outcome.REACHED:
        return Crossed(path, Agreement.AS_EXPECTED, outcome, "the server's nonce came back", tries)
    gap = seen.gap(path, last.round)
    if gap == NO_SOURCE:
        # It got through before: where nothing at all leaves the source any more, that is the policies' work as well.
        gap = ""
    if not gap and not crossing.is_over:
        gap = "got no answer, but the run ended before the settle time was over"
    if gap:
        return Crossed(path, Agreement.INCONCLUSIVE, outcome, gap, tries)
    reason = f"got through before the policies were made, and not with them to the end ({outcome.value})"
    return Crossed(path, Agreement.BLOCKAGE, outcome, reason, tries)


def entry_of(item: Crossed, plan: ServicePlan) -> doc.ServicePathEntry:
    """One path for the report."""
    path, last = item.path, item.observations[-1] if item.observations else None
    gated = {caller.gated.key for caller in plan.callers}
    address, port = path.via or (path.address, path.port)
    return doc.ServicePathEntry(
        id=path.id,
        way=path.way.value,
        source_node=path.source_node,
        caller="gated" if path.source in gated else "unpoliced",
        server_node=plan.server.node,
        node=path.door,
        family=path.family.value,
        protocol=Protocol.TCP.value,
        address=address,
        port=port,
        target_port=path.port,
        verdict=path.predicted.verdict.value,
        outcome=item.outcome.value,
        agreement=item.agreement.value,
        reason=item.reason,
        policies=[str(policy) for policy in path.predicted.denied_by],
        denied_by=[direction.value for direction in path.predicted.deniers],
        tries=sum(len(one.outcomes) for one in item.observations),
        milliseconds=last.milliseconds if last else -1,
        settled_after_seconds=round(item.settled_after, 1),
    )


def name_entry(named: Named) -> doc.NameEntry:
    """One name for the report."""
    naming, told = named.naming, named.best
    times = [item.milliseconds for item in named.answers if item.outcome is Resolving.RESOLVED]
    return doc.NameEntry(
        name=naming.name,
        source_node=naming.source_node,
        family=naming.family.value,
        outcome=told.outcome.value,
        addresses=list(told.addresses),
        reason=told.detail,
        tries=len(named.answers),
        milliseconds=told.milliseconds,
        quickest_milliseconds=min(times, default=-1),
    )

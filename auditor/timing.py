"""How long it took until a policy held, or until it held no longer, from what was seen of new connections.

Pure.  A connection that got through began after it was asked for; one that did not began before its end less the time
that it took.  The change lies between the last of the one kind and the first of the other, and that is the figure and
its resolution.  What is denied counts only as long as the same nodes' unpoliced twin and the pod's own listener went on
answering (design.md, section 9); what got through needs no other proof than its nonce.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from auditor.model.flow import Direction
from auditor.model.probe import Outcome, Timing
from auditor.model.timing import PATHS, Change, Figure, Moment, Pace, Path, Sample, Trace

HELD = 2.0
"""Seconds that an answer must have lasted, with no other in between, before it counts as the new state."""
LEAST = 3
"""Tries that must have said the same in that time, and before the change."""
BLOCKED = frozenset({Outcome.SILENT, Outcome.REFUSED})
UNTRIED = "the run ended before it was tried"
NOT_TALKING = "the flow did not get through before the policy was made"
NOT_DENIED = "the flow was not denied before the policy was removed"


def figures(traces: Iterable[Trace], timing: Timing) -> tuple[Figure, ...]:
    """A figure for each node, change and direction that was to be timed, in this order."""
    seen = {(trace.node, trace.change): trace for trace in traces}
    return tuple(
        _figure(seen, (item.node, change), direction, timing.limit)
        for item in timing.nodes
        for change in Change
        for direction in (Direction.EGRESS, Direction.INGRESS)
    )


def _figure(
    seen: Mapping[tuple[str, Change], Trace], key: tuple[str, Change], direction: Direction, limit: float
) -> Figure:
    node, change = key
    if key not in seen:
        return Figure(change, node, direction, Pace.INCONCLUSIVE, UNTRIED)
    found = figure(seen[key], direction, limit)
    before = seen.get((node, Change.NEW_POLICY))
    if change is Change.FRESH_POD and found.pace is Pace.AT_ONCE and not (before and talked(before, direction)):
        # What never got through may be denied by something else.
        return Figure(change, node, direction, Pace.INCONCLUSIVE, NOT_TALKING, tries=found.tries)
    return found


def is_settled(trace: Trace, limit: float) -> bool:
    """Whether looking on would not change the figures of a trace."""
    if trace.fault or (trace.zero is not None and trace.until >= trace.zero.latest + limit):
        return True
    found = [figure(trace, direction, limit) for direction in Direction]
    return all(item.pace in {Pace.AT_ONCE, Pace.AFTER} or item.reason in {NOT_TALKING, NOT_DENIED} for item in found)


def is_talking(trace: Trace) -> bool:
    """Whether the pod's flows get through, and the controls do: only then is there something to deny."""
    return all(_all_of(trace.samples.get(path, ())[-LEAST:], {Outcome.REACHED}) for path in Path)


def talked(trace: Trace, direction: Direction) -> bool:
    """Whether a flow got through before the change was asked for."""
    return _all_of(_before(trace, direction), {Outcome.REACHED})


def _before(trace: Trace, direction: Direction) -> Sequence[Sample]:
    return [sample for sample in trace.samples.get(PATHS[direction], ()) if sample.ended <= trace.asked][-LEAST:]


def figure(trace: Trace, direction: Direction, limit: float) -> Figure:
    """Judge one direction of a trace."""
    flow = trace.samples.get(PATHS[direction], ())
    if trace.fault or trace.zero is None:
        return Figure(trace.change, trace.node, direction, Pace.INCONCLUSIVE, trace.fault or UNTRIED)
    look = _Look(trace, direction, trace.zero, limit, flow)
    return look.allowing() if trace.change is Change.POLICY_REMOVED else look.denying()


class _Look:
    """One direction of one trace, being judged."""

    def __init__(self, trace: Trace, direction: Direction, zero: Moment, limit: float, flow: Sequence[Sample]) -> None:
        self._trace, self._direction, self._zero, self._limit = trace, direction, zero, limit
        self._flow = flow
        self._is_over = trace.until >= zero.latest + limit

    def _says(self, pace: Pace, reason: str, longest: float = -1.0, shortest: float = 0.0) -> Figure:
        known = longest >= 0
        return Figure(
            change=self._trace.change,
            node=self._trace.node,
            direction=self._direction,
            pace=pace,
            reason=reason,
            milliseconds=round(longest * 1000) if known else -1,
            resolution=round(max(0.0, longest - max(0.0, shortest)) * 1000) if known else -1,
            tries=len(self._flow),
        )

    def _open(self, reason: str) -> Figure:
        return self._says(Pace.INCONCLUSIVE, reason)

    def denying(self) -> Figure:
        """From a flow that gets through to one that does not."""
        if self._trace.change is Change.NEW_POLICY and not talked(self._trace, self._direction):
            return self._open(NOT_TALKING)
        reached = [sample for sample in self._flow if sample.outcome is Outcome.REACHED]
        last = reached[-1] if reached else None
        # A try that failed may have got through: what is denied is denied after it as well.
        odd = max((sample.sent for sample in self._flow if sample.outcome not in BLOCKED), default=-1.0)
        blocked = [sample for sample in self._blocked() if sample.sent > odd]
        if not _lasts(blocked):
            return self._not_denied(last)
        gap = self._control_gap(blocked[0], blocked[-1])
        if gap:
            return self._open(gap)
        longest = max(0.0, blocked[0].begun - self._zero.earliest)
        if last is None or last.sent < self._zero.latest:
            return self._says(Pace.AT_ONCE, "denied in the first try and ever after", longest)
        shortest = last.sent - self._zero.latest
        return self._says(Pace.AFTER, "got through at first, then denied", longest, shortest)

    def _blocked(self) -> list[Sample]:
        """Tries without an answer, where one could have been given."""
        after = [item for item in self._flow if item.outcome in BLOCKED and item.sent >= self._trace.asked]
        if self._trace.change is not Change.FRESH_POD or self._direction is Direction.EGRESS:
            return after
        # A pod that has just begun may have no listener yet.
        up = min((item.ended for item in self._of(Path.ITSELF) if item.outcome is Outcome.REACHED), default=None)
        return [item for item in after if up is not None and item.sent >= up]

    def _not_denied(self, last: Sample | None) -> Figure:
        if not self._is_over:
            return self._open(f"the run ended before the flow had been denied for {HELD:g} s")
        after = [item for item in self._flow if item.sent >= self._zero.latest]
        if last is not None and _all_of(after[-LEAST:], {Outcome.REACHED}) and not _some_of(after, BLOCKED):
            reason = f"new connections still got through when {self._limit:g} s were over"
            return self._says(Pace.NEVER, reason, last.sent - self._zero.latest, last.sent - self._zero.latest)
        if _some_of(after[-LEAST:], {Outcome.FAULT}) or not after:
            return self._open("the measurement failed: the pod's agent gave no answer of use")
        return self._open("got through in some tries and not in others: neither denied nor let through for good")

    def allowing(self) -> Figure:
        """From a flow that is denied to one that gets through."""
        if not _all_of(_before(self._trace, self._direction), BLOCKED):
            return self._open(NOT_DENIED)
        after = [sample for sample in self._flow if sample.sent >= self._trace.asked]
        blocked = [sample for sample in after if sample.outcome is not Outcome.REACHED]
        last = blocked[-1] if blocked else None
        reached = [
            item for item in after if item.outcome is Outcome.REACHED and (last is None or item.sent > last.sent)
        ]
        if not _lasts(reached):
            return self._not_allowed(after)
        longest = max(0.0, reached[0].ended - self._zero.earliest)
        if last is None:
            return self._says(Pace.AT_ONCE, "got through in the first try and ever after", longest)
        return self._says(Pace.AFTER, "denied at first, then got through", longest, last.sent - self._zero.latest)

    def _not_allowed(self, after: Sequence[Sample]) -> Figure:
        if not self._is_over:
            return self._open(f"the run ended before the flow had got through for {HELD:g} s")
        if not _all_of(after, BLOCKED):
            return self._open("got through in some tries and not in others: neither denied nor let through for good")
        gap = self._control_gap(after[0], after[-1])
        if gap:
            return self._open(gap)
        length = after[-1].sent - self._zero.latest
        return self._says(Pace.NEVER, f"still denied when {self._limit:g} s were over", length, length)

    def _control_gap(self, first: Sample, last: Sample) -> str:
        """What is missing to prove that nothing but the policy stopped these tries; empty where nothing is."""
        twin = [item for item in self._of(Path.TWIN) if item.ended >= self._trace.asked and item.sent <= last.ended]
        if not _all_of(twin, {Outcome.REACHED}):
            return "the unpoliced twin on the same node did not get through in every try"
        own = [item for item in self._of(Path.ITSELF) if item.sent <= last.ended]
        up = next((number for number, item in enumerate(own) if item.outcome is Outcome.REACHED), len(own))
        if not _all_of(own[up:], {Outcome.REACHED}):
            return "the pod's own listener did not answer its own pod in every try"
        for name, found in (("the unpoliced twin", twin), ("the pod's own listener", own[up:])):
            if found[-1].ended < last.sent:
                return f"{name} was not tried to the end"
        return "" if twin[0].sent <= first.ended else "the unpoliced twin was not tried from the beginning"

    def _of(self, path: Path) -> Sequence[Sample]:
        return self._trace.samples.get(path, ())


def _lasts(samples: Sequence[Sample]) -> bool:
    """Whether an answer was given often enough, and for long enough."""
    return len(samples) >= LEAST and samples[-1].sent - samples[0].sent >= HELD


def _all_of(samples: Sequence[Sample], outcomes: Iterable[Outcome]) -> bool:
    """Whether there are enough samples, and all have one of these outcomes."""
    return len(samples) >= LEAST and {item.outcome for item in samples} <= set(outcomes)


def _some_of(samples: Iterable[Sample], outcomes: Iterable[Outcome]) -> bool:
    return bool({item.outcome for item in samples} & set(outcomes))

"""Timelines of new connections, for tests: what an engine that follows a change after a while would show.

The change is asked for at ASKED and answered at ANSWERED; a try goes out every STEP, an answer takes a moment, silence
its whole time limit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from auditor.model.flow import Family, Protocol
from auditor.model.probe import Outcome, Role, StandIn, TimedNode, Timing
from auditor.model.timing import Change, Moment, Path, Sample, Trace
from auditor.timing_plan import timed_policy

ASKED, ANSWERED, STEP, LIMIT, TIMEOUT, MOMENT = 10.0, 10.02, 0.1, 30.0, 1.0, 0.005
Sees = Callable[[float], Outcome]
"""What a connection meets that begins then."""


def always(outcome: Outcome) -> Sees:
    return lambda _: outcome


def turning(when: float, before: Outcome, after: Outcome) -> Sees:
    """One outcome until a moment, another from then on."""
    return lambda begun: before if begun < when else after


def denied_from(when: float) -> Sees:
    return turning(when, Outcome.REACHED, Outcome.SILENT)


def allowed_from(when: float) -> Sees:
    return turning(when, Outcome.SILENT, Outcome.REACHED)


def tries(sees: Sees, first: float, until: float) -> tuple[Sample, ...]:
    """A try every STEP; those that are under way at the end are not known."""
    samples = []
    for number in range(round((until - first) / STEP)):
        sent = first + number * STEP
        outcome = sees(sent + MOMENT)
        took = TIMEOUT if outcome is Outcome.SILENT else MOMENT
        if sent + MOMENT + took <= until:
            samples.append(Sample(sent, sent + MOMENT, sent + MOMENT + took, outcome))
    return tuple(samples)


def trace(change: Change, sees: Sees, until: float = 50.0, first: float = 5.0, **other: Sees) -> Trace:
    """Both directions alike; `twin` and `itself` are reached where nothing else is said."""
    reached = always(Outcome.REACHED)
    paths = {Path.INGRESS: sees, Path.EGRESS: sees, Path.TWIN: reached, Path.ITSELF: reached}
    paths |= {Path(name): own for name, own in other.items()}
    samples = {path: tries(own, first, until) for path, own in paths.items()}
    return Trace(change, "n1", Family.IPV4, 80, ASKED, Moment(ANSWERED, ANSWERED), until, samples)


def fresh(sees: Sees, born: float = 11.0, until: float = 50.0, up: float = 11.05, **other: Sees) -> Trace:
    """A pod that was asked for at ASKED, began at `born`, and listens from `up` on; the twin is tried all the while."""
    seen = trace(Change.FRESH_POD, sees, until, ASKED, **other)
    listens = other.get("itself") or turning(up, Outcome.REFUSED, Outcome.REACHED)
    late = {Path.EGRESS: sees, Path.INGRESS: sees, Path.ITSELF: listens}
    samples = {**seen.samples, **{path: tries(own, born + 0.5, until) for path, own in late.items()}}
    return replace(seen, zero=Moment(born, born + 0.03), samples=samples)


def timing(*nodes: str) -> Timing:
    """What is planned for these nodes."""
    planned = tuple(
        TimedNode(name, f"c{number}a", f"c{number}b", 80, pod(f"t{number}t", name), pod(f"t{number}f", name))
        for number, name in enumerate(nodes)
    )
    return Timing(timed_policy(), planned, LIMIT, TIMEOUT, 20, 20)


def pod(key: str, node: str) -> StandIn:
    return StandIn(key, Role.SENTINEL, "netaudit-ctl-2", node, (("netaudit/timed", "yes"),), ((Protocol.TCP, 80),))


def quick(change: Change) -> Trace:
    """What an engine shows that follows each change within a moment."""
    if change is Change.FRESH_POD:
        return fresh(always(Outcome.SILENT))
    return trace(change, (allowed_from if change is Change.POLICY_REMOVED else denied_from)(ANSWERED + 0.3))


def never(change: Change) -> Trace:
    """What is seen where nothing enforces."""
    return (fresh if change is Change.FRESH_POD else lambda sees: trace(change, sees))(always(Outcome.REACHED))

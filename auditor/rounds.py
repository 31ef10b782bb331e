"""What to try in each round, as probes.

Pure.  A run has an opening round (every listener on its own pod's address, once more where one was not up yet), a round
of flows and twins, two rounds that try surprises again until the settle time is over, and a closing round of listeners:
six at most.  Listeners are never started twice, so one that answers at the opening and at the closing has stood all the
time between.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from auditor.model.flow import Verdict
from auditor.model.options import Options
from auditor.model.probe import NotPlaced, Observation, Outcome, Placed, PlannedFlow, Probe, Role

OPENING = 0
FLOWS = 1
SETTLE_STEPS = (0.4, 1.0)
"""When surprises are tried again, as parts of the settle time; the last one is the end."""
SETTLED = FLOWS + len(SETTLE_STEPS)
"""The round at the end of the settle time."""
CLOSING = SETTLED + 1
PATIENCE = 2.0
"""Times the connect timeout for the last try: a refusal by ICMP shows itself only after the first SYN retry at 1 s."""

Placement = Mapping[str, Placed | NotPlaced]


def running(placement: Placement) -> dict[str, Placed]:
    """The stand-ins that run, by key."""
    return {key: item for key, item in sorted(placement.items()) if isinstance(item, Placed)}


def listener_probes(placement: Placement, options: Options, keys: Iterable[str] | None = None) -> tuple[Probe, ...]:
    """Each listener of each running stand-in, or of those named, tried from its own pod."""
    wanted = None if keys is None else set(keys)
    return tuple(
        Probe(key, key, family, port, (options.connect_timeout,), protocol)
        for key, item in running(placement).items()
        if wanted is None or key in wanted
        for family in item.pod.families
        for protocol, port in item.stand_in.listens
    )


def timeouts(options: Options) -> tuple[float, ...]:
    """The limits of the tries of one flow, in seconds."""
    first = (options.connect_timeout,) * max(0, options.tries - 1)
    return (*first, options.connect_timeout * PATIENCE)


def flow_probes(flows: Iterable[PlannedFlow], placement: Placement, options: Options) -> tuple[Probe, ...]:
    """The flows whose ends both run, and a twin for each of their paths; sorted, each once.

    What must get through is tried until it does only across rounds, so one try is enough; what must not is tried each
    time, and so is its twin, because a path that loses packets proves nothing.
    """
    probes: dict[Probe, None] = {}
    here = running(placement)
    at = controls(here)
    for flow in flows:
        if all(key in here and here[key].pod.address(flow.family) for key in (flow.source, flow.destination)):
            denied = flow.predicted.verdict is Verdict.DENIED
            tries = timeouts(options) if denied else timeouts(options)[-1:]
            probes[Probe(flow.source, flow.destination, flow.family, flow.port, tries, flow.protocol)] = None
            twin = twin_of(flow, here, at)
            if twin is not None and all(here[key].pod.address(flow.family) for key in twin):
                repeats = (options.connect_timeout,) * options.tries
                probes[Probe(*twin, flow.family, flow.port, repeats, flow.protocol)] = None
    return tuple(sorted(probes, key=_order))


def _order(probe: Probe) -> tuple[str, str, str, str, int, int]:
    ends = probe.source, probe.destination
    return *ends, probe.family.value, probe.protocol.value, probe.port, len(probe.timeouts)


def controls(here: Mapping[str, Placed]) -> dict[tuple[str, str], str]:
    """The running controls by node and letter: `a` opens connections, `b` takes them."""
    return {(item.pod.node, key[-1]): key for key, item in here.items() if item.stand_in.role is Role.CONTROL}


def twin_of(flow: PlannedFlow, here: Mapping[str, Placed], at: Mapping[tuple[str, str], str]) -> tuple[str, str] | None:
    """The two unpoliced controls that stand on the same two nodes as the flow's ends."""
    if flow.source not in here or flow.destination not in here:
        return None
    source, destination = at.get((here[flow.source].pod.node, "a")), at.get((here[flow.destination].pod.node, "b"))
    return (source, destination) if source and destination else None


def silent_listeners(placement: Placement, seen: Iterable[Observation]) -> tuple[str, ...]:
    """Keys of running stand-ins of which some listener has not answered its own pod yet, and still may."""
    answered = {
        (item.probe.source, item.probe.family, (item.probe.protocol, item.probe.port))
        for item in seen
        if {Outcome.REACHED, Outcome.UNTESTED} & set(item.outcomes)
    }
    return tuple(
        key
        for key, item in running(placement).items()
        if any((key, family, query) not in answered for family in item.pod.families for query in item.stand_in.listens)
    )

"""The rounds of an audit: listeners, flows, surprises again until they settle, strangers, listeners once more."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from auditor.compare import recheck
from auditor.evidence import Evidence
from auditor.greetings import Seen, to_repeat
from auditor.handshakes import handshake_probes, twin_probes
from auditor.model.handshake import Handshake
from auditor.model.options import Options
from auditor.model.probe import Observation, PlannedFlow
from auditor.ports import ProbeSession
from auditor.reals import Ready, still_there
from auditor.rounds import (
    CLOSING,
    FLOWS,
    OPENING,
    SETTLE_STEPS,
    SETTLED,
    flow_probes,
    listener_probes,
    silent_listeners,
)

LISTENER_GRACE = 2.0
"""Seconds that a listener gets which was not up when its pod was reported to run."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What is measured: flows between probe pods, and handshakes with strangers."""

    flows: tuple[PlannedFlow, ...]
    handshakes: tuple[Handshake, ...] = ()
    ready: Ready = field(default_factory=dict)
    """Real pods as they were when they were chosen."""


async def measure(
    session: ProbeSession,
    tried: Tried,
    options: Options,
    seen: list[Observation],
    look: Callable[[], Awaitable[Ready | str]],
) -> None:
    """Carry out the rounds; observations are added to `seen` as they come, so that none is lost with the budget.

    `look` says which real pods are ready, before any of them is met.
    """
    placement, flows = session.placed, tried.flows
    seen += await session.run_round(OPENING, listener_probes(placement, options))
    late = silent_listeners(placement, seen)
    if late:
        await session.wait_until(max(item.at for item in seen) + LISTENER_GRACE)
        seen += await session.run_round(OPENING, listener_probes(placement, options, late))
    # In a real pod whoever answers on a port that is not ours is the workload: nobody knocks there.
    opened = Evidence(placement, seen, ())
    flows = tuple(flow for flow in flows if not opened.is_strange(flow))
    seen += await session.run_round(FLOWS, flow_probes(flows, placement, options))
    began = max((item.at for item in seen), default=0.0)
    soon = handshake_probes([item for item in tried.handshakes if not item.is_once], placement, options)
    if soon:
        seen += await session.run_round(FLOWS, soon)
    # Those who show the way to real pods go along with the last round, so that there are six at most.
    twins, last = twin_probes(tried.handshakes, placement, options), FLOWS
    for number, part in enumerate(SETTLE_STEPS, FLOWS + 1):
        again = flow_probes(recheck(flows, Evidence(placement, seen, flows)), placement, options)
        if not again:
            break
        await session.wait_until(began + part * options.settle)
        more = twins if number == SETTLED else ()
        seen += await session.run_round(number, tuple(dict.fromkeys((*again, *more))))
        last = number
    strange = to_repeat(tried.handshakes, Seen(placement, seen, flows))
    if strange:
        await session.wait_until(began + options.settle)
        seen += await session.run_round(SETTLED, twins) if twins and last != SETTLED else ()
        there = handshake_probes(still_there(strange, tried.ready, await look()), placement, options)
        seen += await session.run_round(SETTLED, there) if there else ()
    closing = [probe for probe in listener_probes(placement, options) if not opened.is_strange(probe)]
    seen += await session.run_round(CLOSING, closing)

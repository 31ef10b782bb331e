"""The rounds of `--targets service`: every path without a policy, then with it, and what is wrong until it settles."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from auditor.evaluate.model import Model
from auditor.model.flow import Verdict
from auditor.model.options import Options
from auditor.model.probe import Placed, Probe, ServicePlan, Way
from auditor.model.service_path import Crossing, Naming, Resolving, ServicePath
from auditor.ports import ProbeSession
from auditor.rounds import CLOSING, timeouts
from auditor.service_paths import headless, paths_of
from auditor.service_proof import not_there, surprises

FIRST = CLOSING + 1
"""Rounds are numbered on from those of the flows."""
READY_STEPS = (0.0, 1.0, 3.0, 7.0, 15.0)
"""Seconds after which a path is tried again that is not there yet: kube-proxy and others follow Services with delay."""
NAME_STEPS = (0.0, 5.0, 32.0)
"""Seconds after which a name is looked up again: a DNS server may keep for 30 s that there was none."""
AGAIN = frozenset({Resolving.NOT_RESOLVED, Resolving.SILENT, Resolving.FAULT})
LOOKUPS, LOOKUP_SECONDS = 3, 5
"""Questions one after the other, of which the first may find nothing in a cache, and the time limit of each."""
GRACE = 2.0
"""Seconds that an engine has for policies that were just made: most take some 100 ms, and a path is looked at once."""
SETTLE_STEPS = (0.1, 0.4, 1.0)
"""Parts of the limit after which surprises are tried again."""


async def cross(session: ProbeSession, plan: ServicePlan, model: Model, options: Options, seen: Crossing) -> None:
    """Carry out the rounds; `seen` takes what is found as it comes.  The model has the plan's policies in place."""
    seen.laid = await session.lay_services(plan)
    seen.paths = paths_of(plan, seen.laid, session.placed, model)
    server = seen.laid.placed.get(plan.server.key)
    if not isinstance(server, Placed):
        seen.fault = f"the server's probe pod does not run: {server.reason if server else 'it was not made'}"
        return
    itself = _listeners(server, options)
    number = await _before(session, seen, itself, options, FIRST)
    await _resolve(session, plan, server, seen)
    seen.paths += headless(plan, seen, session.placed, model)
    number = await _before(session, seen, itself, options, number)
    seen.fault = await session.make_policies(plan.policies)
    if seen.fault:
        return
    seen.policed, seen.policed_at = True, session.elapsed()
    await _after(session, seen, itself, options, (number, plan.limit))


async def _before(session: ProbeSession, seen: Crossing, itself: Sequence[Probe], options: Options, first: int) -> int:
    """Until every path got through, or the cluster had its time; the number of the next round."""
    number, began, tries = first, 0.0, timeouts(options)[-1:]
    for pause in READY_STEPS:
        missing = [path for path in not_there(seen) if path.id not in seen.given_up]
        if not missing:
            return number
        if pause:
            await session.wait_until(began + pause)
        probes = [path.probe(tries) for path in missing]
        seen.before += await session.run_round(number, [*itself, *probes])
        began = began or max(item.at for item in seen.before)
        number += 1
    seen.given_up |= {path.id for path in not_there(seen)}
    return number


async def _resolve(session: ProbeSession, plan: ServicePlan, server: Placed, seen: Crossing) -> None:
    """Until each node was told the headless name's address, or DNS had its time."""
    service = next((item for item in plan.services if item.way is Way.HEADLESS), None)
    if service is None or seen.laid is None or seen.laid.services[Way.HEADLESS].fault:
        return
    name = f"{service.name}.{service.namespace}"
    left = [
        Naming(caller.free, caller.node, name, family, LOOKUPS, LOOKUP_SECONDS)
        for caller in plan.callers
        for family in server.pod.families
    ]
    began = max((item.at for item in seen.before), default=0.0)
    for pause in NAME_STEPS:
        if pause:
            await session.wait_until(began + pause)
        found = await session.look_up(left)
        seen.names = [item for item in seen.names if item.naming not in left] + list(found)
        left = [item.naming for item in found if item.best.outcome in AGAIN]
        if not left:
            return


async def _after(
    session: ProbeSession, seen: Crossing, itself: Sequence[Probe], options: Options, time: tuple[int, float]
) -> None:
    """With the policies in place, once they had their grace; `time` is the round's number, and the limit in seconds."""
    number, limit = time
    await session.wait_until(seen.policed_at + GRACE)
    seen.after += await session.run_round(number, [*itself, *_probes(seen.paths, options)])
    began = max(item.at for item in seen.after)
    for turn, part in enumerate(SETTLE_STEPS, number + 1):
        again = surprises(seen)
        if not again:
            break
        await session.wait_until(began + part * limit)
        seen.after += await session.run_round(turn, [*itself, *_probes(again, options)])
    seen.is_over = True


def _listeners(server: Placed, options: Options) -> list[Probe]:
    key = server.stand_in.key
    return [
        Probe(key, key, family, port, (options.connect_timeout,), protocol)
        for family in server.pod.families
        for protocol, port in server.stand_in.listens
    ]


def _probes(paths: Iterable[ServicePath], options: Options) -> list[Probe]:
    """What must not get through is tried each time; of what must, or what is only looked at, one try is enough."""
    whole, last = timeouts(options), timeouts(options)[-1:]
    return [path.probe(whole if path.predicted.verdict is Verdict.DENIED else last) for path in paths]

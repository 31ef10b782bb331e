"""The pipeline: read a cluster, predict, plan, probe, compare, diagnose, report."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field, replace

from auditor.accord import answers
from auditor.claims import node_claims, policy_claims
from auditor.cluster.decode import decode
from auditor.compare import as_stored, changed_flows, compare, moved_flows
from auditor.diagnosis import diagnose
from auditor.diagnosis.case import Case
from auditor.errors import NetauditError, Withdrawn
from auditor.evaluate.model import Model
from auditor.events import ASKED_TO_END, StageStarted, Warned
from auditor.evidence import Evidence
from auditor.forecast import Forecast, forecast, planned
from auditor.greetings import Seen, after_moves, changed_handshakes, greet
from auditor.handshakes import placed
from auditor.identities import same_class
from auditor.measuring import Tried, measure
from auditor.model.cluster import Pod
from auditor.model.finding import Comparison, Greeting, Judgement
from auditor.model.journal import Reaction
from auditor.model.matrix import ReachabilityMatrix
from auditor.model.options import Mode, Options
from auditor.model.ping import Pinged
from auditor.model.probe import Observation, PlannedFlow, ProbePlan
from auditor.model.service_path import Crossing
from auditor.model.timing import Trace
from auditor.model.words import plural
from auditor.past import Past, with_past
from auditor.plan import in_their_order, is_audited
from auditor.ports import Journal, NoJournal, OnEvent, ProbeBackend, ProbeSession, SnapshotSource
from auditor.reals import Ready, gone, standing
from auditor.recording import Recorded, marks_of
from auditor.rounds import Placement, running
from auditor.rule_claims import rule_claims
from auditor.sentinel import as_planned, in_use, sentinel_namespaces
from auditor.service_paths import with_own
from auditor.service_proof import judge_paths, unlaid
from auditor.service_rounds import cross
from auditor.shadow import outdated
from auditor.timing import figures
from auditor.verdict import Material
from probes.admitted import as_skips, barred, lost_by, refusals, without_refused

CLEANUP_RESERVE = 60
"""Seconds of the budget that are kept for removing what was made."""
REPLANS = 3
"""How often flows are chosen anew where admission keeps away who was to prove something."""


@dataclass(frozen=True, slots=True)
class After:
    """How the cluster was when all was measured, or why that could not be read."""

    model: Model | str
    ready: Ready | str


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured, and on which probe pods: as they were stored, and as they were in the end."""

    tried: Tried
    began: Placement
    ended: Placement
    seen: Sequence[Observation]


@dataclass(frozen=True, slots=True)
class Beside:
    """What was measured beside the flows; it is added to as it comes."""

    pinged: list[Pinged] = field(default_factory=list)
    traces: list[Trace] = field(default_factory=list)
    crossing: Crossing = field(default_factory=Crossing)


@dataclass(frozen=True, slots=True)
class Broken:
    """Why measuring was broken off before its time was over."""

    withdrawn: str = ""
    """What reacted to the probe pods; empty where the run was asked to end."""


async def run_audit(
    source: SnapshotSource,
    backend: ProbeBackend,
    options: Options,
    on_event: OnEvent,
    *,
    past: Past | None = None,
    journal: Journal | None = None,
) -> Material:
    """Audit a cluster: what policies should do, what packets show they do, and every difference.

    Goes on from `past`, and notes in `journal` what another run could go on from.
    """
    known = await forecast(source, options, on_event, past)
    model, noted = known.model, journal or NoJournal()
    seen, beside = list[Observation](), Beside()
    end = asyncio.get_running_loop().time() + max(1, options.budget - CLEANUP_RESERVE)
    known = await _rehearsed(known, backend, options, on_event)
    plan = known.plan
    if not plan.flows:
        return _untried(known, plan, options)
    async with backend.session(plan, on_event) as session:
        placement = dict(session.placed)
        flows, plan = _in_use(as_stored(plan.flows, placement, model), plan, placement, options)
        noted.begin(known.snapshot.cluster_uid, marks_of(model, known.engine))
        anew = tuple(flow for flow in flows if flow.id not in known.taken)
        tried = Tried(anew, placed(plan.handshakes, placement, model), known.ready)
        work = measure(Recorded(session, noted, flows), tried, options, seen, lambda: _ready(source, tried))
        broken = await _within(end, work, options, on_event)
        measured = Measured(tried, placement, dict(session.placed), seen)
        # Whatever reacts to our pods goes on reacting until they are gone, and whoever asked for the end waits for
        # that: nothing is read before.
        after = None if broken else await _afterwards(source, plan, model, tried)
        last = after.model if after and isinstance(after.model, Model) else model
        if broken is None:
            broken = await _within(end, _beside(session, plan, last, options, beside), options, on_event)
    withdrawn = broken.withdrawn if broken else ""
    if withdrawn:
        noted.write(Reaction(withdrawn))
    comparison = _compared(known, options, flows, measured, after or await _afterwards(source, plan, model, tried))
    found = _material(known, plan, measured, comparison, beside)
    marks = tuple(backend.marks_left)
    interrupted = broken is not None and not withdrawn
    found = replace(found, leftovers=tuple(backend.leftovers), marks=marks)
    return replace(found, withdrawn=withdrawn, interrupted=interrupted)


def _material(known: Forecast, plan: ProbePlan, measured: Measured, comparison: Comparison, beside: Beside) -> Material:
    """All that was found, but for how the run ended."""
    case = _case(known, plan, measured.began, comparison, beside)
    return Material(
        snapshot=known.snapshot,
        matrix=known.shown,
        plan=plan,
        placement=measured.began,
        comparison=comparison,
        findings=diagnose(case),
        strays=_strays(measured.began, known.model, known.matrix),
        rounds=len({observation.round for observation in measured.seen}),
        answers=case.answers,
        resumed=known.resumed,
        timed=case.timed,
        crossed=case.crossed,
        unlaid=unlaid(beside.crossing, plan.services),
        names=tuple(beside.crossing.names),
        pinged=tuple(beside.pinged),
    )


def _in_use(
    flows: tuple[PlannedFlow, ...], plan: ProbePlan, placement: Placement, options: Options
) -> tuple[tuple[PlannedFlow, ...], ProbePlan]:
    """The flows that can be tried: whether pods have both families is seen of sentinels only once they run."""
    if options.mode is not Mode.SENTINEL:
        return flows, plan
    used, left = in_use(flows, placement)
    return used, replace(plan, skipped=(*plan.skipped, *left))


def _subjects(known: Forecast, options: Options) -> list[Pod]:
    return [item.pods[0] for item in known.matrix.identities if is_audited(item, options)]


def _compared(
    known: Forecast, options: Options, flows: tuple[PlannedFlow, ...], measured: Measured, after: After
) -> Comparison:
    """Flows and handshakes, judged by what held for the whole run, with what an earlier run measured."""
    changed = _changed(flows, measured, known.model, after.model)
    if known.scene and not isinstance(after.model, str):
        changed |= outdated(known.scene, known.plan, after.model.snapshot.policies)
    judged = compare(measured.tried.flows, Evidence(measured.began, measured.seen, measured.tried.flows), changed)
    whole = with_past(judged, flows, known.taken, measured.began, changed)
    found = _claimed(known, options, whole, measured.began)
    return replace(found, greetings=_greetings(measured, known.model, after))


def _claimed(known: Forecast, options: Options, judgements: tuple[Judgement, ...], placement: Placement) -> Comparison:
    """What the judged flows prove; of nodes only those speak that this run measured."""
    spared = [item.pods[0] for item in known.matrix.identities if item.id in known.plan.spared]
    found = Comparison(
        judgements,
        policy_claims(judgements, known.model, placement, _subjects(known, options), spared),
        node_claims([item for item in judgements if not item.measured], placement),
        rule_claims(judgements, known.model, placement),
    )
    return known.told.comparison(found)


def _case(known: Forecast, plan: ProbePlan, placement: Placement, found: Comparison, beside: Beside) -> Case:
    identities = {identity.id: identity for identity in known.shown.identities}
    snapshot, told = known.snapshot, answers(known.covered, found.judgements, plan)
    timed = figures(beside.traces, plan.timing) if plan.timing is not None else ()
    crossed = judge_paths(beside.crossing)
    return Case(plan, placement, found, identities, snapshot.cluster_uid, snapshot.doubts, told, timed, crossed)


def _untried(known: Forecast, plan: ProbePlan, options: Options) -> Material:
    """What an audit comes to where there is no flow to try."""
    empty = known.told.comparison(Comparison((), policy_claims((), known.model, {}, _subjects(known, options))))
    case = _case(known, plan, {}, empty, Beside())
    found = diagnose(case)
    return Material(known.snapshot, known.shown, plan, {}, empty, found, answers=case.answers, resumed=known.resumed)


async def _rehearsed(known: Forecast, backend: ProbeBackend, options: Options, on_event: OnEvent) -> Forecast:
    """With a plan without what admission would refuse, or change so that something could react to it.

    What identities that are kept away were to prove others may: flows are chosen anew as long as that brings nobody new
    who is refused, a few times at most.  What went with them stays counted.
    """
    if not known.plan.flows:
        return known
    if not options.sandbox:
        on_event(StageStarted("ask admission", "a dry run in each namespace"))
    refused: dict[str, str] = {}
    first = known.plan
    found = await backend.rehearse(first)
    for _ in range(REPLANS):
        barred_now = barred(known.plan, refusals(known.plan, known.snapshot, found, options.allow), found)
        if not barred_now:
            break
        refused |= barred_now
        gone = plural(len(refused), "identity", "identities")
        on_event(StageStarted("plan anew", f"without {gone} that admission keeps away"))
        known = planned(known, options, refused)
        found = await backend.rehearse(known.plan)
    # What others are chosen for in their place is not lost twice when those are refused as well.
    lost = lost_by(first, refused)
    titles = {item.id: item.title for item in known.shown.identities}
    audited = {item.id for item in known.matrix.identities if is_audited(item, options)}
    plan = without_refused(known.plan, known.snapshot, found, titles, audited=audited, allowed=options.allow)
    return replace(known, plan=replace(plan, skipped=in_their_order((*plan.skipped, *as_skips(lost)))))


async def _within(end: float, work: Awaitable[None], options: Options, on_event: OnEvent) -> Broken | None:
    """Measure as long as there is time; returns why it was broken off where nobody ran out of time.

    Being cancelled ends the measuring alone: what was measured is still told, once the probe pods are gone.  Being
    cancelled once more ends the run.
    """
    try:
        async with asyncio.timeout_at(end):
            await work
    except TimeoutError:
        on_event(Warned(f"the budget of {options.budget} s is used up; what was not measured is inconclusive"))
    except Withdrawn as error:
        on_event(Warned(f"{error.what}: {error.why}"))
        return Broken(error.why)
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.uncancel():
            raise
        on_event(Warned(ASKED_TO_END))
        return Broken()
    return None


async def _beside(session: ProbeSession, plan: ProbePlan, model: Model, options: Options, found: Beside) -> None:
    """Time how soon policies hold, try Services, ping; the first two make policies, after those were read again.

    Pings come last: no judgement hangs on them, so that they take the time of nothing else.
    """
    if plan.timing is not None:
        await session.time_enforcement(plan.timing, found.traces)
    if plan.services is not None:
        policed = with_own(model, plan.services, sentinel_namespaces())
        await cross(session, plan.services, policed, options, found.crossing)
    if plan.pings:
        found.pinged.extend(await session.send_pings(plan.pings))


def _strays(placement: Placement, model: Model, matrix: ReachabilityMatrix) -> tuple[str, ...]:
    """Stand-ins that policies tell apart from the identity that they were made for, because admission changed them."""
    member = {identity.id: identity.pods[0] for identity in matrix.identities}
    return tuple(
        key
        for key, item in running(placement).items()
        if item.stand_in.identity and not same_class(model, item.pod, member[item.stand_in.identity])
    )


async def _ready(source: SnapshotSource, tried: Tried) -> Ready | str:
    """The pods that are ready now, where real ones are to be met, or why that could not be read."""
    places = sorted({item.pod[0] for item in tried.handshakes if item.is_once})
    try:
        return standing(await source.collect_pods(places)) if places else {}
    except NetauditError as error:
        return f"whether the pod was still there could not be read: {error.why}"


async def _afterwards(source: SnapshotSource, plan: ProbePlan, before: Model, tried: Tried) -> After:
    """How the cluster was when all was measured."""
    return After(await _policies(source, plan, before), await _ready(source, tried))


async def _policies(source: SnapshotSource, plan: ProbePlan, before: Model) -> Model | str:
    """The policies as they are now, or why they could not be read."""
    try:
        after = decode(await source.collect_policies())
    except NetauditError as error:
        return f"whether policies changed during the run could not be read: {error.why}"
    # What was not read again is taken as it was: only policies and namespaces can change a verdict.
    then = replace(
        before.snapshot,
        namespaces=after.namespaces,
        policies=as_planned(after.policies, plan.policies),
        objects=after.objects,
        blind_spots=after.blind_spots,
    )
    return Model(then, before.extra_namespaces, before.dialect)


def _changed(flows: tuple[PlannedFlow, ...], measured: Measured, before: Model, after: Model | str) -> dict[int, str]:
    """Flows whose prediction did not hold for the whole run, or of which that cannot be said any more."""
    if isinstance(after, str):
        changed = dict.fromkeys((flow.id for flow in flows), after)
    else:
        changed = changed_flows(flows, measured.began, before, after)
    return changed | moved_flows(flows, measured.began, measured.ended)


def _greetings(measured: Measured, before: Model, after: After) -> tuple[Greeting, ...]:
    """The handshakes, judged by what held for the whole run."""
    handshakes, began = measured.tried.handshakes, measured.began
    if isinstance(after.model, str):
        changed = dict.fromkeys((item.id for item in handshakes), after.model)
    else:
        changed = changed_handshakes(handshakes, began, before, after.model)
    changed |= gone(handshakes, measured.tried.ready, after.ready)
    return greet(
        handshakes,
        Seen(began, measured.seen, measured.tried.flows),
        after_moves(handshakes, began, measured.ended, changed),
    )

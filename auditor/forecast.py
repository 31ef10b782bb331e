"""What is known before any packet is sent: read a cluster, predict its flows, plan the probes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from auditor.cluster.decode import decode
from auditor.engines import Identification, identify_engine
from auditor.evaluate.model import Model
from auditor.events import StageStarted
from auditor.expected import cover, demands
from auditor.handshakes import with_externals
from auditor.inplace import inplace_plan
from auditor.model.cluster import Pod, Snapshot
from auditor.model.expectation import Covered
from auditor.model.matrix import ReachabilityMatrix
from auditor.model.options import Mode, Options, Targets
from auditor.model.probe import ProbePlan
from auditor.model.words import plural
from auditor.namesakes import Told
from auditor.past import Past, Taken, check_cluster, take_over
from auditor.pings import with_pings
from auditor.plan import estimate, is_audited, is_system, make_plan, own_namespaces
from auditor.ports import OnEvent, RawSnapshot, SnapshotSource
from auditor.predict import predict
from auditor.reals import Ready, homes, standing, with_reals
from auditor.recording import marks_of
from auditor.sentinel import is_sentinel, scene, sentinel_namespaces, sentinel_plan
from auditor.service_plan import with_services
from auditor.shadow import Shadows, equivalent, shadows
from auditor.timing_plan import with_timing

NOTHING = ProbePlan((), (), ())


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is known before any packet is sent."""

    snapshot: Snapshot
    matrix: ReachabilityMatrix
    plan: ProbePlan
    engine: Identification
    """Who seems to enforce policy; its dialect answers what the API leaves open, and nothing else."""
    model: Model
    """What decides: the policies that were read, and those that netaudit is to make."""
    covered: tuple[Covered, ...] = ()
    """The user's expectations, with the flows that they cover."""
    taken: Mapping[int, Taken] = field(default_factory=dict)
    """Flows that an earlier run measured and that are not tried anew, by id."""
    resumed: str = ""
    """The earlier run; empty where there is none."""
    scene: Shadows | None = None
    """In mode shadow: what stands for whom."""
    ready: Ready = field(default_factory=dict)
    """The pods that were ready, where handshakes are tried with real ones."""
    whole: RawSnapshot = field(default_factory=lambda: RawSnapshot({}))
    """Pods as the API server has them, where a plan looks at more of them than policies do."""
    past: Past | None = None
    """The earlier run."""

    @property
    def told(self) -> Told:
        """How to say what was found in the words of the user's cluster."""
        return Told(self.scene.names if self.scene else {})

    @property
    def shown(self) -> ReachabilityMatrix:
        """The matrix by the names of the workloads."""
        return self.told.matrix(self.matrix)


async def forecast(source: SnapshotSource, options: Options, on_event: OnEvent, past: Past | None = None) -> Forecast:
    """Read the cluster, predict its flows and plan the probes; what holds of an earlier run need not be tried anew."""
    on_event(StageStarted("read the cluster"))
    snapshot = decode(await source.collect())
    if past is not None:
        check_cluster(past, snapshot.cluster_uid)
    size = f"{plural(len(snapshot.pods), 'pod')}, {plural(len(snapshot.policies), 'policy', 'policies')}"
    on_event(StageStarted("predict", size))
    engine = identify_engine(snapshot)
    if options.mode is Mode.SENTINEL:
        acted = scene(snapshot, options)
        matrix = predict(acted, is_sentinel, engine.dialect, own=True)
        plan = _with_more(sentinel_plan(acted, matrix, options, engine.dialect), snapshot, options)
        return Forecast(snapshot, matrix, plan, engine, Model(acted, sentinel_namespaces(), engine.dialect))
    if options.mode is Mode.SHADOW:
        return _shadowed(snapshot, engine, options)
    matrix = predict(snapshot, lambda pod: _in_reach(pod, options), engine.dialect)
    model = Model(snapshot, own_namespaces(), engine.dialect)
    covered = cover(model, matrix.identities, options.expectations)
    whole = await _whole_pods(source, matrix, options)
    ready = standing(whole) if options.targets is Targets.REAL else {}
    resumed = past.run if past else ""
    known = Forecast(
        snapshot, matrix, NOTHING, engine, model, covered, resumed=resumed, ready=ready, whole=whole, past=past
    )
    known = planned(known, options, {})
    if past is not None:
        on_event(StageStarted("take over", f"{len(known.taken)} of {len(known.plan.flows)} flows from run {past.run}"))
    return known


def planned(known: Forecast, options: Options, refused: Mapping[str, str]) -> Forecast:
    """The same with a plan that does without the identities that are `refused`, by id with the reason.

    Only where probe pods stand beside workloads or in them: in netaudit's own namespaces nobody is asked.
    """
    snapshot, matrix, model, dialect = known.snapshot, known.matrix, known.model, known.engine.dialect
    if options.mode is Mode.INPLACE:
        plan = inplace_plan(snapshot, matrix, options, known.whole, dialect, refused=refused)
    else:
        plan = make_plan(snapshot, matrix, options, dialect, demands(known.covered), refused=refused)
    audited = frozenset(item.id for item in matrix.identities if is_audited(item, options))
    plan = with_externals(plan, model, matrix.identities, audited, options)
    if options.targets is Targets.REAL:
        plan = with_reals(plan, model, matrix.identities, audited, options, ready=known.ready)
    plan = _with_more(plan, snapshot, options)
    taken = {} if known.past is None else take_over(known.past, plan, marks_of(model, known.engine))
    return replace(known, plan=plan, taken=taken)


async def _whole_pods(source: SnapshotSource, matrix: ReachabilityMatrix, options: Options) -> RawSnapshot:
    """Pods as the API server has them, readiness and probes and all, of the namespaces where that matters."""
    wanted = matrix.identities if options.targets is Targets.REAL else ()
    if options.mode is Mode.INPLACE:
        wanted = (*wanted, *(item for item in matrix.identities if is_audited(item, options)))
    return await source.collect_pods(homes(wanted)) if wanted else RawSnapshot({})


def _shadowed(snapshot: Snapshot, engine: Identification, options: Options) -> Forecast:
    stage = shadows(snapshot, options, engine.dialect)
    matrix = predict(stage.acted, stage.covers, engine.dialect, own=True)
    plan = make_plan(stage.acted, matrix, options, engine.dialect)
    plan = Told(stage.names).plan(equivalent(plan, stage, matrix))
    plan = with_pings(replace(plan, estimate=estimate(plan, options)), options)
    model = Model(stage.acted, own_namespaces(), engine.dialect)
    return Forecast(snapshot, matrix, plan, engine, model, scene=stage)


def _with_more(plan: ProbePlan, snapshot: Snapshot, options: Options) -> ProbePlan:
    """The plan with what is measured beside its flows."""
    return with_services(with_timing(with_pings(plan, options), snapshot, options), snapshot, options)


def _in_reach(pod: Pod, options: Options) -> bool:
    return not is_system(pod.namespace) or pod.namespace in options.namespaces

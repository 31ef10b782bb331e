"""Snapshot x prediction x options into a ProbePlan: which probe pods to make, and which flows to try between them.

Pure.  One stand-in for each identity on a node that runs a replica, more where a node would otherwise go unproven
(`seats`), and two unpoliced controls on every node in use: they are source and target of flows that only one end can
deny, and twins.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from auditor.coverage import bounded, choose, judgeable
from auditor.duties import Scene
from auditor.evaluate.model import Model
from auditor.flows import FlowMaker
from auditor.identities import OWN_NAMESPACE, rule_edges
from auditor.model.cluster import Namespace, Pod, Snapshot
from auditor.model.dialect import API, Dialect
from auditor.model.expectation import Demand
from auditor.model.flow import Direction, Protocol, Verdict
from auditor.model.matrix import Identity, Query, ReachabilityMatrix, in_order
from auditor.model.options import Mode, Options, Transport
from auditor.model.probe import Estimate, PlannedFlow, Probe, ProbePlan, Role, Skip, StandIn
from auditor.rounds import timeouts
from auditor.seats import Seat, clone, first_seats, mates, more_seats, usable_nodes, within
from probes.capacity import Room
from probes.pace import bound_at, longest, split
from probes.safety import near, overruled

CONTROL_NAMESPACE = "netaudit-ctl-1"
SYSTEM_NAMESPACES = frozenset({"kube-system", "kube-public", "kube-node-lease", OWN_NAMESPACE})
OWN_LABELS = {"app.kubernetes.io/managed-by": "netaudit", "pod-security.kubernetes.io/enforce": "restricted"}
V1 = "NetworkPolicy"
REQUESTS_PER_POD = {Transport.EXEC: 6, Transport.LOGS: 9}
"""An exec is one request, an annotation and a log are two."""
FIXED_REQUESTS = 40


def own_namespaces(*more: str) -> tuple[Namespace, ...]:
    """The namespaces that a run makes for itself, and `more` of its own, with the labels they will carry."""
    return tuple(
        Namespace(name, {**OWN_LABELS, "kubernetes.io/metadata.name": name})
        for name in (OWN_NAMESPACE, CONTROL_NAMESPACE, *more)
    )


def is_system(namespace: str) -> bool:
    """Whether a namespace is left alone unless it is named: the cluster's own, and netaudit's."""
    return namespace in SYSTEM_NAMESPACES or namespace.startswith(("netaudit-ctl-", "netaudit-conf-", "kube-"))


def is_audited(identity: Identity, options: Options) -> bool:
    """Whether the user asked for this identity: by namespace, and by the labels of any member."""
    if options.mode is Mode.SENTINEL:
        return True
    named = options.namespaces
    # A shadow is made only of what was asked for.
    shadow = options.mode is Mode.SHADOW
    chosen = shadow or (identity.namespace in named if named else not is_system(identity.namespace))
    selector = options.selector
    return chosen and (selector is None or any(selector.matches(pod.labels) for pod in identity.pods))


def make_plan(
    snapshot: Snapshot,
    matrix: ReachabilityMatrix,
    options: Options,
    dialect: Dialect = API,
    demands: frozenset[Demand] = frozenset(),
    *,
    refused: Mapping[str, str] = MappingProxyType({}),
) -> ProbePlan:
    """Decide what to test; what is left out stands in `skipped` with its reason.

    Flows of `demands` are tried whatever else is chosen, and come first where there is not room for all.  Identities
    that are `refused`, by id with the reason, have no probe pod.
    """
    model = Model(snapshot, own_namespaces(), dialect)
    audited = frozenset(identity.id for identity in matrix.identities if is_audited(identity, options))
    if not audited and not demands:
        return ProbePlan((), (), (), (Skip("everything", "no pod that policies apply to is in scope"),))
    skipped: list[Skip] = []
    room = Room(snapshot)
    seats = first_seats(model, matrix, audited, skipped, room, allow=options.allow, refused=refused)
    seats += more_seats(seats, usable_nodes(snapshot), room)
    seats += mates(seats, usable_nodes(snapshot), room, demands)
    # What was asked for comes first when there is not room for all.
    named = {identity for demand in demands for identity in (demand.source, demand.destination)}
    seats.sort(key=lambda seat: (seat.identity.id not in named, seat.identity.id not in audited, not seat.first))
    seats = within(seats, options.max_pods, audited, skipped)
    clones = tuple(clone(snapshot, seat, f"i{number}", room) for number, seat in enumerate(seats))
    plan = plan_between(clones, model, matrix, options, demands)
    plan = replace(
        plan,
        skipped=in_their_order((*skipped, *plan.skipped, *replicas(seats), *_portless(seats))),
        notes=(*plan.notes, *_risks(snapshot, seats, options)),
        near=near(snapshot, (item for item in plan.stand_ins if item.identity)),
    )
    return replace(plan, estimate=estimate(plan, options))


def plan_between(
    cast: Sequence[StandIn],
    model: Model,
    matrix: ReachabilityMatrix,
    options: Options,
    demands: frozenset[Demand] = frozenset(),
) -> ProbePlan:
    """Which flows to try between stand-ins of identities, and with controls beside them; it has no estimate yet.

    Stand-ins that no flow needs are left out, and so are controls that would be nobody's twin.
    """
    audited = frozenset(identity.id for identity in matrix.identities if is_audited(identity, options))
    controls = controls_on(sorted({item.node for item in cast}))
    maker = FlowMaker(model, {item.id: item for item in matrix.identities}, cast, controls, audited, demands=demands)
    scene = Scene(
        nodes={item.key: item.node for item in (*cast, *controls)},
        identities={item.key: item.identity for item in cast},
        audited=audited,
        edges=rule_edges(model),
    )
    skipped: list[Skip] = []
    offered = judgeable(maker.flows(), skipped)
    kept = frozenset(flow.id for flow in offered if maker.is_demanded(flow))
    choice = choose(offered, scene, options, kept)
    skipped += choice.skipped
    spared = _spared(offered, choice.flows, scene)
    skipped += _named(spared, matrix, options)
    flows = bounded(list(choice.flows), options, skipped, kept)
    return ProbePlan(
        own_namespaces=tuple(namespace.name for namespace in own_namespaces()),
        stand_ins=(*_met(cast, flows), *_listening(controls, flows, maker)),
        flows=flows,
        skipped=in_their_order(skipped),
        notes=notes_on(model),
        spared=spared,
        kept=kept,
    )


def in_their_order(skipped: Iterable[Skip]) -> tuple[Skip, ...]:
    """Sort what is not tested."""
    return tuple(sorted(skipped, key=lambda skip: (skip.what, skip.reason)))


def controls_on(nodes: Sequence[str]) -> tuple[StandIn, ...]:
    """Two unpoliced controls for each of these nodes: `a` opens connections, `b` takes them."""
    return tuple(
        StandIn(f"c{number}{letter}", Role.CONTROL, CONTROL_NAMESPACE, node, (), ())
        for number, node in enumerate(nodes)
        for letter in "ab"
    )


def _met(clones: Sequence[StandIn], flows: Sequence[PlannedFlow]) -> tuple[StandIn, ...]:
    """Leave out the stand-ins that no flow needs, and let each that is left listen on something.

    Its own listener is what shows that a pod's agent can connect at all, where policies deny all else that it tries.
    """
    used = _ends(flows)
    ports: dict[str, set[Query]] = defaultdict(set)
    own: dict[str, Query] = {}
    for flow in flows:
        ports[flow.destination].add((flow.protocol, flow.port))
        own.setdefault(flow.source, (Protocol.TCP, flow.port))
    # A port that was asked for by name may be none of the identity's own; in a real pod it may be the workload's.
    return tuple(
        clone
        if clone.role is Role.RESIDENT
        else replace(clone, listens=in_order({*clone.listens, *ports[clone.key]}) or (own[clone.key],))
        for clone in clones
        if clone.key in used
    )


def _spared(offered: Iterable[PlannedFlow], chosen: Iterable[PlannedFlow], scene: Scene) -> tuple[str, ...]:
    """Ids of the identities that were asked for, could have been tested, and are not by choice."""
    could, do = ({scene.identities.get(key, "") for key in _ends(flows)} for flows in (offered, chosen))
    return tuple(sorted((could - do) & scene.audited))


def _ends(flows: Iterable[PlannedFlow]) -> set[str]:
    return {key for flow in flows for key in (flow.source, flow.destination)}


def _named(spared: Sequence[str], matrix: ReachabilityMatrix, options: Options) -> list[Skip]:
    """What was asked for and is not tested at all, by name."""
    titles = {identity.id: identity.title for identity in matrix.identities}
    reason = f"--coverage {options.coverage.value} chose no flow of it; --coverage full tries it"
    return [Skip(titles[number], reason, by_choice=True) for number in spared]


def replicas(seats: Sequence[Seat]) -> list[Skip]:
    """Connections between replicas need two stand-ins of one identity, which only few have."""
    doubled = {seat.identity.id for seat in seats if not seat.first}
    left = [
        seat.identity
        for seat in seats
        if len(seat.identity.pods) > 1 and seat.identity.isolated and seat.identity.id not in doubled
    ]
    if not left:
        return []
    flows = sum(len(identity.listens) for identity in left)
    return [Skip(f"connections between replicas of {len(left)} identities", "one probe pod stands for them", flows)]


def _portless(seats: Sequence[Seat]) -> list[Skip]:
    """Identities that policies isolate and to which no packet is sent, because there is no port to send it to."""
    first = [seat.identity for seat in seats if seat.first]
    reason = "it declares no port, and ranges in policies take in every port that could be made up"
    return [
        Skip(f"connections to {identity.title}", reason, max(1, len(first) - 1), unjudged=True)
        for identity in first
        if Direction.INGRESS in identity.isolated and not identity.listens
    ]


def _listening(controls: Sequence[StandIn], flows: Sequence[PlannedFlow], maker: FlowMaker) -> tuple[StandIn, ...]:
    """Give each control the ports of every flow that ends on its node: it is their target or their twin's."""
    ports: dict[str, set[Query]] = defaultdict(set)
    for flow in flows:
        ports[maker.node_of(flow.destination)].add((flow.protocol, flow.port))
    listening = [replace(control, listens=in_order(ports[control.node])) for control in controls]
    # On a node where no flow begins or ends a control would be nobody's twin.
    used = {maker.node_of(key) for key in _ends(flows)}
    return tuple(control for control in listening if control.node in used)


def _risks(snapshot: Snapshot, seats: Sequence[Seat], options: Options) -> Iterable[str]:
    """The hazards that the user takes, by what they were met for."""
    for seat in seats if options.allow else ():
        for text in overruled(snapshot, seat.identity, options.allow):
            yield f"{seat.identity.title}: {text}"


def notes_on(model: Model) -> tuple[str, ...]:
    """What stands in the way of controls, and how open questions are answered, in sentences."""
    notes = []
    if any(model.policies(name) for name in (CONTROL_NAMESPACE, OWN_NAMESPACE)):
        notes.append("a policy stands in netaudit's own namespaces: its controls are not unpoliced")
    notes += [
        f"{spot.reason}: it may select the controls too, and leaves every flow UNKNOWN"
        for spot in model.blind_spots
        if spot.namespace is None
    ]
    control = model.end(Pod(CONTROL_NAMESPACE, "control", addresses=("192.0.2.1",)))
    wide = {item.section.ref for direction in Direction for item in model.applied(control, direction)}
    notes += [
        f"{ref.kind} {ref} selects netaudit's controls too: they are not unpoliced" for ref in wide if ref.kind != V1
    ]
    notes += [f"what the API leaves open is answered as {model.dialect.engine} does"] * bool(model.dialect.engine)
    return tuple(sorted(set(notes)))


def estimate(plan: ProbePlan, options: Options) -> Estimate:
    """Say what a plan costs; seconds are without surprises, which add `--settle` once."""
    denied = [flow for flow in plan.flows if flow.predicted.verdict is Verdict.DENIED]
    allowed = len(plan.flows) - len(denied)
    checks = 2 * sum(len(stand_in.listens) for stand_in in plan.stand_ins)
    pods = len(plan.stand_ins)
    namespaces = {stand_in.namespace for stand_in in plan.stand_ins} | set(plan.own_namespaces)
    requests = (
        FIXED_REQUESTS
        + 5 * len(namespaces)
        + 3 * len(plan.own_namespaces)
        + REQUESTS_PER_POD[options.transport] * pods
        + _watched(plan)
        if pods
        else 0
    )
    seconds = 8 + pods // 8 + round(_probing(plan, options)) + requests // max(1, options.rate)
    return Estimate(
        pods=pods,
        namespaces=len(namespaces) if pods else 0,
        flows=len(plan.flows),
        probes=len(denied) * options.tries + allowed + checks,
        requests=requests,
        seconds=seconds if pods else 0,
    )


def _probing(plan: ProbePlan, options: Options) -> float:
    """Seconds of the first round: denied flows wait for all their tries, allowed ones are answered at once."""
    # Which agent an image takes is not known here; of the two the shell one is slower.
    bound = bound_at("shell" if options.agent == "auto" else options.agent, 0)
    node_of = {stand_in.key: stand_in.node for stand_in in plan.stand_ins}
    limits = {Verdict.DENIED: timeouts(options), Verdict.ALLOWED: (0.0,)}
    probes = [
        Probe(flow.source, flow.destination, flow.family, flow.port, limits[flow.predicted.verdict], flow.protocol)
        for flow in plan.flows
    ]
    gentle = frozenset(item.key for item in plan.stand_ins if item.pod)
    return longest(split(probes, node_of, bound, gentle), bound)


def _watched(plan: ProbePlan) -> int:
    """Lists and watches of what stands around the stand-ins: two requests for each resource and place."""
    homes = {item.namespace for item in plan.stand_ins} - set(plan.own_namespaces)
    near = {*plan.near, *(("poddisruptionbudgets", name) for name in homes)}
    return sum(2 * min(count, 2) for count in Counter(resource for resource, _ in near).values())


def isolated_directions(identity: Identity) -> list[str]:
    """The directions in which policies isolate an identity, in words and in order."""
    return [direction.value for direction in Direction if direction in identity.isolated]

"""A snapshot and what was asked of it into a Prediction.

Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from auditor.cluster.resources import FOREIGN_POLICIES
from auditor.errors import UsageError
from auditor.evaluate.bits import Bits, ones
from auditor.evaluate.model import Model
from auditor.evaluate.reach import Classified, between
from auditor.evaluate.vocabulary import at_home, homes_of
from auditor.identities import Unnamed, find_identities
from auditor.lint import lint
from auditor.model.cluster import Owner, Pod, PolicyObject
from auditor.model.ends import Address
from auditor.model.flow import Direction, Family, Protocol
from auditor.model.labels import LabelSelector
from auditor.model.matrix import Identity, Query, ReachabilityMatrix
from auditor.model.prediction import Coverage, Excluded, Prediction, Unselected
from auditor.model.problem import Problem
from auditor.model.rules import Action, Match, Predicate
from auditor.services import Services
from auditor.targets import Target


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a user asked `predict` for; nothing asked means everything."""

    namespaces: tuple[str, ...] = ()
    selector: LabelSelector | None = None
    sources: tuple[Target, ...] = ()
    destinations: tuple[Target, ...] = ()
    ports: tuple[tuple[Protocol, int | str], ...] = field(default=())


def foresee(
    model: Model, wanted: Wanted, *, origin: str, problems: Sequence[Problem] = (), warnings: Sequence[str] = ()
) -> Prediction:
    """Predict every flow that was asked for."""
    snapshot = model.snapshot
    known = Classified(model, snapshot.pods)
    identities = find_identities(model, lambda _: True, by_address=True, classified=known)
    _check_scope(snapshot.pods, identities, wanted)
    sources = _positions(model, identities, wanted, wanted.sources)
    destinations = _positions(model, identities, wanted, wanted.destinations)
    scope = None
    if not wanted.sources and not wanted.destinations and (wanted.namespaces or wanted.selector):
        # One end in scope is enough.
        scope = frozenset(sources)
        sources = destinations = tuple(range(len(identities)))
    queries = _queries(identities, destinations, wanted)
    reach = between(known, queries)
    places = tuple(known.number[item.pods[0].namespace, item.pods[0].name] for item in identities)
    return Prediction(
        origin=origin,
        engine=model.dialect.engine,
        matrix=ReachabilityMatrix(identities, places, reach.families, reach.queries, reach.planes),
        sources=sources,
        destinations=destinations,
        queries=queries,
        all_ports=bool(wanted.ports),
        namespaces=tuple(
            sorted({pod.namespace for pod in snapshot.pods} | {item.name for item in snapshot.namespaces})
        ),
        pods=len(snapshot.pods),
        policies=len(snapshot.policies) + sum(_decides(item) for item in snapshot.objects),
        coverage=tuple(_coverage(model, known)),
        unselected=tuple(_unselected(identities)),
        excluded=tuple(_excluded(snapshot.pods)),
        unread=tuple(dict.fromkeys(spot.reason for spot in model.blind_spots)),
        findings=lint(snapshot, model),
        problems=tuple(problems),
        warnings=(*warnings, *model.notes),
        scope=scope,
        unnamed=() if wanted.ports else tuple(_unnamed(model, identities, queries)),
    )


def _positions(
    model: Model, identities: Sequence[Identity], wanted: Wanted, targets: Sequence[Target]
) -> tuple[int, ...]:
    """The identities that were asked for on one side; raises UsageError for a target that is none of them."""
    if not targets:
        return tuple(place for place, item in enumerate(identities) if _in_scope(item, wanted))
    place_of = {(pod.namespace, pod.name): place for place, item in enumerate(identities) for pod in item.pods}
    services = Services(model)
    found: set[int] = set()
    for target in targets:
        ends = target.ends if target.service is None else services.pods(target.service)
        places = {place_of.get((end.namespace, end.name)) for end in ends if isinstance(end, Pod)} - {None}
        if not places:
            raise _not_there(target)
        found |= {place for place in places if place is not None}
    return tuple(sorted(found))


def _check_scope(pods: Sequence[Pod], identities: Sequence[Identity], wanted: Wanted) -> None:
    """Raise UsageError where namespaces and labels leave nothing of an input that has pods."""
    if not pods or any(_in_scope(item, wanted) for item in identities):
        return
    asked = [f"-n {name}" for name in wanted.namespaces] + ["-l"] * (wanted.selector is not None)
    if not asked:
        return
    meant = [pod for pod in pods if not wanted.namespaces or pod.namespace in wanted.namespaces]
    if wanted.selector is not None:
        meant = [pod for pod in meant if wanted.selector.matches(pod.labels)]
    why = "no pod of these namespaces has these labels" if wanted.selector is not None else "no pod is there"
    if meant:
        reasons = sorted({_outside(pod) for pod in meant} - {""})
        why = f"the pods that are meant stand outside the matrix: they {', or '.join(reasons)}"
    elif wanted.selector is not None and not wanted.namespaces:
        why = "no pod has these labels"
    raise UsageError(
        f"no pod of the matrix is meant by {', '.join(asked)}",
        why=why,
        attempt="netaudit predict without -n and -l, which lists the workloads, or a matching label such as -l app=web",
    )


def _not_there(target: Target) -> UsageError:
    if any(isinstance(end, Address) for end in target.ends):
        why = "the matrix is of flows between pods, and of addresses it says nothing"
        attempt = f"netaudit explain, which takes {target.title} for SRC or DST"
    else:
        why = "; ".join(target.notes) or "its pods are on their node's network, or there are none"
        attempt = "netaudit predict without --from and --to, which lists the pods that stand outside the matrix"
    return UsageError(f"no pod of the matrix is meant by {target.title}", why=why, attempt=attempt)


def _decides(item: PolicyObject) -> bool:
    """Whether an object is a policy, and not a tier or a set that policies refer to."""
    known = FOREIGN_POLICIES.get(item.resource)
    return known is not None and known.decides


def _in_scope(item: Identity, wanted: Wanted) -> bool:
    chosen = not wanted.namespaces or item.namespace in wanted.namespaces
    return chosen and (wanted.selector is None or any(wanted.selector.matches(pod.labels) for pod in item.pods))


def _queries(identities: Sequence[Identity], destinations: Iterable[int], wanted: Wanted) -> tuple[Query, ...]:
    shown = [identities[place] for place in destinations]
    if wanted.ports:
        found = {query for port in wanted.ports for query in _numbers(port, shown)}
    else:
        found = {query for item in shown for query in item.asks}
    return tuple(sorted(found, key=lambda query: (query[1], query[0].value)))


def _unnamed(model: Model, identities: Iterable[Identity], queries: Iterable[Query]) -> Iterator[Query]:
    """The queries that were made up: nobody declares or names those ports."""
    declared = {(port.protocol, port.number) for item in identities for pod in item.pods for port in pod.ports}
    taken = {number for protocol, number in declared if protocol is Protocol.TCP}
    found, made_up = Unnamed(model), set[int]()
    while free := found.port({*taken, *made_up}):
        made_up |= free
    yield from (query for query in queries if query[0] is Protocol.TCP and query[1] in made_up)


def _numbers(port: tuple[Protocol, int | str], shown: Sequence[Identity]) -> Iterator[Query]:
    protocol, number = port
    if isinstance(number, int):
        yield protocol, number
        return
    for item in shown:
        for pod in item.pods:
            yield from ((protocol, p.number) for p in pod.ports if p.name == number and p.protocol is protocol)


def _coverage(model: Model, known: Classified) -> Iterator[Coverage]:
    """Per namespace and direction, how many pods policies isolate, and whether they isolate every pod there."""
    weights = [len(item.pods) for item in known.classes]
    isolated = {direction: _isolated(known.bits, model, direction) for direction in Direction}
    closed = {direction: _closed(model, known.bits.homes, direction) for direction in Direction}
    for name, bits in sorted(known.bits.homes.items()):
        for direction in Direction:
            pods, here = _weigh(bits, weights), _weigh(bits & isolated[direction], weights)
            yield Coverage(name, direction, pods, here, name in closed[direction])


def _isolating(model: Model, direction: Direction) -> Iterator[Predicate]:
    """The subjects of the sections that deny by default."""
    for section in model.all_sections():
        if section.direction is direction and section.isolates and section.tier.end is Action.DENY:
            yield section.subject


def _closed(model: Model, names: Iterable[str], direction: Direction) -> set[str]:
    """Namespaces of which a policy isolates every pod, whatever the pod is like."""
    known = {name: model.namespace(name) for name in names}
    found: set[str] = set()
    for subject in dict.fromkeys(_isolating(model, direction)):
        for part, home in homes_of(subject):
            homes = known.values() if home is None else [known[home]] if home in known else []
            found.update(item.name for item in homes if at_home(part, item) is Match.YES)
    return found


def _isolated(bits: Bits, model: Model, direction: Direction) -> int:
    found = 0
    for subject in _isolating(model, direction):
        found |= bits.answer(subject, Family.IPV4).yes
    return found


def _weigh(bits: int, weights: Sequence[int]) -> int:
    return sum(weights[number] for number in ones(bits))


def _unselected(identities: Iterable[Identity]) -> Iterator[Unselected]:
    found: Counter[tuple[str, str]] = Counter()
    for item in identities:
        if not item.isolated:
            found.update((item.namespace, str(pod.owner or Owner("Pod", pod.name))) for pod in item.pods)
    for (namespace, workload), pods in sorted(found.items()):
        yield Unselected(namespace, workload, pods)


def _excluded(pods: Iterable[Pod]) -> Iterator[Excluded]:
    found = Counter(reason for pod in pods if (reason := _outside(pod)))
    for reason, count in sorted(found.items()):
        yield Excluded(reason, count)


def _outside(pod: Pod) -> str:
    if pod.finished:
        return "have finished"
    if pod.host_network:
        return "are on their node's network, where the API leaves open what policies mean"
    return "" if pod.talks else "have no address yet"

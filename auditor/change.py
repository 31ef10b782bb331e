"""Which flows open and which close between two sets of manifests.

Pure.  Workloads are compared by name, and pods of one workload that policies tell apart one by one; a flow counts where
both ends exist on both sides, what appears or vanishes is only named.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

from auditor.evaluate.bits import ones
from auditor.evaluate.model import Model
from auditor.evaluate.reach import Classified, Reach, between
from auditor.identities import Unnamed, find_identities
from auditor.model.cluster import Owner, Pod
from auditor.model.flow import Family, Protocol, Traffic, Verdict
from auditor.model.matrix import Plane, Query
from auditor.model.prediction import Change, Difference
from auditor.model.problem import Problem
from auditor.outside import Same, outside_changes
from auditor.query import decided_by

EXPLAINED = 1_000
"""Changes of which the deciding policies are named."""
MOST_NAMES = 4
MOST_OUTSIDE = 50_000
"""Flows with addresses outside that are compared one by one."""
Key = tuple[str, str]
"""Namespace, and kind and name of the owner."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Pods of one workload that are alike before and alike after: their classes, and one pod on each side."""

    title: str
    old: int
    new: int
    before: Pod
    after: Pod


Found = tuple[Pair, Pair, Family, Query, Verdict, Verdict]


def compare_models(
    old: Model,
    new: Model,
    *,
    names: tuple[str, str],
    queries: Sequence[Query] = (),
    problems: tuple[Sequence[Problem], Sequence[Problem]] = ((), ()),
) -> Difference:
    """Say what changes from `old` to `new` for the ports that either asks about, or for `queries`."""
    one, other = Classified(old, old.snapshot.pods), Classified(new, new.snapshot.pods)
    asked = tuple(queries) or _queries(old, one, new, other)
    here, there = between(one, asked), between(other, asked)
    pairs, appeared, vanished = _pairs(old, one, new, other)
    flows = 0
    found: list[Found] = []
    for family in (item for item in here.families if item in there.families):
        fitting = [pair for pair in pairs if family in pair.before.families and family in pair.after.families]
        for query in asked:
            flows += len(fitting) ** 2 - sum(not _twins(pair) for pair in fitting)
            found += _changes(fitting, here, there, family, query)
    changes = list(_named(old, new, found))
    return Difference(
        *names,
        opened=tuple(item for item in changes if _opens(item)),
        closed=tuple(item for item in changes if _closes(item)),
        other=tuple(item for item in changes if not _opens(item) and not _closes(item)),
        appeared=appeared,
        vanished=vanished,
        flows=flows,
        problems=tuple(item for item in problems[0] if item in problems[1]),
        old_problems=tuple(item for item in problems[0] if item not in problems[1]),
        new_problems=tuple(item for item in problems[1] if item not in problems[0]),
        unnamed=() if queries else tuple(_unnamed(old, new, asked)),
    )


def _unnamed(old: Model, new: Model, asked: Iterable[Query]) -> Iterator[Query]:
    """Queries that were made up: in neither set does anybody declare or name those ports."""
    declared = {
        (port.protocol, port.number) for model in (old, new) for pod in model.snapshot.pods for port in pod.ports
    }
    free = (Unnamed(old), Unnamed(new))
    for query in asked:
        if query[0] is Protocol.TCP and query not in declared and all(query[1] in ports for ports in free):
            yield query


def with_outside(old: Model, new: Model, difference: Difference, queries: Sequence[Query] = ()) -> Difference:
    """Add the flows between pods and addresses outside to a comparison of pods."""
    one, other = Classified(old, old.snapshot.pods), Classified(new, new.snapshot.pods)
    pods = [Same(pair.title, pair.before, pair.after) for pair in _pairs(old, one, new, other)[0]]
    asked = tuple(queries) or _queries(old, one, new, other)
    found, flows = outside_changes(old, new, pods, asked, MOST_OUTSIDE)
    return replace(
        difference,
        opened=(*(item for item in found if _opens(item)), *difference.opened),
        closed=(*(item for item in found if _closes(item)), *difference.closed),
        other=(*(item for item in found if not _opens(item) and not _closes(item)), *difference.other),
        flows=difference.flows + flows,
    )


def _opens(change: Change) -> bool:
    return (change.before, change.after) == (Verdict.DENIED, Verdict.ALLOWED)


def _closes(change: Change) -> bool:
    return (change.before, change.after) == (Verdict.ALLOWED, Verdict.DENIED)


def _queries(old: Model, one: Classified, new: Model, other: Classified) -> tuple[Query, ...]:
    found = {
        query
        for model, known in ((old, one), (new, other))
        for item in find_identities(model, lambda _: True, by_address=True, classified=known)
        for query in item.asks
    }
    return tuple(sorted(found, key=lambda query: (query[1], query[0].value)))


def _workloads(model: Model) -> dict[Key, list[Pod]]:
    found: dict[Key, list[Pod]] = defaultdict(list)
    for pod in model.snapshot.pods:
        if pod.talks:
            found[pod.namespace, str(pod.owner or Owner("Pod", pod.name))].append(pod)
    return found


def _pairs(
    old: Model, one: Classified, new: Model, other: Classified
) -> tuple[list[Pair], tuple[str, ...], tuple[str, ...]]:
    """Workloads on both sides, split where policies tell their pods apart; and those on one side only."""
    before, after = _workloads(old), _workloads(new)
    pairs: list[Pair] = []
    for key in sorted(before.keys() & after.keys()):
        made = dict(_matched(before[key], after[key], one, other))
        titles = [
            f"{key[0]}/{key[1]}" + (f" ({_both_names(*both)})" if len(made) > 1 else "") for both in made.values()
        ]
        pairs += [Pair(title, *classes, *pods) for title, (classes, pods) in zip(titles, made.items(), strict=True)]
    appeared = tuple(sorted("/".join(key) for key in after.keys() - before.keys()))
    return pairs, appeared, tuple(sorted("/".join(key) for key in before.keys() - after.keys()))


def _both_names(before: Pod, after: Pod) -> str:
    return before.name if before.name == after.name else f"{before.name}, now {after.name}"


def _matched(
    before: list[Pod], after: list[Pod], one: Classified, other: Classified
) -> Iterator[tuple[tuple[int, int], tuple[Pod, Pod]]]:
    """Pods of one workload before and after: by name where names stay, and kind by kind those that are left.

    Where names change, as those of a Deployment's pods do, kinds of pods that are as many before as after are taken for
    each other in their order; else every kind is compared with every kind.
    """
    by_name = {pod.name: pod for pod in after}
    same = [(pod, by_name[pod.name]) for pod in before if pod.name in by_name]
    stayed = {pod.name for pod, _ in same}
    gone, come = ([pod for pod in pods if pod.name not in stayed] for pods in (before, after))
    for here, there in (*same, *_kinds_matched(_kinds(gone, one), _kinds(come, other))):
        yield (_class(one, here), _class(other, there)), (here, there)


def _kinds_matched(before: Sequence[Pod], after: Sequence[Pod]) -> Iterable[tuple[Pod, Pod]]:
    return zip(before, after, strict=True) if len(before) == len(after) else product(before, after)


def _kinds(pods: Iterable[Pod], known: Classified) -> list[Pod]:
    """One pod of each class, in the order of classes."""
    found = {_class(known, pod): pod for pod in pods}
    return [found[number] for number in sorted(found)]


def _class(known: Classified, pod: Pod) -> int:
    return known.number[pod.namespace, pod.name]


def _changes(pairs: Sequence[Pair], here: Reach, there: Reach, family: Family, query: Query) -> Iterator[Found]:
    """The cells of one query that differ, found by comparing rows over pairs."""
    old, new = here.planes[family, query], there.planes[family, query]
    ours, theirs = _Rows(old, [pair.old for pair in pairs]), _Rows(new, [pair.new for pair in pairs])
    for destination in pairs:
        before, after = ours.of(destination.old), theirs.of(destination.new)
        differing = (before[0] ^ after[0]) | (before[1] ^ after[1]) | (before[2] ^ after[2])
        for place in ones(differing):
            source = pairs[place]
            if source is not destination or _twins(source):
                was = old.verdict(source.old, destination.old)
                yield source, destination, family, query, was, new.verdict(source.new, destination.new)


def _twins(pair: Pair) -> bool:
    """Whether a workload has more than one pod, which may talk to each other."""
    return pair.before.owner is not None and pair.before.owner.kind != "Pod"


class _Rows:
    """Rows of a plane with one bit for each pair instead of one for each class."""

    def __init__(self, plane: Plane, classes: Sequence[int]) -> None:
        self._plane = plane
        self._spread: dict[int, int] = defaultdict(int)
        for place, number in enumerate(classes):
            self._spread[number] |= 1 << place
        self._known: dict[int, int] = {}

    def of(self, destination: int) -> tuple[int, int, int]:
        """Pairs from which a destination is ALLOWED, UNDEFINED, UNKNOWN."""
        plane = self._plane
        allowed, undefined, unknown = (
            self._row(rows[destination]) if rows is not None else 0
            for rows in (plane.allowed, plane.undefined, plane.unknown)
        )
        return allowed, undefined, unknown

    def _row(self, row: int) -> int:
        if row not in self._known:
            found = 0
            for number in ones(row):
                found |= self._spread.get(number, 0)
            self._known[row] = found
        return self._known[row]


def _named(old: Model, new: Model, found: Sequence[Found]) -> Iterator[Change]:
    """Changes with the policies that decide: after the change, or before it where nothing decides any more."""
    ordered = sorted(found, key=_order)
    for number, (source, destination, family, query, was, now) in enumerate(ordered):
        because: tuple[str, ...] = ()
        if number < EXPLAINED:
            traffic = Traffic(family, *query)
            names = (
                *_deciders(new, source.after, destination.after, traffic),
                *_deciders(old, source.before, destination.before, traffic),
            )
            because = tuple(dict.fromkeys(names))[:MOST_NAMES]
        yield Change(source.title, destination.title, family, query, was, now, because)


def _order(item: Found) -> tuple[object, ...]:
    source, destination, family, (protocol, port), *_ = item
    return source.title, destination.title, port, protocol.value, family.value


def _deciders(model: Model, source: Pod, destination: Pod, traffic: Traffic) -> list[str]:
    """Who decides a flow; between pods that are alike, one may stand for the other."""
    if source is destination:
        found = model.ruled(source, destination, traffic)
    else:
        found = model.decide(source, destination, traffic.family, traffic.port, traffic.protocol)
    return [*decided_by(found.egress), *decided_by(found.ingress)]

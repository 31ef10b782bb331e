"""What policies can see of a pod: the label keys, values, port names and addresses that some predicate mentions.

Pure.  Two pods that agree in all of these are alike to every policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from auditor.evaluate.match import both, selects
from auditor.model.cluster import Namespace
from auditor.model.rules import (
    AccountIs,
    AccountLabels,
    AllOf,
    AnyOf,
    Clause,
    EndKind,
    Everything,
    InBlock,
    InNamespace,
    IsKind,
    Match,
    NamespaceLabels,
    NodeLabels,
    Not,
    OwnNode,
    PodLabels,
    PortTerm,
    Predicate,
    Section,
    Unsure,
)

Leaf = PodLabels | AccountIs | AccountLabels | InBlock


def predicates(section: Section) -> Iterator[Predicate]:
    """The subject of a section and the peers of its clauses."""
    yield section.subject
    for clause in section.clauses:
        yield clause.peer


def port_terms(clauses: Iterable[Clause]) -> Iterator[PortTerm]:
    """Every port that clauses mention."""
    for clause in clauses:
        for ports in clause.ports:
            yield from ports.terms


def leaves(predicate: Predicate) -> Iterator[Predicate]:
    """The predicates that have no parts."""
    if isinstance(predicate, AllOf | AnyOf):
        for part in predicate.parts:
            yield from leaves(part)
    elif isinstance(predicate, Not):
        yield from leaves(predicate.part)
    elif isinstance(predicate, Unsure):
        yield from leaves(predicate.where)
    else:
        yield predicate


def homes_of(predicate: Predicate) -> Iterator[tuple[Predicate, str | None]]:
    """The alternatives of a predicate, each with the namespace of whose pods alone it can hold, if there is one."""
    if isinstance(predicate, AnyOf):
        for part in predicate.parts:
            yield from homes_of(part)
        return
    parts = predicate.parts if isinstance(predicate, AllOf) else (predicate,)
    homes = [part.name for part in parts if isinstance(part, InNamespace)]
    yield predicate, homes[0] if homes else None


def about_pods(predicate: Predicate, home: Namespace) -> Iterator[Leaf]:
    """The questions of a predicate on which the answer for a pod of `home` still depends."""
    if isinstance(predicate, PodLabels | AccountIs | AccountLabels | InBlock):
        yield predicate
    elif isinstance(predicate, AllOf | AnyOf):
        settled = Match.NO if isinstance(predicate, AllOf) else Match.YES
        if at_home(predicate, home) is not settled:
            for part in predicate.parts:
                yield from about_pods(part, home)
    elif isinstance(predicate, Not):
        yield from about_pods(predicate.part, home)
    elif isinstance(predicate, Unsure):
        yield from about_pods(predicate.where, home)


def at_home(predicate: Predicate, home: Namespace) -> Match | None:
    """The answer for every pod of a namespace, where it is the same for all; else None."""
    match predicate:
        case Everything():
            answer: Match | None = Match.YES
        case IsKind():
            answer = Match.YES if EndKind.POD in predicate.kinds else Match.NO
        case InNamespace():
            answer = Match.YES if predicate.name == home.name else Match.NO
        case NamespaceLabels():
            answer = selects(predicate.selector, home.labels, known=home.labels_known, name=home.name)
        case NodeLabels() | OwnNode():
            answer = Match.NO
        case AllOf() | AnyOf():
            answer = _joined(predicate, home)
        case Not():
            answer = _TURNED.get(at_home(predicate.part, home))
        case _:
            answer = None
    return answer


_TURNED: dict[Match | None, Match] = {
    Match.YES: Match.NO,
    Match.NO: Match.YES,
    Match.OPEN: Match.OPEN,
    Match.UNKNOWN: Match.UNKNOWN,
}


def _joined(predicate: AllOf | AnyOf, home: Namespace) -> Match | None:
    found = [at_home(part, home) for part in predicate.parts]
    settled = Match.NO if isinstance(predicate, AllOf) else Match.YES
    if settled in found:
        return settled
    if None in found:
        return None
    answer = Match.YES if isinstance(predicate, AllOf) else Match.NO
    for item in found:
        if item is not None:
            answer = both(answer, item) if isinstance(predicate, AllOf) else max(answer, item)
    return answer

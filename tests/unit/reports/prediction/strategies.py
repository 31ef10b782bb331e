"""Generated predictions: hostile text everywhere, any matrix between a few identities, any part of it asked for."""

from __future__ import annotations

from typing import TypeVar

from hypothesis import strategies as st

from auditor.model.cluster import ContainerPort, Owner, Pod
from auditor.model.flow import Direction, Family, Protocol
from auditor.model.lint import LintFinding, LintSeverity, ObjectRef
from auditor.model.matrix import Identity, Plane, Query, ReachabilityMatrix
from auditor.model.prediction import Coverage, Excluded, Prediction, Unselected
from auditor.model.problem import Effect, Problem
from tests.unit.reports.prediction.samples import ARROWS, FORMULA
from tests.unit.reports.strategies import texts as any_texts

T = TypeVar("T")
QUERIES: tuple[Query, ...] = ((Protocol.TCP, 80), (Protocol.UDP, 80), (Protocol.TCP, 443))
ADDRESSES = (("10.0.0.1",), ("10.0.0.1", "fd00::1"), ("fd00::1",))
MOST = 15
"""Identities: more than stand one by one in a table."""
texts = st.one_of(any_texts, st.sampled_from([FORMULA, ARROWS, "1. a", "@x", "+1", "-", "a,b", 'a"b', " =1"]))


@st.composite
def identities(draw: st.DrawFn, number: int) -> Identity:
    namespace, families = draw(texts), draw(st.sampled_from(ADDRESSES))
    ports = (ContainerPort("", 80),)
    members = tuple(
        Pod(namespace, f"{number}-{name}", addresses=families, ports=ports, owner=draw(st.sampled_from(OWNERS)))
        for name in draw(st.lists(texts, min_size=1, max_size=3))
    )
    asks = tuple(draw(st.lists(st.sampled_from(QUERIES), unique=True)))
    labels = tuple(sorted(draw(st.dictionaries(texts, texts, max_size=1)).items()))
    isolated = frozenset(draw(st.lists(st.sampled_from(Direction), unique=True)))
    return Identity(f"{number:012x}", namespace, labels, (), members, asks, isolated)


OWNERS = (Owner("Deployment", "web"), Owner(ARROWS, FORMULA), None)


@st.composite
def planes(draw: st.DrawFn, size: int) -> Plane:
    """Rows of which many are alike."""
    rows = st.sampled_from([0, (1 << size) - 1, 1, draw(st.integers(0, (1 << size) - 1))])
    allowed, undefined, unknown = (draw(st.lists(rows, min_size=size, max_size=size)) for _ in range(3))
    return Plane(
        allowed,
        [row & ~sure for row, sure in zip(undefined, allowed, strict=True)] if draw(st.booleans()) else None,
        unknown if draw(st.booleans()) else None,
    )


objects = st.builds(ObjectRef, kind=texts, namespace=texts, name=texts)
findings = st.builds(
    LintFinding,
    id=texts,
    severity=st.sampled_from(LintSeverity),
    object=objects,
    path=texts,
    message=texts,
    why=st.tuples(texts),
    remedy=texts,
)
problems = st.builds(
    Problem,
    effect=st.sampled_from(Effect),
    file=texts,
    line=st.none() | st.integers(1, 9),
    object=texts,
    what=texts,
    why=texts,
    attempt=texts,
)
coverages = st.builds(
    Coverage,
    namespace=texts,
    direction=st.sampled_from(Direction),
    pods=st.just(3),
    isolated=st.integers(0, 3),
    default_deny=st.booleans(),
)


def some(item: st.SearchStrategy[T]) -> st.SearchStrategy[tuple[T, ...]]:
    return st.lists(item, max_size=2).map(tuple)


@st.composite
def matrices(draw: st.DrawFn) -> ReachabilityMatrix:
    size = draw(st.integers(0, MOST))
    people = tuple(draw(identities(number)) for number in range(size))
    # Classes may stand in another order than identities, and some belong to none.
    places = tuple(draw(st.permutations(range(size + 1)))[:size])
    families = tuple(it for it in Family if any(it in person.pods[0].families for person in people))
    made = {(family, query): draw(planes(size + 1)) for family in families for query in QUERIES}
    return ReachabilityMatrix(people, places, families, QUERIES, made)


@st.composite
def predictions(draw: st.DrawFn) -> Prediction:
    matrix = draw(matrices())
    everybody = range(len(matrix.identities))
    chosen = st.lists(st.sampled_from(everybody), unique=True).map(sorted).map(tuple) if everybody else st.just(())
    wanted = st.one_of(st.just(tuple(everybody)), chosen)
    return Prediction(
        origin=draw(texts),
        engine=draw(texts),
        matrix=matrix,
        sources=draw(wanted),
        destinations=draw(wanted),
        queries=tuple(draw(st.lists(st.sampled_from(QUERIES), unique=True))),
        all_ports=draw(st.booleans()),
        namespaces=tuple(sorted({person.namespace for person in matrix.identities})),
        pods=draw(st.sampled_from([5, 5_000])),
        policies=1,
        coverage=draw(some(coverages)),
        unselected=draw(some(st.builds(Unselected, namespace=texts, workload=texts, pods=st.just(1)))),
        excluded=draw(some(st.builds(Excluded, reason=texts, pods=st.just(1)))),
        unread=draw(some(texts)),
        findings=draw(some(findings)),
        problems=draw(some(problems)),
        warnings=draw(some(texts)),
        scope=draw(st.one_of(st.none(), chosen.map(frozenset))),
        unnamed=draw(st.sampled_from([(), QUERIES[:1]])),
    )

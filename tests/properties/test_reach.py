"""All flows at once are the same flows: the bitsets of `reach` against `Model.decide`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from auditor.evaluate.model import Model
from auditor.evaluate.reach import reach
from auditor.model.cluster import Snapshot
from auditor.model.flow import Family
from auditor.model.matrix import Query
from tests.builders import Raw
from tests.properties import tally
from tests.properties.asking import TRAFFIC, few, read, read_file
from tests.strategies import clusters


def differences(snapshot: Snapshot, queries: Sequence[Query] = TRAFFIC) -> list[str]:
    """Where the bitsets and `decide` do not agree, in words."""
    model = Model(snapshot)
    found = reach(model, snapshot.pods, queries, tuple(Family))
    talking = [pod for pod in snapshot.pods if pod.talks]
    asked = [
        (source, destination, family, query)
        for source, destination in product(talking, repeat=2)
        for family, query in product(Family, queries)
        if family in source.families and family in destination.families
    ]
    tally.count("bitsets against single flows", flows=len(asked))
    wrong = []
    for source, destination, family, (protocol, port) in asked:
        one = found.verdict(source, destination, family, (protocol, port))
        other = model.decide(source, destination, family, port, protocol).verdict
        if one is not other:
            names = f"{source.namespace}/{source.name} -> {destination.namespace}/{destination.name}"
            wrong.append(
                f"{names} {family.value} {protocol.value} {port}: reach says {one.value}, decide {other.value}"
            )
    return wrong


@given(clusters(ordered=True))
def test_tiers(objects: list[Raw]) -> None:
    assert differences(read(objects)) == []


@given(clusters(ordered=True, gaps=True, max_policies=2))
def test_tiers_with_unread_namespaces(objects: list[Raw]) -> None:
    assert differences(read(objects)) == []


@given(clusters(gaps=True, files=True))
def test_planned_pods(objects: list[Raw]) -> None:
    assert differences(read_file(objects)) == []


@few
@given(clusters(max_pods=12, max_policies=8, ordered=True))
def test_many_pods(objects: list[Raw]) -> None:
    """Classes of more than one pod."""
    assert differences(read(objects), TRAFFIC[:3]) == []


@few
@given(clusters(ordered=True), st.permutations(TRAFFIC))
def test_queries_in_any_order(objects: list[Raw], queries: list[Query]) -> None:
    """No answer depends on what else is asked for."""
    snapshot = read(objects)
    model = Model(snapshot)
    together, alone = reach(model, snapshot.pods, queries), reach(model, snapshot.pods, queries[:1])
    for family in alone.families:
        assert together.planes[family, queries[0]] == alone.planes[family, queries[0]]

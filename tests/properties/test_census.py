"""Counting in sets gives what counting flow by flow gives, whatever was asked for."""

from __future__ import annotations

from collections import Counter
from itertools import product

from hypothesis import given, reject
from hypothesis import strategies as st

from auditor.census import BIT, VERDICTS, asked, cells, folded, totals
from auditor.errors import UsageError
from auditor.evaluate.model import Model
from auditor.model.flow import Family, Protocol, Verdict
from auditor.model.matrix import Query
from auditor.model.prediction import Prediction
from auditor.prediction import Wanted, foresee
from tests.builders import Raw
from tests.properties.asking import read
from tests.strategies import NAMES, clusters

wanted = st.builds(
    Wanted,
    namespaces=st.sampled_from([(), (), (NAMES[0],), tuple(NAMES[:2])]),
    ports=st.sampled_from([(), (), ((Protocol.TCP, 80),), ((Protocol.TCP, 80), (Protocol.UDP, 53))]),
)


def predicted(model: Model, asks: Wanted) -> Prediction:
    """A prediction, where there is any pod that was asked for."""
    try:
        return foresee(model, asks, origin="test")
    except UsageError:
        return reject()


def counts(prediction: Prediction, source: int, destination: int) -> bool:
    """Whether a cell was asked for, as far as the choice of ends goes."""
    scope = prediction.scope
    return scope is None or source in scope or destination in scope


@given(clusters(ordered=True), wanted)
def test_totals_are_those_of_every_pair_of_pods(objects: list[Raw], asks: Wanted) -> None:
    model = Model(read(objects))
    prediction = predicted(model, asks)
    found: dict[tuple[Family, Query], Counter[Verdict]] = {}
    identities = prediction.matrix.identities
    for i, j in product(prediction.sources, prediction.destinations):
        for family, query in product(prediction.matrix.families, prediction.queries):
            if not counts(prediction, i, j) or prediction.verdict(i, j, family, query) is None:
                continue
            tally = found.setdefault((family, query), Counter())
            for one, other in product(identities[i].pods, identities[j].pods):
                if one is not other:
                    tally[model.decide(one, other, family, query[1], query[0]).verdict] += 1

    told = {(item.family, item.query): item.pairs for item in totals(prediction, asked(prediction))}

    assert told == {key: tuple((it, tally[it]) for it in VERDICTS if tally[it]) for key, tally in found.items()}


@given(clusters(ordered=True), wanted)
def test_cells_are_the_verdicts_of_the_matrix_each_once(objects: list[Raw], asks: Wanted) -> None:
    prediction = predicted(Model(read(objects)), asks)
    found: Counter[tuple[object, ...]] = Counter()
    for item in asked(prediction):
        for source, row in zip(item.sources, cells(prediction, item), strict=True):
            found.update(
                (source, destination, item.family, item.query, cell)
                for destination, cell in zip(item.destinations, row, strict=True)
            )

    expected = {
        (i, j, family, query, BIT[verdict])
        for i, j in product(prediction.sources, prediction.destinations)
        for family, query in product(prediction.matrix.families, prediction.queries)
        if counts(prediction, i, j) and (verdict := prediction.verdict(i, j, family, query)) is not None
    }
    assert set(found.values()) <= {1}
    assert set(found) == expected


@given(clusters(ordered=True), wanted)
def test_namespaces_have_every_verdict_of_their_identities(objects: list[Raw], asks: Wanted) -> None:
    prediction = predicted(Model(read(objects)), asks)
    homes = [identity.namespace for identity in prediction.matrix.identities]
    for item in asked(prediction):
        expected: Counter[tuple[str, str]] = Counter()
        for source, row in zip(item.sources, cells(prediction, item), strict=True):
            for destination, cell in zip(item.destinations, row, strict=True):
                if source != destination or not prediction.matrix.identities[source].alone:
                    expected[homes[source], homes[destination]] |= cell

        fold = folded(prediction, item)

        assert expected == {
            (source, destination): cell
            for source, row in zip(fold.sources, fold.cells, strict=True)
            for destination, cell in zip(fold.destinations, row, strict=True)
            if source != destination or source not in fold.alone
        }

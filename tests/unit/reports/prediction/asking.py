"""What a prediction says cell by cell, to hold formats against."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

from auditor.model.flow import Family, Verdict
from auditor.model.matrix import Query
from auditor.model.prediction import Prediction


class Cell(NamedTuple):
    """One verdict between two identities, by their positions."""

    source: int
    destination: int
    family: Family
    query: Query
    verdict: Verdict


def cells(prediction: Prediction) -> Iterator[Cell]:
    """Every cell that was asked for."""
    scope = prediction.scope
    for i, j in product(prediction.sources, prediction.destinations):
        if scope is None or i in scope or j in scope:
            for family, query in product(prediction.matrix.families, prediction.queries):
                verdict = prediction.verdict(i, j, family, query)
                if verdict is not None:
                    yield Cell(i, j, family, query, verdict)

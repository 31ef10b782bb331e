"""The random clusters tell our model from dozens of wrong ones: each planted fault is seen within a fixed number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests import oracle
from tests.builders import Raw
from tests.fresh import FRESH
from tests.properties.asking import Name, model_of, questions
from tests.properties.mutants import MUTANTS, Mutant, mutated
from tests.strategies import clusters

# It tests the random clusters, which change far less often than what they test, and takes minutes of both cores.
pytestmark = pytest.mark.long
SIZE = 400
fixed = settings(
    max_examples=SIZE,
    derandomize=True,
    backend=FRESH,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
"""The same clusters in every run, whatever its profile."""


class Known(NamedTuple):
    """A cluster, and what the oracle lets be said of each flow."""

    objects: list[Raw]
    verdicts: dict[Name, list[str]]


@pytest.fixture(scope="module")
def corpus() -> list[Known]:
    found: list[Known] = []

    @fixed
    @given(st.one_of(clusters(), clusters(max_policies=2, gaps=True, ordered=True)))
    def collect(objects: list[Raw]) -> None:
        asked = questions(objects)
        found.append(Known(objects, {item.name: oracle.fitting_verdicts(objects, item.flow) for item in asked}))

    collect()
    assert len(found) == SIZE
    return found


def differences(corpus: Sequence[Known]) -> Iterator[tuple[Sequence[Raw], Name]]:
    """Flows of which the model says what the oracle does not."""
    for known in corpus:
        model = model_of(known.objects)
        for question in questions(known.objects, model.snapshot):
            said = question.ask(model).verdict.value
            if said not in known.verdicts.get(question.name, [said]):
                yield known.objects, question.name


def test_without_a_fault_nothing_is_seen(corpus: list[Known]) -> None:
    assert list(differences(corpus)) == []


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.title)
def test_fault_is_seen(corpus: list[Known], mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutant.function, "__code__", mutated(mutant))

    assert next(differences(corpus), None)

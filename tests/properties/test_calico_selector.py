"""Calico's selectors against a naive reading of their reference, and against the parser of Calico itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditor.cluster.fields import FieldError
from auditor.policy.calico_selector import parse
from tests.strategies.expressions import KEYS, VALUES, Meaning, holds, meanings, nearly, written
from tests.upstream import Program, program

LABELS = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES), max_size=3)


@st.composite
def expressions(draw: st.DrawFn) -> tuple[Meaning, str]:
    meaning = draw(meanings())
    return meaning, draw(written(meaning))


@given(expressions(), st.lists(LABELS, min_size=1, max_size=4))
def test_expression_means_what_it_says(expression: tuple[Meaning, str], several: list[dict[str, str]]) -> None:
    meaning, text = expression
    found = parse(text)
    for labels in several:
        assert holds(meaning, labels) is found.matches(labels), (text, labels)


@given(expressions(), LABELS, LABELS)
def test_only_the_keys_can_change_the_answer(
    expression: tuple[Meaning, str], labels: dict[str, str], others: dict[str, str]
) -> None:
    found = parse(expression[1])
    unasked = {key: value for key, value in others.items() if key not in found.keys}
    kept = {key: value for key, value in labels.items() if key in found.keys}

    assert found.matches(labels) is found.matches(kept | unasked)


@given(st.one_of(st.text(), nearly()))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse(text)
    except FieldError as error:
        assert str(error).startswith("position ")  # noqa: PT017  # either outcome is right


@pytest.fixture(scope="module")
def calico(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    with program("calico", tmp_path_factory.mktemp("go")) as running:
        yield running


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_calico_reads_the_same(calico: Program, data: st.DataObject) -> None:
    text = data.draw(st.one_of(nearly(), expressions().map(lambda found: found[1])))
    several = data.draw(st.lists(LABELS, min_size=1, max_size=4))
    said = calico.ask({"selector": text, "labels": several})

    if said["error"]:
        with pytest.raises(FieldError):
            parse(text)
    else:
        assert said["matches"] == [parse(text).matches(labels) for labels in several], text

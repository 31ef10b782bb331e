"""Problems of the input as lines."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.model.problem import Effect, Problem
from reports.problems import MOST, problem_lines
from tests.unit.reports.prediction.strategies import problems

ONE = Problem(Effect.REFUSED, "a.yaml", 3, "NetworkPolicy shop/p", "no list", "the API wants one", "use a dash")


@pytest.mark.parametrize(
    ("changes", "lead"),
    [
        ({}, "- a.yaml:3: NetworkPolicy shop/p: refused: no list"),
        ({"line": None}, "- a.yaml: NetworkPolicy shop/p: refused: no list"),
        ({"object": ""}, "- a.yaml:3: refused: no list"),
        ({"object": "", "file": "", "line": None, "effect": Effect.NOTED}, "- noted: no list"),
    ],
)
def test_problem_begins_with_its_place_as_far_as_it_is_known(changes: dict[str, object], lead: str) -> None:
    told = list(problem_lines([replace(ONE, **changes)], 80))  # type: ignore[arg-type]

    assert [lead, "  why: the API wants one", "  try: use a dash"] == told


def test_of_many_the_rest_is_counted() -> None:
    assert not any("more" in line for line in problem_lines([ONE] * MOST, 80))
    assert "... and 1,000 more; -o json has all of them" == list(problem_lines([ONE] * (MOST + 1_000), 80))[-1]


@given(st.lists(problems, max_size=3))
def test_lines_are_narrow_and_visible(found: list[Problem]) -> None:
    assert all(len(line) <= 60 and line.isprintable() for line in problem_lines(found, 60))

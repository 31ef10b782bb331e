"""Cilium's own policies: what was written by hand, what the model says of the live objects, and what packets do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cilium import Case
from tests.cilium_cases import CASES, SETTINGS, UNDER_SETTINGS
from tests.cluster.cluster import Cluster
from tests.cluster.fixtures import ClusterFactory
from tests.cluster.tests.cilium_stage import Stage

SHORT = frozenset(
    {
        "an empty rule isolates and allows nothing",
        "unless default deny is off",
        "what NetworkPolicy allows, Cilium's deny section denies",
        "a policy of all namespaces means all pods and nobody else",
        "everything but its own node",
    }
)
"""What every change is held against; all others take their turn in the long run."""


@pytest.fixture(scope="module")
def stage(cluster: ClusterFactory) -> Iterator[Stage]:
    yield from _stage(cluster(engine="cilium", nodes=2))


@pytest.fixture(scope="module")
def other_stage(cluster: ClusterFactory) -> Iterator[Stage]:
    """The same pods where agents have other settings."""
    mine = cluster(engine="cilium", nodes=2, settings=SETTINGS)
    yield from _stage(mine)
    mine.down()


def _stage(cluster: Cluster) -> Iterator[Stage]:
    made = Stage(cluster)
    try:
        made.set_up()
        yield made
    finally:
        made.take_down()


def test_short_list_is_of_cases() -> None:
    assert {case.name for case in CASES} >= SHORT


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES if case.name in SHORT])
def test_case(stage: Stage, case: Case) -> None:
    stage.check(case)


@pytest.mark.long
@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES if case.name not in SHORT])
def test_other_case(stage: Stage, case: Case) -> None:
    stage.check(case)


@pytest.mark.long
@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in UNDER_SETTINGS])
def test_case_under_other_settings(other_stage: Stage, case: Case) -> None:
    other_stage.check(case)

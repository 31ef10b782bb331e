"""Golden cases moved into one cluster say what they said alone, and their port names stay legal."""

from __future__ import annotations

import pytest

from auditor.evaluate.model import Model
from auditor.model.flow import Family, Protocol
from tests import model_cases
from tests.model_cases import Case, read_cases
from tests.moved_cases import batches, is_movable, moved
from tests.unit.test_model_cases import end

MOVABLE = [case for case in read_cases() if is_movable(case)]
ALL = [moved(case, f"c{number}") for number, case in enumerate(MOVABLE)]


def together(cases: list[Case]) -> Case:
    return Case("all", "side by side", tuple(item for case in cases for item in case.objects), ())


def test_moved_cases_do_not_disturb_each_other() -> None:
    """All of them in one cluster, each table holds."""
    snapshot = model_cases.snapshot_of(together(ALL))
    model = Model(snapshot)
    pods = {f"{pod.namespace}/{pod.name}": pod for pod in snapshot.pods}
    wrong = []
    for case in ALL:
        for cell in case.cells:
            if cell.engine or cell.source not in pods or cell.destination not in pods:
                continue
            flow = (pods[cell.source], pods[cell.destination], Family(cell.family), cell.port, Protocol(cell.protocol))
            said = model.decide(*flow).verdict.value
            wrong += [] if said == cell.verdict else [f"{case.name}: {cell}: {said}, not {cell.verdict}"]

    assert len(ALL) > 100
    assert wrong == []


@pytest.mark.parametrize("case", ALL, ids=[case.name for case in ALL])
def test_moved_names_are_legal(case: Case) -> None:
    names = [port.name for pod in model_cases.snapshot_of(case).pods for port in pod.ports if port.name]
    homes = {item["metadata"]["namespace"] for item in case.objects if item["kind"] != "Namespace"}

    assert all(len(name) <= 15 for name in names)
    assert len({home.partition("-")[0] for home in homes}) == 1
    assert all(end(model_cases.snapshot_of(case), cell.source) for cell in case.cells)


def test_batches_hold_every_case_once_and_no_more_pods_than_asked() -> None:
    found = batches(MOVABLE, 40)

    assert [case for batch in found for case in batch] == MOVABLE
    sizes = [
        sum(len({end for cell in case.cells for end in cell[:2] if "/" in end}) for case in batch) for batch in found
    ]
    assert all(size <= 40 for size, batch in zip(sizes, found, strict=True) if len(batch) > 1)
    assert max(sizes[:-1]) > 30

"""Every golden case: the model and an independent reading of the APIs both say what was written by hand."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import pytest

from auditor.cluster.saved import read_files
from auditor.engines import ENGINES
from auditor.evaluate.model import Model
from auditor.evaluate.reach import reach
from auditor.model.cluster import Pod, Snapshot
from auditor.model.dialect import API
from auditor.model.ends import Address
from auditor.model.flow import Family, Protocol
from auditor.model.problem import Effect
from auditor.query import Oracle
from tests import model_cases, oracle
from tests.model_cases import CaseError, Cell, Raw, read_cases

CASES = {case.name: case for case in read_cases()}
ORACLE_KNOWS = {
    "networking.k8s.io/v1 NetworkPolicy",
    "policy.networking.k8s.io/v1alpha1 AdminNetworkPolicy",
    "policy.networking.k8s.io/v1alpha1 BaselineAdminNetworkPolicy",
    "policy.networking.k8s.io/v1alpha2 ClusterNetworkPolicy",
}
OBJECTS_THAT_DECIDE_NOTHING = {"Namespace", "Node", "Pod", "Service", "ServiceAccount", "ConfigMap"}


@cache
def snapshot_of(name: str) -> Snapshot:
    return model_cases.snapshot_of(CASES[name])


def end(snapshot: Snapshot, name: str) -> Pod | Address:
    if model_cases.is_address(name):
        return Address(name)
    return next(pod for pod in snapshot.pods if f"{pod.namespace}/{pod.name}" == name)


def model_of(snapshot: Snapshot, engine: str) -> Model:
    return Model(snapshot, dialect=ENGINES[engine].ways_in(snapshot).dialect if engine else API)


def predictions(snapshot: Snapshot, cells: Sequence[Cell]) -> Iterator[tuple[Cell, str]]:
    """What the model says of each cell."""
    models = {engine: model_of(snapshot, engine) for engine in {cell.engine for cell in cells}}
    ends = {name: end(snapshot, name) for cell in cells for name in (cell.source, cell.destination)}
    for cell in cells:
        flow = (ends[cell.source], ends[cell.destination], Family(cell.family), cell.port, Protocol(cell.protocol))
        yield cell, models[cell.engine].decide(*flow).verdict.value


def read_otherwise(objects: Sequence[Raw], cell: Cell) -> str:
    """What the oracle says of a cell."""
    pods = {model_cases.end_of(item): item for item in objects if item["kind"] == "Pod"}
    ends = (pods.get(cell.source, cell.source), pods.get(cell.destination, cell.destination))
    family = {"IPv4": 4, "IPv6": 6}[cell.family]
    return oracle.verdict(objects, oracle.Flow(*ends, family, cell.port, cell.protocol))


@pytest.mark.parametrize("name", CASES)
def test_model_says_what_was_written(name: str) -> None:
    case = CASES[name]

    found = predictions(snapshot_of(name), case.cells)

    assert [f"{cell}: {said}, not {cell.verdict}" for cell, said in found if said != cell.verdict] == []


@pytest.mark.parametrize("name", CASES)
def test_matrix_says_what_was_written(name: str) -> None:
    """All flows at once, as `predict` reads them, come out as one by one."""
    case = CASES[name]
    snapshot = snapshot_of(name)
    pods = {f"{pod.namespace}/{pod.name}": pod for pod in snapshot.pods if pod.talks}
    cells = [cell for cell in case.cells if cell.source in pods and cell.destination in pods]
    wrong = []
    for engine in sorted({cell.engine for cell in cells}):
        asked = sorted({(cell.protocol, cell.port) for cell in cells if cell.engine == engine})
        queries = [(Protocol(protocol), port) for protocol, port in asked]
        found = reach(model_of(snapshot, engine), pods.values(), queries)
        for cell in (cell for cell in cells if cell.engine == engine):
            query = (Protocol(cell.protocol), cell.port)
            said = found.verdict(pods[cell.source], pods[cell.destination], Family(cell.family), query).value
            wrong += [] if said == cell.verdict else [f"{cell}: {said}, not {cell.verdict}"]
    assert wrong == []


@pytest.mark.parametrize("name", CASES)
def test_answers_say_what_was_written(name: str) -> None:
    """What `explain --batch` is asked, by name and by address, it answers alike, and it names who decided."""
    cells = CASES[name].cells
    asked = {engine: Oracle(model_of(snapshot_of(name), engine)) for engine in {cell.engine for cell in cells}}

    answers = [(cell, asked[cell.engine].answer(query(cell))) for cell in cells]

    assert [f"{cell}: {said}" for cell, said in answers if said["verdict"] != cell.verdict or "error" in said] == []
    assert [str(cell) for cell, said in answers if cell.verdict == "denied" and not said["by"]] == []


def query(cell: Cell) -> dict[str, object]:
    ends = [{"ip": name} if model_cases.is_address(name) else name for name in (cell.source, cell.destination)]
    rest = {"port": cell.port, "protocol": cell.protocol, "family": cell.family}
    return {"src": ends[0], "dst": ends[1], **rest}


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.unreadable])
def test_files_say_what_was_written(name: str) -> None:
    """Read from a file, the objects that a server would refuse are told and left out, and the rest says the same."""
    case = CASES[name]
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": case.objects}).encode()

    snapshot, problems = read_files(["-"], lambda: listed)

    assert {item.object for item in problems if item.effect is Effect.REFUSED} == case.rejected
    assert {item.object for item in problems if item.effect is Effect.INERT} == case.inert
    found = predictions(snapshot, case.cells)
    assert [f"{cell}: {said}, not {cell.verdict}" for cell, said in found if said != cell.verdict] == []


@pytest.mark.parametrize("name", CASES)
def test_oracle_says_what_was_written(name: str) -> None:
    """A dialect may settle what the API leaves open, and nothing else."""
    case = CASES[name]
    policies = {model_cases.kind_of(item) for item in case.accepted if decides(item)}
    if policies - ORACLE_KNOWS or case.unreadable:
        pytest.skip(f"the oracle does not know {', '.join(sorted(policies - ORACLE_KNOWS)) or 'what was not read'}")

    wrong = []
    for cell in case.cells:
        said = read_otherwise(case.accepted, cell)
        if said != cell.verdict and not (cell.engine and said == "undefined"):
            wrong.append(f"{cell}: {said}, not {cell.verdict}")
    assert wrong == []


def decides(item: Raw) -> bool:
    return item["kind"] not in OBJECTS_THAT_DECIDE_NOTHING


@pytest.mark.parametrize("name", CASES)
def test_every_policy_of_a_case_makes_a_difference(name: str) -> None:
    """Without any one policy some cell changes; those that are there to change nothing are said to be `idle`."""
    case = CASES[name]
    idle = set()
    for item in case.accepted:
        if decides(item):
            kept = tuple(other for other in case.objects if other is not item)
            without = model_cases.snapshot_of(case, kept)
            if not differs(without, case.cells):
                idle.add(model_cases.title_of(item))

    assert idle == set(case.idle or ())


def differs(snapshot: Snapshot, cells: Sequence[Cell]) -> bool:
    return any(said != cell.verdict for cell, said in predictions(snapshot, cells))


def write(folder: Path, text: str) -> Path:
    (folder / "case").mkdir()
    (folder / "case" / "expected.yaml").write_text(text)
    return folder


GOOD = r"""
title: A case
why: S1.
objects:
  - {kind: Pod, metadata: {name: p, namespace: n}}
tables:
  - port: 80 53/UDP
    family: IPv4 IPv6
    table: |
      from\to  n/p  192.0.2.1
      n/p      .    X
"""


def test_table_is_read_cell_by_cell(tmp_path: Path) -> None:
    (case,) = read_cases(write(tmp_path, GOOD))

    assert case.cells[0] == Cell("n/p", "n/p", "IPv4", 80, "TCP", "", "allowed")
    assert case.cells[-1] == Cell("n/p", "192.0.2.1", "IPv6", 53, "UDP", "", "denied")
    assert len(case.cells) == 8


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        ("why:", "way:"),
        ("title: A case", "title:"),
        ("why: S1.", "why:"),
        ("n/p      .", "n/q      ."),
        ("n/p      .    X", "n/p      ."),
        ("n/p      .    X", "n/p      .    Y"),
        (r"from\to", r"from\from"),
        (r"from\to", r"from\port"),
        ("  - port: 80", "  - ports: 80"),
        ("family:", "to:"),
    ],
)
def test_slip_of_the_pen_is_an_error(tmp_path: Path, written: str, instead: str) -> None:
    assert written in GOOD

    with pytest.raises((CaseError, ValueError)):
        read_cases(write(tmp_path, GOOD.replace(written, instead, 1)))

"""Golden folders: tests/cases/predictions/<name>/ holds what each format must give for a sample.

`NETAUDIT_WRITE_CASES=1 pytest tests/unit/reports` writes them anew; the difference is then read by a person.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reports.prediction import PREDICTIONS
from tests.unit.reports.prediction.samples import SAMPLES

CASES = Path(__file__).parents[3] / "cases" / "predictions"
FILES = {
    "table": "table.txt",
    "json": "prediction.json",
    "csv": "cells.csv",
    "dot": "graph.dot",
    "mermaid": "graph.mmd",
}
ALL = ("shop", "open-questions", "hostile-names")
"""Samples of which every format is kept; of the others the table alone."""
PAIRS = [(name, form) for name in SAMPLES for form in PREDICTIONS if form == "table" or name in ALL] + [
    ("namespaces", "mermaid")
]


@pytest.fixture(scope="module", autouse=True)
def _written() -> None:
    if os.environ.get("NETAUDIT_WRITE_CASES"):
        for name, form in PAIRS:
            (CASES / name).mkdir(parents=True, exist_ok=True)
            (CASES / name / FILES[form]).write_bytes(PREDICTIONS[form](SAMPLES[name]).encode())


def test_folders_hold_what_is_compared_and_nothing_else() -> None:
    found = {(path.parent.name, path.name) for path in CASES.glob("*/*")}

    assert {(name, FILES[form]) for name, form in PAIRS} == found


@pytest.mark.parametrize(("name", "form"), PAIRS)
def test_sample_gives_the_saved_text(name: str, form: str) -> None:
    # As bytes, since the lines of CSV end with CR LF.
    assert (CASES / name / FILES[form]).read_bytes().decode() == PREDICTIONS[form](SAMPLES[name])

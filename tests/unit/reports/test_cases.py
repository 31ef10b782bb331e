"""Golden folders: tests/cases/reports/<name>/ holds a report and the table that it must give.

`NETAUDIT_WRITE_CASES=1 pytest tests/unit/reports` writes them anew; the difference is then read by a person.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reports import as_json, as_table
from tests.unit.reports.samples import SAMPLES

CASES = Path(__file__).parents[2] / "cases" / "reports"


@pytest.fixture(scope="module", autouse=True)
def _written() -> None:
    if os.environ.get("NETAUDIT_WRITE_CASES"):
        for name, sample in SAMPLES.items():
            (CASES / name).mkdir(parents=True, exist_ok=True)
            (CASES / name / "report.json").write_text(as_json.render(sample))
            (CASES / name / "table.txt").write_text(as_table.render(sample))


def test_each_sample_has_its_folder() -> None:
    assert sorted(SAMPLES) == sorted(path.name for path in CASES.iterdir())


@pytest.mark.parametrize("name", SAMPLES)
def test_saved_report_is_the_sample(name: str) -> None:
    assert as_json.render(SAMPLES[name]) == (CASES / name / "report.json").read_text()


@pytest.mark.parametrize("name", SAMPLES)
def test_saved_report_gives_the_saved_table(name: str) -> None:
    saved = as_json.parse((CASES / name / "report.json").read_text())

    assert (CASES / name / "table.txt").read_text() == as_table.render(saved)

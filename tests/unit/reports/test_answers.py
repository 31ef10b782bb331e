"""Golden folders: tests/cases/answers/<name>/ holds what an explanation or a difference must look like.

`NETAUDIT_WRITE_CASES=1 pytest tests/unit/reports` writes them anew; the difference is then read by a person.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reports import difference, explanation
from tests.unit.reports.answers import DIFFERENCES, EXPLAINED

CASES = Path(__file__).parents[2] / "cases" / "answers"
TEXTS = {(name, "table.txt"): explanation.render_table(item) for name, item in EXPLAINED.items()}
TEXTS |= {(name, "answer.json"): explanation.render_json(item) for name, item in EXPLAINED.items()}
TEXTS |= {(name, "table.txt"): difference.render_table(item) for name, item in DIFFERENCES.items()}
TEXTS |= {(name, "answer.json"): difference.render_json(item) for name, item in DIFFERENCES.items()}


@pytest.fixture(scope="module", autouse=True)
def _written() -> None:
    if os.environ.get("NETAUDIT_WRITE_CASES"):
        for (name, file), text in TEXTS.items():
            (CASES / name).mkdir(parents=True, exist_ok=True)
            (CASES / name / file).write_text(text)


def test_folders_hold_what_is_compared_and_nothing_else() -> None:
    assert set(TEXTS) == {(path.parent.name, path.name) for path in CASES.glob("*/*")}


@pytest.mark.parametrize(("name", "file"), TEXTS)
def test_answer_gives_the_saved_text(name: str, file: str) -> None:
    assert (CASES / name / file).read_text() == TEXTS[name, file]


@pytest.mark.parametrize(("name", "file"), TEXTS)
def test_every_line_is_visible_and_narrow(name: str, file: str) -> None:
    lines = TEXTS[name, file].splitlines()

    assert all(line.isprintable() for line in lines)
    assert file == "answer.json" or all(len(line) <= 120 for line in lines)

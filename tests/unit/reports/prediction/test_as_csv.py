"""CSV: read back it is the matrix, and no spreadsheet takes a cell of it for a formula."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest
from hypothesis import given

from auditor.errors import UsageError
from auditor.model.prediction import Prediction
from reports.plain import plain
from reports.prediction import as_csv
from reports.prediction.as_csv import HEAD, cell, render
from tests.unit.reports.prediction.asking import cells
from tests.unit.reports.prediction.samples import shop
from tests.unit.reports.prediction.strategies import predictions


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


@given(predictions())
def test_lines_are_the_cells_of_the_matrix(prediction: Prediction) -> None:
    head, *lines = read(render(prediction))

    identities = prediction.matrix.identities
    expected = [
        [
            identities[item.source].id,
            cell(identities[item.source].title),
            identities[item.destination].id,
            cell(identities[item.destination].title),
            item.family.value,
            item.query[0].value,
            str(item.query[1]),
            item.verdict.value,
        ]
        for item in cells(prediction)
        if item.source != item.destination or not identities[item.source].alone
    ]
    assert list(HEAD) == head
    assert sorted(expected) == sorted(lines)


@given(predictions())
def test_no_cell_begins_like_a_formula(prediction: Prediction) -> None:
    found = {text.lstrip()[:1] for line in read(render(prediction)) for text in line}

    assert not found & set("=+-@")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("shop/web", "shop/web"),
        ("=1+1", "'=1+1"),
        (" =1+1", "' =1+1"),
        ("@a", "'@a"),
        ("-1", "'-1"),
        ("+1", "'+1"),
        ("\t=1", r"\t=1"),
    ],
)
def test_only_what_looks_like_a_formula_is_marked(text: str, shown: str) -> None:
    assert shown == cell(text)


def test_cells_are_plain() -> None:
    assert plain("a\x1b[2J\nb") == cell("a\x1b[2J\nb")


def test_lines_end_as_the_standard_says() -> None:
    text = render(shop())

    assert text.count("\r\n") == text.count("\n") == len(read(text))


def test_lines_follow_the_order_of_ports_then_sources_then_destinations() -> None:
    lines = read(render(shop()))[1:]

    assert lines == sorted(lines, key=lambda line: (int(line[6]), line[5], line[4], line[1], line[3]))


def test_more_lines_than_a_file_should_have_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = render(shop()).count("\n") - 1
    monkeypatch.setattr(as_csv, "MOST", lines)
    assert render(shop())

    monkeypatch.setattr(as_csv, "MOST", lines - 1)
    with pytest.raises(UsageError, match=f"too many verdicts for CSV: {lines}"):
        render(shop())


def test_single_pod_and_itself_have_no_line() -> None:
    """As if it had a twin that policies keep it from, though it reaches itself."""
    pairs = {(line[1], line[3]) for line in read(render(shop()))[1:]}

    assert ("shop/db", "shop/db") in pairs
    assert not {("shop/api", "shop/api"), ("ops/console", "ops/console")} & pairs


def test_nothing_asked_gives_the_head_alone() -> None:
    assert [list(HEAD)] == read(render(replace(shop(), queries=())))

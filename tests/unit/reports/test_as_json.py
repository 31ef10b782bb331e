"""report.json: nothing is lost on the way out and back, and what is not a report is turned away with a reason."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given

from auditor.errors import NetauditError
from auditor.model.report import AuditReport
from reports.as_json import parse, render
from tests.unit.reports import strategies
from tests.unit.reports.samples import SAMPLES, clean


@given(strategies.reports)
def test_parse_gives_back_what_render_wrote(report: AuditReport) -> None:
    assert report == parse(render(report))


@given(strategies.reports)
def test_text_is_ascii_on_lines_of_their_own(report: AuditReport) -> None:
    text = render(report)

    assert text.isascii()
    assert text.replace("\n", "").isprintable()
    assert text.endswith("}\n")


def test_half_characters_become_question_marks_instead_of_ending_the_run() -> None:
    report = replace(clean(), warnings=["before \ud800 after"])

    assert ["before ? after"] == parse(render(report)).warnings


def test_labels_are_sorted() -> None:
    first = replace(clean().identities[0], labels={"b": "1", "a": "2"})

    text = render(replace(clean(), identities=[first]))

    assert text.index('"a": "2"') < text.index('"b": "1"')


def test_fields_of_a_later_version_are_ignored() -> None:
    document = json.loads(render(clean()))
    document["score"] = 10
    document["flows"][0]["bytes"] = 4

    assert clean() == parse(json.dumps(document))


def test_lists_that_came_later_may_be_missing() -> None:
    document = json.loads(render(clean()))
    del document["leftovers"]

    assert clean() == parse(json.dumps(document))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not valid JSON"),
        ('{"schema": "netaudit.report/1", ', "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ('"\ud800"', "not valid JSON"),
        ("[]", "names no schema"),
        ('{"schema": 1}', "names no schema"),
        ('{"kind": "List"}', "names no schema"),
        ('{"schema": "netaudit.snapshot/1"}', "its schema is netaudit.snapshot/1"),
        ('{"schema": "netaudit.report/2"}', "knows versions up to netaudit.report/1"),
        ('{"schema": "netaudit.report/99999999999999999999"}', "knows versions up to netaudit.report/1"),
        ('{"schema": "netaudit.report/x"}', "which no version of netaudit writes"),
        ('{"schema": "netaudit.report/0"}', "which no version of netaudit writes"),
        ('{"schema": "netaudit.report/1"}', "missing required field"),
        ('{"schema": "\\u001b[2J/1"}', r"its schema is \x1b[2J/1"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_what_is_not_a_report_is_refused_with_what_why_and_try(text: str, why: str) -> None:
    with pytest.raises(NetauditError) as caught:
        parse(text)

    assert "cannot read the report" == caught.value.what
    assert why in caught.value.why
    assert caught.value.attempt
    assert str(caught.value).replace("\n", "").isprintable()


def test_wrong_type_names_the_field() -> None:
    document = json.loads(render(clean()))
    document["summary"]["leaks"] = "none"

    with pytest.raises(NetauditError, match=r"\$\.summary\.leaks"):
        parse(json.dumps(document))


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_samples_round_trip(sample: AuditReport) -> None:
    assert sample == parse(render(sample))

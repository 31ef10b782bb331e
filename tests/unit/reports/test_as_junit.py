"""JUnit XML: what is wrong fails, what is not known is never passed, and every reader of XML takes it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from hypothesis import given

from auditor.model.report import AuditReport
from reports.as_junit import render
from tests.unit.reports import strategies
from tests.unit.reports.samples import SAMPLES, clean, every_agreement, hostile_names, incomplete, nothing_tested


def suites(report: AuditReport) -> dict[str, ET.Element]:
    root = ET.fromstring(render(report))  # noqa: S314  # our own text
    return {str(suite.get("name")): suite for suite in root}


def outcomes(suite: ET.Element) -> list[str]:
    return sorted(part.tag for case in suite for part in case)


def test_flows_fail_where_packets_and_policies_differ() -> None:
    report = every_agreement()
    found = suites(report)
    summary = report.summary

    assert len(found["flows"]) == summary.planned
    assert outcomes(found["flows"]).count("failure") == summary.leaks + summary.blockages
    assert outcomes(found["flows"]).count("skipped") == summary.inconclusive
    assert outcomes(found["findings"]) == ["failure"] * summary.findings


@pytest.mark.parametrize("name", SAMPLES)
def test_success_is_said_where_the_exit_code_says_it(name: str) -> None:
    root = ET.fromstring(render(SAMPLES[name]))  # noqa: S314  # our own text
    failed = int(str(root.get("failures"))) + int(str(root.get("errors")))

    assert (failed == 0) == (SAMPLES[name].summary.exit_code == 0)


@pytest.mark.parametrize("report", [incomplete(), nothing_tested()], ids=["incomplete", "nothing tested"])
def test_an_audit_that_is_not_complete_has_an_error(report: AuditReport) -> None:
    [error] = suites(report)["audit"].iter("error")

    assert error.get("message") == report.summary.sentence


def test_gaps_alone_are_an_error() -> None:
    report = clean()
    report = replace(report, summary=replace(report.summary, gaps=["one list was refused"]))

    assert outcomes(suites(report)["audit"]) == ["error"]


def test_hostile_names_stay_text() -> None:
    text = render(hostile_names())

    assert len(suites(hostile_names())["flows"]) == len(hostile_names().flows)
    assert all(char.isprintable() or char == "\n" for char in text)


@given(strategies.reports)
def test_numbers_are_those_of_the_cases(report: AuditReport) -> None:
    root = ET.fromstring(render(report))  # noqa: S314  # our own text

    for part in (root, *root):
        cases = list(part.iter("testcase"))
        assert int(str(part.get("tests"))) == len(cases)
        for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(str(part.get(attribute))) == sum(case.find(tag) is not None for case in cases)

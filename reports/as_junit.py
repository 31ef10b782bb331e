"""`-o junit`: flows, findings and expectations as test cases in JUnit XML, which every CI shows beside a change.

A leak or blockage is a failure; what gave no proof either way is skipped, with the reason; an audit that is not
complete has an error of its own, so that it never looks like success.  The dialect is that of Ant's JUnit task, as
Jenkins and GitLab read it: testsuites, testsuite, testcase, failure, error, skipped.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass

from auditor.model.report import AuditReport
from reports import words
from reports.expectations import expected_rows
from reports.flows import flow_rows
from reports.plain import plain
from reports.view import View, view
from reports.words import Sign

_FAILURES = frozenset({words.LEAK.key, words.BLOCKAGE.key})
_PASSED = frozenset({words.AS_EXPECTED.key, words.LATE.key})
FAILURE, ERROR, SKIPPED = "failure", "error", "skipped"


@dataclass(frozen=True, slots=True)
class _Case:
    """One test case; `kind` is how it did not pass, empty where it did."""

    about: str
    name: str
    kind: str = ""
    word: str = ""
    message: str = ""
    text: str = ""


def render(report: AuditReport) -> str:
    """Write the document."""
    shown = view(report)
    suites = {
        "audit": [_whole(report)],
        "findings": list(_findings(shown)),
        "expectations": list(_expectations(report)),
        "flows": list(_flows(report)),
    }
    root = ET.Element("testsuites", _counts("netaudit", [case for cases in suites.values() for case in cases], report))
    for name, cases in suites.items():
        if cases:
            _suite(root, name, cases, report)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _counts(name: str, cases: list[_Case], report: AuditReport) -> dict[str, str]:
    return {
        "name": plain(name),
        "tests": str(len(cases)),
        "failures": str(sum(case.kind == FAILURE for case in cases)),
        "errors": str(sum(case.kind == ERROR for case in cases)),
        "skipped": str(sum(case.kind == SKIPPED for case in cases)),
        "time": f"{report.run.seconds:g}",
        "timestamp": plain(report.run.started),
    }


def _suite(root: ET.Element, name: str, cases: list[_Case], report: AuditReport) -> None:
    suite = ET.SubElement(root, "testsuite", _counts(name, cases, report))
    for case in cases:
        entry = ET.SubElement(suite, "testcase", classname=plain(case.about), name=plain(case.name), time="0")
        if case.kind:
            told = {"message": plain(case.message)} if case.kind == SKIPPED else _told(case)
            ET.SubElement(entry, case.kind, told).text = plain(case.text) or None


def _told(case: _Case) -> dict[str, str]:
    return {"type": plain(case.word), "message": plain(case.message)}


def _whole(report: AuditReport) -> _Case:
    """Whether the audit can be relied on at all; a CI that only counts failures must see when it cannot."""
    summary, about = report.summary, report.cluster.context or "cluster"
    name = "the audit is complete"
    if summary.gaps or not summary.judged or summary.coverage < summary.min_coverage:
        return _Case(about, name, ERROR, "incomplete", summary.sentence, "; ".join(summary.gaps))
    return _Case(about, name)


def _findings(shown: View) -> Iterable[_Case]:
    for cause in shown.causes:
        for found in cause.findings:
            entry = found.entry
            text = f"{entry.cause}; {entry.remedy}; {'; '.join(entry.evidence)}"
            yield _Case(entry.rule, f"{entry.title} ({entry.id})", FAILURE, entry.severity, entry.title, text)


def _expectations(report: AuditReport) -> Iterable[_Case]:
    for row in expected_rows(report.expectations):
        name = f"{row.title} ({row.entry.place})"
        yield _Case("expectation", name, _kind(row.sign), row.sign.word, row.because)


def _flows(report: AuditReport) -> Iterable[_Case]:
    for row in flow_rows(report):
        about = f"{row.source} to {row.destination}"
        name = f"{row.port}: {row.predicted} (flow {row.entry.id})"
        message = f"predicted {row.predicted}, measured {row.measured}: {row.reason}"
        yield _Case(about, name, _kind(row.sign), row.sign.word, message, f"{row.decided_by}; {row.tries}")


def _kind(sign: Sign) -> str:
    if sign.key in _PASSED:
        return ""
    return FAILURE if sign.key in _FAILURES else SKIPPED

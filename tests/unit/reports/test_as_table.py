"""The table on a terminal: the answer first, all that matters in it, and never wider than the terminal."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.model.report import AuditReport, SkipEntry
from reports.as_table import FLOW_ROWS, ROWS, WIDTH, render, render_width
from reports.columns import MIN_WIDTH
from reports.plain import plain
from tests.unit.reports import strategies
from tests.unit.reports.samples import (
    SAMPLES,
    clean,
    every_agreement,
    incomplete,
    many,
    nothing_enforced,
    one_node_leaking,
)

PAINT = re.compile(r"\x1b\[[0-9;]*m")
SECTION = re.compile(
    r"^(What to do|Findings|Flows not as predicted|Not tested|Namespaces|Policies|Nodes|Limits|Method)", re.MULTILINE
)


def words(text: str) -> str:
    """The text without line breaks, so that wrapping does not matter."""
    return " ".join(text.split())


@given(strategies.reports, st.integers(0, 200))
def test_lines_fit_the_terminal_and_hold_nothing_but_visible_characters(report: AuditReport, width: int) -> None:
    lines = render_width(report, width, color=False).splitlines()

    assert all(len(line) <= max(width, MIN_WIDTH) and line.isprintable() for line in lines)


@given(strategies.reports)
def test_color_adds_paint_and_nothing_else(report: AuditReport) -> None:
    painted = render_width(report, 100, color=True)

    assert render_width(report, 100, color=False) == "\n".join(
        line.rstrip() for line in PAINT.sub("", painted).split("\n")
    )


def test_verdict_sentence_comes_first_then_the_counts_then_what_to_do() -> None:
    first, second, _, empty, third = render(one_node_leaking()).splitlines()[:5]

    assert "! Policies are not enforced as written: 5 leaks, 0 blockages." == first
    assert second.startswith("20 flows planned, 20 judged (100%)")
    assert ("", "What to do") == (empty, third)


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_sections_keep_their_order(sample: AuditReport) -> None:
    order = [
        "What to do",
        "Findings",
        "Flows not as predicted",
        "Not tested",
        "Namespaces",
        "Policies",
        "Nodes",
        "Limits",
        "Method",
    ]
    found = [match[1] for match in SECTION.finditer(render(sample))]

    assert found == [title for title in order if title in found]
    assert {"What to do", "Not tested", "Policies", "Nodes", "Limits", "Method"} <= set(found)


def test_each_leak_is_named_with_its_policy() -> None:
    text = render_width(nothing_enforced(), 160, color=False)

    for flow in nothing_enforced().flows:
        if flow.agreement == "leak":
            port, policy = f"TCP {flow.port}", flow.policies[0]
            line = rf"^! leak +.*{flow.destination_identity} on n\d +{port} +{policy} \(Ingress\)$"
            assert re.search(line, text, re.MULTILINE)


def test_finding_tells_severity_confidence_policy_cause_and_remedy() -> None:
    text = words(render(one_node_leaking()))

    for finding in one_node_leaking().findings:
        assert f"HIGH (confirmed) {finding.title}" in text
        assert f"policy {finding.policies[0]}" in text
        assert f"cause {finding.cause} remedy {finding.remedy}" in text
        assert f"id {finding.id}" in text


def test_cause_is_told_once_for_all_its_findings() -> None:
    assert 1 == words(render(one_node_leaking())).count("Pods on node n2 are not policed")


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_everything_that_was_not_tested_is_in_the_table(sample: AuditReport) -> None:
    # Wide enough for every reason to stand on one line.
    text = render_width(sample, 1_000, color=False)

    for skip in sample.skipped:
        assert plain(skip.what) in text
        assert plain(skip.reason) in text
    for claim in sample.policies:
        assert plain(claim.reason) in text
    for sentence in (*sample.limits, *sample.warnings, *sample.leftovers):
        assert plain(sentence) in text


def test_clean_audit_claims_no_more_than_it_measured() -> None:
    text = render(clean())

    assert text.startswith("✓ All 20 judged flows")
    assert "Findings" not in text
    assert "addresses of Services" in text


def test_leftovers_and_warnings_have_sections_of_their_own() -> None:
    text = render(incomplete())

    assert "\nWarnings\n- networkpolicies in namespace payments" in text
    assert "\nLeft in the cluster\n- Pod staging/netaudit-r1-frontend-n1" in text


def test_matrix_that_does_not_fit_says_where_it_is() -> None:
    assert "-o html=FILE shows it" in words(render_width(every_agreement(), 50, color=False))
    assert "-o html=FILE" not in render_width(every_agreement(), WIDTH, color=False)


@pytest.mark.parametrize(
    ("audit", "text"),
    [
        (replace(clean(), skipped=[SkipEntry(f"s{n}", "why", 0) for n in range(ROWS + 7)]), "and 7 more rows"),
        (replace(clean(), policies=clean().policies * ROWS), f"and {ROWS} more rows"),
        (
            replace(clean(), flows=[replace(nothing_enforced().flows[5], id=n) for n in range(FLOW_ROWS + 1)]),
            "1 more flows",
        ),
        (replace(one_node_leaking(), findings=one_node_leaking().findings * ROWS), "more findings of this cause"),
    ],
    ids=["gaps", "claims", "flows", "findings"],
)
def test_rows_that_are_left_out_are_counted(audit: AuditReport, text: str) -> None:
    assert text in words(render(audit))
    assert "-o json has all of them" in words(render(audit))


def test_large_report_stays_readable() -> None:
    assert len(render(many(58)).splitlines()) < 1_000

"""A flow as a row: both ends with their nodes, what decided, how often and how long."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from auditor.model.report import AuditReport, FlowEntry
from reports.flows import FlowRow, flow_rows
from tests.unit.reports import strategies
from tests.unit.reports.builders import report
from tests.unit.reports.samples import every_agreement

FLOW = report().flows[0]


def row(flow: FlowEntry) -> FlowRow:
    [only] = flow_rows(replace(report(), flows=[flow]))
    return only


@given(strategies.reports)
def test_each_flow_is_one_row_and_the_worst_come_first(report: AuditReport) -> None:
    rows = flow_rows(report)

    assert sorted(flow.id for flow in report.flows) == sorted(one.entry.id for one in rows)
    assert [one.sign.rank for one in rows] == sorted(one.sign.rank for one in rows)


@given(strategies.reports)
def test_order_does_not_depend_on_the_order_in_the_report(report: AuditReport) -> None:
    unique = list({flow.id: flow for flow in report.flows}.values())

    assert flow_rows(replace(report, flows=unique)) == flow_rows(replace(report, flows=unique[::-1]))


def test_first_rows_are_those_that_need_a_reader() -> None:
    rows = flow_rows(every_agreement())

    assert ["leak", "blockage", "inconclusive", "late", "expected"] == [one.sign.key for one in rows[:5]]


def test_ends_say_where_their_probe_pods_stood() -> None:
    shown = row(replace(FLOW, source="control-n1", source_identity="control"))

    assert "any other pod (control) on n1" == str(shown.source)
    assert "admin/console on n1" == str(shown.destination)


def test_end_without_a_known_probe_pod_names_no_node() -> None:
    assert "staging/backend" == str(row(replace(FLOW, source="gone", source_identity="staging/backend")).source)


@pytest.mark.parametrize(("family", "port"), [("IPv4", "TCP 8080"), ("IPv6", "TCP 8080 IPv6")])
def test_port_names_the_family_unless_it_is_the_usual_one(family: str, port: str) -> None:
    assert port == row(replace(FLOW, family=family)).port


@pytest.mark.parametrize(
    ("verdict", "policies", "directions", "text"),
    [
        ("allowed", [], [], "no policy denies it"),
        ("undefined", [], [], "the API leaves it open"),
        ("unknown", [], [], "not modelled, or not readable"),
        ("denied", [], [], "policies not named"),
        ("of-a-later-version", [], [], "policies not named"),
        ("denied", [], ["Ingress"], "policies not named (Ingress)"),
        ("denied", ["b/y", "a/x"], ["Ingress", "Egress"], "a/x, b/y (Egress and Ingress)"),
        ("denied", ["a/x"], [], "a/x"),
    ],
)
def test_row_says_what_decides(verdict: str, policies: list[str], directions: list[str], text: str) -> None:
    assert text == row(replace(FLOW, verdict=verdict, policies=policies, denied_by=directions)).decided_by


@pytest.mark.parametrize(
    ("tries", "milliseconds", "settled", "text"),
    [
        (1, 3, 0.0, "1 try, 3 ms"),
        (3, 1000, 0.0, "3 tries, 1,000 ms"),
        (0, -1, 0.0, "0 tries"),
        (2, 0, 3.25, "2 tries, 0 ms, right after 3.2 s"),
    ],
)
def test_row_says_how_often_and_how_long(tries: int, milliseconds: int, settled: float, text: str) -> None:
    flow = replace(FLOW, tries=tries, milliseconds=milliseconds, settled_after_seconds=settled)

    assert text == row(flow).tries

"""What the script looks up is what the view computed, small and harmless."""

from __future__ import annotations

import json
import re

from hypothesis import given

from auditor.model.report import AuditReport
from reports import payload as module
from reports.payload import FIELDS, flow_texts, payload
from reports.plain import plain
from reports.view import view
from tests.unit.reports import strategies
from tests.unit.reports.samples import every_agreement, many


@given(strategies.reports)
def test_flows_read_back_as_the_view_has_them(report: AuditReport) -> None:
    shown = view(report)
    data = payload(shown)

    for row, (sign, source, destination, *pointers) in zip(shown.flows, data["flows"], strict=True):
        texts = flow_texts(row)
        assert [plain(texts[field]) for field in FIELDS] == [data["strings"][pointer] for pointer in pointers]
        assert (row.sign.key, row.sign.glyph) == (data["signs"][sign]["key"], data["signs"][sign]["glyph"])
        assert shown.pods.place[row.entry.source_identity] == source
        assert shown.pods.place[row.entry.destination_identity] == destination


@given(strategies.reports)
def test_planes_unpack_to_the_matrix(report: AuditReport) -> None:
    shown = view(report)
    data = payload(shown)

    assert [plane.cells for plane in shown.pods.planes] == [
        re.sub(r"(\d+)(\D)", lambda run: run[2] * int(run[1]), plane["cells"]) for plane in data["planes"]
    ]
    assert len(data["codes"]) <= len(data["signs"])


@given(strategies.reports)
def test_every_text_is_plain(report: AuditReport) -> None:
    def texts(value: object) -> list[str]:
        if isinstance(value, dict):
            return [text for item in value.values() for text in texts(item)]
        if isinstance(value, (list, tuple)):
            return [text for item in value for text in texts(item)]
        return [value] if isinstance(value, str) else []

    assert all(text == plain(text) for text in texts(payload(view(report))))


def test_groups_begin_where_the_namespace_changes() -> None:
    data = payload(view(every_agreement()))

    assert ["admin/console", "staging/backend", "staging/db", "staging/frontend", "any other pod (control)"] == data[
        "axis"
    ]
    assert [1, 4] == data["groups"]


def test_flows_beyond_the_limit_are_the_least_important_ones() -> None:
    shown = view(every_agreement())
    limit, module.FLOWS = module.FLOWS, 4
    try:
        kept = payload(shown)
    finally:
        module.FLOWS = limit

    assert ["leak", "blockage", "inconclusive", "late"] == [kept["signs"][row[0]]["key"] for row in kept["flows"]]


def test_flow_costs_few_bytes() -> None:
    data = payload(view(many(40)))

    assert len(json.dumps(data["flows"], separators=(",", ":"))) < 40 * len(data["flows"])

"""Both matrices hold every flow once, show the worst of each cell, and keep controls in a row of their own."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.model.report import AuditReport, FlowEntry
from reports import heatmap, words
from reports.heatmap import CODES, CONTROL_TITLE, namespace_matrix, pack, pod_matrix
from reports.words import CELL_SIGNS, Sign
from tests.unit.reports import strategies
from tests.unit.reports.builders import Who, as_predicted, everything_reached, no_answer, report
from tests.unit.reports.samples import every_agreement, many


def between(report: AuditReport, source: str, destination: str) -> Sign:
    matrix = pod_matrix(report)
    titles = [axis.title for axis in matrix.axis]
    return matrix.rows()[titles.index(source)][titles.index(destination)]


@given(strategies.reports)
def test_namespace_cells_count_each_flow_once(report: AuditReport) -> None:
    counted: Counter[str] = Counter()
    for cell in itertools.chain.from_iterable(namespace_matrix(report).rows):
        counted.update({count.sign.key: count.flows for count in cell.counts})

    assert Counter(words.agreement_of(flow).key for flow in report.flows) == counted


@given(strategies.reports)
def test_namespace_cell_shows_its_worst_result(report: AuditReport) -> None:
    for cell in itertools.chain.from_iterable(namespace_matrix(report).rows):
        assert all(cell.sign.rank <= count.sign.rank for count in cell.counts)
        assert (cell.sign is words.NOT_TESTED) == (cell.flows == 0)


@given(strategies.reports)
def test_pod_cell_is_tested_exactly_where_a_flow_is(report: AuditReport) -> None:
    matrix = pod_matrix(report)
    size = len(matrix.axis)
    pairs = {
        matrix.place[flow.source_identity] * size + matrix.place[flow.destination_identity] for flow in report.flows
    }

    assert pairs == {cell for cell, code in enumerate(matrix.planes[0].cells) if code != "."}


@given(strategies.reports)
def test_folded_plane_is_the_worst_of_the_ports(report: AuditReport) -> None:
    folded, *ports = pod_matrix(report).planes
    for cell, code in enumerate(folded.cells):
        codes = {plane.cells[cell] for plane in ports} - {"."}
        if codes <= {"R", "N", "S"} and len(codes) > 1:
            assert code == "S"
        else:
            assert code == min(codes, key=CODES.index, default=".")


@given(strategies.reports)
def test_planes_have_the_size_of_the_matrix_and_labels_of_their_own(report: AuditReport) -> None:
    matrix = pod_matrix(report)
    labels = [plane.label for plane in matrix.planes]

    assert all(len(plane.cells) == len(matrix.axis) ** 2 for plane in matrix.planes)
    assert labels[0] == heatmap.ALL_PORTS
    assert len(labels) - 1 == len({(flow.protocol, flow.port) for flow in report.flows})


@given(st.text(CODES, max_size=300))
def test_packing_can_be_undone(cells: str) -> None:
    unpacked = re.sub(r"(\d+)(\D)", lambda run: run[2] * int(run[1]), pack(cells))

    assert cells == unpacked
    assert len(pack(cells)) <= len(cells)


def test_thousand_by_thousand_pack_small_when_they_form_blocks() -> None:
    row = "N" * 400 + "R" * 50 + "." * 550

    assert len(pack(row * 1000)) < 15_000


@pytest.mark.parametrize(
    ("source", "destination", "sign"),
    [
        ("staging/backend", "staging/db", words.REACHED),
        ("staging/frontend", "staging/db", words.NOT_REACHED),
        ("staging/db", "staging/db", words.NOT_TESTED),
        ("staging/db", "admin/console", words.BLOCKAGE),
        ("staging/frontend", "admin/console", words.LATE),
        ("staging/backend", "admin/console", words.INCONCLUSIVE),
        ("admin/console", "staging/backend", words.LEAK),
        (CONTROL_TITLE, "staging/db", words.NOT_REACHED),
        ("staging/db", CONTROL_TITLE, words.NOT_TESTED),
    ],
)
def test_cell_says(source: str, destination: str, sign: Sign) -> None:
    assert sign == between(every_agreement(), source, destination)


def test_reached_on_one_port_and_not_on_another_is_some_reached() -> None:
    base = report()
    second = [replace(flow, id=100 + flow.id, port=9, outcome="silent") for flow in base.flows]

    both = replace(base, flows=[*base.flows, *second])

    assert words.SOME_REACHED == between(both, "staging/backend", "staging/db")
    assert ["all ports", "TCP 9", "TCP 80", "TCP 5432", "TCP 8080"] == [
        plane.label for plane in pod_matrix(both).planes
    ]


def test_controls_share_one_row_and_column_at_the_end_of_both_matrices() -> None:
    base = report()
    second = replace(base.identities[-1], id="control-2", namespace="netaudit-ctl-2")
    flows = [*base.flows, replace(base.flows[0], id=99, source_identity="control-2")]
    several = replace(base, identities=[second, *base.identities], flows=flows)

    namespaces, pods = namespace_matrix(several), pod_matrix(several)

    assert ["admin", "staging", CONTROL_TITLE] == [axis.title for axis in namespaces.axis]
    assert [False, False, True] == [axis.control for axis in namespaces.axis]
    assert 2 == namespaces.axis[-1].identities
    assert [False] * 4 + [True] == [axis.control for axis in pods.axis]
    assert pods.place["control"] == pods.place["control-2"] == 4


def test_flow_without_identity_belongs_to_the_control() -> None:
    base = report()
    flows = [replace(flow, source_identity=flow.source_identity.replace("control", "")) for flow in base.flows]

    assert namespace_matrix(base).rows == namespace_matrix(replace(base, flows=flows)).rows
    assert pod_matrix(base).planes == pod_matrix(replace(base, flows=flows)).planes


def test_namespace_that_is_called_like_the_control_keeps_a_row_of_its_own() -> None:
    matrix = namespace_matrix(report((Who(CONTROL_TITLE, "impostor", ("n1",), 80, ""),)))

    assert [(CONTROL_TITLE, False), (CONTROL_TITLE, True)] == [(axis.title, axis.control) for axis in matrix.axis]


def test_identity_that_only_flows_name_gets_a_row() -> None:
    base = report()
    foreign = replace(base.flows[0], source_identity="gone")

    assert "gone" in [axis.title for axis in pod_matrix(replace(base, flows=[foreign])).axis]


def test_identity_without_flows_keeps_its_empty_row() -> None:
    matrix = pod_matrix(replace(report(), flows=[]))

    assert 5 == len(matrix.axis)
    assert "." * 25 == matrix.planes[0].cells


def test_large_matrix_puts_equal_rows_of_a_namespace_side_by_side() -> None:
    def measure(flow: FlowEntry) -> FlowEntry:
        number = int(flow.source[4:7]) if flow.source.startswith("app-") else 0
        return (as_predicted, no_answer, everything_reached)[number % 3](flow)

    people = [Who("shop", f"app-{number:03}", ("n1",), 80, "shop/deny") for number in range(heatmap.BLOCKS_ABOVE)]
    matrix = pod_matrix(report(people, measure))
    kinds = [int(axis.title[-3:]) % 3 for axis in matrix.axis[:-1]]

    assert 3 == len(list(itertools.groupby(kinds)))
    assert matrix.axis[-1].control


def test_small_matrix_is_ordered_by_name() -> None:
    titles = [axis.title for axis in pod_matrix(many(20)).axis[:-1]]

    assert sorted(titles) == titles


def test_signs_and_codes_match() -> None:
    assert len(CODES) == len(set(CODES)) == len(CELL_SIGNS)

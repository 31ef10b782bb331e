"""JSON: read back it is the whole prediction, and large matrices stay small."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from auditor.census import asked, folded, totals
from auditor.model.flow import Family, Protocol, Verdict
from auditor.model.prediction import Prediction
from reports.prediction import view
from reports.prediction.as_json import render
from reports.prediction.document import NAMED_PODS, SCHEMA
from tests.unit.reports.prediction.asking import cells
from tests.unit.reports.prediction.samples import SAMPLES, in_scope, namespaces, shop
from tests.unit.reports.prediction.strategies import predictions

Found = dict[str, Any]


def read(prediction: Prediction) -> Found:
    found: Found = json.loads(render(prediction))
    return found


def matrix_of(found: Found, key: str = "matrix") -> list[tuple[int, int, str, str, int, str]]:
    """Cells as the document says that they are read."""
    return [
        (source, destination, plane["family"], plane["protocol"], plane["port"], found["signs"][sign])
        for plane in found[key]
        for source, row in zip(plane["sources"], plane["index"], strict=True)
        for destination, sign in zip(plane["destinations"], plane["rows"][row], strict=True)
    ]


@given(predictions())
def test_cells_are_those_of_the_matrix(prediction: Prediction) -> None:
    shown = view.shown(prediction)
    expected = [
        (
            shown.index(item.source),
            shown.index(item.destination),
            item.family.value,
            item.query[0].value,
            item.query[1],
            item.verdict.value,
        )
        for item in cells(prediction)
    ]

    assert sorted(expected) == sorted(matrix_of(read(prediction)))


@given(predictions())
def test_text_is_ascii_on_lines_of_their_own(prediction: Prediction) -> None:
    text = render(prediction)

    assert text.isascii()
    assert text.replace("\n", "").isprintable()


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_nothing_is_left_out(sample: Prediction) -> None:
    found = read(sample)

    assert (SCHEMA, sample.origin, sample.engine) == (found["schema"], found["origin"], found["engine"])
    assert [item.title for item in sample.matrix.identities] == [item["title"] for item in found["identities"]]
    for key in ("coverage", "unselected", "excluded", "unread", "findings", "problems", "warnings", "namespaces"):
        assert len(getattr(sample, key)) == len(found[key])
    assert [item.message for item in sample.findings] == [item["message"] for item in found["findings"]]
    assert [item.what for item in sample.problems] == [item["what"] for item in found["problems"]]
    assert list(sample.unread) == found["unread"]


def test_totals_are_counted_in_pods() -> None:
    sample = shop()

    found = {(item["family"], item["protocol"], item["port"]): item for item in read(sample)["totals"]}

    expected = {
        (it.family.value, it.query[0].value, it.query[1]): dict(it.pairs) for it in totals(sample, asked(sample))
    }
    assert expected.keys() == found.keys()
    for key, pairs in expected.items():
        assert [pairs.get(verdict, 0) for verdict in Verdict] == [found[key][verdict.value] for verdict in Verdict]


def test_verdicts_of_namespaces_are_folded() -> None:
    sample = namespaces()
    found = read(sample)

    told = {(source, destination): word for source, destination, *_, word in matrix_of(found, "by_namespace")}

    (item,) = asked(sample)
    fold = folded(sample, item)
    assert len(told) == len(fold.sources) * len(fold.destinations)
    home = found["namespaces"].index
    assert ["allowed", "denied", "mixed"] == [told[home("team-1"), home(f"team-{it}")] for it in (0, 2, 7)]


def test_single_pods_are_marked() -> None:
    """The cell between one and itself is what another like it would get."""
    found = read(shop())

    titles = [item["title"] for item in found["identities"]]
    assert {"ops/console", "shop/api"} == {titles[place] for place in found["matrix"][-1]["alone"]}
    home = found["namespaces"].index("ops")
    assert [home] == found["by_namespace"][-1]["alone"]


def test_rows_that_are_alike_are_written_once() -> None:
    for plane in read(namespaces())["matrix"]:
        assert len(plane["rows"]) == len(set(plane["rows"])) < len(plane["index"])


def test_list_of_numbers_stands_on_one_line() -> None:
    assert '"index": [0, 1, 1, 1],\n' not in render(shop())
    assert any(line.strip().startswith('"index": [') and line.endswith("]") for line in render(shop()).splitlines())


def test_identity_tells_who_it_is() -> None:
    (found,) = [item for item in read(shop())["identities"] if item["title"] == "shop/web"]

    assert found == {
        "id": found["id"],
        "namespace": "shop",
        "title": "shop/web",
        "owners": ["deployment/web"],
        "pods": 3,
        "names": ["web-0", "web-1", "web-2"],
        "labels": {"app": "web"},
        "account": "",
        "families": ["IPv4"],
        "ports": [{"protocol": "TCP", "port": 80}, {"protocol": "TCP", "port": 8642}],
        "isolated": ["Egress", "Ingress"],
    }


@pytest.mark.parametrize(("pods", "named"), [(NAMED_PODS, True), (NAMED_PODS + 1, False)])
def test_pods_are_named_while_they_are_few(pods: int, named: bool) -> None:
    for item in read(replace(shop(), pods=pods))["identities"]:
        assert named == (len(item["names"]) == item["pods"])


def test_only_identities_that_were_asked_about_are_listed() -> None:
    sample = replace(shop(), sources=(3,), destinations=(1,))

    found = read(sample)

    assert ["shop/api", "shop/web"] == [item["title"] for item in found["identities"]]
    assert {(1, 0)} == {(source, destination) for source, destination, *_ in matrix_of(found)}


def test_parts_of_a_matrix_in_scope_are_entries_of_one_port() -> None:
    found = read(in_scope())

    assert [("TCP", 80)] * 2 == [(plane["protocol"], plane["port"]) for plane in found["matrix"]]
    assert len(matrix_of(found)) == len(set(matrix_of(found)))


def test_port_that_was_made_up_is_told_apart() -> None:
    assert [{"protocol": "TCP", "port": 8642}] == read(shop())["unnamed_ports"]
    assert ((Protocol.TCP, 8642),) == shop().unnamed


def test_families_have_entries_of_their_own() -> None:
    assert {family.value for family in Family} == {
        plane["family"] for plane in read(SAMPLES["open-questions"])["matrix"]
    }

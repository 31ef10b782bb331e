"""Truth tables: together they are the matrix, and small enough for a person."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from auditor.census import asked
from auditor.model.flow import Protocol
from auditor.model.prediction import Prediction
from auditor.prediction import Wanted
from reports.prediction import grids as module
from reports.prediction import view
from reports.prediction.grid_text import grid_lines, ranges
from reports.prediction.grids import Grid, Grids, Row, grids
from reports.words import VERDICTS
from tests.builders import allow, deny_all, pod, pods, policy, selector
from tests.unit.reports.prediction.asking import cells
from tests.unit.reports.prediction.samples import foreseen, in_scope, namespaces, open_questions
from tests.unit.reports.prediction.strategies import predictions

ANY = "any other TCP port"
PORT_80 = Wanted(ports=((Protocol.TCP, 80),))


def made(prediction: Prediction) -> Grids:
    found = grids(prediction, asked(prediction))
    assert found is not None
    return found


@given(predictions())
def test_every_cell_of_the_matrix_is_in_one_table(prediction: Prediction) -> None:
    told: list[tuple[int, int, str, str]] = []
    for grid in made(prediction).grids:
        for row in grid.rows:
            for member in row.members:
                ends = [(column, member) if grid.turned else (member, column) for column in grid.columns]
                told += [(*pair, name, sign) for name in grid.ports for pair, sign in zip(ends, row.signs, strict=True)]
    plain_names, families = set[tuple[int, int, str, str]](), prediction.matrix.families
    single = {place for place, identity in enumerate(prediction.matrix.identities) if identity.alone}
    for item in cells(prediction):
        sign = "=" if item.source == item.destination in single else VERDICTS[item.verdict].glyph
        name = f"{view.port_name(item.query, prediction.unnamed)} {item.family.value}"
        plain_names.add((item.source, item.destination, name, sign))

    # In a row of several the sign of one with itself is that of the others.
    spread = {
        (source, destination, full, "=" if source == destination in single else sign)
        for source, destination, name, sign in told
        for full in ([name] if "IPv" in name else [f"{name} {family.value}" for family in families])
    }

    assert plain_names == spread
    assert len(told) == len(set(told))


def test_ports_whose_tables_are_equal_share_one() -> None:
    ports = [{"containerPort": number} for number in (80, 443)]
    found = made(foreseen(pod("a/web", ports=ports, app="web"), pod("a/b"), deny_all("a/deny", "Ingress", app="web")))

    assert [(("80/TCP", "443/TCP"), (1,)), ((ANY,), (0, 1))] == [(it.ports, it.columns) for it in found.grids]


def test_families_that_differ_have_tables_of_their_own() -> None:
    names = [grid.ports for grid in made(open_questions()).grids]

    assert [("53/UDP IPv4", "5432/TCP IPv4"), (f"{ANY} IPv4",), (f"{ANY} IPv6",)] == names


def test_families_that_agree_are_not_named() -> None:
    both = ["10.0.0.1", "fd00::1"]

    assert [(ANY,)] == [grid.ports for grid in made(foreseen(pod("a/a", at=both), pod("a/b", at=both))).grids]


def crowd(size: int) -> Prediction:
    """So many workloads, of which the first may be reached from the second alone."""
    objects = [pod(f"a/p{number:02}", app=f"p{number:02}") for number in range(size)]
    split = [policy(f"a/p{number:02}", selector(app=f"p{number:02}"), ingress=[allow()]) for number in range(1, size)]
    only = policy("a/only", selector(app="p00"), ingress=[allow(pods(app="p01"))])
    return foreseen(*objects, *split, only, wanted=PORT_80)


def test_single_pod_and_itself_have_a_sign_of_their_own() -> None:
    """Two replicas are kept apart, one pod is not kept from itself."""
    two = (pod(f"a/p{number}", owner="Deployment/p", app="p") for number in range(2))
    found = made(
        foreseen(*two, pod("b/q"), deny_all("a/deny", "Ingress"), deny_all("b/deny", "Ingress"), wanted=PORT_80)
    )

    assert ["XX", "X="] == [row.signs for row in found.grids[0].rows]


def test_namespace_of_a_single_pod_has_the_sign_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_IDENTITIES", 1)

    found = made(
        foreseen(pod("a/one"), pod("b/one", app="b"), pod("b/two"), deny_all("b/deny", app="b"), wanted=PORT_80)
    )

    assert ["=%", "%X"] == [row.signs for row in found.grids[0].rows]


def test_rows_stand_one_by_one_while_they_are_few() -> None:
    assert 12 == len(made(crowd(12)).grids[0].rows)


def test_many_rows_that_are_alike_share_a_line() -> None:
    (grid,) = made(crowd(13)).grids

    assert [(1,), tuple(place for place in range(13) if place != 1)] == [
        row.members for row in sorted(grid.rows, key=lambda row: row.members[0] != 1)
    ]
    assert {f".={'.' * 11}", "X" + "." * 12} == {row.signs for row in grid.rows}


@pytest.mark.parametrize(("size", "identities"), [(30, True), (31, False)])
def test_tables_of_identities_have_thirty_columns_at_most(size: int, identities: bool) -> None:
    assert identities == made(crowd(size)).identities


def test_few_destinations_of_many_sources_are_shown_by_identity() -> None:
    found = made(replace(crowd(31), destinations=(0, 1)))

    assert found.identities
    assert [(0, 1), False] == [found.grids[0].columns, found.grids[0].turned]


def test_many_destinations_of_few_sources_become_rows() -> None:
    found = made(replace(crowd(31), sources=(0, 1)))

    (grid,) = found.grids
    assert (True, (0, 1)) == (grid.turned, grid.columns)
    assert {(0,): "=."} == {row.members: row.signs for row in grid.rows if row.members == (0,)}
    assert 31 == sum(len(row.members) for row in grid.rows)


def test_namespaces_take_over_and_then_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = namespaces()
    found = made(sample)

    (grid,) = found.grids
    assert (False, ["team-1 . .XXXXX%"]) == (
        found.identities,
        [f"{found.names[row.members[0]]} . {row.signs[1:]}" for row in grid.rows[1:2]],
    )
    monkeypatch.setattr(module, "MOST_NAMESPACES", 8)
    assert grids(sample, asked(sample)) == found
    monkeypatch.setattr(module, "MOST_NAMESPACES", 7)
    assert grids(sample, asked(sample)) is None


def test_parts_in_scope_are_tables_of_their_own() -> None:
    found = made(in_scope())

    assert [((1, 2), (0, 1, 2)), ((0,), (1, 2))] == [
        (tuple(row.members[0] for row in grid.rows), grid.columns) for grid in found.grids
    ]


@pytest.mark.parametrize(
    ("places", "text"), [((0,), "1"), ((0, 1), "1-2"), ((0, 2), "1, 3"), ((0, 1, 2, 6, 8, 9), "1-3, 7, 9-10")]
)
def test_neighbouring_numbers_are_put_together(places: tuple[int, ...], text: str) -> None:
    assert text == ranges(places)


def text_of(grid: Grid, names: int = 20, *, width: int = 60, listed: bool = True) -> list[str]:
    known = Grids(tuple(f"a/p{number}" for number in range(names)), identities=True, grids=(grid,))
    return list(grid_lines(known, grid, width, listed=listed))


def test_table_reads_from_rows_to_columns() -> None:
    grid = Grid(("80/TCP", "443/TCP"), (0, 2), (Row((0,), ".X"), Row((1,), "?~")), turned=False)

    assert [
        "80/TCP, 443/TCP",
        "from \\ to  1 3",
        "1 a/p0     . X",
        "2 a/p1     ? ~",
    ] == text_of(grid)


def test_numbers_of_columns_are_read_downwards() -> None:
    grid = Grid(("80/TCP",), (8, 9, 18), (Row((0,), "..."),), turned=True)

    assert [
        "80/TCP",
        "             1 1",
        "to \\ from  9 0 9",
        "1 a/p0     . . .",
    ] == text_of(grid)


def test_row_of_many_gives_numbers_where_they_are_listed_and_else_some_names() -> None:
    grid = Grid(("80/TCP",), (0,), (Row((0, 1, 2, 3, 5, 6), "."), Row((4,), "X")), turned=False)

    assert ["1-4, 6-7   .", "5 a/p4     X"] == text_of(grid)[2:]
    assert ["a/p0, a/p1, a/p2, a/p3 and 2 more  .", "5 a/p4                             X"] == text_of(
        grid, listed=False
    )[2:]


def test_long_name_is_wrapped_under_itself() -> None:
    grid = Grid(("80/TCP",), (0,), (Row((0,), "."),), turned=False)
    known = Grids(("a/" + "long " * 9,), identities=True, grids=(grid,))

    assert ["1 a/long long long long long  .", "  long long long long"] == list(
        grid_lines(known, grid, 32, listed=True)
    )[2:]


def test_rows_that_are_left_out_are_counted() -> None:
    rows = tuple(Row((number,), ".") for number in range(45))
    found = text_of(Grid(("80/TCP",), (0,), rows, turned=False), 45)

    assert "... and 5 more rows; -o json has all of them" == found[-1]
    assert "40 a/p39" == found[-2].rstrip(" .")

"""Differences: what opens comes first, and everything is counted."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.model.flow import Family, Protocol, Verdict
from auditor.model.prediction import Change, Difference
from reports.difference import CHANGES, DIFFERENCES, WIDTH, WORKLOADS, render_json, render_table
from tests.unit.reports.answers import change
from tests.unit.reports.answers import difference as sample
from tests.unit.reports.prediction.samples import problem
from tests.unit.reports.prediction.strategies import problems, some
from tests.unit.reports.strategies import texts

NONE = Difference("old/", "new/", (), (), (), (), (), 12)


def test_counts_come_first_then_what_opens() -> None:
    lines = render_table(sample()).splitlines()

    assert "old/ -> new/: 2 opened, 9 closed, 1 changed otherwise, of 48 flows that were compared" == lines[0]
    titles = [line for line in lines if line.startswith(("Opened", "Closed", "Changed", "Only"))]
    assert [
        "Opened (2)",
        "Closed (9)",
        "Changed otherwise (1)",
        "Only in the new manifests",
        "Only in the old manifests",
    ] == titles


def test_change_tells_ends_port_verdicts_and_policies() -> None:
    lines = [" ".join(line.split()) for line in render_table(sample()).splitlines()]

    assert (
        "shop/statefulset/db shop/statefulset/db 5432/TCP denied -> allowed shop/db.ingress[0], shop/db, "
        "shop/default-deny"
    ) in lines


def test_no_change_is_said() -> None:
    assert "old/ -> new/: nothing changes, of 12 flows that were compared\n" == render_table(NONE)


def test_end_that_did_not_exist_has_no_verdict() -> None:
    found = replace(NONE, opened=(change(1, None),), closed=(change(2, Verdict.ALLOWED, None),))

    text = render_table(found)

    assert "no such end -> allowed" in text
    assert "allowed -> no such end" in text
    assert [None, "allowed"] == [json.loads(render_json(found))["opened"][0][key] for key in ("before", "after")]


def test_families_are_named_where_both_occur() -> None:
    four = change(1)
    both = (four, replace(four, family=Family.IPV6))

    assert "IPv" not in render_table(replace(NONE, opened=both[:1]))
    assert "80/TCP IPv4" in render_table(replace(NONE, opened=both))
    assert "80/TCP IPv6" in render_table(replace(NONE, opened=both[:1], closed=both[1:]))


@pytest.mark.parametrize("part", ["opened", "closed", "other"])
def test_changes_beyond_the_page_are_counted(part: str) -> None:
    many = tuple(change(number) for number in range(CHANGES + 1_002))

    text = render_table(replace(NONE, **{part: many}))  # type: ignore[arg-type]

    assert "... and 1,002 more; -o json has all of them" in text
    assert f"shop/a{CHANGES - 1} " in text
    assert f"shop/a{CHANGES} " not in text
    assert len(many) == len(json.loads(render_json(replace(NONE, **{part: many})))[part])  # type: ignore[arg-type]


def test_workloads_beyond_the_page_are_counted() -> None:
    text = render_table(replace(NONE, appeared=tuple(f"shop/a{number}" for number in range(WORKLOADS + 2))))

    assert "... and 2 more; -o json has all of them" in text


def test_problems_of_the_input_are_told_before_the_changes() -> None:
    text = render_table(replace(sample(), problems=(problem(0),)))

    assert text.index("Problems of the input") < text.index("shop/0.yaml:1") < text.index("Opened")


def test_problems_say_whose_they_are() -> None:
    """What both have is told once, and of the rest it is said where to look."""
    found = replace(sample(), problems=(problem(0),), old_problems=(problem(1),), new_problems=(problem(2),))

    text = render_table(found)

    order = ["old and new", "shop/0.yaml:1", "old only", "shop/1.yaml:2", "new only", "shop/2.yaml:3", "Opened"]
    assert order == sorted(order, key=text.index)
    told = {item["file"]: item["side"] for item in json.loads(render_json(found))["problems"]}
    assert {"shop/0.yaml": "both", "shop/1.yaml": "old", "shop/2.yaml": "new"} == told


def test_port_that_was_made_up_is_called_so() -> None:
    odd = replace(change(1), query=(Protocol.TCP, 8642))
    found = replace(NONE, opened=(odd,), unnamed=(odd.query,))

    assert "any other TCP port" in render_table(found)
    assert "8642/TCP" in render_table(replace(found, unnamed=()))
    assert [{"protocol": "TCP", "port": 8642}] == json.loads(render_json(found))["unnamed_ports"]


def test_json_has_every_field() -> None:
    found = json.loads(render_json(replace(sample(), problems=(problem(0),))))

    assert ("netaudit.difference/1", "old/", "new/", 48) == tuple(
        found[key] for key in ("schema", "old", "new", "flows")
    )
    assert [2, 9, 1, 1] == [len(found[key]) for key in ("opened", "closed", "other", "problems")]
    assert (["shop/statefulset/new"], ["shop/statefulset/old"]) == (found["appeared"], found["vanished"])
    assert {
        "source": "shop/statefulset/api",
        "destination": "shop/statefulset/db",
        "family": "IPv4",
        "protocol": "TCP",
        "port": 9187,
        "before": "undefined",
        "after": "denied",
        "because": ["shop/db", "shop/default-deny", "shop/db.ingress[1]"],
    } == found["other"][0]


changes = st.builds(
    Change,
    source=texts,
    destination=texts,
    family=st.sampled_from(Family),
    query=st.tuples(st.sampled_from(Protocol), st.integers(1, 65_535)),
    before=st.none() | st.sampled_from(Verdict),
    after=st.none() | st.sampled_from(Verdict),
    because=some(texts),
)
differences = st.builds(
    Difference,
    old=texts,
    new=texts,
    opened=some(changes),
    closed=some(changes),
    other=some(changes),
    appeared=some(texts),
    vanished=some(texts),
    flows=st.integers(0, 10**6),
    problems=some(problems),
)


@given(differences)
def test_text_is_narrow_and_visible_whatever_changed(found: Difference) -> None:
    assert all(len(line) <= WIDTH and line.isprintable() for line in render_table(found).splitlines())


@pytest.mark.parametrize("form", DIFFERENCES)
@given(found=differences)
def test_text_ends_with_its_last_line(form: str, found: Difference) -> None:
    text = DIFFERENCES[form](found)

    assert text.endswith("\n")
    assert not text.endswith("\n\n")

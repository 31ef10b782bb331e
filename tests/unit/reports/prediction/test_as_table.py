"""The table: everything that matters in its place, counted where it is too much, and never too wide."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given

from auditor.census import asked, totals
from auditor.model.flow import Direction, Verdict
from auditor.model.lint import LintSeverity
from auditor.model.prediction import Coverage, Prediction
from reports.plain import plain
from reports.prediction import as_table
from reports.prediction.as_table import WIDTH, render
from tests.builders import pod
from tests.unit.reports.prediction.samples import (
    SAMPLES,
    crowded,
    finding,
    foreseen,
    hostile_names,
    in_scope,
    namespaces,
    nothing,
    open_questions,
    shop,
)
from tests.unit.reports.prediction.strategies import predictions

SECTIONS = (
    "Findings",
    "Problems of the input",
    "Warnings",
    "Unknown, because",
    "Default deny by namespace",
    "Selected by no policy",
    "Outside of the matrix",
    "Pairs of pods by port",
    "Who may talk to whom",
)


def words(text: str) -> str:
    """The text without line breaks, so that wrapping does not matter."""
    return " ".join(text.split())


def section(text: str, title: str) -> list[str]:
    """The lines of one section."""
    lines = text.splitlines()
    start = lines.index(title) + 1
    ends = (number for number, line in enumerate(lines[start:], start) if line in SECTIONS)
    return lines[start : next(ends, len(lines) + 1) - 1]


@given(predictions())
def test_lines_are_narrow_and_hold_nothing_but_visible_characters(prediction: Prediction) -> None:
    assert all(len(line) <= WIDTH and line.isprintable() for line in render(prediction).splitlines())


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES)
def test_sections_keep_their_order(sample: Prediction) -> None:
    found = [line for line in render(sample).splitlines() if line in SECTIONS]

    assert [title for title in SECTIONS if title in found] == found
    assert "Who may talk to whom" in found


def test_head_counts_what_was_read_and_names_the_dialect() -> None:
    first, second = render(shop()).splitlines()[:2]

    assert "manifests/: 9 pods in 3 namespaces, 5 policies" == first
    assert "no engine is known" in second
    assert "what the API leaves open is answered as cilium does" in render(replace(shop(), engine="cilium"))


def test_findings_are_told_with_place_and_remedy_while_they_are_few() -> None:
    text = words(render(shop()))

    assert (
        "- warning policy-selects-nothing: NetworkPolicy shop/gone spec.podSelector: selects no pod: "
        "app=cache matches nothing in shop try: correct the labels in spec.podSelector, or delete the policy" in text
    )
    assert "-o json also has 2 of severity info." in text


@pytest.mark.parametrize(("number", "remedies"), [(6, True), (7, False)])
def test_more_findings_are_told_without_remedies(number: int, remedies: bool) -> None:
    text = render(replace(shop(), findings=tuple(finding(place) for place in range(number))))

    assert [f"it is odd {place}" in text for place in range(number)] == [True] * number
    assert remedies == ("try: mend it" in text)


def test_many_findings_are_told_by_rule() -> None:
    lines = section(render(crowded()), "Findings")

    assert "- error rule-0, 10 times, the first: NetworkPolicy shop/p0 spec.ingress[0]: it is odd 0" == lines[0]
    assert 4 == sum(line.startswith("- warning") for line in lines)
    assert "-o json also has each of them and 10 of severity info." == lines[-1]


def test_rules_beyond_the_page_are_counted() -> None:
    found = tuple(finding(place, LintSeverity.WARNING, f"rule-{place:02}") for place in range(15))

    lines = section(render(replace(shop(), findings=found)), "Findings")

    assert 12 == sum(line.startswith("- ") for line in lines)
    assert "-o json also has 3 more rules with findings." == lines[-1]


def test_problem_is_told_with_place_why_and_try() -> None:
    assert [
        "- shop/0.yaml:1: NetworkPolicy shop/p0: refused: spec.ingress is a mapping",
        "  why: the API server wants a list",
        "  try: begin each rule with a dash",
    ] == section(render(nothing()), "Problems of the input")


@pytest.mark.parametrize(
    ("title", "last"),
    [
        ("Problems of the input", "... and 3 more; -o json has all of them"),
        ("Warnings", "... and 2 more; -o json has all of them"),
        ("Unknown, because", "... and 2 more; -o json has all of them"),
        ("Selected by no policy", "... and 5 more workloads; -o json has all of them"),
    ],
)
def test_lines_that_are_left_out_are_counted(title: str, last: str) -> None:
    assert last == section(render(crowded()), title)[-1]


def test_namespaces_that_are_left_out_are_counted() -> None:
    assert [
        "... and 4 more namespaces; -o json has all of them",
        "Default deny of every pod, both ways: 22 more namespaces",
    ] == section(render(crowded()), "Default deny by namespace")[-2:]


def test_coverage_tells_isolated_pods_and_default_deny_of_both_directions() -> None:
    rows = [line.split() for line in section(render(shop()), "Default deny by namespace")[2:]]

    assert [
        ["ops", "1", "0", "of", "1", "no", "0", "of", "1", "no"],
        ["shop", "6", "6", "of", "6", "yes", "6", "of", "6", "yes"],
    ] == rows


@pytest.mark.parametrize(
    ("size", "last"),
    [(12, "a11 1 1 of 1 yes 1 of 1 yes"), (13, "Default deny of every pod, both ways: 12 more namespaces")],
)
def test_of_many_namespaces_those_that_deny_both_ways_are_counted(size: int, last: str) -> None:
    ways = [Coverage(f"a{n:02}", way, 1, int(n > 0), n > 0) for n in range(size) for way in Direction]

    lines = section(render(replace(shop(), coverage=tuple(ways))), "Default deny by namespace")

    assert "a00 1 0 of 1 no 0 of 1 no" == words(lines[2])
    assert last == words(lines[-1])


def test_where_all_namespaces_deny_both_ways_there_is_no_table_of_them() -> None:
    ways = [Coverage(f"a{n:02}", way, 1, 1, default_deny=True) for n in range(13) for way in Direction]

    assert ["Default deny of every pod, both ways: 13 namespaces"] == section(
        render(replace(shop(), coverage=tuple(ways))), "Default deny by namespace"
    )


def test_workloads_and_pods_outside_are_named() -> None:
    text = render(shop())

    assert ["- ops/deployment/console (1 pod)"] == section(text, "Selected by no policy")
    assert "- pods that have finished: 1" in section(text, "Outside of the matrix")


@pytest.mark.parametrize("sample", [shop(), open_questions(), in_scope(), namespaces()])
def test_totals_are_those_of_the_census(sample: Prediction) -> None:
    expected = totals(sample, asked(sample))
    heads, _, *rows = section(render(sample), "Pairs of pods by port")[: 2 + len(expected)]
    verdicts = heads.split()[1:]

    told = [dict(zip(verdicts, row.split()[-len(verdicts) :], strict=True)) for row in rows]

    for total, row in zip(expected, told, strict=True):
        counts = {verdict.value: f"{pairs:,}" for verdict, pairs in total.pairs}
        assert row == dict.fromkeys(verdicts, "0") | counts


def test_verdicts_that_do_not_occur_have_no_column() -> None:
    assert ["port", "allowed", "denied"] == section(render(shop()), "Pairs of pods by port")[0].split()
    assert {verdict.value for verdict in Verdict} <= set(
        section(render(open_questions()), "Pairs of pods by port")[0].split()
    )


def test_port_that_was_made_up_is_explained() -> None:
    words = "any other TCP port: one that no policy names and no container declares, such as 8642/TCP."

    text = render(shop())

    assert words in text
    assert 1 == text.count("8642")
    assert "any other" not in render(in_scope())


def test_single_pod_and_itself_are_explained() -> None:
    words = "= only itself: a single pod, which reaches itself whatever policies say."

    assert words in render(shop())
    assert "only itself" not in render(foreseen(*(pod(f"a/p{n}", owner="Deployment/p") for n in range(2))))


def test_findings_that_are_only_news_are_counted() -> None:
    found = replace(shop(), findings=(finding(0, LintSeverity.INFO), finding(1, LintSeverity.INFO)))

    assert ["Only 2 of severity info, which -o json has."] == section(render(found), "Findings")


def test_no_two_columns_have_one_title() -> None:
    heads = re.split(r"\s{2,}", section(render(shop()), "Default deny by namespace")[0])

    assert len(heads) == len(set(heads)) == 6


def test_tables_follow_the_list_of_identities() -> None:
    lines = section(render(shop()), "Who may talk to whom")

    assert ["4", "shop/web", "3", "ingress", "and", "egress", "app=web"] == next(
        line.split() for line in lines if line.startswith("4 ")
    )
    assert [
        "8080/TCP",
        "from \\ to      2",
        "1 ops/console  X",
        "2 shop/api     =",
        "3 shop/db      X",
        "4 shop/web     .",
    ] == lines[lines.index("8080/TCP") : lines.index("8080/TCP") + 6]


def test_namespaces_have_a_sign_for_what_differs_between_their_pods() -> None:
    text = render(namespaces())

    assert "% mixed" in text
    assert "% mixed" not in render(shop())
    assert "2 team-1   . . X X X X X %" in text


def test_too_large_a_matrix_says_how_to_see_some_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reports.prediction.grids.MOST_NAMESPACES", 7)
    text = words(render(namespaces()))

    assert "-n, --from, --to and --port ask for some of them" in text
    assert "any other TCP port 896" not in text
    assert "any other TCP port" in text


def test_very_many_tables_end_with_a_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(as_table, "GRID_LINES", 10)

    lines = render(shop()).splitlines()

    assert "... and tables of 2 more groups of ports; --port asks for one" == lines[-1]
    assert "5432/TCP" in lines
    assert "8080/TCP" not in lines


def test_identities_that_do_not_fit_the_list_are_named_in_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = replace(foreseen(*(pod(f"a/p{number:02}") for number in range(3))), destinations=(0,))
    crowd = foreseen(*(pod(f"ns-{number:02}/p") for number in range(70)))

    text = render(replace(crowd, destinations=(0,)))

    assert "ns-00/p, ns-01/p, ns-02/p, ns-03/p and 66 more  ." in text
    assert re.search(r"^1 +ns-00/p +1 +-$", text, re.MULTILINE)
    assert "ns-04/p" not in text.partition("Who may")[2]
    assert "1 a/p00, p01, p02" in render(sample)


def test_nothing_asked_is_said() -> None:
    assert "No flow was asked for" in render(nothing())
    assert "Pairs of pods" not in render(nothing())


def test_hostile_names_are_shown_harmless() -> None:
    text = words(render(hostile_names()))

    assert words(plain(hostile_names().origin)) in text
    assert "\x1b" not in text

"""The fleet page: worst first, nothing called enforced that was not proven, harmless whatever the names are."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.model.finding import Proof
from auditor.model.report import AuditReport, ClaimEntry
from reports import fleet_page
from reports.fleet import NOT_ENFORCED, PARTLY, Member, age, fleet
from tests.unit.reports.builders import EVIL, TRICKS
from tests.unit.reports.samples import (
    clean,
    every_agreement,
    hostile_names,
    incomplete,
    nothing_enforced,
    nothing_tested,
    one_node_leaking,
)

MADE = "2026-03-05T12:00:00Z"


def member(name: str, report: AuditReport | None, why: str = "") -> Member:
    return Member(name, f"{name}.html", report, why)


def with_claims(*claims: tuple[str, str, Proof]) -> AuditReport:
    nodes = [ClaimEntry(node, direction, proof.value, "", 1) for node, direction, proof in claims]
    names = {node for node, _, _ in claims}
    return replace(clean(), nodes=nodes, cluster=replace(clean().cluster, nodes=len(names)))


def test_worst_comes_first() -> None:
    shown = fleet(
        [
            member("clean", clean()),
            member("gone", None, "no answer"),
            member("in part", one_node_leaking()),
            member("open", nothing_enforced()),
            member("a half", incomplete()),
        ],
        MADE,
    )

    assert [row.name for row in shown.rows] == ["open", "in part", "gone", "a half", "clean"]
    assert (shown.rows[0].ingress.sign, shown.rows[1].ingress.sign) == (NOT_ENFORCED, PARTLY)
    assert (
        shown.sentence == "Policies are not enforced everywhere in 2 of 5 clusters; 2 of 5 clusters could not be "
        "audited in full."
    )
    assert shown.status.word == "findings"


def test_a_cluster_without_a_report_is_a_row() -> None:
    [row] = fleet([member("gone", None, "connection refused")], MADE).rows

    assert (row.status.word, row.sentence, row.coverage, row.enough) == (
        "not audited",
        "connection refused",
        "none",
        False,
    )
    assert "connection refused" in fleet_page.render(fleet([member("gone", None, "connection refused")], MADE))


def test_clean_clusters_are_said_to_be() -> None:
    assert fleet([member("a", clean()), member("b", clean())], MADE).sentence == "No finding in 2 clusters."
    assert fleet([], MADE).sentence == "No cluster was audited."


def test_nothing_tested_is_not_clean() -> None:
    [row] = fleet([member("a", nothing_tested())], MADE).rows

    assert row.status.word != "clean"
    assert not row.enough


@pytest.mark.parametrize(
    ("proofs", "word", "note"),
    [
        ([Proof.PROVEN, Proof.PROVEN], "enforced", "proven on 2 of 2 nodes"),
        ([Proof.PROVEN, Proof.NOT_APPLICABLE], "where tried", "proven on 1 of 2 nodes; nothing to try on the others"),
        ([Proof.PROVEN, Proof.NOT_PROVEN], "not shown", "proven on 1 of 2 nodes"),
        ([Proof.PROVEN, Proof.UNTESTED], "not shown", "proven on 1 of 2 nodes"),
        ([Proof.PROVEN, Proof.NOT_CHOSEN], "not shown", "proven on 1 of 2 nodes"),
        ([Proof.PROVEN, Proof.LEAKING], "in part", "not on n1; proven on 1 of 2 nodes"),
        ([Proof.UNTESTED, Proof.LEAKING], "not enforced", "not on n1; proven on 0 of 2 nodes"),
        ([Proof.LEAKING] * 5, "not enforced", "not on n0, n1, n2 and 2 more; proven on 0 of 5 nodes"),
        ([Proof.NOT_APPLICABLE], "no policy asks", ""),
        ([], "no policy asks", ""),
    ],
)
def test_a_direction_is_enforced_where_every_node_is_proven(proofs: list[Proof], word: str, note: str) -> None:
    report = with_claims(*((f"n{turn}", "Ingress", proof) for turn, proof in enumerate(proofs)))
    [row] = fleet([member("a", report)], MADE).rows

    assert (row.ingress.sign.word, row.ingress.note) == (word, note)
    assert row.egress.sign.word == "no policy asks"


@given(st.lists(st.sampled_from(Proof), min_size=1, max_size=6))
def test_enforced_is_never_said_beside_anything_but_proof(proofs: list[Proof]) -> None:
    report = with_claims(*((f"n{turn}", "Egress", proof) for turn, proof in enumerate(proofs)))
    [row] = fleet([member("a", report)], MADE).rows

    assert (row.egress.sign.word == "enforced") == (set(proofs) == {Proof.PROVEN})
    assert (row.egress.sign.word == "where tried") == (set(proofs) == {Proof.PROVEN, Proof.NOT_APPLICABLE})


def test_a_node_of_which_nothing_is_known_keeps_a_cluster_from_being_called_enforcing() -> None:
    report = with_claims(("n1", "Ingress", Proof.PROVEN), ("n2", "Ingress", Proof.PROVEN))
    report = replace(report, cluster=replace(report.cluster, nodes=3))
    [row] = fleet([member("a", report)], MADE).rows

    assert (row.ingress.sign.word, row.ingress.note) == (
        "where tried",
        "proven on 2 of 3 nodes; nothing to try on the others",
    )


@pytest.mark.parametrize(
    ("finished", "words"),
    [
        ("2026-03-05T12:00:00Z", "now"),
        ("2026-03-05T11:58:59Z", "1 minute ago"),
        ("2026-03-05T09:00:00Z", "3 hours ago"),
        ("2026-02-05T09:00:00Z", "28 days ago"),
        ("2026-03-05T12:00:01Z", ""),
        ("yesterday", ""),
        ("2026-03-05T12:00:00", ""),
    ],
)
def test_age(finished: str, words: str) -> None:
    assert age(finished, MADE) == words


def test_worst_finding_and_sandbox_are_told() -> None:
    report = every_agreement()
    [row] = fleet([member("a", replace(report, run=replace(report.run, sandbox=True, fault="late-start")))], MADE).rows

    assert row.severity == "high"
    assert row.worst in {finding.cause for finding in report.findings if finding.severity == row.severity}
    assert row.about.endswith("sandbox with the fault late-start")


def test_page_leads_to_each_report_and_says_what_it_was_given() -> None:
    page = fleet_page.render(fleet([member("east", clean()), member("west", nothing_enforced())], MADE), ["so"], "end")

    assert page.index('<a href="west.html">west</a>') < page.index('<a href="east.html">east</a>')
    assert "<p>so</p>" in page
    assert "<p>end</p>" in page
    assert "<script" not in page


def test_hostile_names_stay_text() -> None:
    page = fleet_page.render(fleet([member(f"{EVIL}{TRICKS}", hostile_names())], MADE))

    assert EVIL not in page
    assert not set(TRICKS) & set(page) & {"\x1b", "\x00", "\u202e"}

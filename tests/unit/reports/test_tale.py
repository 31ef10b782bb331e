"""What the demonstration says: each cluster with its numbers, leaks that a newcomer would try, and what to do next."""

from __future__ import annotations

from dataclasses import replace

from auditor.model.finding import Agreement
from reports.tale import FaultRow, Told, render, render_faults
from tests.unit.reports.builders import TRICKS
from tests.unit.reports.samples import clean, every_agreement, hostile_names, nothing_enforced

STORY = "Nobody acts on policies."


def told(*reports: Told, own: bool = False, fault: str = "") -> str:
    return render(reports, "pages/index.html", 5.0, own=own, fault=fault)


def test_each_cluster_is_told_with_its_numbers_and_page() -> None:
    text = told(Told("Good", "", "good.html", clean()), Told("Bad", STORY, "bad.html", nothing_enforced()))

    assert "✓ Good: exit code 0\n" in text
    assert "! Bad: exit code 3\n    Nobody acts on policies.\n" in text
    assert text.index("✓ Good") < text.index("! Bad")
    assert "  pages/good.html\n  pages/bad.html\n" in text
    assert "for 5 s; on your cluster it is 45 s." in " ".join(text.split())
    assert text.count(" denies") >= 1
    assert "0 of " in text


def test_leaks_are_told_as_somebody_would_try_them() -> None:
    text = " ".join(told(Told("Bad", STORY, "bad.html", nothing_enforced())).split())
    [first, *_] = [part for part in text.split(" ! ")[1:] if " reaches " in part]
    assert first.split(" reaches ")[0].partition("/")[0] == first.split(" reaches ")[1].partition("/")[0]


def test_other_results_are_counted() -> None:
    report = every_agreement()
    text = " ".join(told(Told("Odd", "", "odd.html", report)).split())

    assert "1 flow that they allow did not" in text
    assert "more did at first, and not in the end" in text or "that they allow did only after a while" in text
    assert "without proof either way" in text


def test_what_to_try_next_depends_on_what_was_shown() -> None:
    one = Told("Good", "", "good.html", clean())

    assert "netaudit demo --fault ingress-only" in told(one)
    assert "netaudit demo --list-faults" in told(one, fault="late-start")
    assert "netaudit run --sandbox -f DIR --expect FILE" in told(one, own=True)
    for text in (told(one), told(one, fault="late-start"), told(one, own=True)):
        assert len(text.split("Try next:\n")[1].splitlines()) == 3


def test_a_narrow_terminal_breaks_no_word() -> None:
    text = render([Told("Bad", STORY, "bad.html", nothing_enforced())], "p/i.html", 5.0, own=False, fault="", width=50)

    assert max(map(len, text.splitlines())) <= 50


def test_a_fault_that_nothing_shows_is_told_to_be_unseen() -> None:
    assert "Nothing in these manifests shows it" in told(Told("Odd", STORY, "odd.html", clean(), unseen=True))
    assert "Nothing in these manifests shows it" not in told(Told("Odd", STORY, "odd.html", clean()))


def test_what_got_through_for_a_while_is_told_to_have() -> None:
    report = every_agreement()
    flows = [replace(flow, verdict="denied", agreement="late") for flow in report.flows[:3]]
    report = replace(report, flows=flows, summary=replace(report.summary, leaks=0, late=3, blockages=0, inconclusive=0))
    text = " ".join(told(Told("Late", "", "late.html", report)).split())

    assert "0 of 3 flows that policies deny got through, 3 more did at first, and not in the end." in text


def test_without_a_denial_none_is_said_to_hold() -> None:
    report = clean()
    report = replace(report, flows=[flow for flow in report.flows if flow.verdict == "allowed"])

    assert "no policy denies any of them" in told(Told("Open", "", "open.html", report))


def test_hostile_names_reach_no_terminal() -> None:
    report = hostile_names()
    text = told(Told(f"x{TRICKS}", TRICKS, "x.html", replace(report, cluster=replace(report.cluster, nodes=2))))

    assert all(char.isprintable() or char == "\n" for char in text)


def test_faults_are_listed_in_their_order() -> None:
    rows = [
        FaultRow("one", "It does this.", "netaudit run", Agreement.LEAK),
        FaultRow("two", "It does that.", "netaudit conformance", None),
    ]
    lines = [line.split() for line in render_faults(rows).splitlines()]

    assert lines[2] == ["one", "It", "does", "this.", "netaudit", "run", "leak"]
    assert lines[3] == ["two", "It", "does", "that.", "netaudit", "conformance", "nothing"]

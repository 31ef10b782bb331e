"""The page: self-contained, harmless whatever the names are, and whole without JavaScript."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given

import reports
from auditor.model.report import AuditReport, SkipEntry
from reports.as_html import FLOW_ROWS, ROWS, render
from reports.payload import payload
from reports.plain import plain
from reports.view import view
from tests.unit.reports import strategies
from tests.unit.reports.samples import SAMPLES, clean, every_agreement, hostile_names, incomplete, many, nothing_tested

ASSETS = Path(reports.__file__).parent / "assets"
TAGS = {
    *(
        "html",
        "head",
        "meta",
        "title",
        "style",
        "body",
        "header",
        "main",
        "footer",
        "nav",
        "section",
        "article",
        "script",
    ),
    *(
        "h1",
        "h2",
        "h3",
        "p",
        "a",
        "b",
        "strong",
        "small",
        "span",
        "div",
        "ul",
        "ol",
        "li",
        "dl",
        "dt",
        "dd",
        "wbr",
    ),
    *("table", "caption", "thead", "tbody", "tr", "th", "td", "details", "summary", "canvas"),
    *("form", "label", "select", "option", "input", "button"),
}
VOID = {"meta", "input", "wbr"}


class Page(HTMLParser):
    """The page as a browser without scripts reads it."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.inside: dict[str, list[str]] = {}
        self.open: list[str] = []
        self.text = ""
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)
            self.inside.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        assert tag == self.open.pop()

    def handle_data(self, data: str) -> None:
        for tag in set(self.open):
            self.inside[tag][-1] += data
        if not {"script", "style"} & set(self.open):
            self.text += data

    def values(self, attribute: str) -> list[str]:
        return [attributes[attribute] for _, attributes in self.elements if attribute in attributes]


def shown(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture(scope="module", params=SAMPLES)
def sample(request: pytest.FixtureRequest) -> AuditReport:
    return SAMPLES[request.param]


def test_page_is_well_formed_and_uses_only_known_elements(sample: AuditReport) -> None:
    page = Page(render(sample))

    assert [] == page.open
    assert {tag for tag, _ in page.elements} <= TAGS


def test_ids_are_unique_and_every_link_leads_somewhere(sample: AuditReport) -> None:
    page = Page(render(sample))
    ids = page.values("id")

    assert len(ids) == len(set(ids))
    assert {link.removeprefix("#") for link in page.values("href")} <= set(ids)
    assert {name for names in page.values("aria-labelledby") for name in names.split()} <= set(ids)
    assert set(page.values("for")) <= set(ids)


def test_nothing_is_loaded_from_anywhere(sample: AuditReport) -> None:
    page = Page(render(sample))

    assert [] == page.values("src")
    assert all(link.startswith("#") for link in page.values("href"))
    assert "url(" not in "".join(page.inside["style"])
    assert "@import" not in "".join(page.inside["style"])


def test_content_policy_allows_nothing_but_the_two_inline_blocks(sample: AuditReport) -> None:
    page = Page(render(sample))
    policy = next(
        attributes["content"] for tag, attributes in page.elements if tag == "meta" and "http-equiv" in attributes
    )
    allowed = set(re.findall(r"'sha256-([^']+)'", policy))
    blocks = [page.inside["style"][0], page.inside["script"][1]]

    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert allowed == {base64.b64encode(hashlib.sha256(block.encode()).digest()).decode() for block in blocks}
    assert [] == page.values("style")
    assert [] == [name for _, attributes in page.elements for name in attributes if name.startswith("on")]


def test_data_is_in_the_page_once_and_is_what_the_view_computed(sample: AuditReport) -> None:
    page = Page(render(sample))

    assert ["application/json"] == [
        attributes["type"] for tag, attributes in page.elements if tag == "script" and attributes
    ]
    assert json.loads(json.dumps(payload(view(sample)))) == json.loads(page.inside["script"][0])


def test_answer_and_every_finding_stand_in_the_page_without_scripts(sample: AuditReport) -> None:
    text = shown(Page(render(sample)).text)
    computed = view(sample)

    for sentence in (sample.summary.sentence, computed.counts, *computed.next_steps, *sample.limits, *sample.warnings):
        assert shown(plain(sentence)) in text
    for finding in sample.findings:
        for part in (finding.title, finding.cause, finding.remedy, finding.id, *finding.policies, *finding.evidence):
            assert shown(plain(part)) in text
    for number in computed.numbers:
        assert shown(f"{number.label} {number.value} {number.note}") in text


def test_everything_that_was_not_tested_stands_in_the_page(sample: AuditReport) -> None:
    text = shown(Page(render(sample)).text)

    for gap in view(sample).gaps:
        assert shown(plain(gap.what)) in text
        assert shown(plain(gap.reason)) in text
    for claim in (*sample.policies, *sample.nodes):
        assert shown(plain(claim.subject)) in text
        assert shown(plain(claim.reason)) in text


@given(strategies.reports)
def test_generated_names_never_become_markup(report: AuditReport) -> None:
    source = render(report)
    page = Page(source)

    assert {tag for tag, _ in page.elements} <= TAGS
    assert [] == page.open
    assert 2 == len(page.inside["script"])
    assert (ASSETS / "report.js").read_text() == page.inside["script"][1]
    assert source.replace("\n", "").isprintable()


def test_hostile_names_stay_text() -> None:
    source = render(hostile_names())

    assert "<img" not in source
    assert 2 == source.count("</script>")
    assert html.escape("</script><img src=x onerror=alert(1)>") in source
    assert r"\u003c/script\u003e\u003cimg src=x onerror=alert(1)\u003e" in source


def test_empty_report_is_small() -> None:
    assert len(render(nothing_tested()).encode()) <= 120_000


def test_page_of_an_audit_without_anything_says_so() -> None:
    text = Page(render(nothing_tested())).text

    assert "No flow was tried." in text
    assert "No identity was planned" in text
    assert "proves nothing" in text


def test_small_pod_matrix_is_a_table_and_a_large_one_a_canvas() -> None:
    small, large = Page(render(every_agreement())), Page(render(many(70)))

    assert "pod-table" in small.values("id")
    assert "canvas" not in small.inside
    assert "pod-canvas" in large.values("id")
    assert "pod-table" not in large.values("id")
    assert "scripts are off" in shown(large.text)


def test_every_cell_says_its_result_in_a_word() -> None:
    """Colour and glyph alone would leave out whoever listens to the page."""
    cells = [shown(text) for text in Page(render(every_agreement())).inside["td"]]

    assert "! leak" in cells
    assert "·not tested" in cells
    assert "●as expected, reached" in cells
    assert any(re.fullmatch(r"× 1 blockage ?\? 1 inconclusive ?~ 1 late", cell) for cell in cells)


def test_long_lists_say_how_much_they_leave_out() -> None:
    whole = many(70)
    text = shown(Page(render(whole)).text)

    assert f"The worst {FLOW_ROWS} of {len(whole.flows):,} flows." in text


def test_rows_beyond_the_limit_are_counted() -> None:
    several = replace(clean(), skipped=[SkipEntry(f"s{number}", "why", 0) for number in range(ROWS + 3)])

    assert "3 more rows stand in the JSON report" in Page(render(several)).text


def test_findings_name_the_state_of_things_when_there_are_none() -> None:
    assert "No finding." in Page(render(clean())).text
    assert "Coverage is 80%" in Page(render(incomplete())).text


def test_assets_can_stand_inline() -> None:
    """Their hashes are made of the text between the tags, so nothing in it may end a block early."""
    assert "</" not in (ASSETS / "report.js").read_text()
    assert "</" not in (ASSETS / "report.css").read_text()
    assert all("\r" not in path.read_text() for path in ASSETS.iterdir())

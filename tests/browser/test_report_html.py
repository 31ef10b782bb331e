"""The page in a real browser: silent, offline, readable on a phone and on a desk, light and dark, scripts or none.

Chromium is the distribution's; nothing is downloaded.  Screenshots go to the test's own folder, for a person to see.
"""

from __future__ import annotations

import itertools

import pytest

from reports import as_html
from reports.view import view
from tests.browser.opening import CONTRASTS, MARKS, SCHEMES, WIDTHS, Opener, Scheme
from tests.unit.reports.samples import SAMPLES, every_agreement, hostile_names, many, nothing_tested

pytestmark = MARKS

PAGES = {**SAMPLES, "table-of-50": many(50), "canvas-of-80": many(80)}


@pytest.mark.parametrize("name", PAGES)
def test_page_is_silent_offline_and_never_wider_than_the_window(show: Opener, name: str) -> None:
    page, seen = show(PAGES[name])

    for width, scheme in itertools.product(WIDTHS, SCHEMES):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        page.reload()

        assert width == page.evaluate("document.documentElement.scrollWidth")
    assert [] == seen.console
    assert {(show.folder / "report.html").as_uri()} == set(seen.requests)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", ["every-agreement", "incomplete"])
def test_every_text_can_be_read_on_its_ground(show: Opener, name: str, scheme: Scheme) -> None:
    page, _ = show(SAMPLES[name])
    page.emulate_media(color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")

    assert [] == page.evaluate(CONTRASTS)


@pytest.mark.parametrize("width", WIDTHS)
def test_page_is_whole_without_scripts(show: Opener, width: int) -> None:
    report = every_agreement()
    page, seen = show(report, width=width, scripts=False)

    text = page.inner_text("body")

    assert [] == seen.console
    assert report.summary.sentence in text
    assert page.locator("#pod-table tbody tr").count() == len(view(report).pods.axis)
    assert page.locator("#flow-table tbody tr").count() == len(report.flows)
    assert 0 == page.locator("select:visible, input:visible, button:visible").count()


def test_canvas_says_what_is_missing_without_scripts(show: Opener) -> None:
    page, _ = show(PAGES["canvas-of-80"], scripts=False)

    assert page.get_by_text("scripts are off").is_visible()


def test_hostile_names_run_nothing_and_load_nothing(show: Opener) -> None:
    page, seen = show(hostile_names())
    page.locator("#pod-table tbody td").first.click()
    page.fill("#filter-text", "<img")

    assert [] == seen.console
    assert 1 == len(seen.requests)
    assert 0 == page.locator("img").count()
    assert page.locator("#flow-table tbody").inner_text().count("<img src=x onerror=alert(1)>")


def test_policy_of_the_page_stops_a_script_that_gets_in_all_the_same(show: Opener) -> None:
    page, seen = show(every_agreement())
    page.evaluate(
        "() => { const evil = document.createElement('script'); evil.textContent = 'window.ran = 1';"
        " document.body.append(evil); const image = new Image(); image.src = 'http://127.0.0.1:9/x'; }"
    )

    assert page.evaluate("window.ran === undefined")
    assert all("Content Security Policy" in line for line in seen.console)


def test_keys_walk_the_pod_table_and_a_line_tells_each_cell(show: Opener) -> None:
    page, _ = show(every_agreement())
    page.locator("#pod-table tbody td[tabindex='0']").focus()
    page.keyboard.press("ArrowRight")

    assert "admin/console to staging/backend, all ports: leak" == page.inner_text("#cell-line")
    assert "polite" == page.get_attribute("#cell-line", "aria-live")
    page.keyboard.press("End")
    page.keyboard.press("PageDown")
    assert "any other pod (control) to any other pod (control), all ports: not tested" == page.inner_text("#cell-line")
    page.keyboard.press("ArrowDown")
    assert 1 == page.locator("#pod-table tbody td[tabindex='0']").count()
    assert page.inner_text("#cell-line").startswith("any other pod (control) to any other pod (control)")


def test_cell_opens_the_flows_between_its_two_ends(show: Opener) -> None:
    page, _ = show(every_agreement())
    page.locator("#pod-table tbody td").nth(1).click()

    card = " ".join(page.inner_text("#cell-flows").split())

    assert card.startswith("Flows of this cell: 2")
    for fact in ("! leak", "admin/console on n1", "staging/backend on n2", "TCP 8080", "denied", "reached"):
        assert fact in card
    assert "staging/backend-policy (Ingress)" in card


def test_another_port_shows_its_own_results(show: Opener) -> None:
    page, _ = show(every_agreement())
    page.select_option("#plane", label="TCP 5432")

    assert "expected" not in page.inner_text("#pod-table tbody td >> nth=1")
    assert "not-tested" == page.get_attribute("#pod-table tbody td >> nth=1", "class")
    assert "reached" == page.get_attribute("#pod-table tbody td >> nth=2", "class")


def test_canvas_is_walked_and_chosen_like_the_table(show: Opener) -> None:
    report = many(80)
    page, _ = show(report)
    matrix = view(report).pods
    leak = matrix.planes[0].cells.index("L")
    row, column = divmod(leak, len(matrix.axis))
    canvas = page.locator("#pod-canvas")
    edge = canvas.evaluate("(element) => element.clientWidth") / len(matrix.axis)
    canvas.click(position={"x": (column + 0.5) * edge, "y": (row + 0.5) * edge})

    told = f"{matrix.axis[row].title} to {matrix.axis[column].title}, all ports: leak"

    assert told == page.inner_text("#cell-line")
    assert "! leak" in page.inner_text("#cell-flows")
    page.keyboard.press("ArrowRight")
    assert f"{matrix.axis[row].title} to {matrix.axis[column + 1].title}" in page.inner_text("#cell-line")


def test_flows_are_filtered_by_result_and_text_and_paged(show: Opener) -> None:
    report = many(50)
    page, _ = show(report)
    rows = page.locator("#flow-table tbody tr")

    assert as_html.FLOW_ROWS == rows.count()
    page.click("#flow-more")
    assert 2 * as_html.FLOW_ROWS == rows.count()
    page.select_option("#filter-sign", label="! leak")
    assert rows.count() == report.summary.leaks
    page.fill("#filter-text", "APP-010")
    assert 0 < rows.count() < report.summary.leaks
    assert f"{rows.count()} of {rows.count()} flows, worst first." == page.inner_text("#flow-count")
    page.get_by_role("button", name="Show all").click()
    assert as_html.FLOW_ROWS == rows.count()


def test_link_to_a_finding_opens_it(show: Opener) -> None:
    page, _ = show(SAMPLES["one-node-leaking"])
    second = page.locator("details.finding").nth(1)
    assert not second.evaluate("(element) => element.open")
    page.evaluate("(id) => { location.hash = id; }", second.get_attribute("id"))

    page.wait_for_function("document.querySelectorAll('details.finding')[1].open")


def test_paper_shows_all_details_on_a_light_ground(show: Opener) -> None:
    page, _ = show(SAMPLES["one-node-leaking"], width=794)
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")

    assert page.evaluate("[...document.querySelectorAll('details')].every((one) => one.open)")
    assert "rgb(255, 255, 255)" == page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert 0 == page.locator("nav:visible, button:visible, select:visible").count()


def test_page_of_nothing_still_answers(show: Opener) -> None:
    page, seen = show(nothing_tested(), width=360)

    assert [] == seen.console
    assert page.get_by_text("this audit proves nothing").is_visible()

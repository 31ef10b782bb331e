"""The fleet page in a real browser: silent, offline, readable on a phone and on a desk, light and dark."""

from __future__ import annotations

import itertools

import pytest

from reports import fleet_page
from reports.fleet import Member, fleet
from tests.browser.opening import CONTRASTS, MARKS, SCHEMES, WIDTHS, Opener, Scheme
from tests.unit.reports.builders import EVIL
from tests.unit.reports.samples import SAMPLES

pytestmark = MARKS
MEMBERS = [Member(name, f"{name}.html", report) for name, report in SAMPLES.items()]
GONE = Member("ip-192-168-76-157.eu-west-1.compute.internal", "", None, "connection refused")
PAGE = fleet_page.render(fleet([*MEMBERS, GONE], "2026-03-05T12:00:00Z"), ["One.", "Two."], "In the end.")


def test_page_is_silent_offline_and_never_wider_than_the_window(show: Opener) -> None:
    page, seen = show.text(PAGE, scripts=False)

    for width, scheme in itertools.product(WIDTHS, SCHEMES):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme)
        page.reload()

        assert width == page.evaluate("document.documentElement.scrollWidth")
    assert [] == seen.console
    assert {(show.folder / "report.html").as_uri()} == set(seen.requests)
    assert page.locator("tbody tr").count() == len(SAMPLES) + 1


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_text_can_be_read_on_its_ground(show: Opener, scheme: Scheme) -> None:
    page, _ = show.text(PAGE)
    page.emulate_media(color_scheme=scheme)

    assert [] == page.evaluate(CONTRASTS)


def test_names_lead_to_reports_and_hostile_ones_stay_text(show: Opener) -> None:
    page, _ = show.text(fleet_page.render(fleet([Member(EVIL, "a.html", None, EVIL)], "")))

    assert page.locator("tbody a").get_attribute("href") == "a.html"
    assert 0 == page.locator("img").count()


def test_two_hundred_clusters_stay_readable(show: Opener) -> None:
    many = [Member(f"cluster-{turn}", f"{turn}.html", report) for turn in range(25) for report in SAMPLES.values()]
    page, seen = show.text(fleet_page.render(fleet(many[:200], "2026-03-05T12:00:00Z")), width=360)

    assert page.locator("tbody tr").count() == 200
    assert 360 == page.evaluate("document.documentElement.scrollWidth")
    assert [] == seen.console

"""Real pods that stay marked are named, wherever that is said."""

from __future__ import annotations

from auditor.model.probe import Mark
from reports import as_html, as_table
from reports.marks import marked_text
from tests.unit.reports.builders import EVIL
from tests.unit.reports.samples import clean, inplace


def test_a_stream_names_each_pod_and_says_when_it_will_be_free() -> None:
    text = marked_text([Mark("shop", "web-1", "netaudit-a-r0", "its agent has ended")])

    assert text == (
        "1 real pod stays marked by an ephemeral container, which cannot be removed before the pod is replaced:\n"
        "  pod shop/web-1, container netaudit-a-r0: its agent has ended\n"
    )
    assert "2 real pods stay marked" in marked_text([Mark("a", "b", "c", "d")] * 2)
    assert marked_text([]) == ""


def test_a_hostile_name_is_harmless() -> None:
    text = marked_text([Mark(EVIL, "\x1b[2J", "c", "two\nlines")])

    assert "\x1b" not in text
    assert text.count("\n") == 2


def test_each_format_names_each_pod() -> None:
    for render in (as_table.render, as_html.render):
        text = " ".join(render(inplace()).split())
        assert "3 real pods hold an ephemeral container of this run" in text
        assert "db-0" in text
        assert "Pods that stay marked" in text
        assert "Pods that stay marked" not in render(clean())

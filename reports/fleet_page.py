"""The fleet page: several clusters on one self-contained page that works offline, without JavaScript and on a phone."""

from __future__ import annotations

from collections.abc import Sequence

from auditor import __version__
from reports.fleet import Fleet
from reports.page import asset, content_policy, template


def render(shown: Fleet, intro: Sequence[str] = (), note: str = "") -> str:
    """Write the page; `intro`, a line each, stands below its sentence, `note` at its end."""
    style = asset("report.css")
    return template("fleet.html.j2").render(
        fleet=shown,
        intro=intro,
        note=note,
        version=__version__,
        style=style,
        policy=content_policy(style),
        limits={"rows": 1_000},
    )

"""`-o html`: one self-contained page that works offline, without JavaScript, in print and on a phone.

What is shown comes from `view`, what the script may look up from `payload`; here they meet the template.
"""

from __future__ import annotations

from auditor.model.report import AuditReport
from reports import enforcement, handshakes, pings, service_paths, words
from reports.expectations import sentence
from reports.heatmap import BLOCKS_ABOVE
from reports.page import asset, content_policy, template
from reports.payload import FIELDS, FLOWS, flow_texts, payload
from reports.view import view

FLOW_ROWS = 200
"""Flows that the page shows at once; the script pages through the others."""
ROWS = 1_000
"""Rows of any other table; how many were left out is said."""


def render(report: AuditReport) -> str:
    """Write the page."""
    shown = view(report)
    style, script = asset("report.css"), asset("report.js")
    return template("report.html.j2").render(
        view=shown,
        report=report,
        data=payload(shown),
        style=style,
        script=script,
        policy=content_policy(style, script),
        expectations_sentence=sentence(shown.expectations),
        handshakes_sentence=handshakes.sentence(shown.handshakes),
        timed_sentence=enforcement.sentence(shown.timed),
        timed_meaning=enforcement.MEANING,
        service_paths_sentence=service_paths.sentence(shown.service_paths),
        service_paths_meaning=service_paths.MEANING,
        names_meaning=service_paths.NAMES_MEANING,
        pings_title=pings.TITLE,
        pings_sentence=pings.sentence(shown.pings),
        pings_meaning=pings.MEANING,
        signs=words.AGREEMENTS.values(),
        cell_signs=words.CELL_SIGNS,
        fields=FIELDS,
        flow_texts=flow_texts,
        limits={"flow_rows": FLOW_ROWS, "flows": FLOWS, "rows": ROWS, "cells": BLOCKS_ABOVE},
    )

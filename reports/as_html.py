"""`-o html`: one self-contained page that works offline, without JavaScript, in print and on a phone.

What is shown comes from `view`, what the script may look up from `payload`; here they meet the template.  The page
loads nothing: its policy (CSP) allows one style sheet and one script, both inline, by their hashes.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from auditor.model.report import AuditReport
from reports import enforcement, handshakes, pings, service_paths, words
from reports.expectations import sentence
from reports.heatmap import BLOCKS_ABOVE
from reports.payload import FIELDS, FLOWS, flow_texts, payload
from reports.plain import plain
from reports.view import view

FLOW_ROWS = 200
"""Flows that the page shows at once; the script pages through the others."""
ROWS = 1_000
"""Rows of any other table; how many were left out is said."""


def render(report: AuditReport) -> str:
    """Write the page."""
    shown = view(report)
    style, script = _asset("report.css"), _asset("report.js")
    return _template().render(
        view=shown,
        report=report,
        data=payload(shown),
        style=Markup(style),  # noqa: S704 -- our own files, and what the hashes below are made of
        script=Markup(script),  # noqa: S704
        policy=_content_policy(style, script),
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


@functools.cache
def _template() -> Template:
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_harmless,
        loader=PackageLoader("reports"),
    )
    environment.filters["breakable"] = _breakable
    environment.policies["json.dumps_kwargs"] = {"sort_keys": True, "separators": (",", ":")}
    return environment.get_template("report.html.j2")


def _breakable(text: str) -> Markup:
    """Let a name of several parts break after its slashes."""
    return Markup("/<wbr>").join(plain(text).split("/"))


def _harmless(value: Any) -> Any:
    """Neutralise every text on its way into the page; autoescape comes after and takes care of markup."""
    # Markup is a str too, and it is only ever made by the template itself.
    return plain(value) if type(value) is str else value


@functools.cache
def _asset(name: str) -> str:
    return resources.files("reports").joinpath("assets", name).read_text("utf-8")


def _content_policy(style: str, script: str) -> str:
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"

"""An AuditReport as text: one file for each format, all of them views of the same document.

A format decides how something looks, never what is true: `view` computes, formats show.
"""

from __future__ import annotations

from collections.abc import Callable

from auditor.model.report import AuditReport
from reports import as_html, as_json, as_junit, as_table

FORMATS: dict[str, Callable[[AuditReport], str]] = {
    "table": as_table.render,
    "json": as_json.render,
    "html": as_html.render,
    "junit": as_junit.render,
}
"""By the names that users type after `-o`."""

"""A Prediction as text: one file for each format; `view` and `grids` compute, formats show."""

from __future__ import annotations

from collections.abc import Callable

from auditor.model.prediction import Prediction
from reports.prediction import as_csv, as_dot, as_json, as_mermaid, as_table

PREDICTIONS: dict[str, Callable[[Prediction], str]] = {
    "table": as_table.render,
    "json": as_json.render,
    "csv": as_csv.render,
    "dot": as_dot.render,
    "mermaid": as_mermaid.render,
}
"""By the names that users type after `-o`."""

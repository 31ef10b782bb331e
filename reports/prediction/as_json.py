"""`-o json`: the whole prediction for programs; `document` says what each field means.

Pure.
"""

from __future__ import annotations

from auditor.model.prediction import Prediction
from reports.json_text import encode_rows
from reports.prediction.document import document


def render(prediction: Prediction) -> str:
    """Write the document, fields in the order of its schema."""
    return encode_rows(document(prediction))

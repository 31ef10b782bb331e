"""`-o csv`: a line for each port of each pair of identities, for spreadsheets and scripts.

Pure.  RFC 4180: lines end with CR LF, a cell is quoted where it must be.  No cell begins like a formula, since
spreadsheets run those, and names are chosen by whoever runs the pods.  A single pod and itself have no line: it reaches
itself whatever policies say.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from auditor.census import BIT, alone, asked, cells
from auditor.errors import UsageError
from auditor.model.prediction import Prediction
from reports.plain import plain

HEAD = ("source_id", "source", "destination_id", "destination", "family", "protocol", "port", "verdict")
MOST = 2_000_000
"""Lines: more are of no use to a spreadsheet, and would take gigabytes."""
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


def render(prediction: Prediction) -> str:
    """Write all verdicts, ordered by port, family, source and destination; raises UsageError for too many."""
    items = asked(prediction)
    lines = sum(len(item.sources) * len(item.destinations) - len(alone(prediction, item)) for item in items)
    if lines > MOST:
        raise UsageError(
            f"too many verdicts for CSV: {lines:,}",
            why=f"it has a line for each, and at most {MOST:,}",
            attempt="-n, --from, --to or --port for fewer; -o json, which writes rows that are alike once",
        )
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(HEAD)
    ends = [(identity.id, cell(identity.title)) for identity in prediction.matrix.identities]
    words = {bit: verdict.value for verdict, bit in BIT.items()}
    for item in items:
        traffic = (item.family.value, item.query[0].value, item.query[1])
        single = alone(prediction, item)
        for source, row in zip(item.sources, cells(prediction, item), strict=True):
            pairs: Iterable[tuple[int, int]] = zip(item.destinations, row, strict=True)
            if source in single:
                pairs = (pair for pair in pairs if pair[0] != source)
            writer.writerows((*ends[source], *ends[place], *traffic, words[verdict]) for place, verdict in pairs)
    return text.getvalue()


def cell(text: str) -> str:
    """A text that spreadsheets take for a text."""
    shown = plain(text)
    return f"'{shown}" if shown.lstrip().startswith(_FORMULAS) else shown

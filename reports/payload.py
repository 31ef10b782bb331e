"""What the page's script works on: the pod matrix and the flows, packed small.

Pure.  It repeats what `view` computed and adds nothing: the script looks results up and never derives one.  Every text
passes through `plain` here, since the script puts texts into the page without passing the template's gate.
"""

from __future__ import annotations

from typing import Any

from reports.flows import FlowRow
from reports.heatmap import CODES, pack
from reports.plain import plain
from reports.view import View
from reports.words import AS_EXPECTED, CELL_SIGNS, Sign

FLOWS = 20_000
"""Flows that the script can show, worst first; the page says how many were left out."""

FIELDS = ("from", "to", "port", "predicted", "measured", "policy", "reason", "tries")
"""The columns of a flow after its sign, as the template names them."""


def payload(view: View) -> dict[str, Any]:
    """Give the data as JSON values; flows are rows of numbers that point into `signs`, `axis` and `strings`."""
    strings: dict[str, int] = {}
    signs: dict[Sign, int] = {sign: index for index, sign in enumerate((*CELL_SIGNS, AS_EXPECTED))}
    rows = [_row(row, view, signs, strings) for row in view.flows[:FLOWS]]
    return {
        "codes": CODES,
        "signs": [{"key": sign.key, "glyph": sign.glyph, "word": plain(sign.word)} for sign in signs],
        "axis": [plain(axis.title) for axis in view.pods.axis],
        "groups": _group_starts(view),
        "planes": [{"label": plain(plane.label), "cells": pack(plane.cells)} for plane in view.pods.planes],
        "fields": FIELDS,
        "strings": list(strings),
        "flows": rows,
    }


def _row(row: FlowRow, view: View, signs: dict[Sign, int], strings: dict[str, int]) -> list[int]:
    """One flow: its sign, the places of both identities in the matrix, and its texts."""
    texts = flow_texts(row)
    places = (view.pods.place[row.entry.source_identity], view.pods.place[row.entry.destination_identity])
    pointers = (strings.setdefault(plain(texts[field]), len(strings)) for field in FIELDS)
    return [signs.setdefault(row.sign, len(signs)), *places, *pointers]


def flow_texts(row: FlowRow) -> dict[str, str]:
    """The texts of a flow by column, the same for the rows that the template writes and those that the script does."""
    return {
        "from": str(row.source),
        "to": str(row.destination),
        "port": row.port,
        "predicted": row.predicted,
        "measured": row.measured,
        "policy": row.decided_by,
        "reason": row.reason,
        "tries": row.tries,
    }


def _group_starts(view: View) -> list[int]:
    """Rows at which another namespace begins, for the lines between blocks."""
    axis = view.pods.axis
    return [
        index
        for index in range(1, len(axis))
        if (axis[index].control, axis[index].namespace) != (axis[index - 1].control, axis[index - 1].namespace)
    ]

"""`-o dot`: allowed flows as a graph for Graphviz.

Pure.  Texts stand in quoted strings, where a backslash or an ampersand would begin an escape: all but plain letters
and signs is written as a character reference.
"""

from __future__ import annotations

from collections.abc import Iterator

from auditor.model.prediction import Prediction
from reports.prediction.graph import Arrow, Box, graph

_PLAIN = frozenset(" !()*+,-./:;=?@^_~")


def render(prediction: Prediction) -> str:
    """Write the graph; `dot -Tsvg` draws it."""
    return "\n".join(_lines(prediction)) + "\n"


def quoted(text: str) -> str:
    """A text as a string of DOT."""
    return '"' + "".join(char if char.isalnum() or char in _PLAIN else f"&#{ord(char)};" for char in text) + '"'


def _lines(prediction: Prediction) -> Iterator[str]:
    found = graph(prediction)
    yield "digraph netaudit {"
    yield f"  label={quoted(found.title)};"
    yield "  rankdir=LR;"
    yield "  node [shape=box];"
    for box in found.boxes:
        yield from _box(box)
    yield from (_arrow(arrow) for arrow in found.arrows)
    yield "}"


def _box(box: Box) -> Iterator[str]:
    if box.title:
        yield f"  subgraph cluster_{box.id} {{"
        yield f"    label={quoted(box.title)};"
    for node in box.nodes:
        yield f"    {node.id} [label={quoted(f'{node.name} ({node.note})')}];"
    if box.title:
        yield "  }"


def _arrow(arrow: Arrow) -> str:
    style = "" if arrow.certain else ", style=dashed"
    return f"  {arrow.source} -> {arrow.destination} [label={quoted(arrow.text)}{style}];"

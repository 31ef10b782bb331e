"""`-o mermaid`: allowed flows as a flowchart that Markdown pages draw.

Pure.  Texts stand in quotes, and all in them but letters, digits and a few signs is an entity code, as Mermaid has it:
`#`, the number of the character, `;`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from string import ascii_letters, digits

from auditor.model.prediction import Prediction
from reports.prediction.graph import Arrow, Box, graph

MOST_ARROWS = 500
"""Mermaid draws no more unless its setting `maxEdges` is raised."""
_PLAIN = frozenset(f"{ascii_letters}{digits} ,-./_():")
_LIST = re.compile(r"^([\s\d]*)([-.)])(?=\s|$)")


def render(prediction: Prediction) -> str:
    """Write the flowchart."""
    return "\n".join(_lines(prediction)) + "\n"


def quoted(text: str) -> str:
    """A text as a quoted label."""
    shown = (char if char in _PLAIN else f"#{ord(char)};" for char in text)
    # What looks like a list of Markdown is refused: `1. a`, `- a`.
    return '"' + _LIST.sub(lambda match: f"{match[1]}#{ord(match[2])};", "".join(shown)) + '"'


def _lines(prediction: Prediction) -> Iterator[str]:
    found = graph(prediction)
    yield "flowchart LR"
    if len(found.arrows) > MOST_ARROWS:
        yield f"  %% {len(found.arrows)} arrows: raise maxEdges in the settings of Mermaid, which draws {MOST_ARROWS}"
    for box in found.boxes:
        yield from _box(box)
    yield from (_arrow(arrow) for arrow in found.arrows)


def _box(box: Box) -> Iterator[str]:
    if box.title:
        yield f"  subgraph {box.id}[{quoted(box.title)}]"
    for node in box.nodes:
        yield f"    {node.id}[{quoted(f'{node.name} ({node.note})')}]"
    if box.title:
        yield "  end"


def _arrow(arrow: Arrow) -> str:
    line = "-->" if arrow.certain else "-.->"
    return f"  {arrow.source} {line}|{quoted(arrow.text)}| {arrow.destination}"

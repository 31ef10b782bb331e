"""A prediction as a graph: who may open connections to whom, one arrow for each pair.

Pure.  Nodes are identities in boxes for their namespaces, or the namespaces themselves where identities are too many
to be drawn.  What is denied is not drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from auditor.census import BIT, Asked, alone, asked, cells, folded
from auditor.errors import UsageError
from auditor.model.flow import Family, Verdict
from auditor.model.matrix import Query
from auditor.model.prediction import Prediction
from reports.plain import plain
from reports.prediction import view
from reports.words import plural

MOST_IDENTITIES = 60
MOST_NAMESPACES = 150
"""Nobody can read a graph of more, and drawing it takes minutes."""
PORTS = 8
"""Ports on one arrow; of more, how many more."""
NAME = 100
"""Characters of a name."""
_OPEN = BIT[Verdict.UNDEFINED] | BIT[Verdict.UNKNOWN]


@dataclass(frozen=True, slots=True)
class Node:
    """An identity or a namespace; texts are plain."""

    id: str
    name: str
    note: str


@dataclass(frozen=True, slots=True)
class Box:
    """Nodes of one namespace; without a title where nodes are namespaces themselves."""

    id: str
    title: str
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Arrow:
    """Flows from one node to another."""

    source: str
    destination: str
    text: str
    certain: bool
    """Whether they are allowed, rather than UNDEFINED or UNKNOWN."""


@dataclass(frozen=True, slots=True)
class Graph:
    """Everything that is drawn, in the order of the prediction."""

    title: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


Ends = tuple[str, str, bool]
"""Ids of both nodes, and whether the arrow is certain."""


def graph(prediction: Prediction) -> Graph:
    """Draw identities, or namespaces where there are too many of them; raises UsageError for too many of these."""
    items = asked(prediction)
    ends = view.shown(prediction)
    homes = len({prediction.matrix.identities[place].namespace for place in ends})
    if homes > MOST_NAMESPACES:
        raise UsageError(
            f"too many namespaces for a graph: {homes:,}",
            why=f"at most {MOST_NAMESPACES} are drawn",
            attempt="--from and --to for fewer; -o table or -o json",
        )
    single = len(ends) <= MOST_IDENTITIES
    found: dict[Ends, list[tuple[Family, Query, bool]]] = {}
    for item in items:
        for source, destination, cell in _pairs(prediction, item) if single else _folds(prediction, item):
            for bits, certain in ((BIT[Verdict.ALLOWED], True), (_OPEN, False)):
                if cell & bits:
                    asks = found.setdefault((source, destination, certain), [])
                    asks.append((item.family, item.query, bool(cell & ~bits)))
    arrows = tuple(
        Arrow(source, destination, _text(prediction, asks), certain)
        for (source, destination, certain), asks in sorted(found.items(), key=lambda pair: _order(pair[0]))
    )
    boxes = _boxes(prediction, ends) if single else (_namespaces(prediction, ends),)
    return Graph(plain(prediction.origin, NAME), boxes, arrows)


def _order(ends: Ends) -> tuple[int, int, bool]:
    return int(ends[0][1:]), int(ends[1][1:]), not ends[2]


def _pairs(prediction: Prediction, item: Asked) -> Iterator[tuple[str, str, int]]:
    single = alone(prediction, item)
    for source, row in zip(item.sources, cells(prediction, item), strict=True):
        for destination, cell in zip(item.destinations, row, strict=True):
            # A pod alone has no other member to talk to.
            if source != destination or source not in single:
                yield f"n{source + 1}", f"n{destination + 1}", cell


def _folds(prediction: Prediction, item: Asked) -> Iterator[tuple[str, str, int]]:
    number = {name: f"n{place + 1}" for place, name in enumerate(prediction.namespaces)}
    found = folded(prediction, item)
    for source, row in zip(found.sources, found.cells, strict=True):
        for destination, cell in zip(found.destinations, row, strict=True):
            if source != destination or source not in found.alone:
                yield number[source], number[destination], cell


def _text(prediction: Prediction, asks: list[tuple[Family, Query, bool]]) -> str:
    """The ports of an arrow; those that only some pods of both namespaces may use are marked."""
    families, unnamed = prediction.matrix.families, prediction.unnamed
    whole = view.port_names([(family, query) for family, query, mixed in asks if not mixed], families, unnamed)
    some = view.port_names([(family, query) for family, query, mixed in asks if mixed], families, unnamed)
    names = [*whole, *(f"{name} (some)" for name in some)]
    more = [f"{len(names) - PORTS} more"] if len(names) > PORTS else []
    return ", ".join([*names[:PORTS], *more])


def _boxes(prediction: Prediction, ends: tuple[int, ...]) -> tuple[Box, ...]:
    names = view.names(prediction)
    found: dict[str, list[Node]] = {}
    for place in ends:
        item = prediction.matrix.identities[place]
        name = names[place].removeprefix(f"{item.namespace}/")
        node = Node(f"n{place + 1}", plain(name, NAME), plural(len(item.pods), "pod"))
        found.setdefault(item.namespace, []).append(node)
    return tuple(Box(f"b{i}", plain(name, NAME), tuple(nodes)) for i, (name, nodes) in enumerate(found.items(), 1))


def _namespaces(prediction: Prediction, ends: tuple[int, ...]) -> Box:
    pods: dict[str, int] = {}
    for place in ends:
        item = prediction.matrix.identities[place]
        pods[item.namespace] = pods.get(item.namespace, 0) + len(item.pods)
    nodes = (
        Node(f"n{place + 1}", plain(name, NAME), plural(pods[name], "pod"))
        for place, name in enumerate(prediction.namespaces)
        if name in pods
    )
    return Box("b0", "", tuple(nodes))

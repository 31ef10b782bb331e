"""How much a run of the properties has checked, for the last lines of pytest's output."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

_clusters: Counter[str] = Counter()
_flows: Counter[str] = Counter()


def count(what: str, *, flows: int) -> None:
    """Add one cluster and its flows."""
    _clusters[what] += 1
    _flows[what] += flows


def data() -> dict[str, dict[str, int]]:
    """Everything, to be sent from one process to another."""
    return {"clusters": dict(_clusters), "flows": dict(_flows)}


def add(other: Mapping[str, Mapping[str, int]]) -> None:
    """Take in what another process has counted."""
    _clusters.update(other["clusters"])
    _flows.update(other["flows"])


def lines() -> Iterator[str]:
    """What was checked, in words."""
    for what in sorted(_clusters):
        yield f"{what}: {_clusters[what]:,} clusters, {_flows[what]:,} flows"

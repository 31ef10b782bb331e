"""Speed and size figures: `make bench`. Adding one is a file with `figures()`, and its line here."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tests.bench import (
    auditing,
    commands,
    decoding,
    explaining,
    extremes,
    growing,
    linting,
    naive,
    predicting,
    probing,
    rehearsing,
    serving,
    starting,
)
from tests.bench.figures import Figure

BENCHES: dict[str, Callable[[], Iterable[Figure]]] = {
    "starting": starting.figures,
    "decoding": decoding.figures,
    "predicting": predicting.figures,
    "naive": naive.figures,
    "growing": growing.figures,
    "extremes": extremes.figures,
    "explaining": explaining.figures,
    "commands": commands.figures,
    "linting": linting.figures,
    "serving": serving.figures,
    "probing": probing.figures,
    "rehearsing": rehearsing.figures,
    "auditing": auditing.figures,
}
NOT_EVERYWHERE: dict[str, Callable[[], str]] = {
    "serving": serving.why_not,
    "probing": probing.why_not,
    "rehearsing": rehearsing.why_not,
    "auditing": auditing.why_not,
}
"""Benches that some machines cannot bear, and what keeps them from running; unless named they are left out then."""

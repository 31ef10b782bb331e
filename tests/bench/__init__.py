"""Speed and size figures: `make bench`. Adding one is a file with `figures()`, and its line here."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tests.bench import predicting, starting
from tests.bench.figures import Figure

BENCHES: dict[str, Callable[[], Iterable[Figure]]] = {
    "starting": starting.figures,
    "predicting": predicting.figures,
}

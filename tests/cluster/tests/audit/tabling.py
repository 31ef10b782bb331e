"""Tables of what each case of a test gave, which stand on the terminal once its module is done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tabulate import tabulate

from tests.cluster.tests.audit.command import Report, Result

HEADS = ["case", "exit", "flows by agreement", "what was said", "what was left"]
WIDTHS = [40, 4, 26, 80, 40]
MOST = 400
"""Letters of what was said that a table keeps."""


class Table:
    """Rows in the order in which their cases ran."""

    def __init__(self, title: str, heads: list[str], widths: list[int]) -> None:
        """Begin a table without rows."""
        self._title = title
        self._heads = heads
        self._widths = widths
        self._rows: list[list[object]] = []

    def add(self, *cells: object) -> None:
        """Add a row as it is."""
        self._rows.append(list(cells))

    def note(self, case: str, result: Result, left: list[str], more: str = "") -> None:
        """Add what a run gave."""
        said = "; ".join(part for part in (more, *sayings(result)) if part)
        self.add(case, result.code, counts(result), said[:MOST], ", ".join(left) or "nothing")

    def text(self) -> str:
        """The table as it is printed."""
        return f"\n{self._title}\n{tabulate(self._rows, self._heads, 'grid', maxcolwidths=self._widths)}"


@contextmanager
def table(config: pytest.Config, title: str, heads: list[str] = HEADS, widths: list[int] = WIDTHS) -> Iterator[Table]:
    """Give a table that is printed in the end, whichever of its cases failed."""
    made = Table(title, heads, widths)
    yield made
    capture = config.pluginmanager.get_plugin("capturemanager")
    assert capture is not None
    with capture.global_and_fixture_disabled():
        print(made.text(), flush=True)  # noqa: T201 - the table is the acceptance


def agreements(report: Report) -> Counter[str]:
    """How many flows came to each agreement."""
    return Counter(flow.agreement for flow in report.flows)


def counts(result: Result) -> str:
    """The same in words, with what was never planned."""
    if not result.file.exists():
        return "no report"
    report = result.report
    found = ", ".join(f"{number} {name}" for name, number in sorted(agreements(report).items()))
    untold = sum(item.get("flows") or 0 for item in report.raw["skipped"])
    return f"{found or 'none'}" + (f"; {untold} not planned" if untold else "")


def sayings(result: Result) -> list[str]:
    """What a run says of its own limits: the error, or the sentence, what was skipped and what is inconclusive."""
    if not result.file.exists():
        return [
            line.strip()
            for line in result.err.splitlines()
            if line.strip().startswith(("error:", "why:", "interrupted:"))
        ]
    report = result.report
    skipped = [f"{item['what']}: {item['reason']}" for item in report.raw["skipped"]]
    open_for = Counter(flow.reason for flow in report.judged("inconclusive"))
    reasons = [f"{number} x {reason}" for reason, number in open_for.most_common(3)]
    return [report.summary["sentence"], *reasons, *skipped]

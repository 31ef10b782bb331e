"""The last lines of a run: how many clusters and flows the properties have gone through, in all processes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.properties import tally


def pytest_sessionfinish(session: pytest.Session) -> None:
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["tally"] = tally.data()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    tally.add(node.workeroutput.get("tally", {"clusters": {}, "flows": {}}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in tally.lines():
        terminalreporter.write_line(line)

"""A run that is asked to end, or killed, at each of its stages: what is left, and what cleanup makes of it."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests.cluster.tests.audit import vault
from tests.cluster.tests.audit.command import Command
from tests.cluster.tests.audit.site import Site
from tests.cluster.tests.audit.tabling import Table, table

STAGES = (
    "read the cluster",
    "predict",
    "ask admission",
    "prepare",
    "start probe pods",
    "check listeners",
    "probe (",
    "probe again",
    "clean up",
)
"""The lines that a run says, in their order."""
MEASURING = STAGES[5:8]
"""Asked to end in one of these, a run tells what it has measured."""
INTERRUPTED = 130
ENDINGS = [(number, stage) for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGINT) for stage in STAGES]

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def deployed(site: Site) -> Site:
    """Deploy something to audit."""
    vault.deploy(site)
    return site


@pytest.fixture(scope="module")
def results(request: pytest.FixtureRequest) -> Iterator[Table]:
    """Collect what each case gave."""
    with table(request.config, "Signals at each stage of a run") as made:
        yield made


@pytest.mark.parametrize(("number", "stage"), ENDINGS, ids=[f"{one.name}-{stage}" for one, stage in ENDINGS])
def test_signal(deployed: Site, netaudit: Command, number: signal.Signals, stage: str, results: Table) -> None:
    """Whenever it comes: what is asked to end leaves nothing, what is killed leaves what cleanup removes."""
    with netaudit.start("run", "--settle", "3") as running:
        running.await_line(stage)
        running.signal(number)
        result = running.finish()
    rest = deployed.traces()
    swept = netaudit.run("cleanup", "--force")
    results.note(f"{number.name} at {stage!r}", result, rest)

    assert "Traceback" not in result.err
    assert result.code == (-number if number is signal.SIGKILL else INTERRUPTED)
    assert number is signal.SIGKILL or rest == []
    if number is not signal.SIGKILL and stage in MEASURING:
        assert "the run was interrupted" in result.report.summary["sentence"]
        assert all(flow.agreement != "as-expected" for flow in result.report.flows if flow.verdict == "denied")
    assert swept.code == 0, swept.err
    assert deployed.traces() == []

"""Both agents on the same cluster: what they find is the same, flow by flow."""

from __future__ import annotations

import pytest

from tests.cluster.tests.audit import guides
from tests.cluster.tests.audit.command import AGENTS, QUICK, Command, Report
from tests.cluster.tests.audit.site import Site


@pytest.fixture(scope="module")
def deployed(site: Site) -> Site:
    """Deploy the guides' three tiers."""
    site.apply(*guides.objects("staging"))
    site.await_ready()
    return site


def judgements(report: Report) -> set[tuple[tuple[str, str, int], str, str]]:
    """Each flow with its verdict and its agreement."""
    return {(flow.path, flow.verdict, flow.agreement) for flow in report.flows}


def test_both_agents_find_the_same(deployed: Site, netaudit: Command) -> None:
    """Neither image nor agent has a say in any judgement; each leaves nothing behind."""
    found = {}
    for name, words in AGENTS.items():
        result = netaudit.run("run", *QUICK, "-n", "staging", *words)
        assert result.report.raw["run"]["agent"] == name
        assert result.report.summary["coverage"] == 1, result.err
        assert deployed.traces() == []
        found[name] = judgements(result.report)
    assert found["python"] == found["shell"]
    assert {agreement for *_, agreement in found["python"]} == {"leak", "as-expected"}

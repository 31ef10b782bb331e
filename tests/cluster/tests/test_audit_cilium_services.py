"""Services of netaudit's own where Cilium enforces: each way that policies deny is closed, and shown to be."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.fixtures import ClusterFactory
from tests.cluster.tests.audit.command import AGENTS
from tests.cluster.tests.audit.conftest import standing
from tests.cluster.tests.audit.crossing import WAYS, check_names, cross

pytestmark = pytest.mark.long


@pytest.mark.parametrize("agent", AGENTS)
def test_denials_hold_on_each_way(cluster: ClusterFactory, tmp_path: Path, agent: str) -> None:
    """Exit 0: no leak and no blockage through any of them, and nothing that has a verdict is left open."""
    crossed = cross(standing("cilium", cluster), tmp_path, *AGENTS[agent])

    found, raw = crossed.found, crossed.result.report.raw
    assert crossed.result.code == 0, crossed.result.out + crossed.result.err
    assert raw["run"]["agent"] == agent
    assert raw["findings"] == []
    assert set(found) == WAYS
    # An engine that is slow on a busy machine is late, and no worse.
    held = {"denied silent as-expected", "denied silent late"}
    for way in WAYS:
        judged = {text for text in found[way] if not text.startswith("undefined ")}
        assert judged - held == {"allowed reached as-expected"}
        assert judged & held, way
    assert any(text.startswith("undefined ") for text in found["NodePort"]), "what may be rewritten is not judged"
    check_names(crossed)
    assert crossed.left == []

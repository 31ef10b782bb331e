"""Services of netaudit's own where nothing enforces: kube-proxy and CoreDNS lead to the pod, and each way is a leak."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.fixtures import ClusterFactory
from tests.cluster.tests.audit.command import AGENTS
from tests.cluster.tests.audit.conftest import standing
from tests.cluster.tests.audit.crossing import WAYS, check_names, cross


@pytest.mark.parametrize("agent", ["shell", pytest.param("python", marks=pytest.mark.long)])
def test_a_leak_through_each_way_is_told_and_nothing_stays(cluster: ClusterFactory, tmp_path: Path, agent: str) -> None:
    """With the rights of the overlay alone; names are resolved on both nodes, apart from connecting."""
    crossed = cross(standing("none", cluster), tmp_path, *AGENTS[agent])

    found, raw = crossed.found, crossed.result.report.raw
    assert crossed.result.code == 3, crossed.result.out + crossed.result.err
    assert raw["run"]["agent"] == agent
    assert set(found) == WAYS
    for way in WAYS - {"NodePort"}:
        assert found[way] == {"allowed reached as-expected", "denied reached leak"}
    # What has no verdict, because the source may be rewritten, is told and not judged.
    assert found["NodePort"] == {
        "allowed reached as-expected",
        "denied reached leak",
        "undefined reached inconclusive",
    }
    titles = {item["title"] for item in raw["findings"] if item["rule"] == "service"}
    assert titles == {f"A policy does not hold for connections by {way}" for way in WAYS}
    check_names(crossed)
    assert crossed.left == []

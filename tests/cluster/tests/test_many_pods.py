"""A real API server that holds many pods: `netaudit predict` reads all of them, page by page, in little memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from auditor.cluster.api import PAGE
from tests.bench.child import Ran, netaudit
from tests.bench.clusters import cluster as made_up
from tests.bench.manifests import write_folder
from tests.cluster.api import Api
from tests.cluster.cluster import Cluster
from tests.cluster.fixtures import ClusterFactory
from tests.cluster.populate import populate

MEGABYTES = 400
"""What the process may take, whatever the size."""
ALIKE = ("identities", "matrix", "totals", "coverage", "pods", "policies", "ports", "unselected", "excluded")
"""What does not depend on where the objects were read; a cluster has more namespaces than its users made."""


@pytest.fixture
def alone(cluster: ClusterFactory) -> Iterator[Cluster]:
    """An API server with its etcd, empty; gone afterwards, because what was written stays."""
    mine = cluster(nodes=0)
    yield mine
    mine.down()


@pytest.mark.parametrize("pods", [PAGE + 100, pytest.param(10_000, marks=pytest.mark.long)])
def test_prediction_from_a_server_is_that_from_files(alone: Cluster, tmp_path: Path, pods: int) -> None:
    raw = made_up(pods, pods // 20, pods // 2)
    populate(Api(alone.kubeconfig), raw)
    folder = tmp_path / "files"
    folder.mkdir()
    write_folder(raw, folder)

    live, ran = predicted(tmp_path / "live.json", "--kubeconfig", str(alone.kubeconfig))
    files, _ = predicted(tmp_path / "files.json", "--filename", str(folder))

    assert (pods, pods // 2) == (live["pods"], live["policies"])
    assert [] == live["warnings"] == live["problems"] == live["unread"]
    assert [key for key in ALIKE if live[key] != files[key]] == []
    assert ran.megabytes < MEGABYTES
    assert pages(alone, "pods") == -(-pods // PAGE)
    assert pages(alone, "networkpolicies") == -(-pods // 2 // PAGE)


def predicted(output: Path, *source: str) -> tuple[dict[str, Any], Ran]:
    ran = netaudit("predict", *source, "--port", "8080", "--output", "json", output=output)
    found: dict[str, Any] = json.loads(output.read_bytes())
    return found, ran


def pages(alone: Cluster, resource: str) -> int:
    """How many requests for lists of a resource the server answered for us."""
    assert alone.audit_log is not None
    lines = map(json.loads, alone.audit_log.read_text().splitlines())
    ours = (line for line in lines if str(line.get("userAgent", "")).startswith("netaudit/"))
    return sum(line["verb"] == "list" and line["objectRef"]["resource"] == resource for line in ours)

"""Fixtures of the audit's tests: one cluster without enforcement for all, and a command of their own for each."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster, existing
from tests.cluster.fixtures import ClusterFactory
from tests.cluster.tests.audit.command import Command
from tests.cluster.tests.audit.site import Site

STANDING = "NETAUDIT_TEST_CLUSTER"
"""Names a cluster of `python -m tests.cluster` that stands already: handy while a test is being written."""


def standing(engine: str, cluster: ClusterFactory, settings: Mapping[str, str] | None = None) -> Cluster:
    """Give the cluster that `NETAUDIT_TEST_CLUSTER_ENGINE` names, or one of two nodes that is started for it."""
    name = os.environ.get(f"{STANDING}_{engine.upper()}")
    return existing(name) if name else cluster(engine=engine, nodes=2, settings=settings)


@pytest.fixture(scope="session")
def lax(cluster: ClusterFactory) -> Cluster:
    """Give the cluster of two nodes where nothing enforces policy."""
    name = os.environ.get(STANDING)
    return existing(name) if name else cluster(engine="none", nodes=2)


@pytest.fixture(scope="module")
def site(lax: Cluster) -> Iterator[Site]:
    """Give the place for a module's workloads, which are gone after it."""
    place = Site(lax)
    place.clear()
    yield place
    place.clear()


@pytest.fixture
def netaudit(lax: Cluster, tmp_path: Path) -> Command:
    """Give the command with the cluster's kubeconfig."""
    return Command(tmp_path, lax.kubeconfig)

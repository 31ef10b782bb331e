"""The plain cluster that several files share, so that it is started once."""

from __future__ import annotations

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.fixtures import ClusterFactory

VERSION = "v1.35.4-eks-113cf36"
ZONE = "zone-a"
PROVIDER_ID = "aws:///zone-a/i-0123456789abcdef0"


@pytest.fixture(scope="session")
def plain(cluster: ClusterFactory) -> Cluster:
    return cluster(
        engine="none",
        nodes=2,
        dual_stack=True,
        server_version=VERSION,
        node_labels={"n1": {"topology.kubernetes.io/zone": ZONE}},
        provider_ids={"n1": PROVIDER_ID},
    )

"""The fixture `cluster` for all tests below, and the marker of those that any cluster can bear."""

from __future__ import annotations

import pytest

from tests.cluster.fixtures import ANY_CLUSTER, cluster, prepare_items

__all__ = ["cluster"]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{ANY_CLUSTER}: safe for a cluster given by NETAUDIT_TEST_KUBECONFIG")


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    prepare_items(items)

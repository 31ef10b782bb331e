"""Clusters for pytest: one per configuration and session, taken down at its end whatever happened.

    def test_something(cluster: ClusterFactory) -> None:
        mine = cluster(engine="cilium", nodes=2, node_settings={"n2": {"enable-policy": "never"}})

One that is not needed any more may be taken down with `mine.down()`: an idle cluster costs a tenth of a core and 1.3 GB
with Cilium. With NETAUDIT_TEST_KUBECONFIG every call gives that cluster, and only tests marked `any_cluster` run.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Protocol

import pytest

from tests.cluster import lifecycle, state
from tests.cluster.cluster import Cluster, given, start
from tests.cluster.errors import ClusterError
from tests.cluster.spec import NodeOptions, make_spec

GIVEN = "NETAUDIT_TEST_KUBECONFIG"
ANY_CLUSTER = "any_cluster"


class ClusterFactory(Protocol):
    """What the fixture `cluster` is."""

    def __call__(
        self,
        *,
        engine: str = "none",
        nodes: int = 2,
        dual_stack: bool = False,
        settings: Mapping[str, str] | None = None,
        server_version: str = "",
        bare: Sequence[str] = (),
        node_settings: Mapping[str, Mapping[str, str]] | None = None,
        node_labels: Mapping[str, Mapping[str, str]] | None = None,
        provider_ids: Mapping[str, str] | None = None,
    ) -> Cluster: ...


class Pool:
    """The clusters of this session, by what was asked for."""

    def __init__(self) -> None:
        self._clusters: dict[str, Cluster] = {}
        self._slot, self._lock = _take_slot()
        for name in state.names():
            if name.startswith(f"{self._slot}-"):  # of a session that was killed
                lifecycle.down(name)

    def get(
        self,
        *,
        engine: str = "none",
        nodes: int = 2,
        dual_stack: bool = False,
        settings: Mapping[str, str] | None = None,
        server_version: str = "",
        bare: Sequence[str] = (),
        node_settings: Mapping[str, Mapping[str, str]] | None = None,
        node_labels: Mapping[str, Mapping[str, str]] | None = None,
        provider_ids: Mapping[str, str] | None = None,
    ) -> Cluster:
        """The session's cluster of this configuration, started when it is first asked for."""
        per_node = NodeOptions(tuple(bare), node_labels or {}, provider_ids or {}, node_settings or {})
        asked = [
            engine,
            nodes,
            dual_stack,
            settings,
            server_version,
            sorted(bare),
            node_settings,
            node_labels,
            provider_ids,
        ]
        key = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:8]
        # A test that is done with a cluster may take it down, to leave the machine to others.
        if key not in self._clusters or state.load(self._clusters[key].name) is None:
            spec = make_spec(
                f"{self._slot}-{key}",
                engine=engine,
                nodes=nodes,
                dual_stack=dual_stack,
                settings=settings,
                server_version=server_version,
                per_node=per_node,
            )
            try:
                self._clusters[key] = start(spec)
            except BaseException:
                lifecycle.down(spec.name)
                raise
        return self._clusters[key]

    def close(self) -> None:
        """Take all of them down, the last ones also when the first one fails to go."""
        failures = []
        for cluster in self._clusters.values():
            try:
                cluster.down()
            except (ClusterError, OSError) as error:  # the others must go all the same; it is raised below
                failures.append(error)
        Path(self._lock.name).unlink()
        self._lock.close()
        state.remove_root_if_empty()
        if failures:
            raise ExceptionGroup("clusters that did not go down", failures)


@pytest.fixture(scope="session")
def cluster() -> Iterator[ClusterFactory]:
    """Start clusters, or hand out the one that was given."""
    kubeconfig = os.environ.get(GIVEN)
    if kubeconfig:
        outside = given(Path(kubeconfig))

        def hand_out(**_: object) -> Cluster:
            return outside

        yield hand_out
        return
    pool = Pool()
    try:
        yield pool.get
    finally:
        pool.close()


def prepare_items(items: Sequence[pytest.Item]) -> None:
    """Keep tests that share clusters in one worker, and off a given cluster unless they are safe for it."""
    for item in items:
        if "cluster" not in getattr(item, "fixturenames", ()):
            continue
        item.add_marker(pytest.mark.xdist_group(_group(item.path)))
        if os.environ.get(GIVEN) and item.get_closest_marker(ANY_CLUSTER) is None:
            reason = f"{GIVEN} is set, and this test is not safe for a cluster that it did not start"
            item.add_marker(pytest.mark.skip(reason=reason))


def _group(path: Path) -> str:
    """Tests of one group share clusters; the groups run side by side, because they mostly wait."""
    if path.parent.name == "audit":
        return "audit"
    return "cilium" if "cilium" in path.name else "plain"


def _take_slot() -> tuple[str, IO[str]]:
    """A number that no other session has: sessions side by side never touch each other's clusters."""
    root = state.state_root()
    root.mkdir(parents=True, exist_ok=True)
    number = 0
    while True:
        path = root / f".session-{number}.lock"
        file = path.open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            number += 1
            continue
        if path.exists() and path.stat().st_ino == os.fstat(file.fileno()).st_ino:
            return f"t{number}", file
        file.close()  # the session before removed it while this one waited

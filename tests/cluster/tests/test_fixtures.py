"""Clusters of a session: one per configuration, apart from those of other sessions, and a given one in their place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import fixtures, lifecycle, state
from tests.cluster.cluster import Cluster
from tests.cluster.fixtures import GIVEN, Pool, prepare_items
from tests.cluster.spec import ClusterSpec


@pytest.fixture
def pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pool]:
    """A pool whose clusters are nothing but their records."""
    monkeypatch.setenv("NETAUDIT_STATE", str(tmp_path))

    def start(spec: ClusterSpec) -> Cluster:
        state.Record(spec).save()
        return Cluster(spec.name, tmp_path / spec.name / "kubeconfig", ())

    monkeypatch.setattr(fixtures, "start", start)
    made = Pool()
    yield made
    if not made._lock.closed:
        made.close()


def test_one_configuration_is_one_cluster(pool: Pool) -> None:
    first = pool.get(engine="none")

    assert first == pool.get(engine="none")
    assert first != pool.get(engine="none", nodes=3)


def test_a_cluster_that_was_taken_down_is_started_again(pool: Pool) -> None:
    pool.get().down()

    again = pool.get()

    assert [again.name] == state.names()


def test_sessions_side_by_side_have_names_of_their_own(pool: Pool) -> None:
    other = Pool()

    assert pool.get().name != other.get().name
    other.close()
    assert [pool.get().name] == state.names()


def test_the_end_of_a_session_leaves_nothing(pool: Pool, tmp_path: Path) -> None:
    pool.get()
    pool.get(nodes=3)

    pool.close()

    assert not tmp_path.exists()


def test_the_next_session_removes_what_a_killed_one_left(pool: Pool) -> None:
    pool.get()
    pool._lock.close()  # what the kernel does when a process is killed

    later = Pool()

    assert [] == state.names()
    later.close()


def test_a_cluster_that_does_not_start_is_taken_down(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(spec: ClusterSpec) -> Cluster:
        state.Record(spec).save()
        raise KeyboardInterrupt

    monkeypatch.setattr(fixtures, "start", fail)

    with pytest.raises(KeyboardInterrupt):
        pool.get()

    assert [] == state.names()


@pytest.mark.parametrize("marked", [True, False])
def test_on_a_given_cluster_only_what_is_safe_runs(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, marked: bool
) -> None:
    monkeypatch.setenv(GIVEN, "/given/kubeconfig")
    item = pytest.Function.from_parent(request.node.parent, name="something", callobj=lambda cluster: None)
    if marked:
        item.add_marker(fixtures.ANY_CLUSTER)

    prepare_items([item])

    skips = [mark.kwargs["reason"] for mark in item.iter_markers("skip")]
    assert marked is not any(GIVEN in reason for reason in skips)


def test_down_is_what_the_command_does(pool: Pool) -> None:
    cluster = pool.get()

    lifecycle.down(cluster.name)

    assert [] == state.names()

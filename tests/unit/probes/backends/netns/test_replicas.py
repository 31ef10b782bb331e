"""How many pods stand for a workload of manifests, and what they are called."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.cluster.applied import applied
from auditor.cluster.documents import read
from probes.backends.netns.replicas import replicated

KINDS = ["Deployment", "StatefulSet", "ReplicaSet"]
TEXT = """
apiVersion: {version}
kind: {kind}
metadata: {{name: db, namespace: shop}}
spec:
  {replicas}
  selector: {selector}
  template:
    metadata: {{labels: {{app: db}}}}
    spec: {{containers: [{{name: db, image: db}}]}}
"""
MATCHING, PLAIN = "{matchLabels: {app: db}}", "{app: db}"


def names(*texts: str, nodes: int = 3, room: int = 100) -> list[str]:
    """Of the pods that manifests have in a sandbox of so many nodes."""
    items, problems = read("k8s.yaml", "\n---\n".join(texts).encode())
    raw, _ = applied(items, problems)
    pods: list[dict[str, Any]] = [dict(pod) for pod in raw.objects["pods"]]
    return [pod["metadata"]["name"] for pod in replicated(pods, raw.objects, nodes, room)]


def workload(kind: str, replicas: int | None = None) -> str:
    said = "" if replicas is None else f"replicas: {replicas}"
    plain = kind == "ReplicationController"
    return TEXT.format(
        version="v1" if plain else "apps/v1", kind=kind, replicas=said, selector=PLAIN if plain else MATCHING
    )


def stored(name: str, *owners: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "shop", "ownerReferences": list(owners)}}


@pytest.mark.parametrize("kind", [*KINDS, "ReplicationController"])
def test_a_pod_for_each_replica_but_one_on_a_node(kind: str) -> None:
    assert names(workload(kind)) == ["db"]
    assert names(workload(kind, 1)) == ["db"]
    assert names(workload(kind, 2)) == ["db", "db-2"]
    assert names(workload(kind, 9)) == ["db", "db-2", "db-3"]


def test_a_daemon_set_is_everywhere() -> None:
    assert names(workload("DaemonSet"), nodes=4) == ["db", "db-2", "db-3", "db-4"]


def test_names_of_others_are_left_to_them() -> None:
    other = "{apiVersion: v1, kind: Pod, metadata: {name: db-2, namespace: shop}, spec: {containers: []}}"
    assert names(workload("StatefulSet", 3), other.replace("[]", "[{name: a, image: a}]")) == [
        "db-2",
        "db",
        "db-3",
        "db-4",
    ]


def test_what_has_no_room_goes_without() -> None:
    assert names(workload("Deployment", 3), room=2) == ["db", "db-2"]
    assert names(workload("Deployment", 3), room=0) == ["db"]


def test_a_job_has_one_pod() -> None:
    job = workload("Job").replace("apps/v1", "batch/v1").replace("selector: {matchLabels: {app: db}}", "parallelism: 3")
    assert names(job) == ["db"]


def test_pods_that_a_controller_made_are_all_there_are() -> None:
    """As `kubectl get` prints them; an owner that is no controller says nothing either."""
    objects = {"statefulsets": [{"metadata": {"name": "db", "namespace": "shop"}, "spec": {"replicas": 3}}]}
    owner = {"kind": "StatefulSet", "name": "db", "controller": True}
    for pod in (stored("db-0", {**owner, "uid": "7"}), stored("db-0", {**owner, "controller": False}), stored("db-0")):
        assert replicated([pod], objects, 3, 100) == [pod]
    assert len(replicated([stored("db-0", owner)], objects, 3, 100)) == 3


def test_copies_share_nothing() -> None:
    """Each gets a node and addresses of its own."""
    owner = {"kind": "DaemonSet", "name": "db", "controller": True}
    first, second = replicated([{**stored("db", owner), "spec": {}}], {}, 2, 100)
    second["spec"]["nodeName"] = second["metadata"]["labels"] = "n2"
    assert first == {**stored("db", owner), "spec": {}}

"""What a sandbox says that it runs, with no namespaces behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest

from auditor.cluster.decode import decode
from auditor.cluster.saved import FileSource
from auditor.errors import NetauditError
from probes.backends.netns.realm import Realm
from probes.backends.netns.sandbox import Sandbox
from probes.backends.netns.services import DOORS
from probes.backends.netns.source import NODES, SandboxSource
from probes.backends.netns.wires import MOST_PODS

DEPLOYMENT = b"""
{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "db"}, "spec": {"replicas": 2,
 "selector": {"matchLabels": {"app": "db"}}, "template": {"metadata": {"labels": {"app": "db"}},
 "spec": {"containers": [{"name": "db", "image": "db"}]}}}}
"""
DAEMONS = DEPLOYMENT.replace(b"Deployment", b"DaemonSet").replace(b'"replicas": 2,', b"").replace(b"db", b"log")


class NoRealm:
    """Does nothing of what is asked."""

    async def spaces(self, number: int, _: Mapping[str, str], /) -> range:
        return range(number)

    async def run(self, *_: object) -> str:
        return ""


def objects(*manifests: bytes) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    async def work() -> Mapping[str, Sequence[Mapping[str, Any]]]:
        box = Sandbox(cast("Realm", NoRealm()), 2, None)
        raw = await SandboxSource(box, FileSource(["-"], lambda: b"---".join(manifests))).collect()
        assert not decode(raw).warnings
        return raw.objects

    return asyncio.run(work())


def test_netaudit_says_so_where_no_node_port_is_left() -> None:
    """Also of its own Services, with which nothing is wrong."""
    ports = [{"port": number} for number in range(1, len(DOORS) + 1)]

    async def work() -> None:
        box = Sandbox(cast("Realm", NoRealm()), 2, None)
        box.serve([{"metadata": {"name": "all"}, "spec": {"type": "NodePort", "ports": ports}}])
        box.serve([{"metadata": {"name": "inner"}, "spec": {"ports": ports}}])
        box.serve([{"metadata": {"name": "late"}, "spec": {"type": "NodePort", "ports": ports[:1]}}])

    said = r"no TCP node port left for another Service\n  why: .*2,768, from 30000 to 32767.*\n  try: leave Services"
    with pytest.raises(NetauditError, match=said):
        asyncio.run(work())


def test_a_node_has_the_room_that_it_says() -> None:
    for node in objects(DEPLOYMENT)["nodes"]:
        assert node["status"]["allocatable"]["pods"] == str(MOST_PODS)


def test_replicas_and_daemons_stand_on_nodes_of_their_own() -> None:
    found = {pod["metadata"]["name"]: pod for pod in objects(DEPLOYMENT, DAEMONS)["pods"]}
    nodes = {name: pod["spec"]["nodeName"] for name, pod in found.items()}
    assert sorted(found) == ["db", "db-2", "log", "log-2", "log-3"]
    assert len({nodes["db"], nodes["db-2"]}) == 2
    assert {nodes[name] for name in ("log", "log-2", "log-3")} == set(NODES)
    assert len({pod["status"]["podIP"] for pod in found.values()}) == len(found)

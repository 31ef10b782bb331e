"""A server and a client on every node, and a policy that closes the servers: what tells an engine that enforces.

Asked with kubectl and nc alone, so that nothing of netaudit has to be right for it.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.cluster.cluster import Cluster

IMAGE = "docker.io/library/busybox:1.37"
_PORT = 80
LOOK = 0.5
"""Seconds between two looks at who reaches whom: each starts a kubectl for every source."""

Matrix = Mapping[tuple[str, str], bool]
"""(node of the client, node of the server) -> whether an echo came back."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One namespace with its pods."""

    cluster: Cluster
    namespace: str
    addresses: Mapping[str, tuple[str, ...]]
    """Node -> the addresses of the server there."""

    def deny_all(self) -> None:
        """No ingress to the servers."""
        self._apply("deny-all", {})

    def allow_from_clients(self) -> None:
        """Ingress to the servers from pods with the clients' label, and from nobody else."""
        allowed = [{"from": [{"podSelector": {"matchLabels": {"role": "client"}}}]}]
        self._apply("allow-clients", {"ingress": allowed})

    def allow_all(self) -> None:
        """No policy any more."""
        self.cluster.kubectl("delete", "networkpolicy", "--all", "-n", self.namespace)

    def _apply(self, name: str, rules: Mapping[str, Any]) -> None:
        policy = {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": {"podSelector": {"matchLabels": {"role": "server"}}, "policyTypes": ["Ingress"], **rules},
        }
        self.cluster.kubectl("apply", "-f", "-", stdin=json.dumps(policy))

    def matrix(self, family: int = 0) -> Matrix:
        """Who reaches whom, by the first or second address of the servers."""
        with ThreadPoolExecutor(len(self.addresses)) as pool:
            rows = list(pool.map(lambda source: self._row(source, family), self.addresses))
        return {cell: reached for row in rows for cell, reached in row.items()}

    def _row(self, source: str, family: int) -> Matrix:
        asked = " ".join(f"{node}={addresses[family]}" for node, addresses in self.addresses.items())
        script = (
            f"for pair in {asked}; do ("
            f'echo hi | nc -w 1 "${{pair#*=}}" {_PORT} 2>/dev/null | grep -q hi && echo "${{pair%%=*}}"'
            ") & done; wait"
        )
        reached = self.cluster.exec(self.namespace, f"client-{source}", "sh", "-c", script).stdout.split()
        return {(source, target): target in reached for target in self.addresses}

    def await_matrix(self, wanted: Matrix, family: int = 0, timeout: float = 60) -> None:
        """Wait until it is as wanted, twice in a row: what has just begun may not last."""
        deadline = time.monotonic() + timeout
        held = 0
        while held < 2:
            found = self.matrix(family)
            held = held + 1 if found == wanted else 0
            assert held or time.monotonic() < deadline, f"wanted {_text(wanted)}, found {_text(found)}"
            time.sleep(0 if held else LOOK)

    def all(self, *, reached: bool) -> Matrix:
        """The matrix in which every cell is the same."""
        return {(source, target): reached for source in self.addresses for target in self.addresses}

    def only_to(self, *nodes: str) -> Matrix:
        """The matrix in which these nodes' servers alone are open."""
        return {(source, target): target in nodes for source in self.addresses for target in self.addresses}


def eventually(condition: Callable[[], bool], timeout: float = 60) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.1)


@contextmanager
def scene(cluster: Cluster) -> Iterator[Scene]:
    """Set it up on all nodes, wait for its pods, and take it away."""
    namespace = f"scene-{uuid.uuid4().hex[:6]}"
    pods = [_pod(namespace, role, node) for node in cluster.nodes for role in ("server", "client")]
    place = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    everything = {"apiVersion": "v1", "kind": "List", "items": [place, *pods]}
    cluster.kubectl("apply", "-f", "-", stdin=json.dumps(everything))
    try:
        cluster.kubectl("wait", "-n", namespace, "--for=condition=Ready", "pods", "--all", "--timeout=90s")
        servers = json.loads(cluster.kubectl("get", "pods", "-n", namespace, "-l", "role=server", "-o", "json").stdout)
        addresses = {
            pod["spec"]["nodeName"]: tuple(one["ip"] for one in pod["status"]["podIPs"]) for pod in servers["items"]
        }
        yield Scene(cluster, namespace, dict(sorted(addresses.items())))
    finally:
        cluster.kubectl("delete", "namespace", namespace, "--wait=false")


def _pod(namespace: str, role: str, node: str) -> dict[str, Any]:
    command = ["nc", "-lk", "-p", str(_PORT), "-e", "cat"] if role == "server" else ["sleep", "86400"]
    container: dict[str, Any] = {"name": "main", "image": IMAGE, "command": command}
    if role == "server":
        container["readinessProbe"] = {"tcpSocket": {"port": _PORT}, "periodSeconds": 1}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"{role}-{node}", "namespace": namespace, "labels": {"role": role}},
        "spec": {"nodeName": node, "terminationGracePeriodSeconds": 0, "containers": [container]},
    }


def _text(matrix: Matrix) -> str:
    return ", ".join(f"{source}>{target}:{'open' if open_ else 'closed'}" for (source, target), open_ in matrix.items())

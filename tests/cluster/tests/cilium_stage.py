"""The pods of `tests.cilium.SCENE` in a real cluster, and who reaches whom there.

Asked with kubectl, nc and plain sockets, so that of netaudit only the model has to be right.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from auditor.cluster.api import connect
from auditor.cluster.decode import decode
from auditor.cluster.live import LiveCluster
from auditor.engines import identify_engine
from auditor.evaluate.model import Model
from auditor.model.cluster import Pod, Snapshot
from auditor.model.ends import Address
from auditor.model.flow import Family, Verdict
from tests.cilium import NODES, ON_NODES, OUTSIDE, SCENE, SERVED, Case
from tests.cluster.cluster import Cluster
from tests.cluster.scene import IMAGE, LOOK

EXT = "ext"
PATIENCE = 60.0
"""Seconds until agents must have heard of a policy."""

ECHO = f"""
import socketserver

class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(self.request.recv(64))

socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer(("", {SERVED}), Echo).serve_forever()
"""
KNOCK = """
import socket, sys
for text in sys.argv[1:]:
    name, address, port = text.split("=")
    try:
        with socket.create_connection((address, int(port)), 1) as made:
            made.settimeout(1)
            made.sendall(b"hi")
            if made.recv(8) == b"hi":
                print(name)
    except OSError:
        pass
"""
_ASK = """
for item in "$@"; do (
    rest="${item#*=}"
    echo hi | nc -w 1 "${rest%=*}" "${rest#*=}" 2>/dev/null | grep -q hi && echo "${item%%=*}"
) & done
wait
"""
"""The same in a pod, which has busybox alone."""
_DETACHED = 'setsid python3 -c "$1" </dev/null >/dev/null 2>&1 & echo $!'


class Stage:
    """The pods of `SCENE`, running, and the machine outside."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self._addresses: dict[str, str] = {}
        self._echo = ""

    def set_up(self) -> None:
        """Make the pods and wait for them; start the server outside."""
        accounts = {(item["metadata"]["namespace"], item["spec"].get("serviceAccountName")) for item in _pods()}
        made = [
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"namespace": home, "name": name}}
            for home, name in sorted((home, name) for home, name in accounts if name)
        ]
        homes = [{**item, "apiVersion": "v1"} for item in SCENE if item["kind"] == "Namespace"]
        self.apply(*(_plain(item) for item in homes), *made, *(_running(item) for item in _pods()))
        self._echo = self.cluster.on_machine(EXT, "sh", "-c", _DETACHED, "sh", ECHO).stdout.strip()
        for home in homes:
            name = home["metadata"]["name"]
            self.cluster.kubectl("wait", "-n", name, "--for=condition=Ready", "pods", "--all", "--timeout=180s")
        listed = json.loads(self.cluster.kubectl("get", "pods", "-A", "-o", "json").stdout)["items"]
        self._addresses = {
            f"{item['metadata']['namespace']}/{item['metadata']['name']}": item["status"]["podIP"] for item in listed
        }

    def take_down(self) -> None:
        """Take away what was made."""
        homes = [item["metadata"]["name"] for item in SCENE if item["kind"] == "Namespace"]
        self.cluster.kubectl("delete", "namespace", *homes, "--ignore-not-found", "--wait=false")
        if self._echo:
            self.cluster.on_machine(EXT, "kill", self._echo, check=False)

    def apply(self, *objects: Mapping[str, Any]) -> None:
        """Create objects."""
        listed = {"apiVersion": "v1", "kind": "List", "items": [_plain(item) for item in objects]}
        self.cluster.kubectl("apply", "-f", "-", stdin=json.dumps(listed))

    def remove(self, *objects: Mapping[str, Any]) -> None:
        """Delete objects."""
        listed = {"apiVersion": "v1", "kind": "List", "items": [_plain(item) for item in objects]}
        self.cluster.kubectl("delete", "--ignore-not-found", "-f", "-", stdin=json.dumps(listed))

    def seen(self, case: Case) -> dict[tuple[str, str], bool]:
        """Which flows of a case get through now."""
        by_source: dict[str, list[str]] = {}
        for source, target in case.flows:
            by_source.setdefault(source, []).append(target)
        with ThreadPoolExecutor(len(by_source)) as pool:
            answers = pool.map(lambda item: self._knock(item[0], item[1], case.port), by_source.items())
        return {flow: reached for answer in answers for flow, reached in answer.items()}

    def _knock(self, source: str, targets: list[str], port: int) -> dict[tuple[str, str], bool]:
        asked = [f"{name}={self._address(name)}={ON_NODES if name in NODES else port}" for name in targets]
        if source == EXT:
            out = self.cluster.on_machine(EXT, "python3", "-c", KNOCK, *asked, check=False).stdout
        else:
            home, name = source.split("/")
            out = self.cluster.exec(home, name, "sh", "-c", _ASK, "knock", *asked).stdout
        return {(source, target): target in out.split() for target in targets}

    def _address(self, name: str) -> str:
        return OUTSIDE["destination"] if name == EXT else NODES.get(name) or self._addresses[name]

    def predicted(self, case: Case) -> dict[tuple[str, str], Verdict]:
        """What the model says of the objects as the API server has them."""
        found = asyncio.run(_snapshot(self.cluster))
        model = Model(found, dialect=identify_engine(found).dialect)
        pods = {f"{item.namespace}/{item.name}": item for item in found.pods}

        def end(name: str, way: str) -> Pod | Address:
            return Address(OUTSIDE[way]) if name == EXT else Address(NODES[name]) if name in NODES else pods[name]

        return {
            (source, target): model.decide(
                end(source, "source"),
                end(target, "destination"),
                Family.IPV4,
                ON_NODES if target in NODES else case.port,
            ).verdict
            for source, target in case.flows
        }

    def check(self, case: Case) -> None:
        """Hold a case's table against the model and against packets, which need a moment to follow."""
        self.apply(*case.objects)
        try:
            predicted = self.predicted(case)
            assert predicted == {
                flow: Verdict.ALLOWED if opens else Verdict.DENIED for flow, opens in case.flows.items()
            }
            deadline = time.monotonic() + PATIENCE
            held = 0
            while held < 2:
                seen = self.seen(case)
                held = held + 1 if seen == case.flows else 0
                assert held or time.monotonic() < deadline, f"packets say {seen}"
                time.sleep(0 if held else LOOK)
        finally:
            self.remove(*case.objects)


async def _snapshot(cluster: Cluster) -> Snapshot:
    api = await connect(kubeconfig=str(cluster.kubeconfig), context=None, rate=100, version="test")
    try:
        return decode(await LiveCluster(api).collect())
    finally:
        await api.close()


def _pods() -> list[dict[str, Any]]:
    return [item for item in SCENE if item["kind"] == "Pod"]


def _plain(item: Mapping[str, Any]) -> dict[str, Any]:
    """An object as a user would write it, without what the API server adds."""
    kept = {key: value for key, value in item["metadata"].items() if key in {"name", "namespace", "labels"}}
    return {"apiVersion": "v1", **item, "metadata": kept}


def _running(item: Mapping[str, Any]) -> dict[str, Any]:
    """A pod of the scene, which answers on its ports and dies when it is told to."""
    spec = item["spec"]
    numbers = (ON_NODES,) if spec.get("hostNetwork") else (SERVED, SERVED + 1)
    servers = "; ".join(f"(nc -lk -p {number} -e cat &)" for number in numbers)
    container = {
        "name": "main",
        "image": IMAGE,
        "command": ["sh", "-c", f"{servers}; exec sleep 86400"],
        "ports": spec["containers"][0]["ports"],
    }
    kept = {key: spec[key] for key in ("nodeName", "hostNetwork", "serviceAccountName") if key in spec}
    made = {key: value for key, value in item.items() if key != "status"}
    return {**made, "spec": {**kept, "terminationGracePeriodSeconds": 0, "containers": [container]}}

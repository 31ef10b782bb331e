"""Pods that answer with their names behind Services of a sandbox, and pods that ask."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from auditor.ports import RawSnapshot
from probes.backends.netns.realm import Process
from probes.backends.netns.sandbox import Sandbox, sandbox
from probes.backends.netns.source import SandboxSource

PATIENCE = 20.0
"""Seconds after which what must be answered counts as lost."""
GRACE = 0.5
"""Seconds that what must not be answered is given."""
PORTS = (8080, 8081)
"""What every pod listens on, over both protocols and families."""
ENVIRONMENT = {"PATH": "/usr/bin:/bin"}
LISTEN = """
import selectors, socket, sys
name, *ports = sys.argv[1:]
wait = selectors.DefaultSelector()
for port in map(int, ports):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        for family, every in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
            made = socket.socket(family, kind)
            if family == socket.AF_INET6:
                made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            made.bind((every, port))
            if kind == socket.SOCK_STREAM:
                made.listen(64)
            wait.register(made, selectors.EVENT_READ, (kind, port))
print("up", flush=True)
while True:
    for key, _ in wait.select():
        kind, port = key.data
        if kind == socket.SOCK_STREAM:
            with key.fileobj.accept()[0] as one:
                one.sendall(f"{name} {port} {one.getpeername()[0]}".encode())
        else:
            _, peer = key.fileobj.recvfrom(64)
            key.fileobj.sendto(f"{name} {port} {peer[0]}".encode(), peer)
"""
ASK = """
import socket, sys, time
address, port, protocol, seconds = sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4])
family = socket.AF_INET6 if ":" in address else socket.AF_INET
kind = socket.SOCK_STREAM if protocol == "TCP" else socket.SOCK_DGRAM
end = time.monotonic() + seconds

def asked():
    with socket.socket(family, kind) as one:
        one.settimeout(max(0.01, end - time.monotonic()) if protocol == "TCP" else 0.2)
        one.connect((address, port))
        if protocol == "UDP":
            one.send(b"?")
        return one.recv(64).decode()

said = "silent"
while said == "silent" and time.monotonic() < end:
    try:
        said = asked()
    except TimeoutError:
        pass
    except OSError as error:
        said = "refused" if isinstance(error, ConnectionRefusedError) else str(error)
print(said)
"""


def pod(name: str, node: str, **labels: str) -> dict[str, Any]:
    """A pod whose port http is 8080, or 8081 with the label second."""
    port = {"name": "http", "containerPort": PORTS[labels.pop("second", "") == "yes"]}
    ports = [{**port, "protocol": protocol} for protocol in ("TCP", "UDP")]
    return {
        "metadata": {"name": name, "namespace": "shop", "labels": {**labels, "name": name}},
        "spec": {"nodeName": node, "containers": [{"name": "main", "image": "none", "ports": ports}]},
    }


PODS = (
    pod("web-1", "n1", app="web"),
    pod("web-2", "n2", app="web", second="yes"),
    pod("other", "n2", app="other"),
    pod("near", "n1", app="client"),
    pod("far", "n3", app="far"),
)
NODES = tuple({"metadata": {"name": name}} for name in ("n1", "n2", "n3"))


def service(name: str, app: str = "web", **spec: Any) -> dict[str, Any]:
    """A Service of port 80, by both protocols, that leads to http."""
    ports = [{"name": it.lower(), "protocol": it, "port": 80, "targetPort": "http"} for it in ("TCP", "UDP")]
    wanted = {"selector": {"app": app}, "ipFamilyPolicy": "PreferDualStack", "ports": ports}
    return {"metadata": {"name": name, "namespace": "shop"}, "spec": {**wanted, **spec}}


HTTP = [{"port": PORTS[0], "protocol": protocol} for protocol in ("TCP", "UDP")]


def policy(app: str, **spec: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A NetworkPolicy over pods of an app, whose rules are all about port 8080."""
    types = [word.capitalize() for word in spec]
    rules = {word: [{**rule, "ports": HTTP} for rule in rules] for word, rules in spec.items()}
    return {
        "metadata": {"name": app, "namespace": "shop"},
        "spec": {"podSelector": {"matchLabels": {"app": app}}, "policyTypes": types, **rules},
    }


class Given:
    """Objects as files would hold them."""

    def __init__(self, objects: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
        self._raw = RawSnapshot(objects)

    async def collect(self) -> RawSnapshot:
        return self._raw

    async def collect_policies(self) -> RawSnapshot:
        return self._raw

    async def collect_pods(self, _: Sequence[str], /) -> RawSnapshot:
        return self._raw


@dataclass
class Shop:
    """A sandbox in which every pod listens."""

    box: Sandbox
    raw: RawSnapshot
    first: dict[str, Process] = field(default_factory=dict)

    def spec(self, name: str) -> dict[str, Any]:
        """A Service as it is here."""
        [found] = [item["spec"] for item in self.raw.objects["services"] if item["metadata"]["name"] == name]
        return dict(found)

    def ways(self, name: str) -> list[tuple[str, int, str]]:
        """Addresses, port and protocol of a Service, in each combination."""
        return [(text, 80, protocol) for text in self.spec(name)["clusterIPs"] for protocol in ("TCP", "UDP")]

    def doors(self, name: str, node: str) -> list[tuple[str, int, str]]:
        """The same of a node's port."""
        ports = {item["protocol"]: item["nodePort"] for item in self.spec(name)["ports"]}
        return [(text, ports[it], it) for text in self.box.nodes[node].addresses for it in ("TCP", "UDP")]

    async def listen(self) -> None:
        """Have every pod answer."""
        for seat in self.box.world.seats:
            words = [sys.executable, "-c", LISTEN, seat.name, *map(str, PORTS)]
            process = self.first[seat.name] = await self.box.start((seat.namespace, seat.name), words, ENVIRONMENT)
            line = await process.output.readline()
            assert line == b"up\n", line

    async def ask(self, source: str, way: tuple[str, int, str], seconds: float = PATIENCE) -> str:
        """What comes back: who answered on which port and whom it saw, else `refused` or `silent`."""
        address, port, protocol = way
        words = [sys.executable, "-c", ASK, address, str(port), protocol, str(seconds)]
        process = await self.box.start(("shop", source), words, ENVIRONMENT, beside=self.first[source])
        try:
            return (await process.output.read()).decode().strip()
        finally:
            await self.box.end(process)

    async def all(self, source: str, ways: Sequence[tuple[str, int, str]], seconds: float = PATIENCE) -> list[str]:
        """What comes back of each."""
        return list(await asyncio.gather(*(self.ask(source, way, seconds) for way in ways)))

    async def silent(self, source: str, ways: Sequence[tuple[str, int, str]]) -> bool:
        """Whether nothing comes back of any."""
        return set(await self.all(source, ways, GRACE)) == {"silent"}

    def addresses(self, name: str) -> tuple[str, ...]:
        """A pod's."""
        [found] = [seat.addresses for seat in self.box.world.seats if seat.name == name]
        return found

    async def table(self, node: str) -> list[str]:
        """The names of a node's tables."""
        said = await self.box.realm.run(self.box.nodes[node].space, ("nft", "-j", "list", "tables"))
        return [item["table"]["name"] for item in json.loads(said)["nftables"] if "table" in item]


@asynccontextmanager
async def shop(services: Sequence[Mapping[str, Any]], **more: Sequence[Mapping[str, Any]]) -> AsyncIterator[Shop]:
    """Bring the pods to run with these Services, and whatever other objects, by resource."""
    objects = {"nodes": NODES, "pods": PODS, "namespaces": [{"metadata": {"name": "shop"}}], "services": services}
    async with sandbox() as box:
        raw = await SandboxSource(box, Given({**objects, **more})).collect()
        made = Shop(box, raw)
        await made.listen()
        yield made

"""Packets between the pods of a cluster in miniature, and the rules that judge them."""

from __future__ import annotations

import select
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from probes.backends.netns.faults import Fault
from probes.backends.netns.ruleset import rulesets
from probes.backends.netns.world import World
from tests.sandbox.packets import GRACE, PATIENCE, Ground
from tests.sandbox.spaces import NODES, OUTSIDE, SEATS, nodes_and_pods

TCP_PORTS = (80, 8080, 8081, 8082, 9000)
UDP_PORTS = (53, 80, 9000)


class Realm(Ground):
    """The nodes and pods, under rules."""

    def load(self, world: World, fault: Fault | None = None) -> None:
        """Put a world's rules into force."""
        for node, text in rulesets(world, fault).items():
            self.spaces[node].run(("nft", "-f", "-"), text)

    @contextmanager
    def connection(self, source: str, destination: str) -> Iterator[tuple[socket.socket, socket.socket]]:
        """Connect two pods: the client's socket and the server's."""
        with self.bound(destination, 0, socket.SOCK_STREAM, (self.addresses[destination][0], 0)) as listener:
            listener.listen()
            listener.settimeout(PATIENCE)
            with self.opened(source, 0, socket.SOCK_STREAM) as client:
                client.settimeout(PATIENCE)
                client.connect(listener.getsockname())
                server, _ = listener.accept()
                with server:
                    server.settimeout(PATIENCE)
                    yield client, server

    def got(self, source: str, destination: str, count: int) -> int:
        """How many of that many datagrams came through, of which each is the first of its connection."""
        with self.bound(destination, 0, socket.SOCK_DGRAM, (self.addresses[destination][0], 0)) as ear:
            got = 0
            for _ in range(count):
                with self.opened(source, 0, socket.SOCK_DGRAM) as mouth:
                    mouth.sendto(b"?", ear.getsockname())
                got += _heard(ear, 0)
            while _heard(ear, GRACE):
                got += 1
            return got

    def listed(self, node: str) -> str:
        """What rules the kernel says a node has."""
        with self.spaces[node].inside():
            return subprocess.run(("nft", "list", "ruleset"), capture_output=True, text=True, check=True).stdout


def _heard(ear: socket.socket, seconds: float) -> bool:
    """Whether a datagram came, taking it."""
    ready, _, _ = select.select([ear], [], [], seconds)
    return bool(ready) and bool(ear.recv(16))


@contextmanager
def policed_realm() -> Iterator[Realm]:
    """Make the nodes and pods, listening, without any rules."""
    with ExitStack() as stack, nodes_and_pods() as spaces:
        addresses = {seat.name: seat.addresses for seat in SEATS} | NODES | OUTSIDE
        realm = Realm(spaces, addresses, stack)
        realm.listen(TCP_PORTS, UDP_PORTS)
        yield realm

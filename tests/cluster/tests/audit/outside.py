"""A host outside a test cluster that takes connections, and remembers all that was said to it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.cluster import spec
from tests.cluster.cluster import Cluster

ADDRESS = spec.OUTSIDE_V4
LISTEN = """
import pathlib, socket, sys, threading
heard = pathlib.Path(sys.argv[1])
def take(port):
    server = socket.create_server(("", port))
    while True:
        peer, _ = server.accept()
        threading.Thread(target=hear, args=(port, peer)).start()
def hear(port, peer):
    said = 0
    try:
        while piece := peer.recv(4096):
            said += len(piece)
    except ConnectionResetError:
        pass  # an end like any other
    with heard.open("a") as file:
        file.write(f"{port} {said}\\n")
for port in sys.argv[2:]:
    threading.Thread(target=take, args=(int(port),)).start()
"""
"""Takes a file and ports, and writes a line into it for each connection that has ended."""
_DETACHED = 'setsid python3 -c "$@" </dev/null >/dev/null 2>&1 & echo $!'


def ended(text: str) -> list[tuple[int, int]]:
    """Each connection that has ended: its port, and how many bytes were said on it."""
    return [(int(port), int(said)) for port, _, said in (line.partition(" ") for line in text.splitlines())]


class Host:
    """The outside host, listening."""

    def __init__(self, cluster: Cluster, file: str) -> None:
        self._cluster = cluster
        self._file = file

    def heard(self) -> list[tuple[int, int]]:
        """Each connection that has ended: its port, and how many bytes were said on it."""
        return ended(self._cluster.on_machine(spec.OUTSIDE, "cat", self._file, check=False).stdout)


@contextmanager
def listening(cluster: Cluster, ports: Sequence[int]) -> Iterator[Host]:
    """Listen outside on these ports."""
    file = cluster.on_machine(spec.OUTSIDE, "mktemp").stdout.strip()
    words = (LISTEN, file, *map(str, ports))
    process = cluster.on_machine(spec.OUTSIDE, "sh", "-c", _DETACHED, "sh", *words).stdout.strip()
    try:
        yield Host(cluster, file)
    finally:
        cluster.on_machine(spec.OUTSIDE, "kill", process, check=False)
        cluster.on_machine(spec.OUTSIDE, "rm", "-f", file, check=False)

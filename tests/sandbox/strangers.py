"""Listeners that are not ours, each with its own way of being unhelpful."""

from __future__ import annotations

import contextlib
import ctypes
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

Manner = Callable[[socket.socket, threading.Event], None]
_CLONE_NEWNET = 0x40000000


def speaks(words: bytes) -> Manner:
    """Says that, and hangs up."""
    return lambda peer, _: peer.sendall(words)


def silent(peer: socket.socket, over: threading.Event) -> None:
    """Accepts, and says nothing as long as the other stays."""
    peer.recv(1)


def overhears(heard: list[bytes]) -> Manner:
    """Says nothing, and notes all that the other said once it has left."""

    def manner(peer: socket.socket, over: threading.Event) -> None:
        said = b""
        while piece := peer.recv(4096):
            said += piece
        heard.append(said)

    return manner


def hesitates(peer: socket.socket, over: threading.Event) -> None:
    """Hangs up after a while, without a word that the other could take for the end."""
    over.wait(0.2)


def hangs_up(peer: socket.socket, over: threading.Event) -> None:
    """Accepts, and closes."""


def resets(peer: socket.socket, over: threading.Event) -> None:
    """Accepts, and closes with a reset."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def floods(what: bytes) -> Manner:
    """Says that without end."""

    def manner(peer: socket.socket, over: threading.Event) -> None:
        while not over.is_set():
            peer.sendall(what)

    return manner


def drips(peer: socket.socket, over: threading.Event) -> None:
    """Says one letter after the other, and never ends the line."""
    while not over.wait(0.2):
        peer.sendall(b"x")


def socket_in(holder: int, family: socket.AddressFamily, kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
    """Make a socket in the network namespace of that process: a socket stays where it was made."""
    made: list[socket.socket] = []

    def make() -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        with Path(f"/proc/{holder}/ns/net").open() as namespace:
            assert libc.setns(namespace.fileno(), _CLONE_NEWNET) == 0, "setns"
        made.append(socket.socket(family, kind))

    # A thread has a network namespace of its own, and this one ends here.
    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    return made[0]


class Stranger:
    """A listener under way; it counts the connections that are open at once."""

    def __init__(self, holder: int, port: int, manner: Manner) -> None:
        self.most = 0
        self._open = 0
        self._manner = manner
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._socket = socket_in(holder, socket.AF_INET6)
        self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self._socket.bind(("::", port))
        self._socket.listen(512)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Stop listening and let all connections go."""
        self._over.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self._socket.accept()
                threading.Thread(target=self._meet, args=(peer,), daemon=True).start()

    def _meet(self, peer: socket.socket) -> None:
        with peer, contextlib.suppress(OSError):
            self._count(1)
            try:
                self._manner(peer, self._over)
            finally:
                # Before the other can know of the end, so that the next one is never counted with this one.
                self._count(-1)

    def _count(self, step: int) -> None:
        with self._lock:
            self._open += step
            self.most = max(self.most, self._open)


@contextmanager
def strangers(holder: int, manners: dict[int, Manner]) -> Iterator[dict[int, Stranger]]:
    """Let strangers listen on those ports in the network namespace of that process."""
    started: dict[int, Stranger] = {}
    try:
        for port, manner in manners.items():
            started[port] = Stranger(holder, port, manner)
        yield started
    finally:
        for stranger in started.values():
            stranger.close()

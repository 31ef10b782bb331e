"""Packets between namespaces: all sorts at once, and which of them got through.

A socket stays in the namespace where it was made, so that one process speaks and listens everywhere.
"""

from __future__ import annotations

import itertools
import selectors
import socket
import struct
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial

from tests.sandbox.spaces import Space

PATIENCE = 20.0
"""Seconds after which what must get through counts as lost."""
GRACE = 0.25
"""Seconds that what must not get through is given at least, once all else has got through."""
_SCTP = 132


@dataclass(frozen=True)
class Flow:
    """What is tried, written as `client>web 80`, `client>web udp 53 v6`, `client>web icmp`."""

    source: str
    destination: str
    protocol: str = "tcp"
    port: int = 0
    family: int = 0

    @classmethod
    def parse(cls, text: str) -> Flow:
        ends, *words = text.split()
        source, destination = ends.split(">")
        flow = cls(source, destination)
        for word in words:
            if word.isdecimal():
                flow = replace(flow, port=int(word))
            elif word == "v6":
                flow = replace(flow, family=1)
            else:
                flow = replace(flow, protocol=word)
        return flow


@dataclass
class Ground:
    """Ends by name: their namespaces, their addresses, and what listens there."""

    spaces: Mapping[str, Space]
    addresses: Mapping[str, Sequence[str]]
    """An IPv4 one and an IPv6 one for each; empty where it has none."""
    stack: ExitStack
    echoes: list[socket.socket] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1024))

    def opened(self, where: str, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """Make a socket there that does not wait."""
        with self.spaces[where].inside():
            made = socket.socket((socket.AF_INET, socket.AF_INET6)[family], kind, protocol)
        made.setblocking(False)
        return made

    def listen(self, streams: Iterable[int], datagrams: Iterable[int]) -> None:
        """Listen everywhere; nobody accepts, because a finished handshake is all that is asked."""
        # Names may share an address.
        ends = {
            text: (name, family) for name, both in self.addresses.items() for family, text in enumerate(both) if text
        }
        for (address, (where, family)), port in itertools.product(ends.items(), streams):
            self.bound(where, family, socket.SOCK_STREAM, (address, port)).listen(4096)
        for (address, (where, family)), port in itertools.product(ends.items(), datagrams):
            self.echoes.append(self.bound(where, family, socket.SOCK_DGRAM, (address, port)))

    def bound(self, where: str, family: int, kind: int, address: tuple[str, int]) -> socket.socket:
        """Make a socket with that address, which lasts as long as the ground."""
        made = self.stack.enter_context(self.opened(where, family, kind))
        made.bind(address)
        return made

    def outcomes(self, flows: Sequence[Flow], awaited: Collection[Flow], patience: float = PATIENCE) -> dict[Flow, str]:
        """Try all at once, until those awaited got through and the rest had as long: open, refused or silent."""
        began = time.monotonic()
        with ExitStack() as stack, selectors.DefaultSelector() as selector:
            found: dict[Flow, str] = {}
            for listener in self.echoes:
                selector.register(listener, selectors.EVENT_READ, partial(_echo, listener))
            for flow in flows:
                trial = Trial(self, flow, stack)
                event = selectors.EVENT_WRITE if flow.protocol == "tcp" else selectors.EVENT_READ
                selector.register(trial.ear, event, partial(_note, trial, found))
            _turn(selector, patience, lambda: found.keys() >= set(awaited))
            # A slow machine takes its time for those that must not get through as well.
            took = time.monotonic() - began
            _turn(selector, max(GRACE, min(took, patience - took)), lambda: len(found) == len(flows))
        return {flow: found.get(flow, "silent") for flow in flows}


def _turn(selector: selectors.BaseSelector, seconds: float, done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + seconds
    while not done() and (left := deadline - time.monotonic()) > 0:
        for key, _ in selector.select(left):
            if key.data() is False:
                selector.unregister(key.fileobj)


def _echo(listener: socket.socket) -> None:
    data, sender = listener.recvfrom(64)
    listener.sendto(data, sender)


def _note(trial: Trial, found: dict[Flow, str]) -> bool:
    """Note an answer; whether the ear must go on listening."""
    answer = trial.answer()
    if answer:
        found[trial.flow] = answer
    return not answer


class Trial:
    """One attempt, begun when it is made."""

    def __init__(self, ground: Ground, flow: Flow, stack: ExitStack) -> None:
        self.flow = flow
        self._to = ground.addresses[flow.destination][flow.family]
        self._number = next(ground.numbers)
        self._ground = ground
        self._mouth = stack.enter_context(self._open(flow.source))
        # Most kernels speak no SCTP, so that the packet itself must show that it came through.
        self.ear = stack.enter_context(self._open(flow.destination)) if flow.protocol == "sctp" else self._mouth
        self._mouth.bind((ground.addresses[flow.source][flow.family], 0))
        self._start()

    def _open(self, where: str) -> socket.socket:
        kinds = {
            "tcp": (socket.SOCK_STREAM, 0),
            "udp": (socket.SOCK_DGRAM, 0),
            "sctp": (socket.SOCK_RAW, _SCTP),
            "icmp": (socket.SOCK_RAW, (socket.IPPROTO_ICMP, socket.IPPROTO_ICMPV6)[self.flow.family]),
        }
        return self._ground.opened(where, self.flow.family, *kinds[self.flow.protocol])

    def _start(self) -> None:
        if self.flow.protocol in {"tcp", "udp"}:
            self._mouth.connect_ex((self._to, self.flow.port))
        if self.flow.protocol == "udp":
            self._mouth.send(b"?")
        elif self.flow.protocol == "sctp":
            # A common header and an INIT chunk, which conntrack takes for a beginning.
            chunk = struct.pack("!BBHIIHHI", 1, 0, 20, 1, 65535, 1, 1, 1)
            self._mouth.sendto(self._mark() + struct.pack("!II", 0, 0) + chunk, (self._to, 0))
        elif self.flow.protocol == "icmp":
            kind = (8, 128)[self.flow.family]
            packet = struct.pack("!BBHHH", kind, 0, 0, self._number, 1)
            total = sum(struct.unpack("!HHHH", packet))
            checksum = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
            self._mouth.sendto(struct.pack("!BBHHH", kind, 0, checksum, self._number, 1), (self._to, 0))

    def _mark(self) -> bytes:
        return struct.pack("!HH", self._number, self.flow.port)

    def answer(self) -> str:
        """What the ear heard; empty where it was meant for others."""
        if self.flow.protocol == "tcp":
            return "refused" if self.ear.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) else "open"
        try:
            data = self.ear.recv(256)
        except OSError:
            return "refused"
        if self.flow.protocol == "udp":
            return "open"
        payload = data[20:] if self.flow.family == 0 else data
        if self.flow.protocol == "sctp":
            return "open" if payload[:4] == self._mark() else ""
        answered = payload[0] in {0, 129} and payload[4:6] == struct.pack("!H", self._number)
        return "open" if answered else ""

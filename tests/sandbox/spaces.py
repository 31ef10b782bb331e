"""A cluster in miniature for the engine's tests: five pods on two nodes, and a host outside.

Network namespaces live as long as this process has them open.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from probes.backends.netns.world import Seat, World

_CLONE_NEWNET = 0x40000000
_LIBC = ctypes.CDLL(None, use_errno=True)

SEATS = (
    Seat("shop", "web", {"app": "web"}, ("10.9.1.2", "fd09:1::2"), "n1", "v2", (("http", "TCP", 80), ("q", "UDP", 53))),
    Seat("shop", "client", {"app": "client"}, ("10.9.1.3", "fd09:1::3"), "n1", "v3"),
    Seat("guests", "guest", {"app": "client"}, ("10.9.1.4", "fd09:1::4"), "n1", "v4"),
    Seat(
        "shop", "api", {"app": "api", "tier": "back"}, ("10.9.2.2", "fd09:2::2"), "n2", "v2", (("http", "TCP", 8080),)
    ),
    Seat("guests", "far", {"app": "far"}, ("10.9.2.3", "fd09:2::3"), "n2", "v3"),
)
NODES = {"n1": ("192.0.2.1", "2001:db8::1"), "n2": ("192.0.2.2", "2001:db8::2")}
OUTSIDE = {"out": ("192.0.2.254", "2001:db8::fe"), "cloud": ("198.51.100.7", "2001:db8:1::7")}
"""Two addresses of one host outside of the cluster."""
WORLD = World(
    namespaces={
        "shop": {"kubernetes.io/metadata.name": "shop", "team": "sellers"},
        "guests": {"kubernetes.io/metadata.name": "guests"},
    },
    seats=SEATS,
    nodes=tuple(NODES),
)


def _checked(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


@dataclass(frozen=True)
class Space:
    """A network namespace."""

    descriptor: int

    @property
    def path(self) -> str:
        return f"/proc/{os.getpid()}/fd/{self.descriptor}"

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Make sockets and start programs there."""
        with open("/proc/thread-self/ns/net") as own:  # noqa: PTH123 - a descriptor is wanted, not the contents
            _checked(_LIBC.setns(self.descriptor, _CLONE_NEWNET))
            try:
                yield
            finally:
                _checked(_LIBC.setns(own.fileno(), _CLONE_NEWNET))

    def run(self, command: Sequence[str], given: str) -> None:
        with self.inside():
            done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{done.stderr}\n{given}"


@contextmanager
def _space() -> Iterator[Space]:
    with open("/proc/thread-self/ns/net") as own:  # noqa: PTH123 - a descriptor is wanted, not the contents
        _checked(_LIBC.unshare(_CLONE_NEWNET))
        try:
            descriptor = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            for knob in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
                Path("/proc/sys/net", knob).write_text("1")
            Path("/proc/sys/net/ipv6/conf/default/accept_dad").write_text("0")  # a second saved
            # Errors of rejected packets must not run dry in a test that makes many.
            Path("/proc/sys/net/ipv4/icmp_ratelimit").write_text("0")
            Path("/proc/sys/net/ipv6/icmp/ratelimit").write_text("0")
        finally:
            _checked(_LIBC.setns(own.fileno(), _CLONE_NEWNET))
    try:
        yield Space(descriptor)
    finally:
        os.close(descriptor)


def _node_lines(node: str, fabric: Space) -> Iterator[str]:
    v4, v6 = NODES[node]
    yield f"link add up0 type veth peer name {node} netns {fabric.path}"
    yield f"address add {v4}/24 dev up0"
    yield f"address add {v6}/64 dev up0 nodad"
    yield "link set up0 up"
    for other, (other_v4, other_v6) in NODES.items():
        if other != node:
            yield f"route add 10.9.{other[1:]}.0/24 via {other_v4}"
            yield f"route add fd09:{other[1:]}::/64 via {other_v6}"
    yield f"route add default via {OUTSIDE['out'][0]}"
    yield f"route add default via {OUTSIDE['out'][1]}"


def _cable_lines(seat: Seat, pod: Space) -> Iterator[str]:
    yield f"link add {seat.interface} type veth peer name eth0 netns {pod.path}"
    yield f"address add 169.254.1.1/32 dev {seat.interface}"
    yield f"address add fe80::1/64 dev {seat.interface} nodad"
    yield f"link set {seat.interface} up"
    for address in seat.addresses:
        yield f"route add {address} dev {seat.interface}"


def _pod_lines(seat: Seat) -> Iterator[str]:
    yield "link set lo up"
    yield "link set eth0 up"
    yield f"address add {seat.addresses[0]}/32 dev eth0"
    yield f"address add {seat.addresses[1]}/128 dev eth0 nodad"
    yield "route add 169.254.1.1 dev eth0 scope link"
    yield "route add default via 169.254.1.1 dev eth0"
    yield "route add default via fe80::1 dev eth0"


def _fabric_lines() -> Iterator[str]:
    yield "link add fabric type bridge mcast_snooping 0"
    for v4, v6 in OUTSIDE.values():
        yield f"address add {v4}/24 dev fabric"
        yield f"address add {v6}/64 dev fabric nodad"
    yield "link set fabric up"


def _joined_lines() -> Iterator[str]:
    for node, (v4, v6) in NODES.items():
        yield f"link set {node} master fabric up"
        yield f"route add 10.9.{node[1:]}.0/24 via {v4}"
        yield f"route add fd09:{node[1:]}::/64 via {v6}"


@contextmanager
def nodes_and_pods() -> Iterator[Mapping[str, Space]]:
    """Make them all, without any rules; both names of the host outside are one namespace."""
    with ExitStack() as stack:
        fabric = stack.enter_context(_space())
        spaces = {name: stack.enter_context(_space()) for name in (*NODES, *(seat.name for seat in SEATS))}
        _lay(fabric, _fabric_lines())
        for node in NODES:
            cables = (line for seat in SEATS if seat.node == node for line in _cable_lines(seat, spaces[seat.name]))
            _lay(spaces[node], (*_node_lines(node, fabric), *cables))
        for seat in SEATS:
            _lay(spaces[seat.name], _pod_lines(seat))
        _lay(fabric, _joined_lines())
        yield {**spaces, **dict.fromkeys(OUTSIDE, fabric)}


def _lay(space: Space, lines: Iterable[str]) -> None:
    space.run(("ip", "-batch", "-"), "\n".join(lines))

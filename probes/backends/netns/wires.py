"""Where pods and nodes of a sandbox stand: their addresses, and what `ip` makes of that.

Pure.  A pod hangs on its node by one cable and routes everything through it, and the node routes to each pod: every
packet of a pod passes its node's forward hook, also between two pods of one node.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address

MOST_NODES = 100
MOST_PODS = 250
"""On one node."""
GATEWAY = ("169.254.1.1", "fe80::1")
"""What every pod sees at the other end of its cable."""
INSIDE = ("10.244.0.0/16", "172.18.0.0/24", "169.254.0.0/16", "fd00:10:244::/48", "fd00:172:18::/64", "fe80::/10")
"""Where pods, nodes and gateways have their addresses, and nobody else."""
BRIDGE = "fabric"
SETTINGS = {
    # Agents have no rights, and listen on whatever port policies name.
    "net/ipv4/ip_unprivileged_port_start": "0",
    "net/ipv4/ping_group_range": "0 0",
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
    "net/ipv6/conf/all/accept_dad": "0",
    "net/ipv6/conf/default/accept_dad": "0",
    "net/ipv6/conf/default/accept_ra": "0",
}
"""Of every namespace, by path below /proc/sys."""
NODE_SETTINGS = {"net/ipv4/ip_forward": "1", "net/ipv6/conf/all/forwarding": "1"}


@dataclass(frozen=True, slots=True)
class NodeBerth:
    """A node's place."""

    index: int
    space: int

    @property
    def addresses(self) -> tuple[str, str]:
        """Its own addresses."""
        return f"172.18.0.{self.index + 2}", f"fd00:172:18::{self.index + 2:x}"

    @property
    def pods(self) -> tuple[str, str]:
        """The blocks that its pods have their addresses from."""
        return f"10.244.{self.index}.0/24", f"fd00:10:244:{self.index:x}::/64"


@dataclass(frozen=True, slots=True)
class PodBerth:
    """A pod's place: the how-manieth of its node it is, and its number in the whole sandbox."""

    node: NodeBerth
    turn: int
    number: int
    space: int

    @property
    def addresses(self) -> tuple[str, str]:
        """Its addresses, one of each family."""
        six = IPv6Address(f"fd00:10:244:{self.node.index:x}::{self.turn + 2:x}")
        return f"10.244.{self.node.index}.{self.turn + 2}", str(six)

    @property
    def interface(self) -> str:
        """The node's end of its cable."""
        return f"p{self.number}"


def fabric_lines(nodes: Sequence[NodeBerth], handed: int) -> Iterator[str]:
    """What joins nodes, for `ip -batch` in the fabric, which has the nodes' namespaces as files from that number on."""
    yield f"link add {BRIDGE} type bridge"
    yield f"link set {BRIDGE} up"
    for file, node in enumerate(nodes, handed):
        yield f"link add n{node.index} type veth peer name eth0 netns /proc/self/fd/{file}"
        yield f"link set n{node.index} master {BRIDGE}"
        yield f"link set n{node.index} up"


def node_lines(node: NodeBerth, nodes: Iterable[NodeBerth], families: int) -> Iterator[str]:
    """A node's own addresses and its ways to others, for `ip -batch` in it."""
    yield "link set lo up"
    for address, length in list(zip(node.addresses, (24, 64), strict=True))[:families]:
        yield f"address add {address}/{length} dev eth0{_settled(address)}"
    yield "link set eth0 up"
    for other in nodes:
        if other != node:
            for block, address in list(zip(other.pods, other.addresses, strict=True))[:families]:
                yield f"route add {block} via {address}"


def cable_lines(pods: Iterable[PodBerth], handed: int, families: int) -> Iterator[str]:
    """The cables of a node's pods, for `ip -batch` in it, which has their namespaces as files from that number on."""
    for file, pod in enumerate(pods, handed):
        yield f"link add {pod.interface} type veth peer name eth0 netns /proc/self/fd/{file}"
        yield f"link set {pod.interface} addrgenmode none"
        for gateway, length in list(zip(GATEWAY, (32, 64), strict=True))[:families]:
            yield f"address add {gateway}/{length} dev {pod.interface}{_settled(gateway)}"
        yield f"link set {pod.interface} up"
        for address, own in list(zip(pod.addresses, pod.node.addresses, strict=True))[:families]:
            yield f"route add {address} dev {pod.interface} src {own}"


def pod_lines(pod: PodBerth, families: int) -> Iterator[str]:
    """A pod's addresses and its only way, for `ip -batch` in it."""
    yield "link set lo up"
    for address, length in list(zip(pod.addresses, (32, 128), strict=True))[:families]:
        yield f"address add {address}/{length} dev eth0{_settled(address)}"
    yield "link set eth0 up"
    yield f"route add {GATEWAY[0]} dev eth0 scope link"
    yield f"route add default via {GATEWAY[0]} dev eth0"
    if families > 1:
        yield f"route add default via {GATEWAY[1]} dev eth0"


def _settled(address: str) -> str:
    # Nobody else can have it: looking for duplicates takes seconds.
    return " nodad" if ":" in address else ""

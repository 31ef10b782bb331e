"""The nftables text that carries out Services on each node, as kube-proxy does, in a table of its own.

What comes in for a Service is translated before the node routes it, so that whoever polices what is forwarded sees the
pod behind the Service and the pod that asks.  Only afterwards, on leaving, does the node put its own address in the
place of a source whose answers would go astray: a pod that reached itself, and whoever came in by a port of the node.
Every name in the text is made here, and every address was a number before.  Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from probes.backends.netns.endpoints import End, ends_of, owner_of, slices_of
from probes.backends.netns.reading import PROTOCOLS
from probes.backends.netns.ruleset import block
from probes.backends.netns.services import FAMILIES, Port, Raw, Service, family_of, read_service
from probes.backends.netns.world import World

TABLE = "inet netaudit_services"
BARE = f"table {TABLE}\ndelete table {TABLE}\n"
"""The text that takes away whatever an earlier one put there, and puts nothing."""
WORDS = dict(zip(FAMILIES, ("ip", "ip6"), strict=True))


@dataclass(frozen=True, slots=True)
class _Way:
    """One address of a Service and one of its ports."""

    service: Service
    address: str
    port: Port
    ends: tuple[End, ...]

    @property
    def family(self) -> str:
        """The address's."""
        return family_of(self.address)


def translations(world: World, nodes: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Write every node's text, each replacing what an earlier one put there; `nodes` have these addresses."""
    slices: dict[tuple[str, str], list[Raw]] = defaultdict(list)
    for piece in slices_of(world):
        slices[owner_of(piece)].append(piece)
    services = [read_service(raw) for raw in world.services]
    ways = [
        _Way(it, text, port, ends_of(port, slices[it.namespace, it.name], family_of(text)))
        for it in services
        for text in it.addresses
        for port in it.ports
    ]
    addresses = [text for it in services for text in it.addresses]
    return {node: _Node(node, own, world).text(ways, addresses) if addresses else BARE for node, own in nodes.items()}


class _Node:
    """What one node does, while it is gathered."""

    def __init__(self, name: str, addresses: Iterable[str], world: World) -> None:
        self._name = name
        self._own = {family_of(text): text for text in addresses}
        self._pods = [text for seat in world.seats if seat.node == name for text in seat.addresses]
        self._chains: dict[str, str] = {}
        """The name of what leads to an end."""
        self._masked: dict[tuple[str, str], list[int]] = defaultdict(list)
        """Ports of the node by family and protocol whose callers get the node's address."""

    def text(self, ways: Iterable[_Way], addresses: Sequence[str]) -> str:
        """Write all of it."""
        coming = [line for way in ways for line in self._rules(way)]
        lines = [BARE + f"table {TABLE} {{"]
        for body, name in self._chains.items():
            lines += block(name, [body])
        lines += block("coming", ["type nat hook prerouting priority dstnat; policy accept;", *coming])
        lines += block("unserved", ["type filter hook prerouting priority -90; policy accept;", *_unserved(addresses)])
        lines += block("leaving", ["type nat hook postrouting priority srcnat; policy accept;", *self._leaving()])
        return "\n".join((*lines, "}", ""))

    def _rules(self, way: _Way) -> Iterator[str]:
        """What comes in for a Service's own address, and for one of this node's ports."""
        port, service, family = way.port, way.service, way.family
        yield from self._led(way, (way.address, port.number), near=service.near_inside)
        if port.door and family in self._own:
            yield from self._led(way, (self._own[family], port.door), near=service.near_outside)
            if not service.near_outside:
                self._masked[family, port.protocol.lower()].append(port.door)

    def _led(self, way: _Way, to: tuple[str, int], *, near: bool) -> Iterator[str]:
        match = f"{WORDS[way.family]} daddr {to[0]} {way.port.protocol.lower()} dport {to[1]}"
        ends = [end for end in way.ends if not near or end.node == self._name]
        chains = [self._chain(way, end) for end in ends]
        if len(chains) > 1:
            turns = ", ".join(f"{turn} : goto {chain}" for turn, chain in enumerate(chains))
            yield f"{match} numgen random mod {len(chains)} vmap {{ {turns} }}"
        elif chains:
            yield f"{match} goto {chains[0]}"
        elif way.ends:
            # There are some, and none that may be taken from here.
            yield f"{match} drop"

    def _chain(self, way: _Way, end: End) -> str:
        address = end.address if way.family == FAMILIES[0] else f"[{end.address}]"
        protocol, word = way.port.protocol.lower(), WORDS[way.family]
        body = f"meta l4proto {protocol} dnat {word} to {address}:{end.port}"
        return self._chains.setdefault(body, f"e{len(self._chains) + 1}")

    def _leaving(self) -> Iterator[str]:
        for family, own in self._own.items():
            word = WORDS[family]
            itself = ", ".join(f"{text} . {text}" for text in self._pods if family_of(text) == family)
            if itself:
                yield f"ct status dnat {word} saddr . {word} daddr {{ {itself} }} snat {word} to {own}"
            for protocol in map(str.lower, PROTOCOLS):
                doors = ", ".join(map(str, self._masked[family, protocol]))
                if doors:
                    match = (
                        f"ct original {word} daddr {own} meta l4proto {protocol} ct original proto-dst {{ {doors} }}"
                    )
                    yield f"ct status dnat {match} snat {word} to {own}"


def _unserved(addresses: Iterable[str]) -> Iterator[str]:
    """Refuse what was for a Service and was not translated: nobody is behind it, or it has no such port."""
    for family, word in WORDS.items():
        them = ", ".join(text for text in addresses if family_of(text) == family)
        if them:
            yield f"{word} daddr {{ {them} }} reject with icmpx port-unreachable"

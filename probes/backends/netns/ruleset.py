"""The nftables text that polices the pods of each node.

A packet that passes a node's `forward` hook is judged by the chain of the pod that it comes from and by that of the
pod that it goes to; a chain returns what is allowed, and ends with a denial.  Pods that are allowed the same share a
chain.  Every name in the text is made here, and every address was a number before.  Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from probes.backends.netns.engine import ORDINARY, Engine
from probes.backends.netns.faults import Fault
from probes.backends.netns.grants import Grant, Policies, Ports
from probes.backends.netns.reading import LAST_PORT, read
from probes.backends.netns.spans import FAMILIES, WHOLE, Addresses, Spans
from probes.backends.netns.world import Seat, World

TABLE = "inet netaudit"
_INTERFACE = re.compile(r"[A-Za-z0-9._-]{1,15}")
_FAMILY_WORDS = (("ip", "ipv4"), ("ip6", "ipv6"))
_EVERY_PORT: Spans = ((0, LAST_PORT),)


def rulesets(world: World, fault: Fault | None = None) -> dict[str, str]:
    """Write the rules of every node, each text replacing what an earlier one put there."""
    engine = ORDINARY if fault is None else fault.engine
    seen = engine.sees(world)
    policies = Policies(seen, tuple(engine.reads(read(policy)) for policy in seen.policies))
    found = {}
    for node in world.all_nodes():
        local = tuple(seat for seat in seen.seats if seat.node == node)
        rules = _Rules(engine, policies, local)
        for seat in local:
            if engine.polices(seen, seat):
                rules.add(seat)
        found[node] = rules.text()
    return found


def _interface(seat: Seat) -> str:
    if not _INTERFACE.fullmatch(seat.interface):
        raise ValueError(f"{seat.interface!r} is not the name of an interface")
    return f'"{seat.interface}"'


class _Rules:
    """The rules of one node while they are gathered."""

    def __init__(self, engine: Engine, policies: Policies, local: tuple[Seat, ...]) -> None:
        self._engine, self._policies = engine, policies
        self._local = [_interface(seat) for seat in local]
        self._sets: dict[tuple[int, Spans], str] = {}
        self._chains: dict[tuple[str, ...], str] = {}
        self._known: dict[tuple[object, ...], str] = {}
        self._jumps: dict[str, dict[str, str]] = {"iifname": {}, "oifname": {}}

    def add(self, seat: Seat) -> None:
        """Judge a pod's traffic."""
        coming, going = self._policies.isolating(seat)
        strict = self._engine.strict and not coming and not going
        if going or strict:
            grants = (grant for number in going for grant in self._policies.egress(number))
            self._jumps["iifname"][_interface(seat)] = self._chain(("daddr", going), grants)
        if coming or strict:
            grants = (grant for number in coming for grant in self._policies.ingress(number, seat))
            self._jumps["oifname"][_interface(seat)] = self._chain(("saddr", coming, seat.ports), grants)

    def _chain(self, key: tuple[str, *tuple[object, ...]], grants: Iterable[Grant]) -> str:
        """Name the chain for what `key` tells apart: the side of the other end, the policies, what names mean there."""
        if key not in self._known:
            lines = dict.fromkeys(line for grant in grants for line in self._lines(grant, key[0]))
            body = (*lines, *self._engine.denies)
            self._known[key] = self._chains.setdefault(body, f"p{len(self._chains) + 1}")
        return self._known[key]

    def _lines(self, grant: Grant, side: str) -> Iterator[str]:
        for address in self._address_matches(grant.addresses, side):
            for port in _port_matches(grant.ports):
                yield " ".join(part for part in (address, port, "return") if part)

    def _address_matches(self, addresses: Addresses | None, side: str) -> Iterator[str]:
        if addresses is None:
            yield ""
            return
        for family, (header, protocol) in enumerate(_FAMILY_WORDS):
            spans = addresses[family]
            if spans == WHOLE[family]:
                yield f"meta nfproto {protocol}"
            elif spans:
                yield f"{header} {side} {self._set(family, spans)}"

    def _set(self, family: int, spans: Spans) -> str:
        if len(spans) == 1:
            return _range(family, *spans[0])
        name = self._sets.setdefault((family, spans), f"s{len(self._sets) + 1}")
        return f"@{name}"

    def text(self) -> str:
        """Write all of it."""
        return "\n".join((f"table {TABLE}", f"delete table {TABLE}", f"table {TABLE} {{", *self._body(), "}", ""))

    def _body(self) -> Iterator[str]:
        for (family, spans), name in self._sets.items():
            elements = ", ".join(_range(family, first, last) for first, last in spans)
            kind = f"type {_FAMILY_WORDS[family][1]}_addr; flags interval;"
            yield f"  set {name} {{ {kind} elements = {{ {elements} }}; }}"
        for body, name in self._chains.items():
            yield from block(name, body)
        yield from block("forward", ("type filter hook forward priority filter; policy accept;", *self._forward()))
        if self._engine.masquerades and self._local:
            hook = "type nat hook postrouting priority srcnat; policy accept;"
            yield from block(
                "leaving", (hook, f"meta iifname {_all(self._local)} oifname != {_all(self._local)} masquerade")
            )

    def _forward(self) -> Iterator[str]:
        if self._engine.loses and self._local:
            yield f"iifname {_all(self._local)} {self._engine.loses} drop"
        # An error that answers a packet belongs to it, whichever way the packet went.
        yield "ct state related accept"
        yield "ct state established accept" if self._engine.keeps else "ct direction reply ct state established accept"
        for match in self._engine.passes:
            yield f"{match} accept"
        for key, jumps in self._jumps.items():
            if jumps:
                yield f"{key} vmap {_all(f'{interface} : jump {chain}' for interface, chain in jumps.items())}"


def block(name: str, lines: Iterable[str]) -> Iterator[str]:
    """Write a chain of a table."""
    yield f"  chain {name} {{"
    yield from (f"    {line}" for line in lines)
    yield "  }"


def _all(items: Iterable[str]) -> str:
    return f"{{ {', '.join(items)} }}"


def _range(family: int, first: int, last: int) -> str:
    one, other = (FAMILIES[family](number) for number in (first, last))
    return str(one) if first == last else f"{one}-{other}"


def _port_matches(ports: Ports | None) -> Iterator[str]:
    if ports is None:
        yield ""
        return
    for protocol, spans in ports:
        if spans == _EVERY_PORT:
            yield f"meta l4proto {protocol.lower()}"
        else:
            numbers = (str(first) if first == last else f"{first}-{last}" for first, last in spans)
            yield f"{protocol.lower()} dport {_all(numbers)}"

"""What the policies of a pod let through in one direction: addresses and ports that go together.

Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from probes.backends.netns.reading import Block, Pods, Port, Reading, Rule, selects
from probes.backends.netns.spans import (
    WHOLE,
    Addresses,
    Span,
    Spans,
    addresses,
    block,
    joined,
    union,
    within,
    without,
)
from probes.backends.netns.world import Seat, World

Ports = tuple[tuple[str, Spans], ...]
"""Port numbers by protocol, those without any left out."""


@dataclass(frozen=True, slots=True)
class Grant:
    """One thing that is let through."""

    addresses: Addresses | None
    """Of the other end; None for any."""
    ports: Ports | None
    """Of the destination; None for any packet, also one of a protocol that has no ports."""


class Policies:
    """The policies of a world, with what each lets through worked out once."""

    def __init__(self, world: World, readings: tuple[Reading, ...]) -> None:
        self._world, self._readings = world, readings
        self._known: dict[tuple[object, ...], tuple[Grant, ...]] = {}

    def isolating(self, seat: Seat) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Which policies isolate a pod: numbers of those for what comes in, and of those for what goes out."""
        mine = [
            (number, reading)
            for number, reading in enumerate(self._readings)
            if reading.namespace == seat.namespace and selects(reading.pods, seat.labels)
        ]
        return (
            tuple(number for number, reading in mine if reading.ingress is not None),
            tuple(number for number, reading in mine if reading.egress is not None),
        )

    def ingress(self, number: int, seat: Seat) -> tuple[Grant, ...]:
        """What a policy lets in to a pod that it isolates."""
        key = (number, seat.ports)
        if key not in self._known:
            self._known[key] = tuple(_ingress(self._world, self._readings[number], seat))
        return self._known[key]

    def egress(self, number: int) -> tuple[Grant, ...]:
        """What a policy lets out of a pod that it isolates."""
        key = (number,)
        if key not in self._known:
            self._known[key] = tuple(_egress(self._world, self._readings[number]))
        return self._known[key]


def _ingress(world: World, reading: Reading, seat: Seat) -> Iterator[Grant]:
    for rule in reading.ingress or ():
        yield Grant(_peers(world, reading, rule), None if rule.ports is None else _numbers(rule.ports, seat))


def _egress(world: World, reading: Reading) -> Iterator[Grant]:
    for rule in reading.egress or ():
        peers = _peers(world, reading, rule)
        if rule.ports is None:
            yield Grant(peers, None)
            continue
        yield Grant(peers, _numbers(rule.ports))
        around = WHOLE if peers is None else peers
        # A name may mean another number at each destination.
        named = tuple(port for port in rule.ports if port.name is not None)
        for ports, seats in _by_numbers(world, named).items():
            yield Grant(within(around, (text for seat in seats for text in seat.addresses)), ports)


def _by_numbers(world: World, named: tuple[Port, ...]) -> Mapping[Ports, list[Seat]]:
    """Pods by what the names mean at each."""
    found: dict[Ports, list[Seat]] = defaultdict(list)
    for seat in world.seats if named else ():
        found[_numbers(named, seat)].append(seat)
    return found


def _numbers(ports: Iterable[Port], at: Seat | None = None) -> Ports:
    """Look up names at a pod, where one is given; a name that it does not know means nothing."""
    found: dict[str, list[Span]] = defaultdict(list)
    known = at.ports if at is not None else ()
    for port in ports:
        if port.name is None:
            found[port.protocol].append((port.first, port.last))
        same = [number for name, protocol, number in known if (name, protocol) == (port.name, port.protocol)]
        found[port.protocol] += [(number, number) for number in same]
    return tuple((protocol, union(spans)) for protocol, spans in sorted(found.items()) if spans)


def _peers(world: World, reading: Reading, rule: Rule) -> Addresses | None:
    if rule.peers is None:
        return None
    return joined(
        _block(peer) if isinstance(peer, Block) else addresses(_of_pods(world, reading.namespace, peer))
        for peer in rule.peers
    )


def _of_pods(world: World, home: str, peer: Pods) -> Iterator[str]:
    for seat in world.seats:
        if peer.namespaces is None:
            near = seat.namespace == home
        else:
            near = selects(peer.namespaces, world.namespaces.get(seat.namespace, {}))
        if near and selects(peer.pods, seat.labels):
            yield from seat.addresses


def _block(peer: Block) -> Addresses:
    family, span = block(peer.cidr)
    spans = without(span, (block(hole)[1] for hole in peer.holes))
    return (spans, ()) if family == 0 else ((), spans)

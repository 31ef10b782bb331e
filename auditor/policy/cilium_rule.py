"""One item of a section of Cilium's rules: peers AND ports, and what may refuse a flow that they let in.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from auditor.cluster import fields
from auditor.cluster.fields import FieldError, Raw
from auditor.model.flow import Direction
from auditor.model.rules import EVERYTHING_AT_ALL, Action, Clause, Ports, Predicate
from auditor.policy.cilium_peer import READERS, WORDS, Scene, read_peer
from auditor.policy.cilium_ports import RANGED_NAME, PortRule, read_port_rule
from auditor.policy.ordered import inside

LONGEST = 80
REQUIRED = "asks for labels of every peer, by a field that newer versions lack"
AUTHENTICATED = "asks for authentication, which is more than addresses and ports"


@dataclass(frozen=True, slots=True)
class Place:
    """Where an item stands, and what it is to do with the flows that it means."""

    path: str
    direction: Direction
    action: Action
    scene: Scene


@dataclass(frozen=True, slots=True)
class Entry:
    """What an item says."""

    clauses: tuple[Clause, ...]
    doubts: tuple[Clause, ...]
    """What may deny a flow although something allows it."""
    notes: tuple[str, ...]


def read_entry(raw: Raw, place: Place) -> Entry:
    """Read one item; raises FieldError for what Cilium refuses."""
    with inside(place.path):
        peer = read_peer(raw, place.direction, place.scene)
        items = fields.objects(raw, "toPorts")
        has_icmp = bool(fields.sequence(raw, "icmps"))
        if has_icmp and items:
            raise FieldError("icmps and toPorts stand in one rule, which Cilium refuses")
    ports = [
        read_port_rule(item, f"{place.path}.toPorts[{position}]", place.direction, place.scene.around)
        for position, item in enumerate(items)
    ]
    strange = _strange(raw, place, ports)
    # Neither a peer nor ports, or ICMP alone: nothing that TCP, UDP and SCTP have to do with.
    idle = not strange and (has_icmp or (peer is None and not items))
    who = EVERYTHING_AT_ALL if peer is None else peer
    clauses = (
        () if idle else (Clause(place.action, place.path, who, _ports(ports), strange), *_wider(ports, place, who))
    )
    doubts = (*_required(raw, place), *(() if idle else _narrowed(raw, place, who, ports)))
    return Entry(clauses, doubts, tuple(note for item in ports for note in item.notes))


def _ports(items: list[PortRule]) -> tuple[Ports, ...]:
    return (Ports(tuple(term for item in items for term in item.terms)),) if items else ()


def _strange(raw: Raw, place: Place, items: list[PortRule]) -> str:
    """Why nobody can say what the item means; empty where all of its fields are known."""
    denies = place.action is Action.DENY
    known = {*READERS[place.direction], f"{WORDS[place.direction]}Requires", "toPorts", "icmps"}
    for key in sorted(map(str, raw)):
        if key not in known and raw.get(key) is not None and (denies or key != "authentication"):
            return f"{key[:LONGEST]} is a field that this version does not know"
    # A deny section knows nothing of layer 7.
    return next((item.narrowed for item in items if denies and item.narrowed), "")


def _wider(items: list[PortRule], place: Place, peer: Predicate) -> Iterator[Clause]:
    for item in items:
        if item.widened:
            yield Clause(place.action, item.path, peer, (Ports(item.widened),), RANGED_NAME)


def _required(raw: Raw, place: Place) -> Iterator[Clause]:
    """`fromRequires` and `toRequires` allow nothing, and limit whatever is allowed; removed in 1.19."""
    name = f"{WORDS[place.direction]}Requires"
    if fields.sequence(raw, name):
        yield Clause(Action.DENY, f"{place.path}.{name}", unsure=REQUIRED)


def _narrowed(raw: Raw, place: Place, peer: Predicate, items: list[PortRule]) -> Iterator[Clause]:
    """What refuses by more than addresses and ports, whichever other rule allows the same."""
    if place.action is Action.DENY:
        return
    if fields.text(fields.mapping(raw, "authentication"), "mode", "disabled") != "disabled":
        yield Clause(Action.DENY, f"{place.path}.authentication", peer, _ports(items), AUTHENTICATED)
    for item in items:
        if item.narrowed:
            yield Clause(Action.DENY, item.path, peer, (Ports(item.terms),), item.narrowed)

"""Which identities get a probe pod, on which nodes, and what keeps others from having one.

Pure.  One seat for each identity on a node that runs a replica, more where a node would otherwise go unproven; each
takes room for itself and, where it is the first on its node, for two controls.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from auditor.evaluate.model import Model
from auditor.model.cluster import Snapshot
from auditor.model.expectation import Demand
from auditor.model.matrix import Identity, ReachabilityMatrix
from auditor.model.probe import Role, Skip, StandIn
from probes.capacity import Room
from probes.mesh import opt_out
from probes.safety import hazard, shunning
from probes.wardrobe import Wardrobe

CONTROLS = 2
"""Controls on each node in use."""


@dataclass(frozen=True, slots=True)
class Seat:
    """An identity on one of its nodes; the first seat of an identity meets all others, more prove their node."""

    identity: Identity
    node: str
    first: bool = True


def usable_nodes(snapshot: Snapshot) -> set[str]:
    """Nodes on which a probe pod can run, and controls beside it."""
    return {node.name for node in snapshot.nodes if node.ready and node.hosts_probes} - shunning(snapshot).keys()


def first_seats(
    model: Model,
    matrix: ReachabilityMatrix,
    audited: frozenset[str],
    skipped: list[Skip],
    room: Room,
    *,
    allow: Sequence[str],
    refused: Mapping[str, str],
) -> list[Seat]:
    """One seat for each identity that may have a probe pod; the others go to `skipped`."""
    snapshot, usable, wardrobe = model.snapshot, usable_nodes(model.snapshot), Wardrobe(model)
    seats: list[Seat] = []
    load: Counter[str] = Counter()
    for found in matrix.identities:
        identity, meshed = wardrobe.dress(found)
        nodes = [node for node in identity.nodes if node in usable]
        roomy = [node for node in nodes if _has_room(room, node, identity.namespace, load)]
        reason = refused.get(identity.id) or hazard(snapshot, identity, allow) or room.in_home(identity.namespace)
        reason = reason or meshed or _no_node(snapshot, identity, nodes, roomy, room)
        if reason:
            skipped.append(Skip(identity.title, reason, identity=identity.id in audited))
            continue
        node = min(roomy, key=lambda name: (load[name], name))
        room.take(identity.namespace, node, 1 if load[node] else 1 + CONTROLS)
        load[node] += 1
        seats.append(Seat(identity, node))
    return seats


def _has_room(room: Room, node: str, home: str, load: Mapping[str, int]) -> bool:
    return not room.lacks(node, home, 0 if load[node] else CONTROLS)


def _no_node(snapshot: Snapshot, identity: Identity, nodes: Sequence[str], roomy: Sequence[str], room: Room) -> str:
    if not nodes:
        why = shunning(snapshot) | {node.name: node.unfit for node in snapshot.nodes if node.unfit}
        unfit = [f"{name}: {why[name]}" for name in sorted(identity.nodes) if name in why]
        return "no ready Linux node runs a replica of it" + (f" ({'; '.join(unfit[:3])})" if unfit else "")
    if roomy:
        return ""
    short = [f"{node} has too little of {room.lacks(node, identity.namespace, CONTROLS)}" for node in nodes]
    return f"no room beyond the tenth that is left alone: {'; '.join(short[:3])}"


def more_seats(seats: Sequence[Seat], usable: set[str], room: Room) -> list[Seat]:
    """For each node and direction without an isolated stand-in, one more of an identity that has a replica there."""
    covered = {(seat.node, direction) for seat in seats for direction in seat.identity.isolated}
    more: list[Seat] = []
    for seat in seats:
        for node in seat.identity.nodes:
            news = {(node, direction) for direction in seat.identity.isolated} - covered
            home, used = seat.identity.namespace, {other.node: 1 for other in (*seats, *more)}
            fits = _has_room(room, node, home, Counter(used)) and not room.in_home(home)
            if news and node in usable and node != seat.node and fits:
                room.take(home, node, 1 if node in used else 1 + CONTROLS)
                covered |= news
                more.append(Seat(seat.identity, node, first=False))
    return more


def mates(seats: Sequence[Seat], usable: set[str], room: Room, demands: frozenset[Demand]) -> list[Seat]:
    """A second seat for each identity that is to talk to another pod of its kind, where it has none."""
    wanted = {demand.source for demand in demands if demand.source == demand.destination}
    wanted -= {seat.identity.id for seat in seats if not seat.first}
    mates: list[Seat] = []
    for seat in seats:
        identity = seat.identity
        if identity.id not in wanted or identity.alone:
            continue
        used = Counter(other.node for other in (*seats, *mates))
        nodes = sorted({*identity.nodes} & usable, key=lambda name: (name == seat.node, name))
        node = next((name for name in nodes if _has_room(room, name, identity.namespace, used)), None)
        if node is not None and not room.in_home(identity.namespace):
            room.take(identity.namespace, node, 1 if used[node] else 1 + CONTROLS)
            mates.append(Seat(identity, node, first=False))
    return mates


def within(seats: list[Seat], limit: int, audited: frozenset[str], skipped: list[Skip]) -> list[Seat]:
    """The seats for which `--max-pods` leaves room, controls included; the others go to `skipped`."""
    room = limit
    kept: list[Seat] = []
    nodes: set[str] = set()
    for seat in seats:
        # Each node in use costs two controls as well.
        cost = 1 if seat.node in nodes else 1 + CONTROLS
        if cost > room:
            what = seat.identity.title if seat.first else f"{seat.identity.title} on {seat.node}"
            lost = seat.first and seat.identity.id in audited
            skipped.append(Skip(what, f"more probe pods than --max-pods {limit} allows", identity=lost))
            continue
        room -= cost
        nodes.add(seat.node)
        kept.append(seat)
    return kept


def clone(snapshot: Snapshot, seat: Seat, key: str, room: Room) -> StandIn:
    """The probe pod that takes a seat."""
    identity = seat.identity
    return StandIn(
        key=key if seat.first else f"{key}x",
        role=Role.CLONE,
        namespace=identity.namespace,
        node=seat.node,
        labels=identity.labels,
        listens=identity.listens,
        named_ports=identity.named_ports,
        identity=identity.id,
        account=identity.account,
        resources=room.size(identity.namespace),
        annotations=opt_out(snapshot, identity.namespace),
    )

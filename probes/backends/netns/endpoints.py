"""What is behind Services: the EndpointSlices that their controller would write, and what slices say of a port.

Pure.  discovery.k8s.io/v1.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from probes.backends.netns.services import (
    Port,
    Raw,
    Service,
    family_of,
    is_port,
    namespace_of,
    plain_address,
    read_service,
)
from probes.backends.netns.world import Seat, World

OWNER = "kubernetes.io/service-name"
"""The label that says whose slice it is."""
MANAGER = {"endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}
HEADLESS = {"service.kubernetes.io/headless": ""}
MOST = 100
"""Endpoints of one slice."""
Numbers = tuple[tuple[Port, int], ...]


@dataclass(frozen=True, slots=True)
class End:
    """An address and port that a Service's port leads to."""

    address: str
    port: int
    node: str


def slices_of(world: World) -> tuple[Raw, ...]:
    """Every EndpointSlice: those that are there, and what the controller makes of Services with a selector."""
    pods: dict[str, list[Seat]] = defaultdict(list)
    for seat in (*world.seats, *world.hosts):
        pods[seat.namespace].append(seat)
    services = [read_service(raw) for raw in world.services]
    made = (item for it in services if it.selector for item in _written(it, pods[it.namespace]))
    return (*world.slices, *made)


def owner_of(piece: Raw) -> tuple[str, str]:
    """The namespace and name of the Service that a slice is of; the name is empty where it is nobody's."""
    return namespace_of(piece), str((piece["metadata"].get("labels") or {}).get(OWNER) or "")


def _written(service: Service, pods: Iterable[Seat]) -> Iterator[Raw]:
    behind = [seat for seat in pods if service.selector.items() <= seat.labels.items()]
    turn = 0
    for family in service.families:
        groups: dict[Numbers, list[Raw]] = defaultdict(list)
        for seat in behind:
            groups[_numbers(service, seat)] += _endpoints(service, seat, family)
        for numbers, endpoints in groups.items() or {(): []}.items():
            # Without any pod there is one slice all the same.
            for first in range(0, max(1, len(endpoints)), MOST):
                turn += 1
                yield _slice(service, f"{service.name}-{turn}", family, numbers, endpoints[first : first + MOST])


def _numbers(service: Service, seat: Seat) -> Numbers:
    """What each port is in that pod, without those whose name it does not know."""
    names = {(name, protocol): number for name, protocol, number in reversed(seat.ports)}
    found = ((port, _number(port, names)) for port in service.ports)
    return tuple((port, number) for port, number in found if number)


def _number(port: Port, names: Mapping[tuple[str, str], int]) -> int:
    if isinstance(port.target, int):
        return port.target
    return names.get((port.target, port.protocol), 0)


def _endpoints(service: Service, seat: Seat, family: str) -> Iterator[Raw]:
    ready = seat.ready or service.unready
    for text in seat.addresses:
        if family_of(text) == family:
            yield {
                "addresses": [text],
                "conditions": {"ready": ready, "serving": ready, "terminating": False},
                "nodeName": seat.node,
                "targetRef": {"kind": "Pod", "namespace": seat.namespace, "name": seat.name},
            }


def _slice(service: Service, name: str, family: str, numbers: Numbers, endpoints: Sequence[Raw]) -> dict[str, Any]:
    labels = {OWNER: service.name, **MANAGER, **(HEADLESS if service.headless else {})}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": name, "namespace": service.namespace, "labels": labels},
        "addressType": family,
        "endpoints": list(endpoints),
        "ports": [{"name": port.name, "protocol": port.protocol, "port": number} for port, number in numbers],
    }


def ends_of(port: Port, slices: Iterable[Raw], family: str) -> tuple[End, ...]:
    """What a Service's port leads to, by its slices: the ready ones, else those that still serve while they leave."""
    found = [
        (_conditions(endpoint), End(text, number, str(endpoint.get("nodeName") or "")))
        for piece in slices
        if piece.get("addressType") == family
        for number in _listed(piece, port)
        for endpoint in filter(None, piece.get("endpoints") or ())
        if is_port(number) and (text := _address(endpoint))
    ]
    ready = [end for (is_ready, _), end in found if is_ready]
    return tuple(dict.fromkeys(ready or [end for (_, leaves), end in found if leaves]))


def _listed(piece: Raw, port: Port) -> Iterator[int]:
    for item in (item for item in piece.get("ports") or () if item is not None):
        if (item.get("name") or "", item.get("protocol") or "TCP") == (port.name, port.protocol):
            # Without a number it is the Service alone that says which one it is.
            yield item.get("port") or (port.target if isinstance(port.target, int) else port.number)


def _conditions(endpoint: Raw) -> tuple[bool, bool]:
    """Whether an endpoint is ready, and whether it leaves and still serves."""
    said = endpoint.get("conditions") or {}
    # What is not said holds.
    ready, serving = (said.get(key) is not False for key in ("ready", "serving"))
    return ready, serving and bool(said.get("terminating"))


def _address(endpoint: Raw) -> str:
    """The first one, as the API says that others mean nothing; empty where it is none."""
    try:
        return plain_address(str((endpoint.get("addresses") or [""])[0]))
    except ValueError:
        return ""

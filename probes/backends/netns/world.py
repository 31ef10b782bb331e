"""What the sandbox's engine is given: who sits where under which labels, and the policies as the API would hold them.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Seat:
    """A pod as its node sees it."""

    namespace: str
    name: str
    labels: Mapping[str, str]
    addresses: tuple[str, ...]
    """IPv4, IPv6 or both, as text."""
    node: str
    interface: str
    """The node's end of the pod's cable: what `iifname` and `oifname` match there. Unique in the realm."""
    ports: tuple[tuple[str, str, int], ...] = ()
    """Named container ports: name, protocol as the API writes it ("TCP"), number."""
    born: float = 0.0
    """Second of the realm's clock at which it started."""
    before: Mapping[str, str] | None = None
    """Its labels before it was relabelled, where it was."""
    ready: bool = True
    """Whether Services lead to it."""


@dataclass(frozen=True, slots=True)
class World:
    """All that enforcement depends on, at one time."""

    namespaces: Mapping[str, Mapping[str, str]]
    """Labels by name; whoever fills it adds `kubernetes.io/metadata.name`."""
    seats: tuple[Seat, ...]
    policies: tuple[Mapping[str, Any], ...] = ()
    """NetworkPolicy objects of networking.k8s.io/v1, raw, and valid as the API server sees it."""
    gone: tuple[Mapping[str, Any], ...] = ()
    """Policies that were deleted."""
    nodes: tuple[str, ...] = ()
    now: float = 0.0
    """Second of the realm's clock."""
    hosts: tuple[Seat, ...] = ()
    """Pods in their nodes' own networks, without an interface of their own."""
    services: tuple[Mapping[str, Any], ...] = ()
    """Service objects, raw, with their addresses and node ports."""
    slices: tuple[Mapping[str, Any], ...] = ()
    """EndpointSlice objects of those Services that find no pods by themselves."""

    def all_nodes(self) -> tuple[str, ...]:
        """Name each node once: those listed, then those that only a pod names."""
        return tuple(dict.fromkeys((*self.nodes, *(seat.node for seat in self.seats))))

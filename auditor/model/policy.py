"""Policies as values (`networkingv1.NetworkPolicy`), defaulted and parsed but not interpreted."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network

from auditor.model.flow import Direction, PolicyRef, Protocol
from auditor.model.labels import LabelSelector

IPNetwork = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class IPBlock:
    """`cidr` without the blocks in `excepts`; an except takes away only from its own block."""

    cidr: IPNetwork
    excepts: tuple[IPNetwork, ...] = ()


@dataclass(frozen=True, slots=True)
class Peer:
    """One item of `from` or `to`: selectors, which are ANDed, or a block of addresses."""

    pod_selector: LabelSelector | None = None
    namespace_selector: LabelSelector | None = None
    ip_block: IPBlock | None = None


@dataclass(frozen=True, slots=True)
class PolicyPort:
    """One item of `ports`; `port` is a number, the name of a container port, or None for all."""

    protocol: Protocol = Protocol.TCP
    port: int | str | None = None
    end_port: int | None = None
    """Last port of the range that starts at `port`, inclusive."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Peers AND ports; an empty tuple means any."""

    peers: tuple[Peer, ...] = ()
    ports: tuple[PolicyPort, ...] = ()


@dataclass(frozen=True, slots=True)
class NetworkPolicy:
    """A NetworkPolicy with `policyTypes` already defaulted into `isolates`."""

    namespace: str
    name: str
    pod_selector: LabelSelector
    isolates: frozenset[Direction]
    ingress: tuple[Rule, ...] = ()
    egress: tuple[Rule, ...] = ()
    uid: str = ""
    version: str = ""
    """resourceVersion: two reads with the same one saw the same object."""

    @property
    def ref(self) -> PolicyRef:
        """The policy's name."""
        return PolicyRef(self.namespace, self.name)

    def rules(self, direction: Direction) -> tuple[Rule, ...]:
        """The rules of a direction; they are inert when the policy does not isolate in it."""
        return self.ingress if direction is Direction.INGRESS else self.egress

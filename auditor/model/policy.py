"""Policies as values (`networkingv1.NetworkPolicy`), defaulted and parsed but not interpreted."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
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


class Oddity(enum.Enum):
    """What a manifest says in a way that its value no longer shows."""

    HOST_BITS = "host-bits"
    """A block whose address has bits beyond its mask: servers mask them, or refuse the block."""
    EMPTY_LIST = "empty-list"
    """An empty list of peers or ports, which means any and may have been meant as none."""
    UNTYPED_EGRESS = "untyped-egress"
    """An empty list of egress rules without `policyTypes`: it does not isolate."""


@dataclass(frozen=True, slots=True)
class Remark:
    """An oddity, where it stands, and the text that stands there."""

    oddity: Oddity
    path: str
    """Such as `spec.ingress[0].from[1].ipBlock.cidr`."""
    text: str = ""


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
    remarks: tuple[Remark, ...] = field(default=(), compare=False)
    """What is odd about the manifest and makes no difference for verdicts."""
    applied: str = field(default="", compare=False, repr=False)
    """The manifest that `kubectl apply` was given, as it noted it in an annotation; JSON, or nothing."""

    @property
    def ref(self) -> PolicyRef:
        """The policy's name."""
        return PolicyRef(self.namespace, self.name)

    def rules(self, direction: Direction) -> tuple[Rule, ...]:
        """The rules of a direction; they are inert when the policy does not isolate in it."""
        return self.ingress if direction is Direction.INGRESS else self.egress

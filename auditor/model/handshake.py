"""Handshakes with listeners that are none of ours: connect, send nothing, close."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from ipaddress import ip_network

from auditor.model.expectation import Wish
from auditor.model.flow import Decision, Family, Protocol


class Beyond(enum.Enum):
    """Whose listener it is."""

    EXTERNAL = "external"
    """An address outside the cluster, which the user named."""
    REAL = "real"
    """A workload's own pod."""


@dataclass(frozen=True, slots=True)
class External:
    """What `--external` names: a block of addresses outside the cluster, a port, and what is expected of it."""

    cidr: str
    """As `ipaddress` prints it; one address is a block of full length."""
    port: int
    protocol: Protocol
    wish: Wish | None
    """What the user expects; None for whatever the model says."""

    @property
    def title(self) -> str:
        """What a person calls it."""
        network = ip_network(self.cidr)
        return str(network.network_address) if network.num_addresses == 1 else self.cidr


@dataclass(frozen=True, slots=True)
class Handshake:
    """One connection to try from a stand-in to a stranger."""

    id: int
    kind: Beyond
    source: str
    """Key of a stand-in."""
    target: str
    """What a person calls the other end."""
    address: str
    family: Family
    port: int
    predicted: Decision
    wish: Wish | None = None
    """What the user expects; None for whatever the model says."""
    block: str = ""
    """What the user named, of which `address` is one; of real pods the identity."""
    pod: tuple[str, str] = ("", "")
    """Namespace and name of a real pod."""
    node: str = ""
    """Where a real pod runs."""
    protocol: Protocol = Protocol.TCP

    @property
    def is_once(self) -> bool:
        """Whether the other end is to be met once in a run and not again."""
        return self.kind is Beyond.REAL

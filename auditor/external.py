"""Addresses outside the cluster: what `--external` says, and which address of a block is tried.

Pure.  A block is tried at few addresses: one of each part that policies can tell apart, since they treat all of a part
alike.  What belongs to the cluster is never outside, whatever the user says.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from itertools import pairwise

from auditor.errors import UsageError
from auditor.evaluate.classes import vocabulary
from auditor.evaluate.model import Model
from auditor.model.cluster import Snapshot
from auditor.model.expectation import Wish
from auditor.model.flow import Family, Protocol
from auditor.model.handshake import External

Network = IPv4Network | IPv6Network
EXAMPLE = "--external 203.0.113.7:443=allow, --external '[2001:db8::/64]:53/TCP=deny' or =model"
WORDS = re.compile(
    r"(?:\[(?P<six>[0-9A-Fa-f:./]+)\]|(?P<four>[0-9]+\.[0-9./]+)):(?P<port>[^/=]+)(?:/(?P<protocol>[^=]*))?=(?P<wish>.*)"
)
WISHES: Mapping[str, Wish | None] = {"allow": Wish.ALLOWED, "deny": Wish.DENIED, "model": None}
MOST_PARTS = 3
"""Parts of one block that are tried, an address each."""
MOST = 32
"""Blocks that may be named: this is no scanner."""
TRIES = 256
"""Addresses of a part that are looked at until one is not the cluster's own."""
LAST_PORT = 65535
SHOWN = 80


@dataclass(frozen=True, slots=True)
class Chosen:
    """An address that speaks for a part of a block."""

    address: str
    family: Family
    part: str
    """Empty where the block is one address."""


def parse_externals(texts: Iterable[str]) -> tuple[External, ...]:
    """Read what `--external` was given, each once and in order; raises UsageError."""
    found: dict[tuple[str, int, Protocol], External] = {}
    for text in texts:
        item = _parse(text)
        other = found.setdefault((item.cidr, item.port, item.protocol), item)
        if other.wish is not item.wish:
            why = "the same block and port is expected to be two things"
            raise UsageError(f"--external {text[:SHOWN]} contradicts another one", why=why, attempt="one of them")
    if len(found) > MOST:
        why = f"{len(found)} blocks are more than {MOST}"
        raise UsageError("too many --external", why=why, attempt="the few addresses that policies are about")
    return tuple(found.values())


def _parse(text: str) -> External:
    found = WORDS.fullmatch(text.strip())
    if found is None:
        raise _error(text, "it is not CIDR:PORT[/PROTOCOL]=allow|deny|model; IPv6 stands in brackets")
    port, protocol, wish = found["port"], (found["protocol"] or "TCP").upper(), found["wish"]
    if not re.fullmatch("[1-9][0-9]{0,4}", port) or int(port) > LAST_PORT:
        raise _error(text, f"ports are numbers from 1 to {LAST_PORT}")
    if protocol not in Protocol.__members__:
        raise _error(text, "policies know TCP, UDP and SCTP")
    if wish not in WISHES:
        raise _error(text, "what is expected is allow, deny, or model for whatever the policies say")
    return External(str(_network(text, found["six"] or found["four"])), int(port), Protocol(protocol), WISHES[wish])


def _network(text: str, word: str) -> Network:
    try:
        network = ip_network(word)
    except ValueError as error:
        raise _error(text, str(error)) from error
    first, last = network.network_address, network.broadcast_address
    for odd in ("is_loopback", "is_multicast", "is_unspecified"):
        if getattr(first, odd) or getattr(last, odd):
            raise _error(text, f"it holds addresses that {odd.replace('is_', 'are ')} and lead nowhere outside")
    if isinstance(network, IPv6Network) and network.network_address.ipv4_mapped:
        raise _error(text, "it hides IPv4 addresses: write them as such")
    return network


def _error(text: str, why: str) -> UsageError:
    return UsageError(f"cannot read --external {text[:SHOWN]!r}", why=why, attempt=EXAMPLE)


class Own:
    """What belongs to a cluster: its pods, Services, nodes and API server, and the ranges that its pods are from."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Look at every address that the snapshot knows."""
        self._who: dict[str, str] = {}
        for node in snapshot.nodes:
            self._add(f"node {node.name}", node.addresses)
        for service in snapshot.services:
            self._add(f"Service {service.namespace}/{service.name}", (*service.addresses, *service.outer_addresses))
        for item in snapshot.slices:
            if (item.namespace, item.service) == ("default", "kubernetes"):
                self._add("the API server", (*item.ready, *item.leaving))
        for pod in snapshot.pods:
            self._add(f"pod {pod.namespace}/{pod.name}", () if pod.finished else pod.addresses)
        ranges = {text: node.name for node in snapshot.nodes for text in node.pod_ranges}
        self._ranges: list[tuple[Network, str]] = [(ip_network(text), name) for text, name in sorted(ranges.items())]

    def _add(self, who: str, addresses: Iterable[str]) -> None:
        for text in addresses:
            self._who.setdefault(text, who)

    def owner(self, text: str) -> str:
        """Whose address it is; empty for one outside."""
        found = self._who.get(text, "")
        return found or next(
            (f"the pods of node {name}" for block, name in self._ranges if self._holds(block, text)), ""
        )

    def beyond(self, number: int, family: Family) -> int:
        """The first number from this one on that is in no range of pods."""
        for block, _ in self._ranges:
            if (block.version == 6) == (family is Family.IPV6):  # noqa: PLR2004 -- the protocol's version
                first, last = int(block.network_address), int(block.broadcast_address)
                number = last + 1 if first <= number <= last else number
        return number

    @staticmethod
    def _holds(block: Network, text: str) -> bool:
        return ip_address(text) in block


def choose(external: External, model: Model) -> tuple[list[Chosen], int]:
    """The addresses to try for a block, and how many of its parts have none; raises UsageError where it has no part."""
    network = ip_network(external.cidr)
    own = Own(model.snapshot)
    if network.num_addresses == 1:
        text = str(network.network_address)
        who = own.owner(text)
        if who:
            raise _not_outside(external, f"{text} is that of {who}")
        return [Chosen(text, _family(network), "")], 0
    parts = _parts(network, model)
    chosen = [found for part in parts if (found := _first(network, part, own)) is not None][:MOST_PARTS]
    if not chosen:
        raise _not_outside(external, "the addresses at its beginning are the cluster's own")
    return chosen, len(parts) - len(chosen)


def _not_outside(external: External, why: str) -> UsageError:
    return UsageError(
        f"--external {external.title}:{external.port} is not outside of the cluster",
        why=why,
        attempt="another address; pods and Services are what --expect and the audit itself are about",
    )


def _family(network: Network) -> Family:
    return Family.IPV4 if isinstance(network, IPv4Network) else Family.IPV6


def _parts(network: Network, model: Model) -> list[tuple[int, int]]:
    """The block, parted where any block of a policy begins or ends: first and last of each."""
    first, behind = int(network.network_address), int(network.broadcast_address) + 1
    cuts = vocabulary(model.all_sections()).cuts[_family(network)]
    edges = sorted({first, behind, *(cut for cut in cuts if first < cut < behind)})
    return [(low, high - 1) for low, high in pairwise(edges)]


def _first(network: Network, part: tuple[int, int], own: Own) -> Chosen | None:
    """The first usable address of a part: no block's own name, no broadcast, nothing of the cluster's."""
    family = _family(network)
    low, high = part
    named = network.num_addresses > 2  # noqa: PLR2004 -- of two, both are hosts' (RFC 3021, RFC 6164)
    low += named and low == int(network.network_address)
    high -= named and family is Family.IPV4 and high == int(network.broadcast_address)
    number = low
    for _ in range(TRIES):
        number = own.beyond(number, family)
        if number > high:
            return None
        text = str(type(network.network_address)(number))
        if not own.owner(text):
            return Chosen(text, family, f"the first usable of {_span(network, part)}")
        number += 1
    return None


def _span(network: Network, part: tuple[int, int]) -> str:
    low, high = part
    if (low, high) == (int(network.network_address), int(network.broadcast_address)):
        return f"{network} ({network.num_addresses:,} addresses)"
    made = type(network.network_address)
    return f"{made(low)} to {made(high)} ({high - low + 1:,} addresses)"

"""The two ends of a flow: pods, nodes, and whatever else has an address."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, partial

from tests.oracle.manifests import NO, UNKNOWN, YES, Raw, home_and_name

AS_NODE, AS_POD = "node", "pod"
"""The two readings of a pod on the host's network that the API permits."""


as_address = cache(ipaddress.ip_address)
as_block = cache(partial(ipaddress.ip_network, strict=False))
"""Host bits may be set; they do not count."""


class NotAnEnd(ValueError):
    """A pod that neither sends nor receives: finished, or without an address of the family."""


@dataclass(frozen=True)
class Flow:
    """A connection to a port, over one address family (4 or 6); an end is a pod's manifest or an address."""

    source: Raw | str
    destination: Raw | str
    family: int
    port: int
    protocol: str = "TCP"


@dataclass(frozen=True)
class End:
    """An end in one reading: a pod where `pod` is given, else a node where `node` is, else something outside.

    A pod on the host's network that is read as a pod has both; `address` is None where nobody knows it yet.
    """

    pod: Raw | None
    node: str | None
    address: str | None
    family: int


def find(objects: Sequence[Raw], given: Raw | str, family: int, reading: str) -> End:
    """Who stands at an end; raises NotAnEnd."""
    if isinstance(given, str):
        return find_address(objects, given)
    address = address_of(given, family)
    if not on_host(given):
        return End(given, None, address, family)
    if address is None:
        address = next((str(it) for it in addresses_of_node(objects, node_of(given)) if it.version == family), None)
    return End(given if reading == AS_POD else None, node_of(given), address, family)


def find_address(objects: Sequence[Raw], text: str) -> End:
    """Whose address it is: a live pod's, a node's, or nobody's that we know."""
    wanted = as_address(text)
    live = [item for item in objects if item["kind"] == "Pod" and not finished(item)]
    holders = [item for item in live if wanted in addresses(item)]
    owners = [item for item in holders if not on_host(item)]
    if owners:
        return End(owners[0], None, text, wanted.version)
    nodes = [item for item in objects if item["kind"] == "Node" and wanted in node_addresses(item)]
    if nodes:
        return End(None, nodes[0]["metadata"]["name"], text, wanted.version)
    return End(None, node_of(holders[0]) if holders else None, text, wanted.version)


def same(objects: Sequence[Raw], flow: Flow) -> bool:
    """Whether both ends are one pod."""
    ends = (flow.source, flow.destination)
    found = [find_address(objects, end).pod if isinstance(end, str) else end for end in ends]
    return all(found) and len({home_and_name(pod) for pod in found if pod}) == 1


def address_of(pod: Raw, family: int) -> str | None:
    """The pod's first address of a family; None for a manifest, which has one that nobody knows yet."""
    if finished(pod):
        raise NotAnEnd("a finished pod has given its address back")
    if not pod.get("status"):
        if family == 4:
            return None
        raise NotAnEnd("nobody knows whether a planned pod will have an IPv6 address")
    for address in addresses(pod):
        if address.version == family:
            return str(address)
    raise NotAnEnd("no address of that family")


def addresses(pod: Raw) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    status = pod.get("status") or {}
    listed = [item["ip"] for item in status.get("podIPs") or []] or [status.get("podIP")]
    return [as_address(text) for text in listed if text]


def addresses_of_node(objects: Sequence[Raw], name: str) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    found = [item for item in objects if item["kind"] == "Node" and item["metadata"]["name"] == name]
    return [address for item in found for address in node_addresses(item)]


def node_addresses(node: Raw) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    listed = (node.get("status") or {}).get("addresses") or []
    return [as_address(item["address"]) for item in listed if item["type"] in {"InternalIP", "ExternalIP"}]


def finished(pod: Raw) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def on_host(pod: Raw) -> bool:
    return bool(pod["spec"].get("hostNetwork"))


def node_of(pod: Raw) -> str:
    return str((pod.get("spec") or {}).get("nodeName") or "")


def inside(end: End, cidr: str, holes: Iterable[str]) -> str:
    """Whether a block without its holes holds the end's address; UNKNOWN where that is not known yet."""
    block = as_block(cidr)
    gaps = [as_block(text) for text in holes]
    if end.address is None:
        if block.version != end.family:
            return NO
        return YES if block.prefixlen == 0 and not gaps else UNKNOWN
    address = as_address(end.address)
    return YES if address in block and all(address not in gap for gap in gaps) else NO

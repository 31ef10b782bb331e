"""What a Service says, and the addresses and ports that an API server would give it.

Like the reading of policies this is the sandbox's own.  What no API server would store raises ValueError.  Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any

from probes.backends.netns.reading import LAST_PORT, PROTOCOLS
from probes.backends.netns.wires import INSIDE

Raw = Mapping[str, Any]
FAMILIES = ("IPv4", "IPv6")
RANGES = (ip_network("10.96.0.0/16"), ip_network("fd00:10:96::/112"))
"""Where addresses come from, one block for each family."""
DOORS = range(30000, 32768)
"""Where node ports come from."""
NO_ADDRESS = "None"
"""What stands for the address of a headless Service."""
DUAL = ("PreferDualStack", "RequireDualStack")
OUTER = ("NodePort", "LoadBalancer")
"""Types that nodes take connections for."""


class NoneLeftError(Exception):
    """Services have all that there is of something, and one more wants it."""

    def __init__(self, what: str, there_are: str) -> None:
        """Of what none is left, and what there is of it."""
        super().__init__(f"no {what} is left of {there_are}")
        self.what = what
        self.there_are = there_are


@dataclass(frozen=True, slots=True)
class Port:
    """One of a Service's ports."""

    name: str
    protocol: str
    number: int
    target: int | str
    """A number, or a name that each pod gives a number."""
    door: int = 0
    """The port of every node; 0 for none."""


@dataclass(frozen=True, slots=True)
class Service:
    """A Service as its addresses are translated."""

    namespace: str
    name: str
    addresses: tuple[str, ...]
    """As `ipaddress` prints them; empty where it has none of its own."""
    families: tuple[str, ...]
    ports: tuple[Port, ...]
    selector: Mapping[str, str]
    """Empty where somebody else says what is behind it."""
    headless: bool = False
    unready: bool = False
    """Whether pods that are not ready count as if they were."""
    near_inside: bool = False
    """Whether its addresses lead to pods of the caller's own node alone."""
    near_outside: bool = False
    """Whether a node's port leads to pods of that node alone."""


def read_service(raw: Raw) -> Service:
    """Read a Service that has its addresses and ports."""
    spec = _spec(raw)
    named = _named(spec)
    return Service(
        namespace=namespace_of(raw),
        name=str(raw["metadata"]["name"]),
        addresses=tuple(plain_address(text) for text in named if text != NO_ADDRESS),
        families=tuple(spec.get("ipFamilies") or FAMILIES[:1]),
        ports=tuple(_ports(spec)),
        selector={} if _leaves(spec) else dict(spec.get("selector") or {}),
        headless=NO_ADDRESS in named,
        unready=bool(spec.get("publishNotReadyAddresses")),
        near_inside=spec.get("internalTrafficPolicy") == "Local",
        near_outside=spec.get("externalTrafficPolicy") == "Local",
    )


def namespace_of(raw: Raw) -> str:
    """The namespace of an object."""
    return str(raw["metadata"].get("namespace") or "default")


def is_led(raw: Raw) -> bool:
    """Whether a Service finds its pods by itself."""
    return bool(_spec(raw).get("selector")) and not _leaves(_spec(raw))


def _spec(raw: Raw) -> Raw:
    return raw.get("spec") or {}


def _leaves(spec: Raw) -> bool:
    """Whether it is but another name for something outside."""
    return spec.get("type") == "ExternalName"


def _named(spec: Raw) -> tuple[str, ...]:
    listed = spec.get("clusterIPs") or [spec.get("clusterIP")]
    return () if _leaves(spec) else tuple(str(text) for text in listed if text)


def plain_address(text: str) -> str:
    """An address as `ipaddress` prints it; raises ValueError for what is none, or has a zone."""
    if "%" in text:
        raise ValueError(f"{text!r} has a zone")
    return str(ip_address(text))


def _ports(spec: Raw) -> Iterator[Port]:
    outer = spec.get("type") in OUTER
    for port in filter(None, spec.get("ports") or ()):
        protocol, number = port.get("protocol") or PROTOCOLS[0], port.get("port")
        # What none of this version's kinds is leads nowhere, and is no reason to do without the rest.
        if protocol in PROTOCOLS and is_port(number):
            door = port.get("nodePort") or 0
            if outer and door and not is_port(door):
                raise ValueError(f"{door!r} is not the number of a port")
            yield Port(str(port.get("name") or ""), protocol, number, port.get("targetPort") or number, door * outer)


def is_port(value: object) -> bool:
    """Whether it is the number of a port."""
    return isinstance(value, int) and 1 <= value <= LAST_PORT


def allotted(services: Iterable[Raw], there: Sequence[Raw] = (), families: int = len(FAMILIES)) -> tuple[Raw, ...]:
    """Services with the addresses and node ports that they lack, each different from those of all that are `there`.

    `families` is 1 where this kernel has no IPv6.
    """
    wanted = tuple(services)
    stock = _Stock([*there, *wanted])
    return tuple(_allotted(raw, stock, families) for raw in wanted)


def _allotted(raw: Raw, stock: _Stock, families: int) -> Raw:
    spec = _spec(raw)
    if _leaves(spec):
        return raw
    wanted = [family for family in _families(spec) if family in FAMILIES[:families]]
    named = _named(spec)
    addresses = named if NO_ADDRESS in named else _addresses(named, wanted, stock)
    given = {"clusterIP": addresses[0], "clusterIPs": [*addresses]} if addresses else {}
    return {**raw, "spec": {**spec, **given, "ipFamilies": wanted, **_with_doors(spec, stock)}}


def _families(spec: Raw) -> tuple[str, ...]:
    """The families that a Service asks for, the first one first."""
    named, policy = _named(spec), spec.get("ipFamilyPolicy")
    headless = NO_ADDRESS in named
    said = [str(item) for item in spec.get("ipFamilies") or ()]
    found = said or [family_of(text) for text in named if not headless] or [FAMILIES[0]]
    # Without a selector nobody knows which families are behind a name.
    both = policy in DUAL or (headless and not policy and not spec.get("selector"))
    return tuple(dict.fromkeys([*found, *FAMILIES] if both else found))


def family_of(text: str) -> str:
    """The family of an address; raises ValueError for what is none."""
    return f"IPv{ip_address(text).version}"


def _addresses(named: Sequence[str], wanted: Iterable[str], stock: _Stock) -> tuple[str, ...]:
    """One address for each family that is wanted, the one that is named where there is one."""
    known = {family_of(text): plain_address(text) for text in named}
    return tuple(known.get(family) or stock.address(family) for family in wanted)


def _with_doors(spec: Raw, stock: _Stock) -> dict[str, Any]:
    """The ports with one of every node for each, where the Service is of a type that has them."""
    kept = spec.get("type") == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is False
    if spec.get("type") not in OUTER or kept:
        return {}
    ports = [
        {**port, "nodePort": port.get("nodePort") or stock.door(port.get("protocol") or PROTOCOLS[0])}
        for port in filter(None, spec.get("ports") or ())
    ]
    return {"ports": ports}


class _Stock:
    """Addresses and node ports that nobody has; what is named is taken, by one Service alone."""

    def __init__(self, services: Iterable[Raw]) -> None:
        self._taken: dict[object, str] = {}
        self._addresses = {family: map(str, block.hosts()) for family, block in zip(FAMILIES, RANGES, strict=True)}
        self._doors = {protocol: iter(DOORS) for protocol in PROTOCOLS}
        for raw in services:
            name = f"{namespace_of(raw)}/{raw['metadata']['name']}"
            try:
                self._take(read_service(raw), name)
            except ValueError as error:
                raise ValueError(f"Service {name}: {error}") from error

    def _take(self, service: Service, name: str) -> None:
        keys: dict[object, str] = {text: f"address {text}" for text in service.addresses}
        keys |= {(port.protocol, port.door): f"node port {port.door}" for port in service.ports if port.door}
        for key, what in keys.items():
            if key in self._taken:
                raise ValueError(f"{what} is that of {self._taken[key]} already")
            self._taken[key] = name
        for text in service.addresses:
            if any(ip_address(text) in ip_network(block) for block in INSIDE):
                raise ValueError(f"address {text} is one of the sandbox's own")

    def address(self, family: str) -> str:
        """A new address; raises NoneLeftError."""
        found = next((text for text in self._addresses[family] if text not in self._taken), None)
        if found is None:
            raise NoneLeftError(f"{family} address", f"those of {RANGES[FAMILIES.index(family)]}")
        return found

    def door(self, protocol: str) -> int:
        """A new node port; raises NoneLeftError."""
        found = next((number for number in self._doors[protocol] if (protocol, number) not in self._taken), None)
        if found is None:
            raise NoneLeftError(f"{protocol} node port", f"{len(DOORS):,}, from {DOORS[0]} to {DOORS[-1]}")
        return found

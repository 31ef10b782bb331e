"""The ports of Cilium's rules, by number, range or name, and what layer 7 asks of them besides.

Pure.  Names are looked up as Cilium does: for ingress among the ports of the subject, for egress among those of all
pods together, whatever the destination declares; a name of several numbers then means nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from auditor.cluster import fields
from auditor.cluster.fields import FieldError, Raw
from auditor.model.flow import Direction, Protocol
from auditor.model.rules import FIRST_PORT, LAST_PORT, PortTerm
from auditor.policy.cilium_cluster import Surroundings
from auditor.policy.ordered import inside

PROTOCOLS: dict[str, tuple[Protocol, ...]] = {
    **{protocol.value: (protocol,) for protocol in Protocol},
    **dict.fromkeys(("", "ANY"), tuple(Protocol)),
    # Protocols without ports, of which no prediction speaks.
    **dict.fromkeys(("ICMP", "ICMPV6", "IGMP", "VRRP"), ()),
}
NUMBER = re.compile(r"0|[1-9][0-9]{0,4}")
NAME = re.compile(r"(?=.*[a-z])[a-z0-9](?:-?[a-z0-9])*", re.IGNORECASE)
LONGEST_NAME = 15
LAYER_7 = ("rules", "terminatingTLS", "originatingTLS", "serverNames", "listener")
RANGED_NAME = "has an endPort beside a port name: documented as ignored, but agents take it for the end of a range"


@dataclass(frozen=True, slots=True)
class PortRule:
    """One item of `toPorts`."""

    path: str
    terms: tuple[PortTerm, ...]
    narrowed: str = ""
    """Why a flow that these ports mean may be refused all the same."""
    widened: tuple[PortTerm, ...] = ()
    """Ports that may be meant as well."""
    notes: tuple[str, ...] = ()


def read_port_rule(raw: Raw, path: str, direction: Direction, around: Surroundings) -> PortRule:
    """Read one item; raises FieldError for what Cilium refuses. Without ports it means none."""
    terms: list[PortTerm] = []
    widened: list[PortTerm] = []
    notes: list[str] = []
    for position, port in enumerate(fields.objects(raw, "ports")):
        where = f"{path}.ports[{position}]"
        with inside(where):
            protocols, text, end = _read(port, around)
            if NUMBER.fullmatch(text):
                terms += _numbered(protocols, int(text), end)
                continue
            found = list(_named(protocols, text.lower(), direction, around))
            terms += [term for term in found if term is not None]
            if None in found:
                notes.append(f"{where} names port {text}, which pods declare with different numbers: Cilium ignores it")
            if end:
                widened += [PortTerm(protocol) for protocol in protocols]
    return PortRule(path, tuple(terms), _layer_7(raw), tuple(widened), tuple(notes))


def _read(raw: Raw, around: Surroundings) -> tuple[tuple[Protocol, ...], str, int]:
    fields.only(raw, "port", "endPort", "protocol")
    protocol, text = fields.text(raw, "protocol"), fields.text(raw, "port")
    if protocol not in PROTOCOLS:
        raise FieldError(f"unknown protocol {protocol!r}")
    if not text and around.settings.text("enable-extended-ip-protocols") == "true":
        text = "0"
    named = len(text) <= LONGEST_NAME and NAME.fullmatch(text)
    if not named and not (NUMBER.fullmatch(text) and int(text) <= LAST_PORT):
        raise FieldError(f"{text!r} is neither a port number nor a port name" if text else "a port must be given")
    return PROTOCOLS[protocol], text, fields.number(raw, "endPort") or 0


def _numbered(protocols: Sequence[Protocol], first: int, end: int) -> Iterator[PortTerm]:
    """Port 0 means all; an end that is not above the first port counts for nothing."""
    last = max(first, end)
    if first == 0 and end in {0, LAST_PORT}:
        first, last = FIRST_PORT, LAST_PORT
    if tuple(protocols) == tuple(Protocol):
        yield PortTerm(None, first, last)
    else:
        yield from (PortTerm(protocol, first, last) for protocol in protocols)


def _named(
    protocols: Sequence[Protocol], name: str, direction: Direction, around: Surroundings
) -> Iterator[PortTerm | None]:
    """Ports by name; None for one that is of no use because pods disagree."""
    for protocol in protocols:
        if direction is Direction.INGRESS:
            yield PortTerm(protocol, name=name)
            continue
        numbers = around.numbers(name, protocol)
        if len(numbers) > 1:
            yield None
        yield from (PortTerm(protocol, number, number) for number in numbers if len(numbers) == 1)


def _layer_7(raw: Raw) -> str:
    """Why layer 7 may refuse what the ports let in; empty where it has no say."""
    for name in LAYER_7:
        value = raw.get(name)
        if name == "rules":
            value = any(fields.mapping(raw, name).values())
        if value:
            return f"{name} decides by more than addresses and ports"
    strange = sorted(str(key) for key, value in raw.items() if key not in {"ports", *LAYER_7} and value is not None)
    return f"{strange[0]} is a field that this version does not know" if strange else ""

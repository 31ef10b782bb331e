"""What one rule of a Calico policy says: an action, and who talks to whom on which ports (`v3.Rule`).

Pure.  Everything that a rule sets must hold.
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import NamedTuple

from auditor.cluster import fields
from auditor.cluster.fields import FieldError, Raw
from auditor.model.flow import Direction, Protocol
from auditor.model.policy import IPBlock
from auditor.model.rules import Action, Clause, InBlock, Ports, PortTerm, Predicate, all_of
from auditor.policy.calico_entity import Cluster, Entity, Side, read_entity, strange_fields
from auditor.policy.ordered import inside

KNOWN = (
    *("action", "ipVersion", "protocol", "notProtocol", "icmp", "notICMP"),
    *("source", "destination", "http", "metadata"),
)
ACTIONS = {"Allow": Action.ALLOW, "Deny": Action.DENY, "Pass": Action.PASS}
LOG = "Log"
"""Notes the packet and goes on with the next rule."""
NUMBERS = {6: Protocol.TCP, 17: Protocol.UDP, 132: Protocol.SCTP}
OTHERS = frozenset({"ICMP", "ICMPv6", "UDPLite"})
LAST_NUMBER = 255
FAMILIES = {4: IPBlock(ip_network("0.0.0.0/0")), 6: IPBlock(ip_network("::/0"))}


class ReadRule(NamedTuple):
    """A clause, and what it asks of the policy's own pods."""

    clause: Clause
    own: Predicate


class _Said(NamedTuple):
    """A protocol as a rule says it; `known` is None for one that no flow of ours has."""

    known: Protocol | None


def read_rule(rule: Raw, path: str, direction: Direction, namespace: str, cluster: Cluster) -> ReadRule | None:
    """Translate a rule; None where it decides nothing: it logs, or is about a protocol such as ICMP.

    Raises FieldError where it is not as its type says.
    """
    with inside(path):
        action = fields.text(rule, "action")
        if action != LOG and action not in ACTIONS:
            raise FieldError(f"{action[:40]!r} is none of Allow, Deny, Pass and Log", rule, "action")
        protocol, excluded = _protocol(rule, "protocol"), _protocol(rule, "notProtocol")
        if action == LOG or (protocol is not None and protocol.known is None):
            return None
        about = protocol.known if protocol else None
        incoming = direction is Direction.INGRESS
        source, destination = (
            _entity(rule, Side(key, namespace, is_peer=is_peer, protocol=about), cluster)
            for key, is_peer in (("source", incoming), ("destination", not incoming))
        )
        peer, own = (source, destination) if incoming else (destination, source)
        clause = Clause(
            action=ACTIONS[action],
            path=path,
            peer=all_of(_family(rule), peer.predicate),
            ports=(*_protocols(rule, protocol, excluded), *destination.ports),
            unsure="; ".join((*_not_modelled(rule), *source.unsure, *destination.unsure)),
        )
        return ReadRule(clause, own.predicate)


def _entity(rule: Raw, side: Side, cluster: Cluster) -> Entity:
    raw = fields.mapping(rule, side.path)
    with inside(side.path):
        return read_entity(raw, side, cluster)


def _not_modelled(rule: Raw) -> list[str]:
    http = ["http asks for what only an application layer proxy sees"] if rule.get("http") is not None else []
    return http + [f"{key} is not modelled" for key in strange_fields(rule, *KNOWN)]


def _family(rule: Raw) -> Predicate | None:
    """Both ends of a flow are of its family, so it is asked of the peer."""
    version = fields.number(rule, "ipVersion")
    if version is None:
        return None
    if version not in FAMILIES:
        raise FieldError(f"{version} is neither 4 nor 6", rule, "ipVersion")
    return InBlock(FAMILIES[version])


def _protocols(rule: Raw, protocol: _Said | None, excluded: _Said | None) -> tuple[Ports, ...]:
    """What a rule says of the protocol, where its ports do not say it already."""
    found = []
    if protocol and protocol.known and not fields.sequence(fields.mapping(rule, "destination"), "ports"):
        found.append(Ports((PortTerm(protocol.known),)))
    if excluded and excluded.known:
        found.append(Ports((PortTerm(excluded.known),), inverted=True))
    return tuple(found)


def _protocol(rule: Raw, key: str) -> _Said | None:
    """A protocol by name or number (`numorstring.Protocol`)."""
    value = rule.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise FieldError(f"expected a name or a number, found {fields.kind_of(value)}", rule, key)
    number = value if isinstance(value, int) else _digits(value)
    if number is not None and 1 <= number <= LAST_NUMBER:
        return _Said(NUMBERS.get(number))
    if value in Protocol.__members__:
        return _Said(Protocol(value))
    if value in OTHERS:
        return _Said(None)
    raise FieldError(f"{str(value)[:40]!r} is no protocol that Calico knows", rule, key)


def _digits(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= len(str(LAST_NUMBER)) else None

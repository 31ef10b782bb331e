"""Raw NetworkPolicy objects and label selectors into values.

Pure.  Defaulting is here (`pkg/apis/networking/v1/defaults.go`), meaning is in `auditor.policy`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv6Network, ip_network
from typing import Any

from auditor.cluster import fields
from auditor.cluster.fields import FieldError, Raw
from auditor.cluster.remarks import remarks
from auditor.model.flow import Direction, Protocol
from auditor.model.labels import LabelSelector, Operator, Requirement
from auditor.model.policy import IPBlock, IPNetwork, NetworkPolicy, Peer, PolicyPort, Rule

LAST_PORT = 65535
SHARED = 20_000
"""Selectors, blocks and ports of which one is kept for all policies that have it."""
PORT_NAME = re.compile(r"(?=.*[a-z])(?!-)(?!.*--)[a-z0-9-]{1,15}(?<!-)")
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
LEADING_ZEROS = re.compile(r"(?<![0-9a-fA-F:])0+(?=[0-9]+[./])")
_TYPES = frozenset(item.value for item in Direction)
BLOCK = re.compile(r"[0-9a-fA-F.:]+/[0-9]{1,3}")
"""An address and a prefix length; Python would take a lone address and a netmask too."""


def decode_selector(raw: Raw) -> LabelSelector:
    """A `metav1.LabelSelector`; raises FieldError where the API server would reject it."""
    fields.only(raw, "matchLabels", "matchExpressions")
    labels = _labels(tuple(fields.strings(raw, "matchLabels").items()))
    expressions = fields.objects(raw, "matchExpressions")
    return LabelSelector((*labels.requirements, *map(_requirement, expressions))) if expressions else labels


@lru_cache(SHARED)
def _labels(labels: tuple[tuple[str, str], ...]) -> LabelSelector:
    """One selector for all policies that say the same."""
    return LabelSelector(tuple(Requirement(key, Operator.IN, frozenset({value})) for key, value in labels))


def _requirement(raw: Raw) -> Requirement:
    key = fields.text(fields.only(raw, "key", "operator", "values"), "key")
    try:
        operator = Operator(fields.text(raw, "operator"))
    except ValueError as error:
        known = ", ".join(item.value for item in Operator)
        raise FieldError(f"{raw.get('operator')!r} is not one of {known}", raw, "operator") from error
    values = frozenset(fields.words(raw, "values"))
    if not key:
        raise FieldError("an expression needs a label key", raw, "key")
    if bool(values) != (operator in {Operator.IN, Operator.NOT_IN}):
        raise FieldError(f"{operator.value} {'takes no' if values else 'needs'} values", raw, "values")
    return Requirement(key, operator, values)


def _optional_selector(raw: Raw, key: str) -> LabelSelector | None:
    # Absent or null means "not set", which differs from an empty selector, which matches everything.
    return None if raw.get(key) is None else decode_selector(fields.mapping(raw, key))


@lru_cache(SHARED)
def decode_network(text: str) -> IPNetwork:
    """A block of addresses; raises FieldError where it is none, or holds IPv4 addresses written as IPv6.

    As sloppy as the server is with what is stored already: leading zeros count for nothing, host bits are masked.
    """
    if not BLOCK.fullmatch(text):
        raise FieldError(f"not a block of addresses: {text!r}")
    try:
        network = ip_network(LEADING_ZEROS.sub("", text), strict=False)
    except ValueError as error:
        raise FieldError(f"not a block of addresses: {text!r}") from error
    if isinstance(network, IPv6Network) and network.network_address.ipv4_mapped is not None:
        raise FieldError(f"IPv4-mapped IPv6 block {text!r} matches nothing or everything, depending on the engine")
    return network


def _block_at(text: str, raw: Raw, *keys: str | int) -> IPNetwork:
    try:
        return decode_network(text)
    except FieldError as error:
        raise FieldError(error.reason, raw, *keys) from error


def _ip_block(raw: Raw) -> IPBlock:
    cidr = _block_at(fields.text(fields.only(raw, "cidr", "except"), "cidr"), raw, "cidr")
    excepts = tuple(_block_at(text, raw, "except", at) for at, text in enumerate(fields.words(raw, "except")))
    for position, block in enumerate(excepts):
        if block.version != cidr.version or not _is_inside(block, cidr):
            raise FieldError(f"{block} is not a strict subset of {cidr}", raw, "except", position)
    return IPBlock(cidr, excepts)


def _is_inside(block: IPNetwork, cidr: IPNetwork) -> bool:
    return block.network_address in cidr and block.prefixlen > cidr.prefixlen


def _peers(rule: Raw, key: str) -> tuple[Peer, ...]:
    return tuple(_peer(raw, rule, key, position) for position, raw in enumerate(fields.objects(rule, key)))


def _peer(raw: Raw, *at: Any) -> Peer:
    fields.only(raw, "podSelector", "namespaceSelector", "ipBlock")
    pods = _optional_selector(raw, "podSelector")
    namespaces = _optional_selector(raw, "namespaceSelector")
    block = None if raw.get("ipBlock") is None else _ip_block(fields.mapping(raw, "ipBlock"))
    if pods is None and namespaces is None and block is None:
        raise FieldError("a peer needs one of podSelector, namespaceSelector and ipBlock", *at)
    if block is not None and (pods is not None or namespaces is not None):
        raise FieldError("a peer has either ipBlock or selectors", raw, "ipBlock")
    return Peer(pods, namespaces, block)


def _number_or_name(raw: Raw) -> int | str | None:
    port = raw.get("port")
    if port is None:
        return None
    if isinstance(port, bool) or not isinstance(port, int | str):
        raise FieldError(f"expected a number or a name, found {fields.kind_of(port)}", raw, "port")
    if isinstance(port, int) and not 1 <= port <= LAST_PORT:
        raise FieldError(f"{port} is not between 1 and {LAST_PORT}", raw, "port")
    if isinstance(port, str) and not PORT_NAME.fullmatch(port):
        # A number in quotes is a mistake that the server refuses, not a name.
        raise FieldError(f"{port!r} is not a port name", raw, "port")
    return port


def _port(raw: Raw) -> PolicyPort:
    try:
        protocol = Protocol(fields.text(raw, "protocol", "TCP"))
    except ValueError as error:
        raise FieldError(f"{raw.get('protocol')!r} is not one of TCP, UDP, SCTP", raw, "protocol") from error
    port = _number_or_name(fields.only(raw, "protocol", "port", "endPort"))
    end = fields.number(raw, "endPort")
    if end is not None and (not isinstance(port, int) or not port <= end <= LAST_PORT):
        raise FieldError(f"{end} does not close a range that begins at port {port}", raw, "endPort")
    return _shared_port(protocol, port, end)


@lru_cache(SHARED)
def _shared_port(protocol: Protocol, port: int | str | None, end: int | None) -> PolicyPort:
    return PolicyPort(protocol, port, end)


def _rule(raw: Raw, peers_key: str) -> Rule:
    fields.only(raw, peers_key, "ports")
    return Rule(_peers(raw, peers_key), tuple(_port(port) for port in fields.objects(raw, "ports")))


def decode_network_policy(raw: Raw) -> NetworkPolicy:
    """A `networkingv1.NetworkPolicy`, defaulted; raises FieldError where it says something this version cannot read."""
    metadata, spec = fields.mapping(raw, "metadata"), fields.mapping(raw, "spec")
    fields.only(spec, "podSelector", "policyTypes", "ingress", "egress")
    ingress = tuple(_rule(rule, "from") for rule in fields.objects(spec, "ingress"))
    egress = tuple(_rule(rule, "to") for rule in fields.objects(spec, "egress"))
    return NetworkPolicy(
        namespace=fields.text(metadata, "namespace", "default"),
        name=fields.text(metadata, "name"),
        pod_selector=decode_selector(fields.mapping(spec, "podSelector")),
        isolates=_isolates(spec, has_egress=bool(egress)),
        ingress=ingress,
        egress=egress,
        uid=fields.text(metadata, "uid"),
        version=fields.text(metadata, "resourceVersion"),
        remarks=remarks(spec),
        applied=_applied(metadata),
    )


def _applied(metadata: Raw) -> str:
    annotations = metadata.get("annotations")
    found = annotations.get(LAST_APPLIED) if isinstance(annotations, Mapping) else None
    return found if isinstance(found, str) else ""


def _isolates(spec: Raw, *, has_egress: bool) -> frozenset[Direction]:
    types = fields.words(spec, "policyTypes")
    if not types:
        # Ingress always, Egress only with at least one egress rule; an empty egress list adds nothing.
        return frozenset(Direction) if has_egress else frozenset({Direction.INGRESS})
    if len(types) > len(Direction):
        raise FieldError("more than two types", spec, "policyTypes")
    for position, text in enumerate(types):
        if text not in _TYPES:
            raise FieldError(f"{text!r} is not one of Ingress, Egress", spec, "policyTypes", position)
    return frozenset(map(Direction, types))

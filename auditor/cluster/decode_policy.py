"""Raw NetworkPolicy objects and label selectors into values.

Pure.  Defaulting is here (`pkg/apis/networking/v1/defaults.go`), meaning is in `auditor.policy`.
"""

from __future__ import annotations

import re
from ipaddress import IPv6Network, ip_network

from auditor.cluster import fields
from auditor.cluster.fields import FieldError, Raw
from auditor.model.flow import Direction, Protocol
from auditor.model.labels import LabelSelector, Operator, Requirement
from auditor.model.policy import IPBlock, IPNetwork, NetworkPolicy, Peer, PolicyPort, Rule

LAST_PORT = 65535
PORT_NAME = re.compile(r"(?=.*[a-z])[a-z0-9-]{1,15}")
BLOCK = re.compile(r"[0-9a-fA-F.:]+/[0-9]{1,3}")
"""An address and a prefix length; Python would take a lone address and a netmask too."""


def decode_selector(raw: Raw) -> LabelSelector:
    """A `metav1.LabelSelector`; raises FieldError where the API server would reject it."""
    fields.only(raw, "matchLabels", "matchExpressions")
    requirements = [
        Requirement(key, Operator.IN, frozenset({value})) for key, value in fields.strings(raw, "matchLabels").items()
    ]
    requirements.extend(_requirement(item) for item in fields.objects(raw, "matchExpressions"))
    return LabelSelector(tuple(requirements))


def _requirement(raw: Raw) -> Requirement:
    key = fields.text(fields.only(raw, "key", "operator", "values"), "key")
    try:
        operator = Operator(fields.text(raw, "operator"))
    except ValueError as error:
        raise FieldError(f"matchExpressions: unknown operator {fields.text(raw, 'operator')!r}") from error
    values = frozenset(fields.words(raw, "values"))
    if not key:
        raise FieldError("matchExpressions: an expression without a key")
    if bool(values) != (operator in {Operator.IN, Operator.NOT_IN}):
        raise FieldError(f"matchExpressions: {operator.value} on {key} with {len(values)} values")
    return Requirement(key, operator, values)


def _optional_selector(raw: Raw, key: str) -> LabelSelector | None:
    # Absent or null means "not set", which differs from an empty selector, which matches everything.
    return None if raw.get(key) is None else decode_selector(fields.mapping(raw, key))


def _network(text: str) -> IPNetwork:
    if not BLOCK.fullmatch(text):
        raise FieldError(f"not a block of addresses: {text!r}")
    try:
        # Host bits may be set in stored objects: the server keeps such old values and masks them when it matches.
        network = ip_network(text, strict=False)
    except ValueError as error:
        raise FieldError(f"not a block of addresses: {text!r}") from error
    if isinstance(network, IPv6Network) and network.network_address.ipv4_mapped is not None:
        raise FieldError(f"IPv4-mapped IPv6 block {text!r} matches nothing or everything, depending on the engine")
    return network


def _ip_block(raw: Raw) -> IPBlock:
    cidr = _network(fields.text(fields.only(raw, "cidr", "except"), "cidr"))
    excepts = tuple(_network(text) for text in fields.words(raw, "except"))
    for block in excepts:
        if block.version != cidr.version:
            raise FieldError(f"except {block} is of another family than {cidr}")
    return IPBlock(cidr, excepts)


def _peer(raw: Raw) -> Peer:
    fields.only(raw, "podSelector", "namespaceSelector", "ipBlock")
    pods = _optional_selector(raw, "podSelector")
    namespaces = _optional_selector(raw, "namespaceSelector")
    block = None if raw.get("ipBlock") is None else _ip_block(fields.mapping(raw, "ipBlock"))
    if pods is None and namespaces is None and block is None:
        raise FieldError("a peer with no field that this version knows")
    if block is not None and (pods is not None or namespaces is not None):
        raise FieldError("a peer with ipBlock and a selector")
    return Peer(pods, namespaces, block)


def _number_or_name(port: object) -> int | str | None:
    if port is None:
        return None
    if isinstance(port, bool) or not isinstance(port, int | str):
        raise FieldError(f"port: expected a number or a name, found {type(port).__name__}")
    if isinstance(port, int) and not 1 <= port <= LAST_PORT:
        raise FieldError(f"port: {port} is not between 1 and {LAST_PORT}")
    if isinstance(port, str) and not PORT_NAME.fullmatch(port):
        # A number in quotes is a mistake that the server refuses, not a name.
        raise FieldError(f"port: {port!r} is not a port name")
    return port


def _port(raw: Raw) -> PolicyPort:
    try:
        protocol = Protocol(fields.text(raw, "protocol", "TCP"))
    except ValueError as error:
        raise FieldError(f"unknown protocol {fields.text(raw, 'protocol')!r}") from error
    port = _number_or_name(fields.only(raw, "protocol", "port", "endPort").get("port"))
    end = fields.number(raw, "endPort")
    if end is not None and (not isinstance(port, int) or not port <= end <= LAST_PORT):
        raise FieldError(f"endPort: {end} does not close a range that begins at {port!r}")
    return PolicyPort(protocol, port, end)


def _rule(raw: Raw, peers_key: str) -> Rule:
    fields.only(raw, peers_key, "ports")
    peers = tuple(_peer(peer) for peer in fields.objects(raw, peers_key))
    return Rule(peers, tuple(_port(port) for port in fields.objects(raw, "ports")))


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
        isolates=_isolates(fields.words(spec, "policyTypes"), has_egress=bool(egress)),
        ingress=ingress,
        egress=egress,
        uid=fields.text(metadata, "uid"),
        version=fields.text(metadata, "resourceVersion"),
    )


def _isolates(types: tuple[str, ...], *, has_egress: bool) -> frozenset[Direction]:
    if not types:
        # Ingress always, Egress only with at least one egress rule; an empty egress list adds nothing.
        return frozenset(Direction) if has_egress else frozenset({Direction.INGRESS})
    try:
        return frozenset(Direction(text) for text in types)
    except ValueError as error:
        raise FieldError(f"policyTypes: {', '.join(types)} holds an unknown type") from error

"""What an API server refuses of AdminNetworkPolicy, BaselineAdminNetworkPolicy and ClusterNetworkPolicy.

Pure.  Asked of manifests only.  Source: the CRDs of v0.1.7 (v1alpha1) and v0.2.0 (v1alpha2) in their experimental
channel, which has every field of the standard one, and the types of v1beta1 as they stand before its release.  What a
CRD leaves to the engines is not refused: label syntax, operators, a range of v1alpha1 that goes down.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from ipaddress import IPv6Interface, ip_interface

from auditor.cluster import fields
from auditor.cluster.fields import FieldError, Raw
from auditor.cluster.kinds import Kind
from auditor.cluster.shapes import Either, Entries, Fields, Items, Number, Shape, Text, misfits

GROUP = "policy.networking.k8s.io"
BASELINE_KIND, BASELINE_NAME = "BaselineAdminNetworkPolicy", "default"
LAST_PRIORITY, LONGEST_RULE_NAME, LONGEST_CIDR = 1000, 100, 43
MOST_OLD, MOST_NEW, MOST_OUTSIDE = 100, 25, 25
"""Rules in a direction, and peers and ports in a rule, of v1alpha1 and since; networks or domain names in a peer."""
OUTSIDE = ("networks", "nodes", "domainNames")
"""Peers that declare no names of ports."""

_BLOCK = re.compile(r"[0-9a-fA-F.:]+/(?:0|[1-9][0-9]{0,2})")
_REST = r"(?:[-\w]*[a-zA-Z0-9])?"


def _domain_name(first: str) -> re.Pattern[str]:
    label = f"{first}{_REST}"
    return re.compile(rf"(?:\*\.)?(?:{label}\.)+{label}\.?", re.ASCII)


# Before v1beta1 the schema has a slip, A-z, by which a few signs more may begin a label.
_NAME_WITH_SLIP, _NAME = _domain_name("[A-z0-9]"), _domain_name("[a-zA-Z0-9]")


def refusals(raw: Raw, kind: Kind) -> Iterator[FieldError]:
    """Everything for which a server would not store a manifest; UnknownField for what only kubectl refuses."""
    version = fields.text(raw, "apiVersion").rpartition("/")[2]
    shape = _SPECS.get((kind.name, version))
    if shape is None:
        return
    metadata = fields.mapping(raw, "metadata")
    if kind.name == BASELINE_KIND and metadata.get("name") != BASELINE_NAME:
        yield FieldError(f"there is only one policy of this kind, named {BASELINE_NAME!r}", metadata, "name")
    if raw.get("spec") is None:
        yield FieldError("it is missing", raw, "spec")
    else:
        yield from misfits(shape, raw, "spec")


def _cidr(text: str, *, masked: bool) -> str:
    """Why a text is no block of addresses (`isCIDR` of the rules in a CRD)."""
    try:
        found = ip_interface(text) if _BLOCK.fullmatch(text) else None
    except ValueError:
        found = None
    if found is None:
        return f"{text!r} is no block of addresses"
    if isinstance(found, IPv6Interface) and found.ip.ipv4_mapped is not None:
        return f"{text!r} is an IPv4 block written as IPv6"
    if masked and found.ip != found.network.network_address:
        return f"{text!r} has bits beyond its length, unlike {found.network}"
    return ""


def _no_domain_name(text: str, *, pattern: re.Pattern[str]) -> str:
    return "" if pattern.fullmatch(text) else f"{text[:LONGEST_RULE_NAME]!r} is no domain name of two labels or more"


_PORT = Number(1, 65535)
_EXPRESSION = Fields({"key": Text(), "operator": Text(), "values": Items(Text())}, needed=("key", "operator"))
_SELECTOR = Fields({"matchLabels": Entries(Text()), "matchExpressions": Items(_EXPRESSION)})
_BOTH = {"namespaceSelector": _SELECTOR, "podSelector": _SELECTOR}
_OLD_PODS = Fields(_BOTH, needed=("namespaceSelector", "podSelector"))
_NEW_PODS = Fields(_BOTH, needed=("podSelector",))


def _outside(*, masked: bool, names: re.Pattern[str]) -> Mapping[str, Shape]:
    block = Text(longest=LONGEST_CIDR, wrong=partial(_cidr, masked=masked))
    name = Text(wrong=partial(_no_domain_name, pattern=names))
    return {
        "networks": Items(block, 1, MOST_OUTSIDE, distinct=True),
        "nodes": _SELECTOR,
        "domainNames": Items(name, 1, MOST_OUTSIDE, distinct=True),
    }


_OUTSIDE = _outside(masked=False, names=_NAME_WITH_SLIP)

# As v0.1.1 wrote peers, which objects of v1alpha1 may still have.
_LABELS = Items(Text(), 0, MOST_OLD)
_SET = Fields({"namespaceSelector": _SELECTOR, "sameLabels": _LABELS, "notSameLabels": _LABELS}, one=True)
_PODS_OF_SET = Fields({"namespaces": _SET, "podSelector": _SELECTOR}, needed=("namespaces", "podSelector"))
_OLD_PEERS: Mapping[str, Shape] = {
    "namespaces": Either(frozenset(_SET.known), _SET, _SELECTOR),
    "pods": Either(frozenset({"namespaces"}), _PODS_OF_SET, _OLD_PODS),
}
_NEW_PEERS: Mapping[str, Shape] = {"namespaces": _SELECTOR, "pods": _NEW_PODS}


def _ascending(raw: Raw) -> Iterator[FieldError]:
    if raw["start"] >= raw["end"]:
        yield FieldError(f"{raw['start']} is not below end {raw['end']}", raw, "start")


def _named_outside(rule: Raw, *, ports: str, name: str) -> Iterator[FieldError]:
    """A name of a port beside peers of which none declares names."""
    outside = sorted({key for peer in rule["to"] for key in OUTSIDE if peer.get(key) is not None})
    for port in rule.get(ports) or () if outside else ():
        if port.get(name) is not None:
            yield FieldError(f"a name, but the rule's peers of {' and '.join(outside)} have no named ports", port, name)


_OLD_PORT = Fields(
    {
        "portNumber": Fields({"port": _PORT, "protocol": Text()}, needed=("port",)),
        "portRange": Fields({"start": _PORT, "end": _PORT, "protocol": Text()}, needed=("start", "end")),
        "namedPort": Text(),
    },
    one=True,
)
_RANGE = Fields({"start": _PORT, "end": _PORT}, needed=("start", "end"), rule=_ascending)
_MATCH = Fields({"destinationPort": Fields({"number": _PORT, "range": _RANGE}, one=True)}, one=True)
_NEW_PORT = Fields({"tcp": _MATCH, "udp": _MATCH, "sctp": _MATCH, "destinationNamedPort": Text()}, one=True)


def _rules(
    most: int,
    actions: tuple[str, ...],
    peers: Fields,
    ports: tuple[str, Shape],
    rule: Callable[[Raw], Iterator[FieldError]] | None = None,
) -> Items:
    """The rules of one direction; those with a rule of their own are of egress."""
    way = "to" if rule else "from"
    known: Mapping[str, Shape] = {
        "name": Text(longest=LONGEST_RULE_NAME),
        "action": Text(actions),
        way: Items(peers, 1, most),
        ports[0]: Items(ports[1], 1, most),
    }
    return Items(Fields(known, needed=("action", way), rule=rule), 0, most)


def _subject(pods: Fields) -> Fields:
    return Fields({"namespaces": _SELECTOR, "pods": pods}, one=True)


def _old_spec(actions: tuple[str, ...], outside: Mapping[str, Shape], *needed: str) -> Fields:
    ports = ("ports", _OLD_PORT)
    named = partial(_named_outside, ports="ports", name="namedPort")
    known: dict[str, Shape] = {
        "subject": _subject(_OLD_PODS),
        "ingress": _rules(MOST_OLD, actions, Fields(_OLD_PEERS, one=True), ports),
        "egress": _rules(MOST_OLD, actions, Fields({**_OLD_PEERS, **outside}, one=True), ports, named),
    }
    if needed:
        known["priority"] = Number(0, LAST_PRIORITY)
    return Fields(known, needed=("subject", *needed))


def _new_spec(outside: Mapping[str, Shape]) -> Fields:
    ports, actions = ("protocols", _NEW_PORT), ("Accept", "Deny", "Pass")
    named = partial(_named_outside, ports="protocols", name="destinationNamedPort")
    known: Mapping[str, Shape] = {
        "tier": Text(("Admin", "Baseline")),
        "priority": Number(0, LAST_PRIORITY),
        "subject": _subject(_NEW_PODS),
        "ingress": _rules(MOST_NEW, actions, Fields(_NEW_PEERS, one=True), ports),
        "egress": _rules(MOST_NEW, actions, Fields({**_NEW_PEERS, **outside}, one=True), ports, named),
    }
    return Fields(known, needed=("tier", "priority", "subject"))


_SPECS: Mapping[tuple[str, str], Fields] = {
    ("AdminNetworkPolicy", "v1alpha1"): _old_spec(("Allow", "Deny", "Pass"), _OUTSIDE, "priority"),
    # It never had domain names.
    (BASELINE_KIND, "v1alpha1"): _old_spec(("Allow", "Deny"), {key: _OUTSIDE[key] for key in ("networks", "nodes")}),
    ("ClusterNetworkPolicy", "v1alpha2"): _new_spec(_OUTSIDE),
    ("ClusterNetworkPolicy", "v1beta1"): _new_spec(_outside(masked=True, names=_NAME)),
}

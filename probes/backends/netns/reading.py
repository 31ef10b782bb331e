"""What a NetworkPolicy says, read from its raw object by the letter of networking.k8s.io/v1.

This reading is the sandbox's own: what it shares with the model could not show the model's mistakes.  It takes objects
that an API server would store; what none would store raises ValueError.  Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Raw = Mapping[str, Any]
PROTOCOLS = ("TCP", "UDP", "SCTP")
LAST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on a label."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether labels meet it."""
        return OPERATORS[self.operator](labels.get(self.key), self.values)


OPERATORS: Mapping[str, Callable[[str | None, frozenset[str]], bool]] = {
    "In": lambda value, values: value is not None and value in values,
    "NotIn": lambda value, values: value is None or value not in values,
    "Exists": lambda value, _: value is not None,
    "DoesNotExist": lambda value, _: value is None,
}
"""What each operator asks of a label's value, None where the label is missing."""

Selector = tuple[Requirement, ...]
"""All of them must hold; without any, everything is selected."""


def selects(selector: Selector, labels: Mapping[str, str]) -> bool:
    """Whether labels meet every requirement."""
    return all(requirement.holds(labels) for requirement in selector)


@dataclass(frozen=True, slots=True)
class Port:
    """One of a rule's ports: a name, or the numbers from first to last."""

    protocol: str
    first: int = 0
    last: int = LAST_PORT
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """A block of addresses without its exceptions."""

    cidr: str
    holes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pods:
    """Pods of a policy's own namespace where `namespaces` is None, else of those that it selects."""

    pods: Selector
    namespaces: Selector | None = None


Peer = Block | Pods


@dataclass(frozen=True, slots=True)
class Rule:
    """Peers and ports that are allowed together; None for any, which is not the same as none."""

    peers: tuple[Peer, ...] | None
    ports: tuple[Port, ...] | None


@dataclass(frozen=True, slots=True)
class Reading:
    """One policy; a direction in which it isolates nobody is None."""

    namespace: str
    pods: Selector
    ingress: tuple[Rule, ...] | None
    egress: tuple[Rule, ...] | None


def read(policy: Raw) -> Reading:
    """Read a policy."""
    spec: Raw = policy.get("spec") or {}
    types = _items(spec, "policyTypes") or _usual_types(spec)
    return Reading(
        namespace=str(policy["metadata"]["namespace"]),
        pods=_selector(spec.get("podSelector") or {}),
        ingress=_rules(spec, "ingress", "from") if "Ingress" in types else None,
        egress=_rules(spec, "egress", "to") if "Egress" in types else None,
    )


def _usual_types(spec: Raw) -> Sequence[str]:
    """What an API server writes where a policy names no types."""
    return ("Ingress", "Egress") if _items(spec, "egress") else ("Ingress",)


def _items(raw: Raw, key: str) -> Sequence[Any]:
    """Take a list that may be missing or null."""
    return raw.get(key) or ()


def _rules(spec: Raw, key: str, side: str) -> tuple[Rule, ...]:
    return tuple(_rule(raw or {}, side) for raw in _items(spec, key))


def _rule(raw: Raw, side: str) -> Rule:
    peers = tuple(_peer(item) for item in _items(raw, side))
    ports = tuple(_port(item or {}) for item in _items(raw, "ports"))
    return Rule(peers or None, ports or None)


def _peer(raw: Raw) -> Peer:
    block, pods, namespaces = (raw.get(key) for key in ("ipBlock", "podSelector", "namespaceSelector"))
    if block is not None:
        return Block(str(block["cidr"]), tuple(str(item) for item in _items(block, "except")))
    if pods is None and namespaces is None:
        raise ValueError("a peer without podSelector, namespaceSelector and ipBlock")
    return Pods(_selector(pods or {}), None if namespaces is None else _selector(namespaces))


def _port(raw: Raw) -> Port:
    protocol, number, last = raw.get("protocol") or "TCP", raw.get("port"), raw.get("endPort")
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol {protocol!r} is none of {', '.join(PROTOCOLS)}")
    if number is None:
        return Port(protocol)
    if isinstance(number, str):
        return Port(protocol, name=number)
    return Port(protocol, number, number if last is None else last)


def _selector(raw: Raw) -> Selector:
    labels: Mapping[str, str] = raw.get("matchLabels") or {}
    equal = [Requirement(key, "In", frozenset({value})) for key, value in labels.items()]
    return (*equal, *(_requirement(item) for item in _items(raw, "matchExpressions")))


def _requirement(raw: Raw) -> Requirement:
    operator = raw["operator"]
    if operator not in OPERATORS:
        raise ValueError(f"operator {operator!r} is none of {', '.join(OPERATORS)}")
    return Requirement(raw["key"], operator, frozenset(_items(raw, "values")))

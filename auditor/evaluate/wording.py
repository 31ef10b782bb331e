"""Predicates and ports in words: what they ask for, and what an end lacks that they ask for.

Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from auditor.evaluate.end import End
from auditor.evaluate.match import Asked, matches, means_port
from auditor.model.labels import Labels, LabelSelector, Operator, Requirement
from auditor.model.rules import (
    FIRST_PORT,
    LAST_PORT,
    AccountIs,
    AccountLabels,
    AllOf,
    AnyOf,
    EndKind,
    Everything,
    InBlock,
    InNamespace,
    IsKind,
    Match,
    NamespaceLabels,
    NodeLabels,
    Not,
    OwnNode,
    PodLabels,
    Ports,
    PortTerm,
    Predicate,
    Selector,
    Unsure,
)

MANY = 4
"""Values that are listed before the rest is counted."""


def wanted(requirement: Requirement) -> str:
    """A requirement as kubectl writes it."""
    values = sorted(requirement.values)
    if requirement.operator is Operator.IN:
        return f"{requirement.key}={values[0]}" if len(values) == 1 else f"{requirement.key} in ({listed(values)})"
    if requirement.operator is Operator.NOT_IN:
        return f"{requirement.key} notin ({listed(values)})"
    return requirement.key if requirement.operator is Operator.EXISTS else f"!{requirement.key}"


def listed(values: list[str]) -> str:
    """A few values, and how many more."""
    more = f", {len(values) - MANY} more" if len(values) > MANY else ""
    return ", ".join(values[:MANY]) + more


def selector_text(selector: Selector) -> str:
    """A selector as kubectl writes it."""
    if isinstance(selector, LabelSelector):
        return ",".join(wanted(item) for item in selector.requirements) or "any labels"
    return str(selector)


def describe(predicate: Predicate) -> str:
    """What a predicate asks for."""
    return _DESCRIBED[type(predicate)](predicate)


def _joined(parts: tuple[Predicate, ...], word: str) -> str:
    texts = [describe(part) for part in parts]
    shown = texts[:MANY] + ([f"{len(texts) - MANY} more"] if len(texts) > MANY else [])
    return f" {word} ".join(shown) if shown else "nothing"


def _block(predicate: InBlock) -> str:
    holes = [str(item) for item in predicate.block.excepts]
    return f"addresses in {predicate.block.cidr}" + (f" except {listed(holes)}" if holes else "")


_KINDS = {EndKind.POD: "any pod", EndKind.NODE: "any node", EndKind.OUTSIDE: "any address outside"}
_DESCRIBED: dict[type, Callable[[Any], str]] = {
    Everything: lambda _: "anybody",
    IsKind: lambda it: " or ".join(_KINDS[kind] for kind in EndKind if kind in it.kinds),
    PodLabels: lambda it: f"pods with {selector_text(it.selector)}",
    NamespaceLabels: lambda it: f"namespaces with {selector_text(it.selector)}",
    InNamespace: lambda it: f"namespace {it.name}",
    AccountIs: lambda it: f"service account {listed(sorted(it.names))}",
    AccountLabels: lambda it: f"service accounts with {selector_text(it.selector)}",
    NodeLabels: lambda it: f"nodes with {selector_text(it.selector)}",
    OwnNode: lambda _: "the pod's own node",
    InBlock: _block,
    Unsure: lambda it: f"something that is not certain ({it.reason})",
    AllOf: lambda it: _joined(it.parts, "and"),
    AnyOf: lambda it: _joined(it.parts, "or"),
    Not: lambda it: f"not ({describe(it.part)})",
}


def missing(predicate: Predicate, asked: Asked) -> str:
    """The first thing for which a predicate does not hold of the peer."""
    end = asked.peer
    if isinstance(predicate, AllOf):
        for part in predicate.parts:
            if matches(part, end, asked.subject, asked.traffic.family) is Match.NO:
                return missing(part, asked)
    if isinstance(predicate, PodLabels | NamespaceLabels) and end.kind is not EndKind.POD:
        return f"{describe(predicate)}: {end.title} is no pod, and selectors see pods only"
    if isinstance(predicate, PodLabels) and end.pod is not None:
        return _labels_missing(predicate.selector, end.pod.labels, "the pod")
    if isinstance(predicate, NamespaceLabels) and end.namespace is not None:
        return _labels_missing(predicate.selector, end.namespace.labels, f"namespace {end.namespace.name}")
    if isinstance(predicate, InNamespace) and end.kind is EndKind.POD and end.pod is not None:
        return f"only pods of namespace {predicate.name} are meant, and {end.title} is in {end.pod.namespace}"
    return f"{describe(predicate)}: {_what(end)} is not among them"


def _what(end: End) -> str:
    return "the peer" if end.pod is None and end.kind is EndKind.OUTSIDE else end.title


def _labels_missing(selector: Selector, labels: Labels, whose: str) -> str:
    if isinstance(selector, LabelSelector):
        for item in selector.requirements:
            if not item.matches(labels):
                has = f"{item.key}={labels[item.key]}" if item.key in labels else f"no label {item.key}"
                return f"{wanted(item)} is wanted, and {whose} has {has}"
    return f"{selector_text(selector)} is wanted of {whose}"


def term_text(term: PortTerm) -> str:
    """A port as people write it: `80/TCP`, `8000-8100/TCP`, `http/TCP`, `any port/UDP`."""
    protocol = term.protocol.value if term.protocol is not None else "any protocol"
    if term.name:
        return f"{term.name}/{protocol}"
    if (term.first, term.last) == (FIRST_PORT, LAST_PORT):
        return f"any port/{protocol}"
    return f"{term.first}/{protocol}" if term.first == term.last else f"{term.first}-{term.last}/{protocol}"


def ports_text(ports: tuple[Ports, ...]) -> str:
    """The ports of a rule."""
    if not ports:
        return "any port"
    parts = [("none of " if item.inverted else "") + listed([term_text(term) for term in item.terms]) for item in ports]
    return " and ".join(parts)


def port_missing(ports: tuple[Ports, ...], asked: Asked) -> str | None:
    """Why the flow's port is not among a rule's; None where it is."""
    if all(means_port(item, asked.destination, asked.traffic) for item in ports):
        return None
    traffic = asked.traffic
    text = f"{ports_text(ports)} is meant, and the flow is to {traffic.port}/{traffic.protocol.value}"
    return text + "".join(_named(term, asked) for item in ports for term in item.terms if term.name)


def _named(term: PortTerm, asked: Asked) -> str:
    pod = asked.destination.pod
    if pod is None or asked.destination.kind is not EndKind.POD:
        return f"; {asked.destination.title} has no named ports"
    found = sorted({f"{p.number}/{p.protocol.value}" for p in pod.ports if p.name == term.name})
    return f"; {term.name} is {', '.join(found)} there" if found else f"; no container port there is called {term.name}"

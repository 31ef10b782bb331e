"""Whether a predicate holds of one end of a flow, and whether a flow's port is meant.

Pure.  Exact and obvious: the bitsets of `reach` answer the same questions for all pods at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from auditor.evaluate.end import End
from auditor.evaluate.ends import FAMILIES
from auditor.model.flow import Family, Traffic
from auditor.model.labels import Labels, LabelSelector
from auditor.model.policy import IPBlock
from auditor.model.rules import (
    AccountIs,
    AccountLabels,
    AllOf,
    AnyOf,
    Clause,
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

NAME_LABEL = "kubernetes.io/metadata.name"
"""The one label of a namespace that is known by its name (KEP-2161)."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A flow as the policies of one end see it: `subject` is that end."""

    subject: End
    peer: End
    destination: End
    traffic: Traffic


def matches(predicate: Predicate, end: End, subject: End, family: Family) -> Match:
    """Answer for `end`, as the peer of `subject`, whose policy asks; `family` is the flow's."""
    return _ANSWERS[type(predicate)](predicate, end, subject, family)


def both(one: Match, other: Match) -> Match:
    """AND: NO wins, then UNKNOWN, then OPEN."""
    if one is Match.NO or other is Match.NO:
        return Match.NO
    if one is Match.UNKNOWN or other is Match.UNKNOWN:
        return Match.UNKNOWN
    return min(one, other)


def selects(selector: Selector, labels: Labels, *, known: bool, name: str) -> Match:
    """Ask a selector of a namespace's labels, of which perhaps only the name is known."""
    if known or selector.keys <= {NAME_LABEL}:
        return Match.YES if selector.matches({NAME_LABEL: name, **labels}) else Match.NO
    if isinstance(selector, LabelSelector):
        # One requirement that fails for sure is enough.
        sure = [item for item in selector.requirements if item.key == NAME_LABEL]
        if not all(item.matches({NAME_LABEL: name}) for item in sure):
            return Match.NO
    return Match.UNKNOWN


def _yes(answer: bool) -> Match:  # noqa: FBT001  # it is a conversion
    return Match.YES if answer else Match.NO


def _pod_labels(predicate: PodLabels, end: End, *_: Any) -> Match:
    return _yes(end.kind is EndKind.POD and end.pod is not None and predicate.selector.matches(end.pod.labels))


def _namespace_labels(predicate: NamespaceLabels, end: End, *_: Any) -> Match:
    home = end.namespace
    if end.kind is not EndKind.POD or home is None:
        return Match.NO
    return selects(predicate.selector, home.labels, known=home.labels_known, name=home.name)


def _in_namespace(predicate: InNamespace, end: End, *_: Any) -> Match:
    return _yes(end.kind is EndKind.POD and end.pod is not None and end.pod.namespace == predicate.name)


def _account_is(predicate: AccountIs, end: End, *_: Any) -> Match:
    return _yes(end.kind is EndKind.POD and end.pod is not None and end.pod.service_account in predicate.names)


def _account_labels(predicate: AccountLabels, end: End, *_: Any) -> Match:
    if end.kind is not EndKind.POD:
        return Match.NO
    if end.account is None:
        return Match.UNKNOWN if predicate.selector.keys else Match.YES
    return _yes(predicate.selector.matches(end.account))


def _node_labels(predicate: NodeLabels, end: End, *_: Any) -> Match:
    if end.kind is not EndKind.NODE and not (end.pod is not None and end.pod.host_network):
        return Match.NO
    if end.node is None:
        return Match.UNKNOWN if predicate.selector.keys else Match.YES
    return _yes(predicate.selector.matches(end.node.labels))


def _own_node(_: OwnNode, end: End, subject: End, *__: Any) -> Match:
    return _yes(is_own_node(end, subject))


def is_own_node(end: End, subject: End) -> bool:
    """Whether an end is the node that a pod runs on."""
    return end.kind is EndKind.NODE and bool(end.node_name) and end.node_name == subject.node_name


def _in_block(predicate: InBlock, end: End, _: End, family: Family) -> Match:
    meant = {EndKind.POD: predicate.pods, EndKind.NODE: predicate.nodes, EndKind.OUTSIDE: Match.YES}[end.kind]
    if meant is Match.NO:
        return Match.NO
    if FAMILIES[predicate.block.cidr.version] is not family:
        return Match.NO
    if end.pod is not None and end.pod.planned and not end.addresses:
        # It will get an address of this family, perhaps one of the block: nobody can know, but where all are in it.
        return Match.UNKNOWN if meant is Match.YES and not is_whole(predicate.block) else meant
    inside = any(holds(predicate.block, address, family) for address in end.addresses.get(family, ()))
    return meant if inside else Match.NO


def holds(block: IPBlock, address: int, family: Family) -> bool:
    """Whether an address is in a block's cidr and in none of its excepts (`networkingv1.IPBlock`)."""
    first, last = edges(block.cidr)
    if FAMILIES[block.cidr.version] is not family or not first <= address <= last:
        return False
    return not any(low <= address <= high for low, high in map(edges, block.excepts))


def is_whole(block: IPBlock) -> bool:
    """Whether a block holds every address of its family."""
    return block.cidr.prefixlen == 0 and not block.excepts


def edges(network: Any) -> tuple[int, int]:
    """First and last address of a network as integers."""
    first = int(network.network_address)
    return first, first + network.num_addresses - 1


def _unsure(predicate: Unsure, end: End, subject: End, family: Family) -> Match:
    return Match.NO if matches(predicate.where, end, subject, family) is Match.NO else predicate.answer


def _all_of(predicate: AllOf, end: End, subject: End, family: Family) -> Match:
    found = Match.YES
    for part in predicate.parts:
        one = _ANSWERS[type(part)](part, end, subject, family)
        if one is Match.NO:
            return one
        if one is not Match.YES:
            found = both(found, one)
    return found


def _any_of(predicate: AnyOf, end: End, subject: End, family: Family) -> Match:
    found = Match.NO
    for part in predicate.parts:
        one = _ANSWERS[type(part)](part, end, subject, family)
        if one is Match.YES:
            return one
        if one is not Match.NO:
            found = max(found, one)
    return found


_NEGATED = {Match.YES: Match.NO, Match.NO: Match.YES, Match.OPEN: Match.OPEN, Match.UNKNOWN: Match.UNKNOWN}


def _not(predicate: Not, end: End, subject: End, family: Family) -> Match:
    return _NEGATED[matches(predicate.part, end, subject, family)]


_ANSWERS: dict[type, Callable[[Any, End, End, Family], Match]] = {
    Everything: lambda *_: Match.YES,
    IsKind: lambda predicate, end, *_: _yes(end.kind in predicate.kinds),
    PodLabels: _pod_labels,
    NamespaceLabels: _namespace_labels,
    InNamespace: _in_namespace,
    AccountIs: _account_is,
    AccountLabels: _account_labels,
    NodeLabels: _node_labels,
    OwnNode: _own_node,
    InBlock: _in_block,
    Unsure: _unsure,
    AllOf: _all_of,
    AnyOf: _any_of,
    Not: _not,
}


def means_port(ports: Ports, destination: End, traffic: Traffic) -> bool:
    """Whether one condition on ports holds for a flow to `destination`."""
    for term in ports.terms:
        if _term(term, destination, traffic):
            return not ports.inverted
    return ports.inverted


def _term(term: PortTerm, destination: End, traffic: Traffic) -> bool:
    if term.protocol is not None and term.protocol is not traffic.protocol:
        return False
    if not term.name:
        return term.first <= traffic.port <= term.last
    # A name is looked up among the container ports of the destination, for the flow's protocol; what has no such name
    # does not match at all.
    if destination.kind is not EndKind.POD or destination.pod is None:
        return False
    return any(
        declared.name == term.name and declared.protocol is traffic.protocol and declared.number == traffic.port
        for declared in destination.pod.ports
    )


def clause_matches(clause: Clause, asked: Asked) -> Match:
    """Match one clause: every condition on ports AND the peer."""
    for ports in clause.ports:
        if not means_port(ports, asked.destination, asked.traffic):
            return Match.NO
    found = matches(clause.peer, asked.peer, asked.subject, asked.traffic.family)
    return both(found, Match.UNKNOWN) if clause.unsure else found

"""What the kinds of the Network Policy API have in common: subjects, rules, peers.

Pure.  AdminNetworkPolicy, BaselineAdminNetworkPolicy and ClusterNetworkPolicy differ in their tiers, in the words for
actions, and in how they write ports and, in old versions, peers; a `Grammar` says that.

Rules are read as they stand: selecting a pod isolates it from nothing.  A pod on its node's network is never a subject
and never one of the pods of a peer (`ClusterNetworkPolicySubject`, `ClusterNetworkPolicyEgressPeer`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from auditor.cluster import fields
from auditor.cluster.decode_policy import decode_network, decode_selector
from auditor.cluster.fields import FieldError, Raw, UnknownField
from auditor.model.cluster import PolicyObject
from auditor.model.flow import Direction, PolicyRef, Protocol
from auditor.model.labels import EVERYTHING, LabelSelector
from auditor.model.policy import IPBlock
from auditor.model.rules import (
    EVERYTHING_AT_ALL,
    LAST_PORT,
    NOTHING,
    Action,
    AnyOf,
    Clause,
    EndKind,
    InBlock,
    IsKind,
    Match,
    NodeLabels,
    Not,
    Ports,
    PortTerm,
    Predicate,
    Section,
    Tier,
    Translation,
    Unsure,
    all_of,
    any_of,
    pods,
)

PEERS = {Direction.INGRESS: "from", Direction.EGRESS: "to"}
ON_NODES_ADDRESS = NodeLabels(EVERYTHING)
"""A node, or a pod on its network."""
BY_NAME = AnyOf((ON_NODES_ADDRESS, IsKind(frozenset({EndKind.OUTSIDE}))))
"""What a domain name may stand for, unless it is one that the cluster's DNS makes for a pod (NPEP-133)."""

CLUSTER_NAME = re.compile(r"(^|[.])((svc|pod)[.]|local[.]?$)", re.IGNORECASE)
"""A name that the cluster's own DNS may have made, whose domain is `cluster.local` unless a cluster has another."""

PeerReader = Callable[[Raw, str], Predicate]
"""Reads one field of a peer."""


@dataclass(frozen=True, slots=True)
class Grammar:
    """How a kind writes its rules."""

    actions: Mapping[str, Action]
    ports: str
    """The field of a rule that holds its ports."""
    port: Callable[[Raw], PortTerm]
    """Reads one item of it."""
    peers: Mapping[Direction, Mapping[str, PeerReader]]


@contextmanager
def inside(path: str) -> Iterator[None]:
    """Say where in the object an error arose, unless it says so itself."""
    try:
        yield
    except FieldError as error:
        text = str(error)
        raise type(error)(text if text.startswith(f"{path}:") else f"{path}: {text}") from error


def read_spec(policy: PolicyObject, *known: str) -> Raw:
    """The spec of an object, where it sets nothing but these fields and those that all kinds have."""
    spec = fields.mapping(policy.raw, "spec")
    with inside("spec"):
        return fields.only(spec, "subject", "ingress", "egress", *known)


def read_priority(spec: Raw) -> int:
    """The rank within a tier, lower first; what lies beyond the API server's limits means what it says."""
    with inside("spec"):
        found = fields.number(spec, "priority")
    if found is None:
        raise FieldError("spec.priority: missing")
    return found


def translate(policy: PolicyObject, spec: Raw, tier: Tier, priority: float, grammar: Grammar) -> Translation:
    """Translate the rules of one object; a direction without rules has no section.

    Policies of one tier are asked by ascending priority, and of those with the same one any may come first
    (`ClusterNetworkPolicySpec.priority`).
    """
    with inside("spec.subject"):
        subject = _subject(fields.mapping(spec, "subject"))
    sections: list[Section] = []
    notes: list[str] = []
    for direction in Direction:
        read = [_rule(rule, path, direction, grammar) for path, rule in _rules(spec, direction)]
        clauses = tuple(clause for found, _ in read for clause in found)
        notes += [f"{policy.kind} {policy.name}: {note}" for _, note in read if note]
        if clauses:
            ref = PolicyRef("", policy.name, policy.kind)
            sections.append(Section(ref, direction, tier, (priority, ""), subject, clauses, isolates=False))
    return Translation(tuple(sections), tuple(sorted(notes)))


def _subject(raw: Raw) -> Predicate:
    """The pods that a policy applies to (`ClusterNetworkPolicySubject`)."""
    key = one_of(raw, *IN_CLUSTER)
    with inside(key):
        return IN_CLUSTER[key](raw, key)


def _rules(spec: Raw, direction: Direction) -> Iterator[tuple[str, Raw]]:
    field = direction.value.lower()
    with inside("spec"):
        rules = fields.objects(spec, field)
    return ((f"{field}[{position}]", rule) for position, rule in enumerate(rules))


def one_of(raw: Raw, *known: str) -> str:
    """The one field that is set; what sets none of those, or a strange one, is of a version that we do not know."""
    chosen = [key for key in known if raw.get(key) not in (None, "")]
    fields.only(raw, *known)
    if not chosen:
        raise UnknownField(f"none of {', '.join(known)} is set")
    if len(chosen) > 1:
        raise FieldError(f"{' and '.join(chosen)} are both set, and only one of them may be")
    return chosen[0]


def _rule(rule: Raw, path: str, direction: Direction, grammar: Grammar) -> tuple[list[Clause], str]:
    """Translate one rule; the note, if any, says what in it was not read as it stands."""
    try:
        return _known_rule(rule, path, direction, grammar)
    except UnknownField as error:
        # What the rule matches cannot be told, nor what it does: both outcomes stay possible for what gets here.
        unsure = [Clause(action, path, unsure=str(error)) for action in (Action.ALLOW, Action.DENY)]
        return unsure, f"spec.{path}: {error}"
    except FieldError as error:
        raise FieldError(f"spec.{path}: {error}") from error


def _known_rule(rule: Raw, path: str, direction: Direction, grammar: Grammar) -> tuple[list[Clause], str]:
    field = PEERS[direction]
    fields.only(rule, "name", "action", field, grammar.ports)
    action, readers = _action(rule, grammar), grammar.peers[direction]
    peers = fields.objects(rule, field)
    if not peers:
        raise FieldError(f"{field}: at least one peer is needed")
    for position, peer in enumerate(peers):
        if all(peer.get(key) is None for key in readers):
            return [_closed(action, path)], _why_closed(peer, f"spec.{path}.{field}[{position}]", action)
    who = _any_peer([_peer(peer, f"{field}[{position}]", readers) for position, peer in enumerate(peers)])
    ports = _ports(rule, grammar)
    if any(term.name for term in ports or ()) and any(
        peer.get(key) is not None for peer in peers for key in OUT_OF_CLUSTER
    ):
        raise FieldError(f"{grammar.ports}: a name, but {', '.join(OUT_OF_CLUSTER)} have no named ports")
    if ports == ():
        why = f"has an empty list of {grammar.ports}, of which the API does not say whether it means all or none"
        return [Clause(action, path, Unsure(Match.OPEN, why, who))], f"spec.{path} {why}"
    return [Clause(action, path, who, (Ports(ports),) if ports else ())], ""


def _closed(action: Action, path: str) -> Clause:
    """A rule that does not say whom it means allows nothing, or else denies all (`ClusterNetworkPolicyIngressPeer`).

    That goes for the whole rule, whatever its other peers and its ports are.
    """
    return Clause(action, path, NOTHING) if action is Action.ALLOW else Clause(Action.DENY, path)


def _why_closed(peer: Raw, path: str, action: Action) -> str:
    strange = ", ".join(sorted(str(key) for key in peer)) or "nothing"
    effect = "allows nothing" if action is Action.ALLOW else "denies everything"
    return f"{path} sets {strange}, by which this version knows no peer: the rule fails closed and {effect}"


def _action(rule: Raw, grammar: Grammar) -> Action:
    word = fields.text(rule, "action")
    if not word:
        raise FieldError("action: missing")
    if word not in grammar.actions:
        raise UnknownField(f"action: {word!r} is not one of {', '.join(grammar.actions)}")
    return grammar.actions[word]


def _peer(peer: Raw, path: str, readers: Mapping[str, PeerReader]) -> Predicate:
    with inside(path):
        key = one_of(peer, *readers)
        with inside(key):
            return readers[key](peer, key)


def _any_peer(peers: list[Predicate]) -> Predicate:
    """Join peers so that each keeps its place, whatever one alone is made of."""
    return peers[0] if len(peers) == 1 and not isinstance(peers[0], AnyOf) else AnyOf(tuple(peers))


def _ports(rule: Raw, grammar: Grammar) -> tuple[PortTerm, ...] | None:
    """The ports of a rule, any of which may match; None where the field is not set, which means every port."""
    if rule.get(grammar.ports) is None:
        return None
    terms = []
    for position, item in enumerate(fields.objects(rule, grammar.ports)):
        with inside(f"{grammar.ports}[{position}]"):
            terms.append(grammar.port(item))
    return tuple(terms)


def of_pods(namespaces: LabelSelector, selector: LabelSelector | None = None) -> Predicate:
    """Pods by the labels of their namespaces and their own, those on their node's network left out."""
    return all_of(pods(namespaces=namespaces, selector=selector), Not(ON_NODES_ADDRESS))


def read_selector(raw: Raw, key: str) -> LabelSelector:
    """A selector, which selects all where it is empty or left out."""
    with inside(key):
        return decode_selector(fields.mapping(raw, key))


def _namespaces(peer: Raw, key: str) -> Predicate:
    return of_pods(decode_selector(fields.mapping(peer, key)))


def _pods(peer: Raw, key: str) -> Predicate:
    both = fields.only(fields.mapping(peer, key), "namespaceSelector", "podSelector")
    return of_pods(read_selector(both, "namespaceSelector"), read_selector(both, "podSelector"))


def _networks(peer: Raw, key: str) -> Predicate:
    """Blocks of addresses, which hold whoever has such an address, pods and nodes included."""
    return any_of(InBlock(IPBlock(decode_network(text))) for text in _some_words(peer, key))


def _nodes(peer: Raw, key: str) -> Predicate:
    """The addresses of nodes, and so whatever pods are on their network (NPEP-126)."""
    return NodeLabels(decode_selector(fields.mapping(peer, key)))


def _domain_names(peer: Raw, key: str) -> Predicate:
    """Domain names, whose addresses nobody reads; those of the cluster's DNS may be pods (NPEP-133)."""
    names = _some_words(peer, key)
    where = EVERYTHING_AT_ALL if any(CLUSTER_NAME.search(name) for name in names) else BY_NAME
    return Unsure(Match.UNKNOWN, f"has {key}, and which addresses they stand for is not known", where)


def _some_words(raw: Raw, key: str) -> tuple[str, ...]:
    found = fields.words(raw, key)
    if not found:
        raise FieldError("at least one entry is needed")
    return found


IN_CLUSTER: dict[str, PeerReader] = {"namespaces": _namespaces, "pods": _pods}
OUT_OF_CLUSTER: dict[str, PeerReader] = {"networks": _networks, "nodes": _nodes, "domainNames": _domain_names}


def read_protocol(raw: Raw) -> Protocol:
    """A protocol by name, TCP where it is left out."""
    word = fields.text(raw, "protocol", Protocol.TCP.value)
    try:
        return Protocol(word)
    except ValueError as error:
        raise UnknownField(f"protocol: {word!r} is none that this version knows") from error


def read_port(raw: Raw, key: str) -> int:
    """A port's number."""
    found = fields.number(raw, key)
    if found is None or not 1 <= found <= LAST_PORT:
        raise FieldError(f"{key}: {found} is not between 1 and {LAST_PORT}")
    return found

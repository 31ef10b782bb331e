"""What `networking.k8s.io/v1` NetworkPolicy says, in the one form that all policy APIs are translated into.

Pure.  The policies of a pod only ever add to each other: one tier, one rank, nothing but ALLOW, and what no rule allows
is denied where a policy isolates (`NetworkPolicySpec`).
"""

from __future__ import annotations

from collections.abc import Iterable

from auditor.model.dialect import API, Dialect
from auditor.model.flow import Direction
from auditor.model.policy import NetworkPolicy, Peer, PolicyPort, Rule
from auditor.model.rules import (
    EVERYTHING_AT_ALL,
    FIRST_PORT,
    LAST_PORT,
    MIDDLE,
    MIDDLE_RANK,
    Action,
    Clause,
    InBlock,
    InNamespace,
    Match,
    Ports,
    PortTerm,
    Predicate,
    Section,
    any_of,
    pods,
)


def sections(policy: NetworkPolicy, dialect: Dialect = API) -> tuple[Section, ...]:
    """Translate a policy: a section for each direction in which it isolates; rules of the other one are inert."""
    return tuple(
        Section(
            ref=policy.ref,
            direction=direction,
            tier=MIDDLE,
            rank=MIDDLE_RANK,
            subject=pods(policy.namespace, selector=policy.pod_selector),
            clauses=tuple(
                _clause(policy, rule, f"{direction.value.lower()}[{position}]", dialect)
                for position, rule in enumerate(policy.rules(direction))
            ),
        )
        for direction in Direction
        if direction in policy.isolates
    )


def _clause(policy: NetworkPolicy, rule: Rule, path: str, dialect: Dialect) -> Clause:
    """One rule: peers AND ports, where an empty list means any (`NetworkPolicyIngressRule`)."""
    return Clause(Action.ALLOW, path, _peers(policy.namespace, rule.peers, dialect), _ports(rule.ports))


def _peers(namespace: str, peers: tuple[Peer, ...], dialect: Dialect) -> Predicate:
    return any_of(peer_predicate(namespace, peer, dialect) for peer in peers) if peers else EVERYTHING_AT_ALL


def peer_predicate(namespace: str, peer: Peer, dialect: Dialect = API) -> Predicate:
    """Translate one item of `from` or `to` of a policy in `namespace` (`NetworkPolicyPeer`).

    Selectors of one item are ANDed, and a missing one is not an empty one.  A block is meant for addresses outside, so
    whether it holds those of pods is the engine's choice; a node's address is an address like any other.
    """
    if peer.ip_block is not None:
        return InBlock(peer.ip_block, pods=dialect.block_holds_pods, nodes=Match.YES)
    if peer.namespace_selector is None:
        return pods(namespace, selector=peer.pod_selector) if peer.pod_selector else InNamespace(namespace)
    return pods(namespaces=peer.namespace_selector, selector=peer.pod_selector)


def _ports(ports: Iterable[PolicyPort]) -> tuple[Ports, ...]:
    terms = tuple(port_term(port) for port in ports)
    return (Ports(terms),) if terms else ()


def port_term(port: PolicyPort) -> PortTerm:
    """Translate one item of `ports` (`NetworkPolicyPort`): the destination's port, after any Service translation."""
    if port.port is None:
        return PortTerm(port.protocol, FIRST_PORT, LAST_PORT)
    if isinstance(port.port, str):
        return PortTerm(port.protocol, name=port.port)
    return PortTerm(port.protocol, port.port, port.end_port or port.port)

"""What `networking.k8s.io/v1` NetworkPolicy says of a flow, one end at a time.

Pure.  Exact and obvious rather than fast.  A peer or a rule matches YES, NO or MAYBE; MAYBE is where the API leaves the
answer to the engine, and it makes a verdict UNDEFINED unless something else decides.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from auditor.model.cluster import Namespace, Pod
from auditor.model.flow import Direction, DirectionDecision, Family, Protocol, Verdict
from auditor.model.policy import IPBlock, NetworkPolicy, Peer, PolicyPort, Rule


class Match(enum.IntEnum):
    """Ordered so that the best of several matches is their maximum, and of parts of one their minimum."""

    NO = 0
    MAYBE = 1
    YES = 2


@dataclass(frozen=True, slots=True)
class End:
    """One end of a flow: a pod and its namespace."""

    pod: Pod
    namespace: Namespace


@dataclass(frozen=True, slots=True)
class Query:
    """A flow as policies see it, between two pods."""

    source: End
    destination: End
    family: Family
    protocol: Protocol
    port: int


def selects(policy: NetworkPolicy, pod: Pod) -> bool:
    """Tell whether a policy applies to a pod (`NetworkPolicySpec.podSelector`): own namespace only."""
    return policy.namespace == pod.namespace and policy.pod_selector.matches(pod.labels)


def evaluate(policies: Sequence[NetworkPolicy], direction: Direction, query: Query) -> DirectionDecision:
    """Say what the policies of one end decide: the source's for egress, the destination's for ingress.

    `policies` may hold any; those that do not isolate this end in this direction are left out.  The union of all rules
    counts, in no order (`NetworkPolicySpec.ingress` and `egress`).
    """
    end = query.source if direction is Direction.EGRESS else query.destination
    isolating = [policy for policy in policies if direction in policy.isolates and selects(policy, end.pod)]
    if not isolating:
        return DirectionDecision(direction, Verdict.ALLOWED, (), (), f"no policy isolates it for {direction.value}")
    matches = [
        (f"{policy.ref}.{direction.value.lower()}[{position}]", match_rule(policy, rule, direction, query))
        for policy in isolating
        for position, rule in enumerate(policy.rules(direction))
    ]
    refs = tuple(sorted(policy.ref for policy in isolating))
    best = max((match for _, match in matches), default=Match.NO)
    names = tuple(sorted(name for name, match in matches if match is best and best is not Match.NO))
    return DirectionDecision(direction, _VERDICTS[best], refs, names, _reason(best, direction, names, len(refs)))


_VERDICTS = {Match.YES: Verdict.ALLOWED, Match.MAYBE: Verdict.UNDEFINED, Match.NO: Verdict.DENIED}


def _reason(best: Match, direction: Direction, names: tuple[str, ...], isolating: int) -> str:
    if best is Match.YES:
        return f"allowed by {names[0]}" + (f" and {len(names) - 1} more" if len(names) > 1 else "")
    if best is Match.MAYBE:
        return f"{names[0]} has an ipBlock that holds the pod's address; the API leaves open whether it applies to pods"
    policies = "1 policy isolates" if isolating == 1 else f"{isolating} policies isolate"
    return f"{policies} it for {direction.value} and no rule allows the flow"


def match_rule(policy: NetworkPolicy, rule: Rule, direction: Direction, query: Query) -> Match:
    """Match one rule: peers AND ports, where an empty list means any (`NetworkPolicyIngressRule`)."""
    if rule.ports and not any(match_port(port, query) for port in rule.ports):
        return Match.NO
    if not rule.peers:
        return Match.YES
    peer_end = query.destination if direction is Direction.EGRESS else query.source
    return max(match_peer(policy, peer, peer_end, query.family) for peer in rule.peers)


def match_port(port: PolicyPort, query: Query) -> bool:
    """Match a port of a rule (`NetworkPolicyPort`): the destination's port, after any Service translation.

    A name is looked up among the destination pod's container ports, for the same protocol; a pod without that name does
    not match at all.
    """
    if port.protocol is not query.protocol:
        return False
    if port.port is None:
        return True
    if isinstance(port.port, str):
        return any(
            declared.name == port.port and declared.protocol is query.protocol and declared.number == query.port
            for declared in query.destination.pod.ports
        )
    return port.port <= query.port <= (port.end_port or port.port)


def match_peer(policy: NetworkPolicy, peer: Peer, end: End, family: Family) -> Match:
    """Match a peer (`NetworkPolicyPeer`): selectors of one item are ANDed, and a missing one is not an empty one."""
    if peer.ip_block is not None:
        return match_block(peer.ip_block, end.pod, family)
    if not end.pod.talks:
        return Match.NO
    if peer.namespace_selector is None:
        in_reach = end.namespace.name == policy.namespace
    else:
        in_reach = peer.namespace_selector.matches(end.namespace.labels)
    wanted = peer.pod_selector is None or peer.pod_selector.matches(end.pod.labels)
    return Match.YES if in_reach and wanted else Match.NO


def match_block(block: IPBlock, pod: Pod, family: Family) -> Match:
    """Match an ipBlock against a pod's address: never YES, because the API means blocks for addresses outside."""
    text = pod.address(family)
    if text is None:
        return Match.NO
    address = ip_address(text)
    inside = address in block.cidr and not any(address in hole for hole in block.excepts)
    return Match.MAYBE if inside else Match.NO

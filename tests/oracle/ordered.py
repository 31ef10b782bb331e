"""`policy.networking.k8s.io`: AdminNetworkPolicy, BaselineAdminNetworkPolicy and ClusterNetworkPolicy.

Every rule of these kinds allows, denies or passes on; the first one that matches decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations

from tests.oracle.ends import End, inside
from tests.oracle.manifests import NO, UNKNOWN, YES, Raw, all_of, any_of, chosen, home, namespace_chosen, tags
from tests.oracle.networkpolicy import Asked, declared

KINDS = ("AdminNetworkPolicy", "BaselineAdminNetworkPolicy", "ClusterNetworkPolicy")
PEER_FIELDS = {
    "Ingress": ("namespaces", "pods"),
    "Egress": ("namespaces", "pods", "nodes", "networks", "domainNames"),
}
Match = tuple[str, str]
"""Whether a rule matches, and what it then does: Allow, Deny, Pass."""


def orders(objects: Sequence[Raw], tier: str) -> Iterator[list[Raw]]:
    """Every order in which a tier's policies may be asked: by priority, and equal ones any way round.

    A BaselineAdminNetworkPolicy has no priority, so it may come before, between or behind all others.
    """
    for order in permutations(item for item in objects if tier_of(item) == tier):
        numbers = [item["spec"]["priority"] for item in order if item["kind"] != "BaselineAdminNetworkPolicy"]
        if numbers == sorted(numbers):
            yield list(order)


def tier_of(item: Raw) -> str:
    if item["kind"] == "ClusterNetworkPolicy":
        return str(item["spec"]["tier"])
    return {"AdminNetworkPolicy": "Admin", "BaselineAdminNetworkPolicy": "Baseline"}.get(item["kind"], "")


def matches(policy: Raw, asked: Asked) -> list[Match]:
    """What each rule of a policy says of the flow, in their order."""
    return [match(rule, asked) for rule in policy["spec"].get(asked.way.lower()) or []]


def subject_fits(policy: Raw, asked: Asked) -> str:
    """`namespaces` or `pods`; pods on the host's network are never among them."""
    return pods_fit(policy["spec"]["subject"], asked.subject, asked)


def match(rule: Raw, asked: Asked) -> Match:
    action = "Allow" if rule["action"] == "Accept" else str(rule["action"])
    peers = rule["from" if asked.way == "Ingress" else "to"]
    if any(all(peer.get(key) is None for key in PEER_FIELDS[asked.way]) for peer in peers):
        # A field of some later version: an accepting rule then matches nothing, any other one denies all.
        return (NO, "Allow") if action == "Allow" else (YES, "Deny")
    return all_of((protocols_fit(rule, asked), any_of(peer_fits(peer, asked) for peer in peers))), action


def peer_fits(peer: Raw, asked: Asked) -> str:
    other = asked.other
    if peer.get("nodes") is not None:
        return YES if other.node is not None and chosen(peer["nodes"], node_tags(asked.objects, other.node)) else NO
    if peer.get("networks") is not None:
        # Blocks hold the addresses of pods too.
        return any_of(inside(other, cidr, []) for cidr in peer["networks"])
    if peer.get("domainNames") is not None:
        # Nobody resolves them; only names that the cluster's own DNS makes may be a pod's.
        return UNKNOWN if pod_of(other) is None or any(map(in_cluster, peer["domainNames"])) else NO
    return pods_fit(peer, other, asked)


def in_cluster(domain: str) -> bool:
    """Such as `web.shop.svc.cluster.local`."""
    parts = domain.lower().rstrip(".").split(".")
    return parts[-1] == "local" or "svc" in parts[:-1] or "pod" in parts[:-1]


def pods_fit(wanted: Raw, end: End, asked: Asked) -> str:
    pod = pod_of(end)
    if pod is None:
        return NO
    if wanted.get("namespaces") is not None:
        return namespace_chosen(asked.objects, wanted["namespaces"], home(pod))
    selectors = wanted["pods"]
    near = namespace_chosen(asked.objects, selectors.get("namespaceSelector"), home(pod))
    return all_of((near, YES if chosen(selectors.get("podSelector"), tags(pod)) else NO))


def node_tags(objects: Sequence[Raw], name: str) -> dict[str, str]:
    found = [item for item in objects if item["kind"] == "Node" and item["metadata"]["name"] == name]
    return tags(found[0]) if found else {}


def protocols_fit(rule: Raw, asked: Asked) -> str:
    wanted = rule.get("ports") or rule.get("protocols")
    return YES if not wanted or any(protocol_fits(item, asked) for item in wanted) else NO


def protocol_fits(item: Raw, asked: Asked) -> bool:
    """One of v1alpha1's `ports` or of v1alpha2's `protocols`."""
    name = item.get("namedPort") or item.get("destinationNamedPort")
    if name is not None:
        return (name, asked.protocol, asked.port) in declared(pod_of(asked.destination))
    if item.get("portNumber") is not None or item.get("portRange") is not None:
        port = item.get("portNumber") or item["portRange"]
        return (port.get("protocol") or "TCP") == asked.protocol and in_range(port, asked.port)
    said = item.get(asked.protocol.lower())
    if said is None:
        return False
    port = said.get("destinationPort")
    return port is None or in_range(port.get("range") or port, asked.port)


def pod_of(end: End) -> Raw | None:
    """The pod at an end; on the host's network it is a node to these kinds."""
    return end.pod if end.node is None else None


def in_range(port: Raw, number: int) -> bool:
    if port.get("start") is not None:
        return number in range(port["start"], port["end"] + 1)
    return number == (port.get("port") or port.get("number"))

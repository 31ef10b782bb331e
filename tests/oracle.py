"""A second reading of the NetworkPolicy API, from raw manifests: slow, obvious, and independent of netaudit's own.

Written from the API's text (`networking.k8s.io/v1` types and the Network Policies page) alone.  It imports nothing of
the model that it is compared with, and answers in words: allowed, denied, undefined.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Raw = dict[str, Any]
Words = dict[str, str]
YES, OPEN, NO = "yes", "open", "no"


@dataclass(frozen=True)
class Flow:
    """A connection that one pod opens to another one's port, over one address family (4 or 6)."""

    source: Raw
    destination: Raw
    family: int
    port: int
    protocol: str = "TCP"


def verdict(objects: Sequence[Raw], flow: Flow) -> str:
    """Whether the connection gets through."""
    if home_and_name(flow.source) == home_and_name(flow.destination):
        return "allowed"
    if flow.source["spec"].get("hostNetwork") or flow.destination["spec"].get("hostNetwork"):
        return "undefined"
    answers = (one_side(objects, "Egress", flow), one_side(objects, "Ingress", flow))
    return next((answer for answer in ("denied", "undefined") if answer in answers), "allowed")


def one_side(objects: Sequence[Raw], way: str, flow: Flow) -> str:
    """What the policies say that select the source (Egress) or the destination (Ingress)."""
    subject = flow.source if way == "Egress" else flow.destination
    answers: list[str] = []
    isolated = False
    for policy in objects:
        if policy["kind"] != "NetworkPolicy" or home(policy) != home(subject):
            continue
        spec = policy["spec"]
        if way not in types(spec) or not chosen(spec.get("podSelector"), tags(subject)):
            continue
        isolated = True
        fitting = [rule for rule in spec.get(way.lower()) or [] if port_fits(rule, flow)]
        answers += [peer_fits(objects, policy, rule, way, flow) for rule in fitting]
    if not isolated or YES in answers:
        return "allowed"
    return "undefined" if OPEN in answers else "denied"


def types(spec: Raw) -> list[str]:
    """`policyTypes`, or what the server fills in: Ingress, and Egress when there are egress rules."""
    if spec.get("policyTypes"):
        return list(spec["policyTypes"])
    return ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]


def peer_fits(objects: Sequence[Raw], policy: Raw, rule: Raw, way: str, flow: Flow) -> str:
    other = flow.destination if way == "Egress" else flow.source
    peers = rule.get("from" if way == "Ingress" else "to")
    if not peers:
        return YES
    answers = [one_peer(objects, policy, peer, other, flow.family) for peer in peers]
    return YES if YES in answers else OPEN if OPEN in answers else NO


def one_peer(objects: Sequence[Raw], policy: Raw, peer: Raw, other: Raw, family: int) -> str:
    if peer.get("ipBlock") is not None:
        # The API means blocks for addresses outside the cluster; whether they hold pods is up to the plug-in.
        return OPEN if in_block(peer["ipBlock"], other, family) else NO
    if not under_policy(other):
        return NO
    if peer.get("namespaceSelector") is None:
        near = home(other) == home(policy)
    else:
        near = chosen(peer["namespaceSelector"], namespace_tags(objects, home(other)))
    fits = peer.get("podSelector") is None or chosen(peer["podSelector"], tags(other))
    return YES if near and fits else NO


def in_block(block: Raw, other: Raw, family: int) -> bool:
    for item in other["status"].get("podIPs") or []:
        address = ipaddress.ip_address(item["ip"])
        if address.version == family:
            holes = [ipaddress.ip_network(text) for text in block.get("except") or []]
            return address in ipaddress.ip_network(block["cidr"]) and all(address not in hole for hole in holes)
    return False


def port_fits(rule: Raw, flow: Flow) -> bool:
    wanted = rule.get("ports")
    return not wanted or any(one_port(item, flow) for item in wanted)


def one_port(item: Raw, flow: Flow) -> bool:
    if (item.get("protocol") or "TCP") != flow.protocol:
        return False
    value = item.get("port")
    if value is None:
        return True
    if isinstance(value, str):
        return (value, flow.protocol, flow.port) in declared(flow.destination)
    return flow.port in range(value, (item.get("endPort") or value) + 1)


def declared(pod: Raw) -> set[tuple[str, str, int]]:
    """Named ports of containers, and of init containers that keep running beside them."""
    spec = pod["spec"]
    beside = [item for item in spec.get("initContainers") or [] if item.get("restartPolicy") == "Always"]
    return {
        (item.get("name") or "", item.get("protocol") or "TCP", item["containerPort"])
        for container in [*(spec.get("containers") or []), *beside]
        for item in container.get("ports") or []
    }


def chosen(selector: Raw | None, have: Words) -> bool:
    """A label selector: all of matchLabels and all of matchExpressions."""
    selector = selector or {}
    for key, value in (selector.get("matchLabels") or {}).items():
        if have.get(key) != value:
            return False
    return all(holds(part, have) for part in selector.get("matchExpressions") or [])


def holds(part: Raw, have: Words) -> bool:
    key, values = part["key"], part.get("values") or []
    if part["operator"] == "In":
        return key in have and have[key] in values
    if part["operator"] == "NotIn":
        return not (key in have and have[key] in values)
    return (key in have) is (part["operator"] == "Exists")


def under_policy(pod: Raw) -> bool:
    """A pod with an address of its own that has not finished."""
    finished = pod["status"].get("phase") in ("Succeeded", "Failed")
    return bool(pod["status"].get("podIPs")) and not finished and not pod["spec"].get("hostNetwork")


def tags(item: Raw) -> Words:
    found: Words | None = item["metadata"].get("labels")
    return found or {}


def namespace_tags(objects: Sequence[Raw], name: str) -> Words:
    found = [item for item in objects if item["kind"] == "Namespace" and item["metadata"]["name"] == name]
    return {"kubernetes.io/metadata.name": name, **(tags(found[0]) if found else {})}


def home_and_name(item: Raw) -> tuple[str, str]:
    return home(item), str(item["metadata"]["name"])


def home(item: Raw) -> str:
    return str(item["metadata"].get("namespace") or "default")

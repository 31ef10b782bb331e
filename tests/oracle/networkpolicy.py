"""`networking.k8s.io/v1` NetworkPolicy: what isolates a pod, and what its rules let through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.oracle.ends import End, inside
from tests.oracle.manifests import NO, OPEN, YES, Raw, all_of, any_of, chosen, home, namespace_chosen, tags


@dataclass(frozen=True)
class Asked:
    """A flow in one reading, seen from the end that policies select."""

    objects: Sequence[Raw]
    way: str
    """Ingress or Egress."""
    source: End
    destination: End
    port: int
    protocol: str

    @property
    def subject(self) -> End:
        return self.source if self.way == "Egress" else self.destination

    @property
    def other(self) -> End:
        return self.destination if self.way == "Egress" else self.source


def isolating(asked: Asked) -> list[Raw]:
    """The policies that isolate the subject: of its namespace, with this type, and it is selected."""
    pod = asked.subject.pod
    return [
        item
        for item in asked.objects
        if item["kind"] == "NetworkPolicy"
        and pod is not None
        and home(item) == home(pod)
        and asked.way in types(item["spec"])
        and chosen(item["spec"].get("podSelector"), tags(pod))
    ]


def types(spec: Raw) -> list[str]:
    """`policyTypes`, or what the server fills in: Ingress, and Egress when there are egress rules."""
    if spec.get("policyTypes"):
        return list(spec["policyTypes"])
    return ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]


def lets_through(policies: Sequence[Raw], asked: Asked) -> str:
    """Whether any rule of any of these policies matches."""
    return any_of(
        all_of((ports_fit(rule, asked), peers_fit(policy, rule, asked)))
        for policy in policies
        for rule in policy["spec"].get(asked.way.lower()) or []
    )


def peers_fit(policy: Raw, rule: Raw, asked: Asked) -> str:
    peers = rule.get("from" if asked.way == "Ingress" else "to")
    return any_of(peer_fits(policy, peer, asked) for peer in peers) if peers else YES


def peer_fits(policy: Raw, peer: Raw, asked: Asked) -> str:
    other = asked.other
    block = peer.get("ipBlock")
    if block is not None:
        # The API means blocks for addresses outside the cluster; whether they hold pods is up to the plug-in.
        held = inside(other, block["cidr"], block.get("except") or [])
        return OPEN if other.pod is not None and held != NO else held
    if other.pod is None:
        return NO
    fits = YES if chosen(peer.get("podSelector"), tags(other.pod)) else NO
    if peer.get("namespaceSelector") is None:
        return fits if home(other.pod) == home(policy) else NO
    return all_of((fits, namespace_chosen(asked.objects, peer["namespaceSelector"], home(other.pod))))


def ports_fit(rule: Raw, asked: Asked) -> str:
    wanted = rule.get("ports")
    return YES if not wanted or any(port_fits(item, asked) for item in wanted) else NO


def port_fits(item: Raw, asked: Asked) -> bool:
    if (item.get("protocol") or "TCP") != asked.protocol:
        return False
    value = item.get("port")
    if value is None:
        return True
    if isinstance(value, str):
        return (value, asked.protocol, asked.port) in declared(asked.destination.pod)
    return asked.port in range(value, (item.get("endPort") or value) + 1)


def declared(pod: Raw | None) -> set[tuple[str, str, int]]:
    """Named ports of containers, and of init containers that keep running beside them."""
    spec = pod["spec"] if pod else {}
    beside = [item for item in spec.get("initContainers") or [] if item.get("restartPolicy") == "Always"]
    return {
        (item.get("name") or "", item.get("protocol") or "TCP", item["containerPort"])
        for container in [*(spec.get("containers") or []), *beside]
        for item in container.get("ports") or []
    }

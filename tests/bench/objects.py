"""Single objects as an API server would send them, small: what decides, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Raw = dict[str, Any]
NAME = "kubernetes.io/metadata.name"
NETWORK = "198.18.0.0/15"
"""All pods' addresses, from the range that is set aside for benchmarks."""
PODS_PER_NODE = 110


def namespace(name: str, **labels: str) -> Raw:
    return {"metadata": {"name": name, "uid": f"ns-{name}", "labels": {NAME: name, **labels}}}


def node(number: int) -> Raw:
    addresses = [{"type": "InternalIP", "address": node_address(number)}]
    status = {
        "conditions": [{"type": "Ready", "status": "True"}],
        "allocatable": {"pods": str(PODS_PER_NODE)},
        "addresses": addresses,
    }
    labels = {"kubernetes.io/hostname": node_name(number), "kubernetes.io/os": "linux"}
    return {"metadata": {"name": node_name(number), "uid": f"node-{number}", "labels": labels}, "status": status}


def nodes(pods: int) -> list[Raw]:
    """As many nodes as these pods need."""
    return [node(number) for number in range(-(-pods // PODS_PER_NODE))]


def node_name(number: int) -> str:
    return f"node-{number:04}"


def node_address(number: int) -> str:
    return f"192.0.2.{number % 250 + 1}"


def address(number: int) -> str:
    """The pod's address; 131,072 are there."""
    return f"198.{18 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"


def pod(number: int, home: str, name: str, labels: Mapping[str, str], ports: Sequence[Raw] = ()) -> Raw:
    """A running pod; its number fixes its address and its node."""
    return {
        "metadata": {"name": name, "namespace": home, "uid": f"pod-{number}", "labels": dict(labels)},
        "spec": {
            "nodeName": node_name(number // PODS_PER_NODE),
            "containers": [{"name": "main", "image": "registry.test/main:1", "ports": list(ports)}],
        },
        "status": {"phase": "Running", "podIP": address(number), "podIPs": [{"ip": address(number)}]},
    }


def container_port(name: str, number: int, protocol: str = "TCP") -> Raw:
    return {"name": name, "containerPort": number, "protocol": protocol}


def policy(
    home: str,
    name: str,
    subject: Raw | None = None,
    *,
    ingress: Sequence[Raw] | None = None,
    egress: Sequence[Raw] | None = None,
) -> Raw:
    """A NetworkPolicy; a direction whose rules are None is not isolated, and one without rules is closed."""
    spec: Raw = {"podSelector": subject or {}, "policyTypes": []}
    for direction, rules in (("Ingress", ingress), ("Egress", egress)):
        if rules is not None:
            spec["policyTypes"].append(direction)
            if rules:
                spec[direction.lower()] = list(rules)
    return {"metadata": {"name": name, "namespace": home, "uid": f"{home}-{name}"}, "spec": spec}


def labels(**wanted: str) -> Raw:
    """A selector by labels; an underscore in a key stands for a dash."""
    return {"matchLabels": {key.replace("_", "-"): value for key, value in wanted.items()}}


def named(*names: str) -> Raw:
    """A selector of namespaces by name."""
    return labels_in(NAME, *names) if len(names) > 1 else {"matchLabels": {NAME: names[0]}}


def labels_in(key: str, *values: str) -> Raw:
    return {"matchExpressions": [expression(key, "In", *values)]}


def expression(key: str, operator: str, *values: str) -> Raw:
    return {"key": key, "operator": operator, "values": list(values)} if values else {"key": key, "operator": operator}


def peer(pods: Raw | None = None, namespaces: Raw | None = None) -> Raw:
    found = {"podSelector": pods, "namespaceSelector": namespaces}
    return {key: value for key, value in found.items() if value is not None}


def block(cidr: str, *excepts: str) -> Raw:
    return {"ipBlock": {"cidr": cidr, "except": list(excepts)} if excepts else {"cidr": cidr}}


def port(number: int | str, protocol: str = "TCP", end: int | None = None) -> Raw:
    return {"port": number, "protocol": protocol} | ({"endPort": end} if end else {})


def allow_from(*peers: Raw, ports: Sequence[Raw] = ()) -> Raw:
    return {"from": list(peers)} | ({"ports": list(ports)} if ports else {})


def allow_to(*peers: Raw, ports: Sequence[Raw] = ()) -> Raw:
    return {"to": list(peers)} | ({"ports": list(ports)} if ports else {})

"""Clusters of any size, as an API server would send them: the same numbers give the same objects."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from auditor.ports import RawSnapshot

Raw = dict[str, Any]
APPS = ("web", "api", "db", "cache", "worker")
NODES = 20


def cluster(pods: int, namespaces: int) -> RawSnapshot:
    """Make a cluster whose namespaces each deny by default and open their apps to each other along a chain."""
    names = [f"team-{number:04}" for number in range(namespaces)]
    return RawSnapshot(
        {
            "namespaces": [namespace(name) for name in names],
            "nodes": [node(number) for number in range(NODES)],
            "pods": [pod(number, names[number % namespaces]) for number in range(pods)],
            "networkpolicies": [policy for name in names for policy in policies(name)],
        },
        server_version="v1.35.0",
    )


def namespace(name: str) -> Raw:
    labels = {"kubernetes.io/metadata.name": name, "tier": name[-1]}
    return {"metadata": {"name": name, "uid": name, "labels": labels}}


def node(number: int) -> Raw:
    status = {"conditions": [{"type": "Ready", "status": "True"}], "allocatable": {"pods": "110"}}
    return {"metadata": {"name": f"node-{number}", "uid": f"node-{number}", "labels": {}}, "spec": {}, "status": status}


def pod(number: int, home: str) -> Raw:
    app = APPS[number // 7 % len(APPS)]
    address = f"198.18.{number // 250 % 250}.{number % 250 + 1}"
    ports = [{"name": "http", "containerPort": 8080, "protocol": "TCP"}]
    return {
        "metadata": {"name": f"{app}-{number}", "namespace": home, "uid": f"pod-{number}", "labels": {"app": app}},
        "spec": {"nodeName": f"node-{number % NODES}", "containers": [{"name": app, "image": app, "ports": ports}]},
        "status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]},
    }


def policies(home: str) -> list[Raw]:
    """Make one policy that denies all, and one for each app that lets the app before it in."""
    chain = [
        {"podSelector": {"matchLabels": {"app": app}}, "policyTypes": ["Ingress"], "ingress": [rule(before)]}
        for before, app in pairwise(APPS)
    ]
    specs: list[Raw] = [{"podSelector": {}, "policyTypes": ["Ingress"]}, *chain]
    return [
        {"metadata": {"name": f"policy-{number}", "namespace": home, "uid": f"{home}-{number}"}, "spec": spec}
        for number, spec in enumerate(specs)
    ]


def rule(app: str) -> Raw:
    return {"from": [{"podSelector": {"matchLabels": {"app": app}}}], "ports": [{"port": "http", "protocol": "TCP"}]}

"""The clusters of `netaudit demo`: the same manifests where policies hold, and where they are stored and ignored.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Node = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Scene:
    """One cluster of the story."""

    key: str
    """Names its report's file."""
    title: str
    nodes: tuple[Node, ...]
    fault: str = ""
    """What is wrong with its engine, by the name that `--fault` takes; empty for nothing."""
    story: str = ""
    """How clusters come to be like this, in a sentence."""


def _node(name: str, labels: Mapping[str, str], provider_id: str = "") -> Node:
    """A node as far as anybody looks at it; fields as in core/v1 Node."""
    spec = {"providerID": provider_id} if provider_id else {}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", **labels}},
        "spec": spec,
    }


def _plain(number: int) -> Node:
    return _node(f"node-{number}", {})


def _eks(address: str, zone: str, instance: str) -> Node:
    labels = {"eks.amazonaws.com/nodegroup": "workers", "topology.kubernetes.io/zone": zone}
    name = f"ip-{address.replace('.', '-')}.eu-west-1.compute.internal"
    return _node(name, labels, f"aws:///{zone}/{instance}")


ENFORCING = Scene(
    "enforcing",
    "Enforcing cluster",
    tuple(map(_plain, (1, 2, 3))),
    story="Its network plugin enforces policy on every node.",
)
SCENES = (
    ENFORCING,
    Scene(
        "minikube",
        "Minikube without a plugin",
        (_node("minikube", {"minikube.k8s.io/name": "minikube"}),),
        "nothing-enforced",
        "It starts without a network plugin that enforces policy: policies are stored, and nobody acts on them.",
    ),
    Scene(
        "eks",
        "EKS, agent missing on one node",
        (
            _eks("192.168.13.7", "eu-west-1a", "i-0a000000000000001"),
            _eks("192.168.42.81", "eu-west-1b", "i-0a000000000000002"),
            _eks("192.168.76.157", "eu-west-1c", "i-0a000000000000003"),
        ),
        "node-without-agent",
        "The agent that enforces policy runs on two nodes of three: what stands on the third is open.",
    ),
)
"""In the order in which the story is told."""


def scenes_with(fault: str, sentence: str) -> tuple[Scene, ...]:
    """A cluster whose engine has that fault, beside one whose engine has none."""
    return ENFORCING, Scene(fault, f"Cluster with the fault {fault}", ENFORCING.nodes, fault, sentence)

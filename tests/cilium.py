"""Cilium's policies, and a cluster small enough to say by hand whom each of them lets through.

The same pods and policies are judged by the model, and deployed and probed with packets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.builders import Raw, named, namespace, node, pod, port

OUTSIDE = {"source": "192.0.2.99", "destination": "203.0.113.10"}
"""The machine outside sends from one address and answers on another."""
NODES = {"n1": "192.0.2.11", "n2": "192.0.2.12"}
SERVED, ON_NODES = 8080, 7070
"""The ports on which pods and nodes answer; pods answer on the next one as well."""

SOURCES = ("a/cli", "a/cli2", "b/cli", "b/host", "b/host1", "ext")
"""Who tries to reach a/srv; b/host1 is on the network of its node, where it is always let in."""
DESTINATIONS = ("a/srv", "a/srv2", "b/srv", "n1", "n2", "ext")
"""Whom a/cli tries to reach."""


def cnp(where: str, *specs: Raw, **spec: Any) -> Raw:
    """A CiliumNetworkPolicy, or a CiliumClusterwideNetworkPolicy where the name has no namespace."""
    kind = "CiliumNetworkPolicy" if "/" in where else "CiliumClusterwideNetworkPolicy"
    body: Raw = {"specs": list(specs)} if specs else {}
    return {"apiVersion": "cilium.io/v2", **named(kind, where), **body, **({"spec": spec} if spec else {})}


def config(**data: str) -> Raw:
    """The agents' ConfigMap, as the chart of 1.19 writes it: `config(enable_policy="never")`."""
    written = {"cluster-name": "default", "policy-default-local-cluster": "true", "enable-host-firewall": "false"}
    said = {key.replace("_", "-"): value for key, value in data.items()}
    return {**named("ConfigMap", "kube-system/cilium-config"), "data": {**written, **said}}


def app(name: str, **more: Any) -> Raw:
    """An endpoint selector."""
    return {"matchLabels": {"app": name}, **more}


def where(key: str, operator: str, *values: str) -> Raw:
    """An endpoint selector of one expression."""
    expression: Raw = {"key": key, "operator": operator}
    return {"matchExpressions": [{**expression, "values": list(values)} if values else expression]}


def tcp(*ports: str, **more: Any) -> list[Raw]:
    """A list `toPorts` of one item."""
    return [{"ports": [{"port": text, "protocol": "TCP", **more} for text in ports]}]


@dataclass(frozen=True, slots=True)
class Case:
    """Policies, and who gets through: `into` a/srv, `out_of` a/cli; None where that is not asked."""

    name: str
    objects: Sequence[Raw]
    into: str | None = None
    out_of: str | None = None
    port: int = SERVED
    """The port of pods that is asked for."""

    @property
    def flows(self) -> Mapping[tuple[str, str], bool]:
        """Source and destination -> whether it gets through."""
        found: dict[tuple[str, str], bool] = {}
        if self.into is not None:
            found |= {(source, "a/srv"): source in self.into.split() for source in SOURCES}
        if self.out_of is not None:
            found |= {("a/cli", target): target in self.out_of.split() for target in DESTINATIONS}
        return found


def to_srv(name: str, *rules: Raw, opens: str, port: int = SERVED, **more: Any) -> Case:
    """A policy of namespace a for the server; the pod on the server's own node comes in anyhow."""
    rules_in = {"ingress": list(rules)} if rules else {}
    spec = {"endpointSelector": app("srv"), **rules_in, **more}
    return Case(name, [cnp("a/p", **spec)], into=f"{opens} b/host1", port=port)


def from_cli(name: str, *rules: Raw, opens: str, port: int = SERVED, **more: Any) -> Case:
    """A policy of namespace a for the client."""
    spec = {"endpointSelector": app("cli"), "egress": list(rules), **more}
    return Case(name, [cnp("a/p", **spec)], out_of=opens, port=port)


def machine(name: str) -> Raw:
    made = node(name)
    return {**made, "status": {**made["status"], "addresses": [{"type": "InternalIP", "address": NODES[name]}]}}


def _host(where: str, on: str) -> Raw:
    return pod(where, on=on, at=[NODES[on]], spec={"hostNetwork": True}, app="cli")


SCENE = (
    namespace("a", team="x"),
    namespace("b", team="y"),
    machine("n1"),
    machine("n2"),
    pod("a/srv", at=["198.18.1.1"], ports=[port(SERVED, "http")], app="srv"),
    pod("a/srv2", at=["198.18.1.2"], app="srv2"),
    pod("a/cli", at=["198.18.1.3"], app="cli"),
    pod("a/cli2", at=["198.18.2.1"], on="n2", spec={"serviceAccountName": "special"}, app="cli2"),
    pod("b/cli", at=["198.18.2.2"], on="n2", app="cli"),
    pod("b/srv", at=["198.18.2.3"], on="n2", ports=[port(SERVED + 1, "admin")], app="srv"),
    _host("b/host", "n2"),
    _host("b/host1", "n1"),
)

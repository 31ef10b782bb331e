"""A small cluster, and the verdicts for flows in it under policies of the Network Policy API."""

from __future__ import annotations

from typing import Any

from auditor.evaluate.model import Model
from auditor.evaluate.reach import reach
from auditor.model.cluster import Pod
from auditor.model.ends import Address
from auditor.model.flow import Decision, Family, Protocol, Verdict
from tests.builders import Raw, namespace, node, pod, port, snapshot

ALLOWED, DENIED, UNDEFINED, UNKNOWN = Verdict.ALLOWED, Verdict.DENIED, Verdict.UNDEFINED, Verdict.UNKNOWN
V4, V6 = Family.IPV4, Family.IPV6
TCP, UDP, SCTP = Protocol.TCP, Protocol.UDP, Protocol.SCTP


def machine(name: str, address: str, **labels: str) -> Raw:
    made = node(name, ready=True, **labels)
    return {**made, "status": {**made["status"], "addresses": [{"type": "InternalIP", "address": address}]}}


ON_HOST = {"hostNetwork": True}
SCENE = (
    namespace("x", team="blue"),
    namespace("y", team="red"),
    machine("n1", "192.168.0.1", pool="a"),
    machine("n2", "192.168.0.2", pool="b"),
    pod(
        "x/a",
        at=["10.1.0.1", "fd00:1::1"],
        ports=[port(80, "http"), port(53, "dns"), port(5353, "dns", "UDP")],
        app="a",
    ),
    pod("x/b", at=["10.1.0.2", "fd00:1::2"], app="b"),
    pod("y/a", at=["10.2.0.1", "fd00:2::1"], ports=[port(8080, "http")], app="a"),
    pod("y/b", at=["10.2.0.2", "fd00:2::2"], on="n2", app="b"),
    pod("x/host", at=["192.168.0.2"], on="n2", ports=[port(80, "http")], spec=ON_HOST, app="a"),
)
OUTSIDE, OUTSIDE6 = "203.0.113.5", "2001:db8::5"


def decide(
    policies: list[Raw],
    source: str,
    destination: str,
    number: int = 80,
    *,
    family: Family = V4,
    protocol: Protocol = TCP,
) -> Decision:
    """The decision about a flow between pods of the scene, or addresses."""
    found = snapshot(*SCENE, *policies)
    by_name = {f"{item.namespace}/{item.name}": item for item in found.pods}

    def end(text: str) -> Pod | Address:
        return by_name[text] if "/" in text else Address(text)

    return Model(found).decide(end(source), end(destination), family, number, protocol)


def says(policies: list[Raw], source: str, destination: str, number: int = 80, **more: Any) -> Verdict:
    return decide(policies, source, destination, number, **more).verdict


def at_once(policies: list[Raw], source: str, destination: str, number: int = 80) -> Verdict:
    """The verdict for a TCP flow between pods, as the reading of all flows at once has it."""
    found = snapshot(*SCENE, *policies)
    pods = [item for item in found.pods if item.talks]
    by_name = {f"{item.namespace}/{item.name}": item for item in pods}
    query = (TCP, number)
    return reach(Model(found), pods, [query]).verdict(by_name[source], by_name[destination], V4, query)


def into(make: Any, *rules: Raw, **more: Any) -> Raw:
    """A policy with ingress rules."""
    return make(**{"ingress": list(rules), **more})  # type: ignore[no-any-return]


def out_of(make: Any, *rules: Raw, **more: Any) -> Raw:
    """A policy with egress rules."""
    return make(**{"egress": list(rules), **more})  # type: ignore[no-any-return]

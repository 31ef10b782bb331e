"""Random clusters for hypothesis, biased towards what implementations get wrong.

Few label keys, values and port numbers, so that selectors and rules meet pods often; every optional field is absent,
null, empty and full in turn.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.builders import Raw, named, namespace, node

KEYS, VALUES = ("app", "tier", "track"), ("", "a", "b")
NAMES = ("one", "two", "three")
NODES = ("n1", "n2")
PORTS = (80, 81, 82, 443, 8642)
PORT_NAMES = ("http", "web", "dns")
PROTOCOLS = ("TCP", "UDP", "SCTP")
POD_BLOCKS = ("10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.3/32", "fd00::/8", "fd00:1::/32", "192.0.2.0/24")
HOLES = {"10.0.0.0/8": "10.1.0.0/16", "10.1.0.0/16": "10.1.2.0/24", "fd00::/8": "fd00:1::/32"}

labels = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES), max_size=3)


def _sparse(field: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A field that may also be null."""
    return st.one_of(st.none(), field)


@st.composite
def expressions(draw: st.DrawFn) -> Raw:
    operator = draw(st.sampled_from(("In", "NotIn", "Exists", "DoesNotExist")))
    part: Raw = {"key": draw(st.sampled_from(KEYS)), "operator": operator}
    if operator in {"In", "NotIn"}:
        part["values"] = draw(st.lists(st.sampled_from(VALUES), min_size=1, max_size=2))
    return part


selectors = st.fixed_dictionaries(
    {},
    optional={
        "matchLabels": _sparse(st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES), max_size=1)),
        "matchExpressions": _sparse(st.lists(expressions(), max_size=2)),
    },
)

namespace_selectors = st.one_of(
    selectors, st.sampled_from(NAMES).map(lambda name: {"matchLabels": {"kubernetes.io/metadata.name": name}})
)


@st.composite
def blocks(draw: st.DrawFn) -> Raw:
    cidr = draw(st.sampled_from(POD_BLOCKS))
    hole = [HOLES[cidr]] if cidr in HOLES and draw(st.booleans()) else draw(st.sampled_from(([], None)))
    return {"cidr": cidr, "except": hole}


peers = st.one_of(
    st.fixed_dictionaries({"podSelector": selectors}, optional={"namespaceSelector": _sparse(namespace_selectors)}),
    st.fixed_dictionaries({"namespaceSelector": namespace_selectors}, optional={"podSelector": _sparse(selectors)}),
    st.fixed_dictionaries({"ipBlock": blocks()}),
)


@st.composite
def rule_ports(draw: st.DrawFn) -> Raw:
    item: Raw = {}
    if draw(st.booleans()):
        item["protocol"] = draw(st.sampled_from((*PROTOCOLS, None, "TCP", "TCP")))
    shape = draw(st.sampled_from(("none", "null", "number", "number", "name", "range")))
    if shape == "null":
        item["port"] = None
    elif shape == "name":
        item["port"] = draw(st.sampled_from(PORT_NAMES))
    elif shape in {"number", "range"}:
        item["port"] = draw(st.sampled_from(PORTS))
    if shape == "range":
        item["endPort"] = item["port"] + draw(st.integers(0, 2))
    return item


def rules(way: str) -> st.SearchStrategy[Raw]:
    """One rule of `from` or `to`."""
    optional = {way: _sparse(st.lists(peers, max_size=2)), "ports": _sparse(st.lists(rule_ports(), max_size=2))}
    return st.fixed_dictionaries({}, optional=optional)


policy_specs = st.fixed_dictionaries(
    {"podSelector": selectors},
    optional={
        "policyTypes": st.sampled_from((None, [], ["Ingress"], ["Egress"], ["Ingress", "Egress"], ["Ingress"] * 2)),
        "ingress": _sparse(st.lists(rules("from"), max_size=2)),
        "egress": _sparse(st.lists(rules("to"), max_size=2)),
    },
)

container_ports = st.fixed_dictionaries(
    {"containerPort": st.sampled_from(PORTS)},
    optional={"name": st.sampled_from(PORT_NAMES), "protocol": st.sampled_from(PROTOCOLS)},
)


def _containers(ports: list[Raw]) -> list[Raw]:
    return [{"name": f"c{number}", "ports": [item]} for number, item in enumerate(ports)]


def _addresses(number: int, families: str) -> list[Raw]:
    both = {"4": f"10.{number % 3}.2.{number}", "6": f"fd00:{number % 2}::{number}"}
    return [{"ip": both[family]} for family in families]


@st.composite
def pods(draw: st.DrawFn, number: int) -> Raw:
    """A pod; one in some has finished, has no address, or shares the host's network."""
    name = f"{draw(st.sampled_from(NAMES))}/pod-{number}"
    made = named("Pod", name, labels=draw(labels))
    made["metadata"]["ownerReferences"] = [{"kind": "StatefulSet", "name": f"set-{number % 4}", "controller": True}]
    spec: Raw = {"nodeName": draw(st.sampled_from(NODES))}
    spec["containers"] = _containers(draw(st.lists(container_ports, max_size=2)))
    spec["hostNetwork"] = draw(st.sampled_from((False,) * 8 + (True,)))
    spec["initContainers"] = [
        {"name": "init", "restartPolicy": draw(st.sampled_from(("Always", None))), "ports": [item]}
        for item in draw(st.lists(container_ports, max_size=1))
    ]
    families = draw(st.sampled_from(("4", "46", "64", "4", "6", "")))
    phase = draw(st.sampled_from(("Running",) * 8 + ("Pending", "Succeeded", "Failed")))
    return {**made, "spec": spec, "status": {"phase": phase, "podIPs": _addresses(number + 1, families)}}


@st.composite
def policies(draw: st.DrawFn, number: int) -> Raw:
    return {**named("NetworkPolicy", f"{draw(st.sampled_from(NAMES))}/p{number}"), "spec": draw(policy_specs)}


@st.composite
def clusters(draw: st.DrawFn, *, max_pods: int = 6, max_policies: int = 5) -> list[Raw]:
    """The objects of a small cluster, in no particular order."""
    objects = [namespace(name, **draw(labels)) for name in (*NAMES, "kube-system")]
    objects += [node(name) for name in NODES]
    objects += [draw(pods(number)) for number in range(draw(st.integers(1, max_pods)))]
    objects += [draw(policies(number)) for number in range(draw(st.integers(0, max_policies)))]
    return objects


junk = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-2, 70_000), st.text(max_size=3), st.floats(allow_nan=False)),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.text(max_size=3), inner, max_size=2)),
    max_leaves=3,
)
"""Anything that JSON can hold."""


@st.composite
def mutated(draw: st.DrawFn, value: Any) -> Any:
    """The value with one place of it, however deep, deleted, nulled or replaced by something of another type."""
    if not isinstance(value, dict | list) or not value or draw(st.integers(0, 4)) == 0:
        return draw(junk)
    if isinstance(value, list):
        place = draw(st.integers(0, len(value) - 1))
        return [draw(mutated(item)) if number == place else item for number, item in enumerate(value)]
    key = draw(st.sampled_from(sorted(value)))
    if draw(st.booleans()):
        return {name: item for name, item in value.items() if name != key}
    return {name: draw(mutated(item)) if name == key else item for name, item in value.items()}

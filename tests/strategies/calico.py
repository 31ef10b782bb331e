"""Clusters under Calico's own kinds: few labels, addresses and orders, so that rules often meet each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from tests.builders import Raw, named, namespace, pod, port
from tests.calico import V1, V3, made
from tests.strategies.expressions import COMPARISONS, Meaning, meanings, written

HOMES = ("red", "red", "blue")
OUTSIDE = ("203.0.113.7", "198.51.100.7")
OUTSIDE_6 = ("2001:db8::7",)
NETS = (
    *("10.0.0.0/8", "10.0.0.1/32", "10.0.0.2", "10.0.0.0/30", "203.0.113.0/24", "203.0.113.7", "0.0.0.0/0"),
    *("fd00::/16", "fd00::2", "2001:db8::/64", "::/0"),
)
OF_SETS = ("203.0.113.0/24", "203.0.113.7", "198.51.100.7/32", "10.0.0.1/32", "10.0.0.2", "2001:db8::/64", "fd00::2")
VALUES = {
    "app": ("a", "b", ""),
    "tier": ("a", "ab"),
    "projectcalico.org/namespace": ("red", "blue", "r"),
    "projectcalico.org/orchestrator": ("k8s", "cni"),
    "projectcalico.org/serviceaccount": ("default", "web", "w"),
    "pcns.env": ("test", "live", "mine"),
    "pcns.projectcalico.org/name": ("red", "blue"),
    "pcsa.role": ("x", "y"),
    "pcsa.projectcalico.org/name": ("web", "default"),
}
SPACES = {
    "env": ("test", "live", "t"),
    "projectcalico.org/name": ("red", "blue"),
    "kubernetes.io/metadata.name": ("red",),
}
ACCOUNTS = {"role": ("x", "y"), "projectcalico.org/name": ("web", "default")}


def odds(hits: int, tries: int) -> st.SearchStrategy[bool]:
    """True so many times out of so many; integers would like zero too much."""
    return st.sampled_from((False,) * (tries - hits) + (True,) * hits)


@st.composite
def _terms(draw: st.DrawFn, values: Mapping[str, tuple[str, ...]], calls: tuple[str, ...]) -> Meaning:
    if draw(odds(1, 8)):
        return (draw(st.sampled_from(calls)),)
    key = draw(st.sampled_from((*values, *list(values)[:1] * 3)))
    word = draw(st.sampled_from(("has", "==", "==", "==", *COMPARISONS)))
    if word == "has":
        return (word, key)
    fewest, most = (0, 2) if word.endswith("in") else (1, 1)
    return (word, key, tuple(draw(st.lists(st.sampled_from(values[key]), min_size=fewest, max_size=most))))


@st.composite
def selectors(
    draw: st.DrawFn, values: Mapping[str, tuple[str, ...]] = VALUES, calls: tuple[str, ...] = ("all",)
) -> str:
    """An expression, simple more often than not."""
    leaves = _terms(values, calls)
    some = st.sampled_from([("==", key, (value,)) for key in list(values)[:1] for value in values[key][:2]])
    return draw(written(draw(draw(st.sampled_from((some, some, leaves, leaves, meanings(leaves)))))))


namespace_selectors = selectors(SPACES, ("all", "global"))
subject_namespaces = selectors(SPACES)
account_selectors = selectors(ACCOUNTS)


@st.composite
def sides(draw: st.DrawFn, *, ours: bool, receives: bool, protocol: bool) -> Raw:
    """One side of a rule; `ours` is that of the policy's own pods."""
    found: Raw = {}
    choices = {
        "selector": selectors(),
        "notSelector": selectors(),
        "namespaceSelector": namespace_selectors,
        "nets": st.lists(st.sampled_from(NETS), max_size=2, unique=True),
        "notNets": st.lists(st.sampled_from(NETS), max_size=1),
        "serviceAccounts": st.fixed_dictionaries(
            {}, optional={"names": st.just(["web"]), "selector": account_selectors}
        ),
        "services": st.just({"name": "front", "namespace": "red"}),
    }
    weights = ("selector",) * 4 + ("namespaceSelector",) * 2 + tuple(choices)
    for key in draw(st.lists(st.sampled_from(weights), max_size=1 if ours else 2, unique=True)):
        found[key] = draw(choices[key])
    if receives and protocol and draw(st.booleans()):
        ports = st.lists(st.sampled_from((80, "80", "79:81", "web", "dns", 53)), min_size=1, max_size=2)
        found[draw(st.sampled_from(("ports", "ports", "notPorts")))] = draw(ports)
    return found


@st.composite
def rules(draw: st.DrawFn, way: str, *, one_sided: bool) -> Raw:
    found: Raw = {"action": draw(st.sampled_from(("Allow", "Allow", "Deny", "Deny", "Pass", "Log")))}
    protocol = draw(st.sampled_from((None, None, "TCP", "UDP", 6, "17", "ICMP", 47)))
    if protocol:
        found["protocol"] = protocol
    if draw(odds(1, 6)):
        found["notProtocol"] = draw(st.sampled_from(("UDP", 6, "ICMP")))
    if draw(odds(1, 8)):
        found["ipVersion"] = draw(st.sampled_from((4, 6)))
    carries = str(protocol) in {"TCP", "UDP", "6", "17"}
    for key, peers in (("source", "ingress"), ("destination", "egress")):
        ours = way != peers
        if draw(odds(1 if ours else 4, 5)) and not (ours and one_sided):
            found[key] = draw(sides(ours=ours, receives=key == "destination", protocol=carries))
    return found


@st.composite
def policies(draw: st.DrawFn, name: str, *, one_sided: bool) -> Raw:
    spec: Raw = {}
    everywhere = draw(st.booleans())
    if draw(odds(3, 4)):
        spec["selector"] = draw(selectors())
    if everywhere and draw(odds(1, 3)):
        spec["namespaceSelector"] = draw(subject_namespaces)
    if draw(odds(1, 6)):
        spec["serviceAccountSelector"] = draw(account_selectors)
    spec["order"] = draw(st.sampled_from((None, 1, 1, 2.5, 999, 1001)))
    spec["tier"] = draw(st.sampled_from((None, None, "default", "one", "one", "two", "gone", "kube-baseline")))
    for way in ("ingress", "egress"):
        if draw(odds(2, 3)):
            spec[way] = [
                draw(rules(way, one_sided=one_sided)) for _ in range(draw(st.sampled_from((0, 1, 2, 2, 3, 3))))
            ]
    if draw(st.booleans()):
        spec["types"] = draw(st.sampled_from((["Ingress"], ["Egress"], ["Ingress", "Egress"], [])))
    kind, where = (
        ("GlobalNetworkPolicy", name) if everywhere else ("NetworkPolicy", f"{draw(st.sampled_from(HOMES))}/{name}")
    )
    return made(kind, where, spec, version=draw(st.sampled_from((V1, V3))))


@st.composite
def _pods(draw: st.DrawFn, number: int, *, dual: bool) -> Raw:
    labels = {key: draw(st.sampled_from(VALUES[key])) for key in ("app", "tier") if draw(odds(3, 4))}
    if draw(odds(1, 10)):
        labels["pcns.env"] = "mine"
    at = [f"10.0.0.{number}", *([f"fd00::{number}"] if dual else [])]
    ports = draw(st.sampled_from(([], [port(80, "web")], [port(80, "web"), port(53, "dns", "UDP")])))
    spec = {"serviceAccountName": draw(st.sampled_from(("default", "web")))}
    made_pod: Any = pod
    found: Raw = made_pod(f"{draw(st.sampled_from(HOMES))}/p{number}", at=at, ports=ports, spec=spec, **labels)
    return {**found, "spec": {**found["spec"], "containers": [{"name": "c", "ports": ports}]}}


@st.composite
def clusters(draw: st.DrawFn, *, dual: bool = False) -> list[Raw]:
    """Objects of a cluster; with two families no rule asks for addresses of its policy's own pods."""
    env = st.sampled_from(({}, {"env": "test"}, {"env": "live"}))
    found = [namespace(name, **draw(env)) for name in ("red", "blue")]
    found += [draw(_pods(number, dual=dual)) for number in range(1, draw(st.sampled_from((3, 4, 5))))]
    found += [named("ServiceAccount", "red/web", labels={"role": "x"}), named("ServiceAccount", "red/default")]
    found += [named("ServiceAccount", "blue/web", labels={"role": "y"}), named("ServiceAccount", "blue/default")]
    front = {"selector": {"app": "a"}, "ports": [{"port": 8080, "targetPort": "web"}, {"port": 53, "protocol": "UDP"}]}
    found.append({**named("Service", "red/front"), "spec": front})
    for number in range(draw(st.sampled_from((0, 1, 2, 2)))):
        where = draw(st.sampled_from((f"red/s{number}", f"blue/s{number}", f"s{number}")))
        labels = {"app": draw(st.sampled_from(("a", "b")))} if draw(odds(4, 5)) else {"tier": "ab"}
        nets = draw(st.lists(st.sampled_from(OF_SETS), max_size=3, unique=True))
        found.append(made("NetworkSet" if "/" in where else "GlobalNetworkSet", where, {"nets": nets}, labels=labels))
    for name in draw(st.sampled_from(((), ("one",), ("one", "two"), ("two", "one")))):
        order = draw(st.sampled_from((5, 5, 20, None, 2_000_000)))
        found.append(
            made("Tier", name, {"order": order, "defaultAction": draw(st.sampled_from((None, "Deny", "Pass")))})
        )
    found += [draw(policies(f"c{number}", one_sided=dual)) for number in range(draw(st.sampled_from((1, 2, 3, 4))))]
    if draw(st.booleans()):
        peers = [{"podSelector": {"matchLabels": {"app": "a"}}}]
        spec = {
            "podSelector": {},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": peers}],
            "egress": [{"to": peers}],
        }
        found.append({**named("NetworkPolicy", "red/v1"), "spec": spec})
    return found

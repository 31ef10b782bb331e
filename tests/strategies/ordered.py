"""Policies of `policy.networking.k8s.io`, with so few priorities that many are equal."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.builders import Raw, named
from tests.strategies.parts import (
    BLOCKS,
    PORT_NAMES,
    PORTS,
    PROTOCOLS,
    namespace_selectors,
    often,
    pod_selectors,
)

PRIORITIES = (0, 7, 7, 7, 7, 1000)
V1ALPHA1, V1ALPHA2 = "policy.networking.k8s.io/v1alpha1", "policy.networking.k8s.io/v1alpha2"

_both = st.fixed_dictionaries({"podSelector": pod_selectors, "namespaceSelector": namespace_selectors})
_pods = st.one_of(
    st.just({"namespaces": {}}),
    namespace_selectors.map(lambda item: {"namespaces": item}),
    _both.map(lambda item: {"pods": item}),
)
_nodes = st.sampled_from(({}, {"matchLabels": {"pool": "a"}})).map(lambda item: {"nodes": item})
_networks = st.lists(st.sampled_from(BLOCKS), min_size=1, max_size=2, unique=True).map(lambda item: {"networks": item})
_unheard_of = st.sampled_from(({}, {"someday": {"name": "x"}}))

PEERS = {"ingress": often(_pods, _unheard_of), "egress": often(_pods, _nodes, _networks, _networks, _unheard_of)}
ACTIONS = {
    "AdminNetworkPolicy": ("Allow", "Deny", "Pass"),
    "BaselineAdminNetworkPolicy": ("Allow", "Deny"),
    "ClusterNetworkPolicy": ("Accept", "Deny", "Pass"),
}

_numbers = st.sampled_from(PORTS)
_ranges = st.tuples(_numbers, st.integers(1, 3)).map(lambda pair: {"start": pair[0], "end": sum(pair)})
_names = st.sampled_from(PORT_NAMES)
_protocol = st.sampled_from(({}, *({"protocol": name} for name in PROTOCOLS)))

_old_ports = st.one_of(
    st.tuples(_protocol, _numbers).map(lambda pair: {"portNumber": {**pair[0], "port": pair[1]}}),
    st.tuples(_protocol, _ranges).map(lambda pair: {"portRange": {**pair[0], **pair[1]}}),
    _names.map(lambda name: {"namedPort": name}),
)
_destinations = st.one_of(_numbers.map(lambda number: {"number": number}), _ranges.map(lambda item: {"range": item}))
_new_ports: st.SearchStrategy[Raw] = st.one_of(
    st.tuples(st.sampled_from(PROTOCOLS), _destinations).map(
        lambda pair: {pair[0].lower(): {"destinationPort": pair[1]}}
    ),
    st.sampled_from(PROTOCOLS).map(lambda name: {name.lower(): {}}),
    _names.map(lambda name: {"destinationNamedPort": name}),
)


@st.composite
def _rule(draw: st.DrawFn, kind: str, way: str) -> Raw:
    peers = draw(st.lists(PEERS[way], min_size=1, max_size=2))
    action = draw(st.sampled_from(ACTIONS[kind]))
    if way == "egress" and action in {"Allow", "Accept"} and draw(st.sampled_from((False,) * 5 + (True,))):
        peers = [*peers, {"domainNames": [draw(st.sampled_from(("*.example.org", "db.one.SVC.example.", "*.Local")))]}]
    rule: Raw = {"action": action, "from" if way == "ingress" else "to": peers}
    field, ports = ("protocols", _new_ports) if kind == "ClusterNetworkPolicy" else ("ports", _old_ports)
    if draw(st.booleans()):
        found = draw(st.lists(ports, min_size=1, max_size=2))
        # Names are rejected beside peers that declare none.
        nameless = any(key in peer for peer in peers for key in ("nodes", "networks", "domainNames"))
        rule[field] = [item for item in found if not (nameless and {"namedPort", "destinationNamedPort"} & set(item))]
    return {key: value for key, value in rule.items() if value != []}


@st.composite
def _policy(draw: st.DrawFn, /, kind: str, name: str, **more: Any) -> Raw:
    spec: Raw = {"subject": draw(_pods), **more}
    for way in ("ingress", "egress"):
        if draw(st.booleans()):
            spec[way] = draw(st.lists(_rule(kind, way), min_size=1, max_size=3))
    version = V1ALPHA2 if kind == "ClusterNetworkPolicy" else V1ALPHA1
    return {"apiVersion": version, **named(kind, name), "spec": spec}


@st.composite
def ordered_policies(draw: st.DrawFn, *, most: int = 3) -> list[Raw]:
    """Policies of either version of the API, or of both, in a cluster on its way from one to the other."""
    kinds = draw(st.sampled_from((("new",), ("old",), ("new", "old"))))
    made = []
    for number, priority in enumerate(draw(st.lists(st.sampled_from(PRIORITIES), min_size=1, max_size=most))):
        if draw(st.sampled_from(kinds)) == "new":
            tier = draw(st.sampled_from(("Admin", "Admin", "Baseline")))
            made.append(draw(_policy("ClusterNetworkPolicy", f"cluster-{number}", priority=priority, tier=tier)))
        else:
            made.append(draw(_policy("AdminNetworkPolicy", f"admin-{number}", priority=priority)))
    if "old" in kinds and draw(st.booleans()):
        made.append(draw(_policy("BaselineAdminNetworkPolicy", "default")))
    return made

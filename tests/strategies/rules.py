"""Specs of NetworkPolicy v1."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.builders import Raw
from tests.strategies.parts import (
    EDGES,
    PORT_NAMES,
    PORTS,
    PROTOCOLS,
    fields,
    filled_holes,
    ip_blocks,
    namespace_selectors,
    often,
    pod_selectors,
    some,
    subjects,
)

peers = st.one_of(
    pod_selectors.map(lambda item: {"podSelector": item}),
    pod_selectors.map(lambda item: {"podSelector": item, "namespaceSelector": None}),
    namespace_selectors.map(lambda item: {"namespaceSelector": item}),
    st.fixed_dictionaries({"namespaceSelector": namespace_selectors, "podSelector": pod_selectors}),
    ip_blocks().map(lambda item: {"ipBlock": item}),
    ip_blocks().map(lambda item: {"ipBlock": item}),
)


@st.composite
def rule_ports(draw: st.DrawFn) -> Raw:
    item: Raw = {}
    if draw(st.booleans()):
        item["protocol"] = draw(st.sampled_from((*PROTOCOLS, None, "TCP", "TCP")))
    shape = draw(st.sampled_from(("none", "null", "number", "number", "name", "name", "name", "range")))
    if shape == "null":
        item["port"] = None
    elif shape == "name":
        item["port"] = draw(st.sampled_from(PORT_NAMES))
    elif shape in {"number", "range"}:
        item["port"] = draw(st.sampled_from((*PORTS, *EDGES)))
    if shape == "range":
        item["endPort"] = min(item["port"] + draw(st.sampled_from((0, 1, 2, EDGES[1]))), EDGES[1])
    return item


def rules(way: str) -> st.SearchStrategy[Raw]:
    """One rule of `from` or `to`."""
    return fields(
        **{way: often(some(peers), filled_holes(), weight=8), "ports": often(some(rule_ports()), st.just([]), weight=2)}
    )


policy_specs = fields(
    podSelector=subjects,
    policyTypes=st.sampled_from(([], ["Ingress"], ["Egress"], ["Ingress", "Egress"], ["Ingress"] * 2)),
    ingress=some(rules("from")),
    egress=some(rules("to")),
)

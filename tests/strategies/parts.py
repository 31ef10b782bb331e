"""Labels, selectors, blocks and ports: what pods, v1 policies and ordered policies have in common."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from hypothesis import strategies as st

from tests.builders import Raw

KEYS, VALUES = ("app", "tier", "track"), ("", "a", "b")
UNIQUE = "statefulset.kubernetes.io/pod-name"
"""A key whose value no two pods share."""
NAMES = ("one", "two", "default")
HOMES = ("one", "one", "one", "two", "default")
"""Where things are; most in one namespace, so that they meet."""
NAME_LABEL = "kubernetes.io/metadata.name"
NODES = {"n1": ("192.168.1.1", "fd01::1", "203.0.113.1"), "n2": ("192.168.1.2", "fd01::2")}
"""Nodes and their addresses; those of n1 include one that the internet sees."""
PORTS = (80, 81, 82, 443, 8642)
EDGES = (1, 65535)
PORT_NAMES = ("http", "web", "dns")
PROTOCOLS = ("TCP", "UDP", "SCTP")
OUTSIDE = ("192.0.2.9", "192.0.2.200", "2001:db8::9")
BLOCKS = (
    *("0.0.0.0/0", "::/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.7/24", "10.1.2.1/32", "10.1.2.4/30"),
    *("fd00::/8", "fd00:1::/32", "fd00:1::1/128", "192.168.1.0/24", "192.168.1.2/32", "fd01::/64"),
    *("192.0.2.0/24", "192.0.2.77/25", "2001:db8::/32", "203.0.113.0/24"),
)
"""Some hold pods, some nodes, some what is outside, some all of it; some have host bits set."""

labels = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES), max_size=3)
unique_names = st.integers(0, 4).map("pod-{}".format)


def _holes(block: str) -> list[str]:
    outer = ip_network(block, strict=False)
    return [text for text in BLOCKS if _is_strictly_in(ip_network(text, strict=False), outer)]


def _is_strictly_in(inner: IPv4Network | IPv6Network, outer: IPv4Network | IPv6Network) -> bool:
    if isinstance(inner, IPv4Network) and isinstance(outer, IPv4Network):
        return inner != outer and inner.subnet_of(outer)
    if isinstance(inner, IPv6Network) and isinstance(outer, IPv6Network):
        return inner != outer and inner.subnet_of(outer)
    return False


HOLES = {block: tuple(_holes(block)) for block in BLOCKS}


@st.composite
def often(draw: st.DrawFn, /, common: st.SearchStrategy[Any], *rare: st.SearchStrategy[Any], weight: int = 5) -> Any:
    """Draw mostly from the common one; integers would not do as weights, they like zero too much."""
    return draw(draw(st.sampled_from((*rare, *(common,) * weight))))


@st.composite
def fields(draw: st.DrawFn, /, **optional: st.SearchStrategy[Any]) -> Raw:
    """An object; each field may be absent, or null, and is mostly there."""
    made = {}
    for name, field in optional.items():
        state = draw(st.sampled_from(("absent", "null", *("there",) * 8)))
        if state != "absent":
            made[name] = None if state == "null" else draw(field)
    return made


def some(item: st.SearchStrategy[Any], most: int = 2) -> st.SearchStrategy[list[Any]]:
    """A list that is empty at times."""
    return often(st.lists(item, min_size=1, max_size=most), st.just([]), weight=8)


@st.composite
def expressions(draw: st.DrawFn) -> Raw:
    operator: str = draw(st.sampled_from(("In", "NotIn", "Exists", "DoesNotExist")))
    part: Raw = {"key": draw(st.sampled_from(KEYS)), "operator": operator}
    if operator in {"In", "NotIn"}:
        part["values"] = draw(st.lists(st.sampled_from(VALUES), min_size=1, max_size=2))
    return part


pairs = st.tuples(st.sampled_from(KEYS), st.sampled_from(VALUES)).map(lambda pair: dict((pair,)))
_empty = st.sampled_from(({}, {"matchLabels": None}, {"matchLabels": {}, "matchExpressions": []}))
selectors = often(
    st.one_of(
        pairs.map(lambda pair: {"matchLabels": pair}),
        st.lists(expressions(), min_size=1, max_size=2).map(lambda parts: {"matchExpressions": parts}),
        st.tuples(pairs, expressions()).map(lambda both: {"matchLabels": both[0], "matchExpressions": [both[1]]}),
    ),
    _empty,
    weight=3,
)
pod_selectors = often(selectors, unique_names.map(lambda name: {"matchLabels": {UNIQUE: name}}))
subjects = often(pod_selectors, _empty, weight=1)
"""What policies isolate: all pods as often as some."""
_by_name = st.sampled_from(NAMES).map(lambda name: {"matchLabels": {NAME_LABEL: name}})
_but_name = st.sampled_from(NAMES).map(
    lambda name: {"matchExpressions": [{"key": NAME_LABEL, "operator": "NotIn", "values": [name]}]}
)
namespace_selectors = often(selectors, _by_name, _but_name, weight=4)


@st.composite
def ip_blocks(draw: st.DrawFn) -> Raw:
    cidr = draw(st.sampled_from(BLOCKS))
    if len(HOLES[cidr]) > 0 and draw(st.booleans()):
        return {"cidr": cidr, "except": draw(st.lists(st.sampled_from(HOLES[cidr]), min_size=1, max_size=2))}
    return {"cidr": cidr} | draw(st.sampled_from(({}, {"except": None}, {"except": []})))


@st.composite
def filled_holes(draw: st.DrawFn) -> list[Raw]:
    """Two peers: a block with a hole, and one that allows what the hole leaves out."""
    cidr = draw(st.sampled_from([block for block in BLOCKS if HOLES[block]]))
    hole = draw(st.sampled_from(HOLES[cidr]))
    return draw(st.permutations([{"ipBlock": {"cidr": cidr, "except": [hole]}}, {"ipBlock": {"cidr": hole}}]))


container_ports = st.tuples(
    st.sampled_from(PORTS).map(lambda number: {"containerPort": number}),
    fields(name=st.sampled_from(PORT_NAMES), protocol=st.sampled_from(("TCP", *PROTOCOLS))),
).map(lambda parts: {**parts[0], **parts[1]})

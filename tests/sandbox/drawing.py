"""Random clusters for sandboxes, and what is left of one that says the same with less."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.builders import Raw, named
from tests.fresh import FRESH
from tests.strategies import clusters
from tests.strategies.parts import HOLES, HOMES, often, subjects
from tests.strategies.rules import peers, rule_ports

MOVED = {
    "10.1.0.0/16": "10.244.0.0/16",
    "10.1.2.0/24": "10.244.0.0/24",
    "10.1.2.7/24": "10.244.0.7/24",
    "10.1.2.1/32": "10.244.0.4/32",
    "10.1.2.4/30": "10.244.0.2/31",
    "fd00:1::/32": "fd00:10:244::/64",
    "fd00:1::1/128": "fd00:10:244::2/128",
    "192.168.1.0/24": "172.18.0.0/24",
    "192.168.1.2/32": "172.18.0.3/32",
    "fd01::/64": "fd00:172:18::/64",
}
"""Blocks of random policies that hold pods or nodes, by what stands in their place to hold some of a sandbox's."""
LISTS = (("ingress", "from"), ("egress", "to"))


_everyone = st.sampled_from(
    (
        {"namespaceSelector": {}},
        {"podSelector": {}},
        *({"ipBlock": {"cidr": cidr, "except": [hole]}} for cidr, holes in HOLES.items() for hole in holes),
    )
)
_ranges = st.tuples(st.sampled_from((80, 81)), st.sampled_from((81, 82))).map(
    lambda pair: {"port": pair[0], "endPort": pair[1]}
)


@st.composite
def _tight_policies(draw: st.DrawFn, number: int) -> Raw:
    """A policy that shuts some pods in one direction and opens a little of it, on which much depends then."""
    way, side = draw(st.sampled_from(LISTS))
    rules = st.fixed_dictionaries(
        {
            side: st.lists(often(_everyone, peers, weight=1), min_size=1, max_size=2),
            "ports": st.lists(often(_ranges, rule_ports(), rule_ports(), weight=1), min_size=1, max_size=2),
        }
    )
    spec = {
        "podSelector": draw(subjects),
        "policyTypes": [way.capitalize()],
        way: draw(st.lists(rules, min_size=1, max_size=2)),
    }
    home = draw(st.sampled_from(HOMES))
    return named("NetworkPolicy", f"{home}/tight-{number}") | {"spec": spec}


def drawn(number: int) -> list[Raw]:
    """The random cluster of that number, with blocks that hold addresses of the sandbox."""
    found: list[list[Raw]] = []

    # The first example is always the smallest.
    @seed(number)
    @settings(
        max_examples=2,
        backend=FRESH,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(clusters(max_pods=8, max_policies=2), st.tuples(*map(_tight_policies, range(3))))
    def collect(objects: list[Raw], tight: tuple[Raw, ...]) -> None:
        found.append([*objects, *tight])

    collect()
    return [moved(item) for item in found[-1]]


def moved(value: Any) -> Any:
    """The same with a sandbox's addresses."""
    if isinstance(value, dict):
        return {key: moved(item) for key, item in value.items()}
    if isinstance(value, list):
        return [moved(item) for item in value]
    return MOVED.get(value, value) if isinstance(value, str) else value


def smaller(objects: Sequence[Raw]) -> Iterator[list[Raw]]:
    """The same cluster with one thing less: a policy, a pod, a rule, a peer, a port, an exception, a set of labels."""
    for place, item in enumerate(objects):
        before, after = objects[:place], objects[place + 1 :]
        if item["kind"] in {"NetworkPolicy", "Pod"}:
            yield [*before, *after]
        for path in _parts(item):
            yield [*before, _without(item, path), *after]


Path = tuple[str | int, ...]


def _parts(item: Raw) -> Iterator[Path]:
    """Where something stands that may be left out."""
    if item["metadata"].get("labels"):
        yield "metadata", "labels"
    if item["kind"] == "NetworkPolicy":
        for way, side in LISTS:
            for number, rule in enumerate(item["spec"].get(way) or ()):
                yield "spec", way, number
                yield from _parts_of_rule(("spec", way, number), rule, side)
    elif item["kind"] == "Pod":
        for key in ("containers", "initContainers"):
            for number, _ in enumerate(item["spec"].get(key) or ()):
                yield "spec", key, number


def _parts_of_rule(path: Path, rule: Raw, side: str) -> Iterator[Path]:
    for key in (side, "ports"):
        parts = rule.get(key) or ()
        if len(parts) > 1:  # without its last one it would say more, not less
            yield from ((*path, key, number) for number, _ in enumerate(parts))
    for number, peer in enumerate(rule.get(side) or ()):
        if (peer.get("ipBlock") or {}).get("except"):
            yield *path, side, number, "ipBlock", "except"


def _without(item: Raw, path: Path) -> Raw:
    left = copy.deepcopy(item)
    place: Any = left
    for step in path[:-1]:
        place = place[step]
    del place[path[-1]]
    return left

"""Flows between pods and addresses outside that two sets of manifests judge differently.

Pure.  The address space is parted where any block of either side begins or ends; of each part one address stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address, summarize_address_range
from itertools import pairwise, product
from typing import NamedTuple

from auditor.evaluate.classes import vocabulary
from auditor.evaluate.model import Model
from auditor.model.cluster import Pod
from auditor.model.ends import Address
from auditor.model.flow import Decision, Family
from auditor.model.matrix import Query
from auditor.model.prediction import Change
from auditor.query import decided_by

BITS = {Family.IPV4: 32, Family.IPV6: 128}
MADE = {Family.IPV4: IPv4Address, Family.IPV6: IPv6Address}
MOST_NAMES = 4
TRIES = 256
"""Addresses of a part that are tried until one is neither a pod's nor a node's."""


class Same(NamedTuple):
    """A pod before and after, and its name in the answer."""

    title: str
    before: Pod
    after: Pod


def outside_changes(
    old: Model, new: Model, pods: Sequence[Same], queries: Sequence[Query], most: int
) -> tuple[list[Change], int]:
    """What changes between pods and addresses outside, and how many flows were compared: `most` at the most."""
    found: list[Change] = []
    flows = 0
    for family in Family:
        here = [item for item in pods if family in item.before.families and family in item.after.families]
        for part, query, pod in product(_parts(old, new, family) if here else (), queries, here):
            if flows >= most:
                return found, flows
            flows += 2
            found += _compare(old, new, part, query, pod)
    return found, flows


def _compare(old: Model, new: Model, part: tuple[str, Address, Family], query: Query, pod: Same) -> Iterator[Change]:
    title, address, family = part
    for inward in (True, False):
        was, now = (
            _decide(model, address, one, family, query, inward=inward)
            for model, one in ((old, pod.before), (new, pod.after))
        )
        if was.verdict is not now.verdict:
            ends = (title, pod.title) if inward else (pod.title, title)
            names = [name for item in (now, was) for end in (item.egress, item.ingress) for name in decided_by(end)]
            yield Change(*ends, family, query, was.verdict, now.verdict, tuple(dict.fromkeys(names))[:MOST_NAMES])


def _decide(model: Model, address: Address, pod: Pod, family: Family, query: Query, *, inward: bool) -> Decision:
    source, destination = (address, pod) if inward else (pod, address)
    return model.decide(source, destination, family, query[1], query[0])


def _parts(old: Model, new: Model, family: Family) -> list[tuple[str, Address, Family]]:
    """Each part of the address space with an address of it that is outside for both models."""
    cuts = {cut for model in (old, new) for cut in vocabulary(model.all_sections()).cuts[family]}
    size = 1 << BITS[family]
    edges = sorted({0, size, *(cut for cut in cuts if cut < size)})
    found = []
    for first, behind in pairwise(edges):
        address = _outside(old, new, first, behind, family)
        if address is not None:
            found.append((_title(first, behind - 1, family), address, family))
    return found


def _outside(old: Model, new: Model, first: int, behind: int, family: Family) -> Address | None:
    for number in range(first, min(behind, first + TRIES)):
        address = Address(str(MADE[family](number)))
        models = (old, new)
        if not any(isinstance(item.resolve(address), Pod) or item.is_node(address) for item in models):
            return address
    return None


def _title(first: int, last: int, family: Family) -> str:
    """The part as blocks of addresses."""
    if (first, last) == (0, (1 << BITS[family]) - 1):
        return "any address outside"
    made = MADE[family]
    if family is Family.IPV4:
        networks = [str(item) for item in summarize_address_range(IPv4Address(first), IPv4Address(last))]
    else:
        networks = [str(item) for item in summarize_address_range(IPv6Address(first), IPv6Address(last))]
    return networks[0] if len(networks) == 1 else f"{made(first)} to {made(last)}"

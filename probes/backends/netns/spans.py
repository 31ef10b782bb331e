"""Sets of whole numbers as spans: ports, and addresses as the numbers that they are.

Spans in a tuple are sorted and neither touch nor overlap, as nftables wants the elements of an interval set.  Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

Span = tuple[int, int]
"""First and last number, both of the set."""
Spans = tuple[Span, ...]

Addresses = tuple[Spans, Spans]
"""What is meant of IPv4, and of IPv6."""
FAMILIES = (IPv4Address, IPv6Address)
WHOLE: Addresses = (((0, 2**32 - 1),), ((0, 2**128 - 1),))


def union(spans: Iterable[Span]) -> Spans:
    """Join spans that touch or overlap."""
    found: list[Span] = []
    for first, last in sorted(spans):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return tuple(found)


def without(span: Span, holes: Iterable[Span]) -> Spans:
    """Take holes out of a span."""
    left = []
    start, end = span
    for first, last in union(holes):
        left.append((start, min(first - 1, end)))
        start = max(start, last + 1)
    left.append((start, end))
    return tuple((first, last) for first, last in left if first <= last)


def holds(spans: Spans, value: int) -> bool:
    """Whether a number is in one of the spans."""
    return any(first <= value <= last for first, last in spans)


@cache
def number(address: str) -> tuple[int, int]:
    """Family of an address, 0 for IPv4 and 1 for IPv6, and its number; ValueError for any other text."""
    parsed = ip_address(address)
    return FAMILIES.index(type(parsed)), int(parsed)


@cache
def block(cidr: str) -> tuple[int, Span]:
    """Family, first and last address of a block, whatever stands behind its prefix; ValueError for any other text."""
    network = ip_network(cidr, strict=False)
    family, first = number(str(network.network_address))
    return family, (first, int(network.broadcast_address))


def addresses(texts: Iterable[str]) -> Addresses:
    """Gather single addresses."""
    found: tuple[list[Span], list[Span]] = ([], [])
    for family, value in map(number, texts):
        found[family].append((value, value))
    return union(found[0]), union(found[1])


def joined(sets: Iterable[Addresses]) -> Addresses:
    """Join sets of addresses."""
    every = tuple(sets)
    return union(span for v4, _ in every for span in v4), union(span for _, v6 in every for span in v6)


def within(one: Addresses, texts: Iterable[str]) -> Addresses:
    """Those of the single addresses that the set holds."""
    return addresses(text for text in texts if holds(one[number(text)[0]], number(text)[1]))

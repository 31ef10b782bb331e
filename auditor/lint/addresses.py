"""Who has an address in a block, found by its place in a sorted list.

Pure.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Generic, TypeVar

from auditor.evaluate.ends import FAMILIES
from auditor.evaluate.match import edges, holds
from auditor.model.policy import IPBlock

T = TypeVar("T")


class Addresses(Generic[T]):
    """Addresses of things, sorted by family and number."""

    def __init__(self, owned: Iterable[tuple[str, T]]) -> None:
        """Sort them; `owned` holds each address with what has it."""
        numbered = [(ip_address(text), item) for text, item in owned]
        found = sorted(((address.version, int(address)), place) for place, (address, _) in enumerate(numbered))
        self._keys = [key for key, _ in found]
        self._items = [numbered[place][1] for _, place in found]
        self._known: dict[IPBlock, list[T]] = {}

    def within(self, block: IPBlock) -> list[T]:
        """What has an address in a block and in none of its excepts, by address."""
        if block not in self._known:
            version = block.cidr.version
            first, last = edges(block.cidr)
            start, end = bisect_left(self._keys, (version, first)), bisect_right(self._keys, (version, last))
            self._known[block] = [
                self._items[place]
                for place in range(start, end)
                if not block.excepts or holds(block, self._keys[place][1], FAMILIES[version])
            ]
        return self._known[block]

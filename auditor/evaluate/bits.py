"""Predicates answered for all classes at once: bit i of an answer is about class i.

Pure.  Says the same as `match`, which answers for one end.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any

from auditor.evaluate.classes import Class
from auditor.evaluate.ends import FAMILIES
from auditor.evaluate.match import NAME_LABEL, edges, is_whole, matches
from auditor.model.flow import Family, Protocol
from auditor.model.labels import Labels, LabelSelector, Operator
from auditor.model.rules import (
    AllOf,
    AnyOf,
    EndKind,
    Everything,
    InBlock,
    InNamespace,
    IsKind,
    Match,
    NamespaceLabels,
    NodeLabels,
    Not,
    OwnNode,
    PodLabels,
    Ports,
    PortTerm,
    Predicate,
    Selector,
    Unsure,
)


@dataclass(frozen=True, slots=True)
class Answer:
    """Three disjoint sets of classes; NO is the rest."""

    yes: int
    open: int = 0
    unknown: int = 0

    @property
    def maybe(self) -> int:
        """Everything but NO."""
        return self.yes | self.open | self.unknown

    @property
    def sure(self) -> bool:
        """Whether no class is in doubt."""
        return not (self.open or self.unknown)


NONE = Answer(0)


_FLAGS = bytes(number & 1 for number in range(256))
"""The digits 0 and 1 into false and true."""
_SPARSE = 16
"""Where fewer than one bit in so many is set, looking for each is faster than looking at all."""


def ones(bits: int) -> Iterator[int]:
    """The positions of the bits that are set, ascending."""
    if not bits:
        return iter(())
    # A number is copied whenever it changes, so it is written out once, without what is empty before the first bit.
    offset = (bits & -bits).bit_length() - 1
    bits >>= offset
    digits, span = bin(bits)[:1:-1], bits.bit_length()
    if bits.bit_count() * _SPARSE < span:
        return _found(digits, offset)
    return compress(range(offset, offset + span), digits.encode().translate(_FLAGS))


def _found(digits: str, offset: int) -> Iterator[int]:
    place = 0
    while place >= 0:
        yield offset + place
        place = digits.find("1", place + 1)


class _Index:
    """Which classes have a label, by key and value."""

    def __init__(self, everything: int) -> None:
        self._everything = everything
        self._values: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self._keys: dict[str, int] = defaultdict(int)

    def add(self, labels: Iterable[tuple[str, str]], bits: int) -> None:
        """Note that these classes have these labels."""
        for key, value in labels:
            self._values[key][value] |= bits
            self._keys[key] |= bits

    def selected(self, selector: LabelSelector) -> int:
        """The classes that a selector matches (apimachinery `labels.Requirement.Matches`)."""
        found = self._everything
        for requirement in selector.requirements:
            present = self._keys.get(requirement.key, 0)
            if requirement.operator is Operator.EXISTS:
                found &= present
            elif requirement.operator is Operator.DOES_NOT_EXIST:
                found &= ~present
            else:
                values = self._values.get(requirement.key, {})
                listed = 0
                for value in requirement.values:
                    listed |= values.get(value, 0)
                found &= listed if requirement.operator is Operator.IN else ~listed
        return found


class Bits:
    """The classes of a cluster, indexed."""

    def __init__(self, classes: Sequence[Class]) -> None:
        """Index `classes`, which are sorted by namespace."""
        self.classes = classes
        self.everything = (1 << len(classes)) - 1
        self.homes: dict[str, int] = defaultdict(int)
        self._labels = _Index(self.everything)
        self._home_labels = _Index(self.everything)
        self._unread = 0
        self._planned = 0
        self._memo: dict[Family, dict[Predicate, Answer]] = {family: {} for family in Family}
        self._named: dict[tuple[str, Protocol, int], int] = defaultdict(int)
        self._addresses: dict[Family, dict[int, int]] = {family: defaultdict(int) for family in Family}
        for number, item in enumerate(classes):
            self._add(item, 1 << number)
        for name, bits in self.homes.items():
            self._add_home(name, bits)
        self._sorted = {family: sorted(found) for family, found in self._addresses.items()}

    def _add(self, item: Class, bit: int) -> None:
        self.homes[item.namespace] |= bit
        self._labels.add(item.labels, bit)
        pod = item.end.pod
        for port in pod.ports if pod else ():
            if port.name:
                self._named[port.name, port.protocol, port.number] |= bit
        if pod is not None and pod.planned and not item.end.addresses:
            self._planned |= bit
        for family, found in item.end.addresses.items():
            for address in found:
                self._addresses[family][address] |= bit

    def _add_home(self, name: str, bits: int) -> None:
        first = (bits & -bits).bit_length() - 1
        home = self.classes[first].end.namespace
        labels: Labels = home.labels if home is not None else {}
        self._home_labels.add(({NAME_LABEL: name} | dict(labels)).items(), bits)
        if home is None or not home.labels_known:
            self._unread |= bits

    def having(self, family: Family) -> int:
        """Classes with an address of a family, or with one to come."""
        found = 0
        for number, item in enumerate(self.classes):
            if item.end.pod is not None and family in item.end.pod.families:
                found |= 1 << number
        return found

    def answer(self, predicate: Predicate, family: Family) -> Answer:
        """Ask a predicate of every class as a peer in flows of a family."""
        memo = self._memo[family]
        found = memo.get(predicate)
        if found is None:
            found = memo[predicate] = _ANSWERS.get(type(predicate), _one_by_one)(self, predicate, family)
        return found

    def labelled(self, selector: Selector) -> int:
        """Classes whose own labels are selected."""
        if isinstance(selector, LabelSelector):
            return self._labels.selected(selector)
        return self._pick(lambda item: item.end.pod is not None and selector.matches(item.end.pod.labels))

    def at_home(self, selector: Selector) -> Answer:
        """Classes whose namespace's labels are selected."""
        if not isinstance(selector, LabelSelector):
            return _one_by_one(self, NamespaceLabels(selector), Family.IPV4)
        found = self._home_labels.selected(selector)
        if not self._unread or selector.keys <= {NAME_LABEL}:
            return Answer(found)
        by_name = LabelSelector(tuple(item for item in selector.requirements if item.key == NAME_LABEL))
        unknown = self._unread & self._home_labels.selected(by_name)
        return Answer(found & ~self._unread, 0, unknown)

    def in_block(self, predicate: InBlock, family: Family) -> Answer:
        """Classes whose address of a family is in a block."""
        if predicate.pods is Match.NO or FAMILIES[predicate.block.cidr.version] is not family:
            return NONE
        found = self._between(*edges(predicate.block.cidr), family)
        if found:
            for hole in predicate.block.excepts:
                found &= ~self._between(*edges(hole), family)
        if predicate.pods is Match.OPEN:
            return Answer(0, found | self._planned)
        # Whatever address a pod will get, a block of all of them holds it.
        held = found | self._planned if is_whole(predicate.block) else found
        sure = held if predicate.pods is Match.YES else 0
        return Answer(sure, 0, (self._planned | found) & ~sure)

    def _between(self, first: int, last: int, family: Family) -> int:
        """Classes with an address in a range; all members of a class lie on the same side of every block's edge."""
        addresses = self._sorted[family]
        found = 0
        for position in range(bisect_left(addresses, first), bisect_right(addresses, last)):
            found |= self._addresses[family][addresses[position]]
        return found

    def _pick(self, wanted: Callable[[Class], bool]) -> int:
        found = 0
        for number, item in enumerate(self.classes):
            if wanted(item):
                found |= 1 << number
        return found

    def meant(self, ports: tuple[Ports, ...], protocol: Protocol, port: int) -> int:
        """Destination classes for which every condition on ports holds."""
        found = self.everything
        for condition in ports:
            listed = 0
            for term in condition.terms:
                listed |= self._term(term, protocol, port)
            found &= ~listed if condition.inverted else listed
        return found

    def _term(self, term: PortTerm, protocol: Protocol, port: int) -> int:
        if term.protocol is not None and term.protocol is not protocol:
            return 0
        if term.name:
            return self._named.get((term.name, protocol, port), 0)
        return self.everything if term.first <= port <= term.last else 0


def _one_by_one(bits: Bits, predicate: Predicate, family: Family) -> Answer:
    """Ask every class in turn: for what has no index."""
    found = dict.fromkeys(Match, 0)
    for number, item in enumerate(bits.classes):
        found[matches(predicate, item.end, item.end, family)] |= 1 << number
    return Answer(found[Match.YES], found[Match.OPEN], found[Match.UNKNOWN])


def _all_of(bits: Bits, predicate: AllOf, family: Family) -> Answer:
    parts = [bits.answer(part, family) for part in predicate.parts]
    yes, maybe, unknown = bits.everything, bits.everything, 0
    for part in parts:
        yes &= part.yes
        maybe &= part.maybe
        unknown |= part.unknown
    unknown &= maybe
    return Answer(yes, maybe & ~yes & ~unknown, unknown)


def _any_of(bits: Bits, predicate: AnyOf, family: Family) -> Answer:
    yes = opened = unknown = 0
    for part in predicate.parts:
        found = bits.answer(part, family)
        yes |= found.yes
        opened |= found.open
        unknown |= found.unknown
    unknown &= ~yes
    return Answer(yes, opened & ~yes & ~unknown, unknown)


def _not(bits: Bits, predicate: Not, family: Family) -> Answer:
    found = bits.answer(predicate.part, family)
    return Answer(bits.everything & ~found.maybe, found.open, found.unknown)


def _unsure(bits: Bits, predicate: Unsure, family: Family) -> Answer:
    found = bits.answer(predicate.where, family).maybe
    return Answer(0, found) if predicate.answer is Match.OPEN else Answer(0, 0, found)


_ANSWERS: dict[type, Callable[[Bits, Any, Family], Answer]] = {
    Everything: lambda bits, *_: Answer(bits.everything),
    IsKind: lambda bits, predicate, _: Answer(bits.everything if EndKind.POD in predicate.kinds else 0),
    PodLabels: lambda bits, predicate, _: Answer(bits.labelled(predicate.selector)),
    NamespaceLabels: lambda bits, predicate, _: bits.at_home(predicate.selector),
    InNamespace: lambda bits, predicate, _: Answer(bits.homes.get(predicate.name, 0)),
    NodeLabels: lambda *_: NONE,
    OwnNode: lambda *_: NONE,
    InBlock: lambda bits, predicate, family: bits.in_block(predicate, family),
    AllOf: _all_of,
    AnyOf: _any_of,
    Not: _not,
    Unsure: _unsure,
}

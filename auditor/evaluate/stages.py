"""What the sections of one rank do to flows that are undecided, for all flows at once.

Pure.  A stage has two sides: `key` classes are destinations and `value` classes sources, whichever of them is the
subject, so that the results of both directions lie in the same order and are joined by bit operations alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from auditor.evaluate.bits import Answer, Bits, ones
from auditor.model.flow import Direction, Family
from auditor.model.matrix import Query, Rows
from auditor.model.rules import Action, AnyOf, Ports, Predicate, Section


@dataclass(slots=True)
class Effect:
    """For undecided flows, by destination: where they may be decided, may pass on, may stay undecided."""

    allow: Rows
    deny: Rows
    skip: Rows
    """PASS."""
    stay: Rows
    unread: Rows
    """Where an UNKNOWN was met before the outcome was certain."""


class Additive:
    """Sections that only allow: their rules are folded by subject and peer, which is most of every cluster's work."""

    def __init__(self, bits: Bits, sections: Iterable[Section], family: Family, queries: Sequence[Query]) -> None:
        """Fold `sections`, which are all of one direction, for each of `queries`."""
        self._bits = bits
        self._family = family
        self._queries = queries
        self._masks: dict[tuple[Ports, ...], list[int]] = {}
        kinds = ("yes", "open", "unknown")
        self._always: dict[str, dict[int, int]] = {kind: defaultdict(int) for kind in kinds}
        self._by_query: list[dict[str, dict[int, int]]] = [{kind: defaultdict(int) for kind in kinds} for _ in queries]
        for section in sections:
            self._add(section)
        self._base = {kind: _spread(found, bits) for kind, found in self._always.items() if found}

    def _add(self, section: Section) -> None:
        bits = self._bits
        subject = bits.answer(section.subject, self._family)
        if not subject.maybe:
            return
        ingress = section.direction is Direction.INGRESS
        for clause in section.clauses:
            for part in (clause.peer,) if ingress else _alternatives(clause.peer):
                peer = bits.answer(part, self._family)
                if clause.unsure:
                    peer = Answer(0, 0, peer.maybe)
                for kind, ours, theirs in _pairs(subject, peer):
                    key, value = (ours, theirs) if ingress else (theirs, ours)
                    self._fold(kind, key, value, clause.ports)

    def _fold(self, kind: str, key: int, value: int, ports: tuple[Ports, ...]) -> None:
        """Let `value` classes reach `key` classes on these ports."""
        if not ports:
            self._always[kind][key] |= value
            return
        masks = self._masks.get(ports)
        if masks is None:
            masks = self._masks[ports] = [self._bits.meant(ports, *query) for query in self._queries]
        for number, mask in enumerate(masks):
            if mask and (meant := key & mask):
                self._by_query[number][kind][meant] |= value

    def allowed(self, number: int) -> tuple[Rows, Rows | None, Rows | None]:
        """Rows of a query: sources that are allowed, perhaps allowed (OPEN), perhaps allowed (UNKNOWN)."""
        found = self._by_query[number]
        yes = self._rows("yes", found) or [0] * len(self._bits.classes)
        return yes, self._rows("open", found), self._rows("unknown", found)

    def _rows(self, kind: str, found: dict[str, dict[int, int]]) -> Rows | None:
        base = self._base.get(kind)
        if not found[kind]:
            return base
        return _spread(found[kind], self._bits, base)


def _alternatives(peer: Predicate) -> tuple[Predicate, ...]:
    """Peers that are meant one by one: many policies share each, and few share all of them together."""
    return peer.parts if isinstance(peer, AnyOf) else (peer,)


def _pairs(subject: Answer, peer: Answer) -> Iterable[tuple[str, int, int]]:
    """Split subject AND peer into what is certain and what is not."""
    for kind, ours, theirs in (
        ("yes", subject.yes, peer.yes),
        ("open", subject.yes, peer.open),
        ("unknown", subject.yes, peer.unknown),
        ("unknown", subject.unknown, peer.maybe),
    ):
        if ours and theirs:
            yield kind, ours, theirs


def _spread(found: dict[int, int], bits: Bits, base: Rows | None = None) -> Rows:
    """Turn sets of destinations with their sources into one row for each destination."""
    everything = bits.everything
    general = found.get(everything, 0)
    rows = [general | row for row in base] if base else [general] * len(bits.classes)
    for key, value in found.items():
        if key != everything:
            for number in ones(key):
                rows[number] |= value
    return rows


class Ordered:
    """Sections of which the first that matches decides, rank by rank."""

    def __init__(
        self, bits: Bits, ranks: Sequence[Sequence[Section]], family: Family, queries: Sequence[Query]
    ) -> None:
        """Take the sections of one direction, by rank."""
        self._bits = bits
        self._family = family
        self._queries = queries
        self._ranks = ranks
        self._direction = ranks[0][0].direction
        self._groups = self._partition()

    def _partition(self) -> list[tuple[int, list[list[tuple[Section, bool]]]]]:
        """Subjects by the sections that select them; those that none selects are left out."""
        chosen: dict[int, list[tuple[int, int, bool]]] = defaultdict(list)
        for position, rank in enumerate(self._ranks):
            for place, section in enumerate(rank):
                subject = self._bits.answer(section.subject, self._family)
                for bits, sure in ((subject.yes, True), (subject.unknown | subject.open, False)):
                    for number in ones(bits):
                        chosen[number].append((position, place, sure))
        groups: dict[tuple[tuple[int, int, bool], ...], int] = defaultdict(int)
        for number, found in chosen.items():
            groups[tuple(sorted(found))] |= 1 << number
        made = []
        for key, bits in groups.items():
            ranks: list[list[tuple[Section, bool]]] = [[] for _ in self._ranks]
            for position, place, sure in key:
                ranks[position].append((self._ranks[position][place], sure))
            made.append((bits, [rank for rank in ranks if rank]))
        return made

    def effect(self, number: int) -> Effect:
        """What happens to undecided flows of a query."""
        bits, size = self._bits, len(self._bits.classes)
        effect = Effect([0] * size, [0] * size, [0] * size, [bits.everything] * size, [0] * size)
        ingress = self._direction is Direction.INGRESS
        for subjects, ranks in self._groups:
            parts = self._by_names(subjects, ranks, self._queries[number]) if ingress else [subjects]
            for part in parts:
                planes = _Walk(bits, self._family, self._queries[number], part if ingress else None).through(ranks)
                if ingress:
                    _store(effect, part, planes)
                else:
                    _transpose(effect, part, planes, bits.everything)
        return effect

    def _by_names(self, subjects: int, ranks: list[list[tuple[Section, bool]]], query: Query) -> list[int]:
        """Split destinations that named ports tell apart."""
        parts = [subjects]
        masks = {
            self._bits.meant(clause.ports, *query)
            for rank in ranks
            for section, _ in rank
            for clause in section.clauses
            if clause.ports and any(term.name for ports in clause.ports for term in ports.terms)
        }
        for mask in sorted(masks):
            parts = [half for part in parts for half in (part & mask, part & ~mask) if half]
        return parts


Planes = tuple[int, int, int, int, int]
"""allow, deny, skip, stay, unread: sets of peers."""


def _store(effect: Effect, subjects: int, planes: Planes) -> None:
    for number in ones(subjects):
        effect.allow[number], effect.deny[number], effect.skip[number] = planes[:3]
        effect.stay[number], effect.unread[number] = planes[3:]


def _transpose(effect: Effect, subjects: int, planes: Planes, everything: int) -> None:
    """Note by destination what was found by source."""
    allow, deny, skip, stay, unread = planes
    for rows, found in ((effect.allow, allow), (effect.deny, deny), (effect.skip, skip), (effect.unread, unread)):
        for number in ones(found):
            rows[number] |= subjects
    for number in ones(everything & ~stay):
        effect.stay[number] &= ~subjects


class _Walk:
    """A walk of one group of subjects through ranks, with sets of peers in the place of one."""

    def __init__(self, bits: Bits, family: Family, query: Query, destinations: int | None) -> None:
        """Ask about `query`; `destinations` are the subjects for ingress, None where the peers are the destinations."""
        self._bits = bits
        self._family = family
        self._query = query
        self._destinations = destinations

    def through(self, ranks: Sequence[Sequence[tuple[Section, bool]]]) -> Planes:
        """Ask rank after rank until nothing is undecided."""
        allow = deny = skip = unread = 0
        stay = self._bits.everything
        for rank in ranks:
            if not stay:
                break
            found = [self._section(section, stay, sure=sure) for section, sure in rank]
            one, two, three, doubt = (_union(item[place] for item in found) for place in (0, 1, 2, 4))
            rest = stay
            for item in found:
                rest &= item[3]
            several = (one & two) | (one & three) | (two & three)
            unread |= doubt & (rest | several)
            allow, deny, skip, stay = allow | one, deny | two, skip | three, rest
        return allow, deny, skip, stay, unread

    def _section(self, section: Section, undecided: int, *, sure: bool) -> Planes:
        acted = {Action.ALLOW: 0, Action.DENY: 0, Action.PASS: 0}
        unread, stay = 0, undecided
        for clause in section.clauses:
            if not stay:
                break
            mask = self._mask(clause.ports)
            if not mask:
                continue
            found = self._bits.answer(clause.peer, self._family)
            maybe = found.maybe & stay & mask
            yes, doubt = (0, maybe) if clause.unsure else (found.yes & maybe, found.unknown & maybe)
            acted[clause.action] |= maybe
            unread |= doubt if sure else maybe
            stay &= ~yes
        # It is the section as a whole that applies or does not.
        stay = stay if sure and not section.perhaps else undecided
        return acted[Action.ALLOW], acted[Action.DENY], acted[Action.PASS], stay, unread

    def _mask(self, ports: tuple[Ports, ...]) -> int:
        """Peers for which the ports fit: all or none where the subject is the destination."""
        everything = self._bits.everything
        if not ports:
            return everything
        fitting = self._bits.meant(ports, *self._query)
        if self._destinations is None:
            return fitting
        return everything if fitting & self._destinations else 0


def _union(parts: Iterable[int]) -> int:
    found = 0
    for part in parts:
        found |= part
    return found

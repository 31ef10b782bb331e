"""All flows between all pods of a snapshot at once, as sets of classes.

Pure.  Exactly what `Model.decide` says of each flow, some ten thousand times as fast.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

from auditor.evaluate.bits import Answer, Bits
from auditor.evaluate.classes import Class, classify, vocabulary
from auditor.evaluate.model import Model
from auditor.evaluate.stages import Additive, Effect, Ordered
from auditor.model.cluster import Pod
from auditor.model.flow import Direction, Family, Verdict
from auditor.model.matrix import Plane, Query, Rows
from auditor.model.rules import Action, Section, Tier


class Classified:
    """Pods in classes, and the bits that answer for them."""

    def __init__(self, model: Model, pods: Iterable[Pod]) -> None:
        """Classify `pods`; those that policies do not apply to are left out."""
        self.model = model
        self.sections: tuple[Section, ...] = tuple(model.all_sections())
        self.words = vocabulary(self.sections)
        self.classes: tuple[Class, ...] = classify(model, pods, self.words)
        self.bits = Bits(self.classes)
        self.having = {family: self.bits.having(family) for family in Family}
        """The classes that have an address of each family."""

    @cached_property
    def number(self) -> dict[tuple[str, str], int]:
        """The class of each pod by namespace and name."""
        return {(pod.namespace, pod.name): i for i, item in enumerate(self.classes) for pod in item.pods}


@dataclass(frozen=True)
class Reach:
    """Verdicts between classes of pods; between two members of one class, never of a pod with itself."""

    classified: Classified
    queries: tuple[Query, ...]
    families: tuple[Family, ...]
    planes: dict[tuple[Family, Query], Plane]

    @property
    def classes(self) -> tuple[Class, ...]:
        """The classes, by number."""
        return self.classified.classes

    def verdict(self, source: Pod, destination: Pod, family: Family, query: Query) -> Verdict:
        """The verdict between two pods."""
        one, other = (source.namespace, source.name), (destination.namespace, destination.name)
        if one == other:
            everywhere, names = self.classified.model.dark
            return Verdict.UNKNOWN if everywhere or source.namespace in names else Verdict.ALLOWED
        number = self.classified.number
        return self.planes[family, query].verdict(number[one], number[other])


def reach(
    model: Model, pods: Iterable[Pod], queries: Sequence[Query], families: Sequence[Family] | None = None
) -> Reach:
    """Predict every flow between `pods` for each query (protocol and port) and family, by default those in use."""
    return between(Classified(model, pods), queries, families)


def between(known: Classified, queries: Sequence[Query], families: Sequence[Family] | None = None) -> Reach:
    """Predict every flow between classes of pods."""
    wanted = tuple(family for family in Family if known.having[family]) if families is None else tuple(families)
    planes: dict[tuple[Family, Query], Plane] = {}
    alike: list[Plane] | None = None
    for family in wanted:
        # Families differ only where a block holds the address of a pod.
        touched = any(known.bits.answer(block, family).maybe for block in known.words.blocks)
        found = alike if alike is not None and not touched else list(_planes(known, family, queries))
        alike = alike if touched else found
        planes |= {(family, query): plane for query, plane in zip(queries, found, strict=True)}
    return Reach(known, tuple(queries), wanted, planes)


def _planes(known: Classified, family: Family, queries: Sequence[Query]) -> Iterator[Plane]:
    bits, sections = known.bits, known.sections
    egress, ingress = (
        _OneWay(bits, direction, [item for item in sections if item.direction is direction], family, queries)
        for direction in (Direction.EGRESS, Direction.INGRESS)
    )
    everywhere, names = known.model.dark
    dark = bits.everything if everywhere else sum(bits.homes.get(name, 0) for name in names)
    for number in range(len(queries)):
        plane = _join(egress.rows(number), ingress.rows(number))
        yield _darken(plane, dark, bits) if dark else plane


Found = tuple[Rows, Rows | None, Rows | None]
"""One direction's rows: allowed, undefined, unknown; the rest is denied."""


def _join(egress: Found, ingress: Found) -> Plane:
    """Put both directions together: a flow needs both, and one certain denial is enough."""
    allowed = [one & other for one, other in zip(egress[0], ingress[0], strict=True)]
    if egress[1:] == ingress[1:] == (None, None):
        return Plane(allowed)
    undefined, unknown = [], []
    for (one, open_one, dark_one), (other, open_other, dark_other) in zip(_each(egress), _each(ingress), strict=True):
        possible = (one | open_one | dark_one) & (other | open_other | dark_other)
        unread = (dark_one | dark_other) & possible
        unknown.append(unread)
        undefined.append((open_one | open_other) & possible & ~unread)
    return Plane(allowed, undefined if any(undefined) else None, unknown if any(unknown) else None)


def _each(found: Found) -> Iterator[tuple[int, int, int]]:
    allowed, undefined, unknown = found
    nothing = [0] * len(allowed)
    return zip(allowed, undefined or nothing, unknown or nothing, strict=True)


def _darken(plane: Plane, dark: int, bits: Bits) -> Plane:
    """Make every flow UNKNOWN that has an end in `dark`."""
    allowed, undefined, unknown = [], [], []
    for number, row in enumerate(_each((plane.allowed, plane.undefined, plane.unknown))):
        hidden = bits.everything if dark >> number & 1 else dark
        allowed.append(row[0] & ~hidden)
        undefined.append(row[1] & ~hidden)
        unknown.append(row[2] | hidden)
    return Plane(allowed, undefined if any(undefined) else None, unknown)


class _OneWay:
    """All tiers of one direction."""

    def __init__(
        self, bits: Bits, direction: Direction, sections: Sequence[Section], family: Family, queries: Sequence[Query]
    ) -> None:
        self._bits = bits
        self._ingress = direction is Direction.INGRESS
        self._tiers: list[tuple[Answer, list[Additive | Ordered]]] = []
        # Most sections share tier and rank, so that sorting is no more than a look at each.
        ordered = sorted(sections, key=lambda item: (item.tier, item.rank))
        for tier, members in groupby(ordered, key=lambda item: item.tier):
            ranks = [list(group) for _, group in groupby(members, key=lambda item: item.rank)]
            stages = [_stage(bits, part, family, queries) for part in _parts(ranks)]
            self._tiers.append((_isolated(bits, tier, ranks, family), stages))

    def rows(self, number: int) -> Found:
        """What this direction says of a query."""
        if not self._tiers:
            return [self._bits.everything] * len(self._bits.classes), None, None
        isolated, stages = self._tiers[0]
        if len(self._tiers) == 1 and len(stages) == 1 and isinstance(stages[0], Additive):
            return self._plain(stages[0], isolated, number)
        return self._composed(number)

    def _plain(self, stage: Additive, isolated: Answer, number: int) -> Found:
        """Rows where there is nothing but policies that add to each other."""
        everything = self._bits.everything
        allowed, opened, unread = stage.allowed(number)
        if not self._ingress:
            free = everything & ~isolated.maybe
            allowed = [row | free for row in allowed]
        elif isolated.maybe != everything:
            allowed = [row if isolated.maybe >> place & 1 else everything for place, row in enumerate(allowed)]
        if opened is None and unread is None and not isolated.unknown:
            return allowed, None, None
        unknown = unread or [0] * len(allowed)
        if isolated.unknown:
            unknown = [row | self._subjects(isolated.unknown, place) for place, row in enumerate(unknown)]
        unknown = [row & ~sure for row, sure in zip(unknown, allowed, strict=True)]
        undefined = None
        if opened is not None:
            undefined = [row & ~sure & ~dark for row, sure, dark in zip(opened, allowed, unknown, strict=True)]
        return allowed, undefined, unknown

    def _subjects(self, chosen: int, place: int) -> int:
        """The sources of a destination whose flows have a subject among `chosen`."""
        if self._ingress:
            return self._bits.everything if chosen >> place & 1 else 0
        return chosen

    def _composed(self, number: int) -> Found:
        """Rows of several stages, one after the other: what a stage leaves undecided is the next one's."""
        size, everything = len(self._bits.classes), self._bits.everything
        course = Effect([0] * size, [0] * size, [0] * size, [everything] * size, [0] * size)
        for isolated, stages in self._tiers:
            for stage in stages:
                _apply(course, _effect(stage, number, everything))
            for place in range(size):
                self._end_tier(course, isolated, place)
        undefined, unknown = [], []
        for place in range(size):
            course.allow[place] |= course.stay[place]
            both = course.allow[place] & course.deny[place]
            course.allow[place] &= ~both
            unknown.append(both & course.unread[place])
            undefined.append(both & ~course.unread[place])
        return course.allow, undefined if any(undefined) else None, unknown if any(unknown) else None

    def _end_tier(self, course: Effect, isolated: Answer, place: int) -> None:
        """Deny what is undecided at the end of a tier that isolates; what passed goes on."""
        stay = course.stay[place]
        sure, doubtful = self._subjects(isolated.yes, place), self._subjects(isolated.unknown, place)
        course.deny[place] |= stay & (sure | doubtful)
        course.unread[place] |= stay & doubtful & ~sure
        course.stay[place] = (stay & ~sure) | course.skip[place]
        course.skip[place] = 0


def _apply(course: Effect, effect: Effect) -> None:
    """Let a stage act on what is undecided."""
    for place, stay in enumerate(course.stay):
        if stay:
            course.allow[place] |= stay & effect.allow[place]
            course.deny[place] |= stay & effect.deny[place]
            course.skip[place] |= stay & effect.skip[place]
            course.unread[place] |= stay & effect.unread[place]
            course.stay[place] = stay & effect.stay[place]


def _effect(stage: Additive | Ordered, number: int, everything: int) -> Effect:
    if isinstance(stage, Ordered):
        return stage.effect(number)
    yes, opened, unread = stage.allowed(number)
    nothing = [0] * len(yes)
    doubt = [dark & ~sure for sure, dark in zip(yes, unread or nothing, strict=True)]
    allow = [sure | maybe | dark for sure, maybe, dark in zip(yes, opened or nothing, doubt, strict=True)]
    return Effect(allow, nothing, nothing, [everything & ~sure for sure in yes], doubt)


def _parts(ranks: Sequence[Sequence[Section]]) -> Iterator[list[Sequence[Section]]]:
    """Runs of ranks that one stage can take: one that only allows alone, others together."""
    for _, run in groupby(enumerate(ranks), key=lambda item: item[0] if _only_allows(item[1]) else -1):
        yield [rank for _, rank in run]


def _only_allows(rank: Iterable[Section]) -> bool:
    return all(clause.action is Action.ALLOW for section in rank for clause in section.clauses)


def _stage(
    bits: Bits, ranks: Sequence[Sequence[Section]], family: Family, queries: Sequence[Query]
) -> Additive | Ordered:
    if len(ranks) == 1 and _only_allows(ranks[0]):
        return Additive(bits, ranks[0], family, queries)
    return Ordered(bits, ranks, family, queries)


def _isolated(bits: Bits, tier: Tier, ranks: Iterable[Iterable[Section]], family: Family) -> Answer:
    """The subjects for which the tier ends with a denial."""
    yes = unknown = 0
    if tier.end is Action.DENY:
        for section in (section for rank in ranks for section in rank if section.isolates):
            found = bits.answer(section.subject, family)
            yes |= found.yes
            unknown |= found.maybe
    return Answer(yes, 0, unknown & ~yes)

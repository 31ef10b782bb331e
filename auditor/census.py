"""What a prediction asks for, as cells, and how many pairs of pods have which verdict: taken from whole sets.

Pure.  A cell is a byte with one bit for each verdict, in the order of `Verdict`; several bits where it stands for
several flows, none where nothing was asked.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from auditor.model.flow import Family, Verdict
from auditor.model.matrix import Plane, Query
from auditor.model.prediction import Prediction

VERDICTS = tuple(Verdict)
BIT = {verdict: 1 << place for place, verdict in enumerate(VERDICTS)}
# A class is a hexadecimal digit while rows are put together: denied is in no set.
_CELL_OF_DIGIT = bytes.maketrans(
    b"0124", bytes(BIT[it] for it in (Verdict.DENIED, Verdict.ALLOWED, Verdict.UNDEFINED, Verdict.UNKNOWN))
)


@dataclass(frozen=True, slots=True)
class Asked:
    """One port in one family: who may send, and who was asked about; positions of identities."""

    family: Family
    query: Query
    sources: tuple[int, ...]
    destinations: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Total:
    """Pairs of pods by verdict for one port in one family; a pod and itself are no pair."""

    family: Family
    query: Query
    pairs: tuple[tuple[Verdict, int], ...]
    """Verdicts that occur, in the order of `Verdict`."""


@dataclass(frozen=True, slots=True)
class Folded:
    """Cells between namespaces: the verdicts that occur among the identities of both, a pod and itself left out."""

    sources: tuple[str, ...]
    destinations: tuple[str, ...]
    cells: tuple[bytes, ...]
    """A row for each source, in it a cell for each destination."""
    alone: tuple[str, ...] = ()
    """Where both ends can only be one and the same pod; the cell is what another pod like it would get."""


def asked(prediction: Prediction) -> tuple[Asked, ...]:
    """Everything that was asked for, each cell once: by port, family and part of the matrix."""
    families = [identity.pods[0].families for identity in prediction.matrix.identities]
    parts = [(sources, _by_query(prediction, destinations)) for sources, destinations in _parts(prediction)]
    found = []
    for query in prediction.queries:
        for family in prediction.matrix.families:
            if (family, query) not in prediction.matrix.planes:
                continue
            for sources, wanted in parts:
                senders = tuple(place for place in sources if family in families[place])
                receivers = tuple(place for place in wanted.get(query, ()) if family in families[place])
                if senders and receivers:
                    found.append(Asked(family, query, senders, receivers))
    return tuple(found)


def _parts(prediction: Prediction) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """The matrix as rectangles that do not overlap: one, or two where each flow must have an end in scope."""
    sources, destinations, scope = prediction.sources, prediction.destinations, prediction.scope
    if scope is None:
        yield sources, destinations
        return
    yield tuple(place for place in sources if place in scope), destinations
    outside = tuple(place for place in sources if place not in scope)
    yield outside, tuple(place for place in destinations if place in scope)


def _by_query(prediction: Prediction, destinations: Sequence[int]) -> dict[Query, Sequence[int]]:
    """The destinations that each port is asked of."""
    if prediction.all_ports:
        return dict.fromkeys(prediction.queries, destinations)
    found: dict[Query, list[int]] = defaultdict(list)
    for place in destinations:
        for query in prediction.matrix.identities[place].asks:
            found[query].append(place)
    return dict(found)


def alone(prediction: Prediction, item: Asked) -> frozenset[int]:
    """The positions that are both ends and a single pod: it reaches itself, whatever its cell on the diagonal says."""
    both = set(item.sources).intersection(item.destinations)
    return frozenset(place for place in both if prediction.matrix.identities[place].alone)


def cells(prediction: Prediction, item: Asked) -> list[bytes]:
    """A row for each source, in it a cell for each destination.

    On the diagonal it is that of two members of one identity, or would be, where the identity is `alone`.
    """
    matrix = prediction.matrix
    plane = matrix.planes[item.family, item.query]
    size = len(plane.allowed)
    columns = b"".join(_column(plane, matrix.places[place], size) for place in item.destinations)
    # A column begins with the highest class, as numbers do.
    return [columns[size - 1 - matrix.places[place] :: size] for place in item.sources]


def _column(plane: Plane, number: int, size: int) -> bytes:
    """The cells of one destination, one for each class, the last class first."""
    allowed, undefined, unknown = _sets(plane, number)
    text = format(allowed, f"0{size}b")
    if undefined or unknown:
        digits = int(text, 16) | int(format(undefined, "b"), 16) << 1 | int(format(unknown, "b"), 16) << 2
        text = format(digits, f"0{size}x")
    return text.encode("ascii").translate(_CELL_OF_DIGIT)


def _sets(plane: Plane, number: int) -> tuple[int, int, int]:
    """The sources from which a class is ALLOWED, UNDEFINED and UNKNOWN, no source in two of them."""
    allowed = plane.allowed[number]
    undefined = plane.undefined[number] & ~allowed if plane.undefined is not None else 0
    unknown = plane.unknown[number] & ~allowed & ~undefined if plane.unknown is not None else 0
    return allowed, undefined, unknown


def totals(prediction: Prediction, items: Sequence[Asked]) -> tuple[Total, ...]:
    """Count pairs of pods for each port and family, in the order of `items`."""
    scales: dict[tuple[int, ...], _Scale] = {}
    found: dict[tuple[Family, Query], Counter[Verdict]] = {}
    for item in items:
        if item.sources not in scales:
            scales[item.sources] = _Scale(prediction, item.sources)
        tally = found.setdefault((item.family, item.query), Counter())
        tally.update(_tally(prediction, item, scales[item.sources]))
    return tuple(
        Total(family, query, tuple((verdict, tally[verdict]) for verdict in VERDICTS if tally[verdict]))
        for (family, query), tally in found.items()
    )


class _Scale:
    """Weighs sets of classes by the pods of sources: one mask for each binary digit of their numbers."""

    def __init__(self, prediction: Prediction, sources: Sequence[int]) -> None:
        self.sources = frozenset(sources)
        masks: dict[int, int] = defaultdict(int)
        for place in sources:
            pods = len(prediction.matrix.identities[place].pods)
            for digit in range(pods.bit_length()):
                if pods >> digit & 1:
                    masks[digit] |= 1 << prediction.matrix.places[place]
        self._masks = tuple(masks.items())
        self.all = sum(mask.bit_count() << digit for digit, mask in self._masks)

    def pods(self, classes: int) -> int:
        """How many pods a set of classes holds."""
        return sum((classes & mask).bit_count() << digit for digit, mask in self._masks)


def _tally(prediction: Prediction, item: Asked, scale: _Scale) -> dict[Verdict, int]:
    matrix = prediction.matrix
    plane = matrix.planes[item.family, item.query]
    pairs, everything = [0] * len(_IN_SETS), 0
    for place in item.destinations:
        pods, number = len(matrix.identities[place].pods), matrix.places[place]
        # Each pod of an identity has one peer less in it.
        itself = place in scale.sources
        everything += pods * (scale.all - itself)
        for which, row in enumerate(_sets(plane, number)):
            if row:
                pairs[which] += pods * (scale.pods(row) - (itself and row >> number & 1))
    return {**dict(zip(_IN_SETS, pairs, strict=True)), Verdict.DENIED: everything - sum(pairs)}


_IN_SETS = (Verdict.ALLOWED, Verdict.UNDEFINED, Verdict.UNKNOWN)


def folded(prediction: Prediction, item: Asked) -> Folded:
    """Fold cells by the namespaces of both ends."""
    matrix = prediction.matrix
    plane = matrix.planes[item.family, item.query]
    senders: dict[str, int] = defaultdict(int)
    for place in item.sources:
        senders[matrix.identities[place].namespace] |= 1 << matrix.places[place]
    receivers: dict[str, list[int]] = defaultdict(list)
    for place in item.destinations:
        receivers[matrix.identities[place].namespace].append(matrix.places[place])
    everybody = sum(senders.values())
    single = {matrix.places[place] for place in alone(prediction, item)}
    only = {name: numbers[0] for name, numbers in receivers.items() if senders.get(name) == _sole(numbers, single)}
    single -= set(only.values())
    columns = [_met(plane, receivers[name], everybody, single) for name in sorted(receivers)]
    rows = tuple(
        bytes(sum(bit for bit, met in column if met & senders[name]) for column in columns) for name in sorted(senders)
    )
    return Folded(tuple(sorted(senders)), tuple(sorted(receivers)), rows, tuple(sorted(only)))


def _sole(numbers: Sequence[int], single: AbstractSet[int]) -> int:
    """The set of the one pod that these classes are; no set at all where they are more."""
    return 1 << numbers[0] if len(numbers) == 1 and numbers[0] in single else -1


def _met(plane: Plane, numbers: Sequence[int], everybody: int, single: AbstractSet[int]) -> list[tuple[int, int]]:
    """For each verdict its bit, and the sources that have it with at least one of these destinations."""
    met = dict.fromkeys(VERDICTS, 0)
    for number in numbers:
        others = everybody & ~(1 << number) if number in single else everybody
        sets = _sets(plane, number)
        for verdict, row in zip(_IN_SETS, sets, strict=True):
            met[verdict] |= row & others
        met[Verdict.DENIED] |= others & ~(sets[0] | sets[1] | sets[2])
    return [(BIT[verdict], row) for verdict, row in met.items() if row]

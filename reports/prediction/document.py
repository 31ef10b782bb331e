"""The document that `-o json` writes: small though complete, since rows that are alike are written once.

Later versions of schema 1 add fields and never rename or remove one.  Texts are as the cluster has them.

Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from auditor.accord import entry_of
from auditor.census import Asked, Total, alone, asked, cells, folded, totals
from auditor.model.lint import LintFinding
from auditor.model.matrix import Identity
from auditor.model.prediction import Coverage, Excluded, Prediction, Unselected
from auditor.model.problem import Problem
from auditor.model.report import ExpectationEntry
from reports.prediction import view
from reports.words import MIXED, VERDICTS

SCHEMA = "netaudit.prediction/1"
NAMED_PODS = 1_000
"""With more pods than this in all, identities give their number and no names."""


@dataclass(frozen=True, slots=True)
class PortEntry:
    """A port of a protocol."""

    protocol: str
    port: int


@dataclass(frozen=True, slots=True)
class IdentityEntry:
    """Pods that no policy tells apart."""

    id: str
    namespace: str
    title: str
    owners: list[str]
    pods: int
    names: list[str]
    """Of its pods; empty where the cluster has too many."""
    labels: dict[str, str]
    """Those that policies can see."""
    account: str
    """The service account, where policies can see it."""
    families: list[str]
    ports: list[PortEntry]
    """Declared, named by policies, and one that nobody names."""
    isolated: list[str]


@dataclass(frozen=True, slots=True)
class PlaneEntry:
    """Verdicts for one port in one family; several entries of a port are parts of one matrix.

    From `sources[i]` to `destinations[j]` it is the sign `rows[index[i]][j]`; ends are positions in `identities`, or in
    `namespaces`, counted from 0.  Between one of `alone` and itself the sign is what another pod like it would get.
    """

    family: str
    protocol: str
    port: int
    sources: list[int]
    destinations: list[int]
    alone: list[int]
    """Ends, both sources and destinations, that are a single pod: it reaches itself whatever policies say."""
    rows: list[str]
    index: list[int]


@dataclass(frozen=True, slots=True)
class TotalEntry:
    """Pairs of pods by verdict."""

    family: str
    protocol: str
    port: int
    allowed: int = 0
    denied: int = 0
    undefined: int = 0
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class Document:
    """The answer to `netaudit predict`."""

    schema: str
    origin: str
    engine: str
    """Whose dialect answers what the API leaves open; empty where none is known."""
    pods: int
    policies: int
    namespaces: list[str]
    identities: list[IdentityEntry]
    """Those that are an end of some flow that was asked for."""
    ports: list[PortEntry]
    unnamed_ports: list[PortEntry]
    """Ports that no policy names and no container declares: each stands for all of its kind."""
    signs: dict[str, str]
    """What the characters of rows mean."""
    matrix: list[PlaneEntry]
    by_namespace: list[PlaneEntry]
    """The same with the verdicts of all identities of both namespaces folded into one sign."""
    totals: list[TotalEntry]
    coverage: list[Coverage]
    unselected: list[Unselected]
    excluded: list[Excluded]
    unread: list[str]
    findings: list[LintFinding]
    problems: list[Problem]
    warnings: list[str]
    expectations: list[ExpectationEntry] = field(default_factory=list)
    """What of the user's expectations the policies say."""


def document(prediction: Prediction) -> Document:
    """Put the document together."""
    items = asked(prediction)
    ends = view.shown(prediction)
    place = {position: number for number, position in enumerate(ends)}
    home = {name: number for number, name in enumerate(prediction.namespaces)}
    return Document(
        schema=SCHEMA,
        origin=prediction.origin,
        engine=prediction.engine,
        pods=prediction.pods,
        policies=prediction.policies,
        namespaces=list(prediction.namespaces),
        identities=_identities(prediction, ends),
        ports=[PortEntry(protocol.value, port) for protocol, port in prediction.queries],
        unnamed_ports=[PortEntry(protocol.value, port) for protocol, port in prediction.unnamed],
        signs={sign.glyph: sign.word for sign in (*VERDICTS.values(), MIXED)},
        matrix=[
            _plane(
                item,
                cells(prediction, item),
                [place[it] for it in item.sources],
                [place[it] for it in item.destinations],
                sorted(place[it] for it in alone(prediction, item)),
            )
            for item in items
        ],
        by_namespace=[
            _plane(
                item,
                fold.cells,
                *([home[it] for it in names] for names in (fold.sources, fold.destinations, fold.alone)),
            )
            for item, fold in ((item, folded(prediction, item)) for item in items)
        ],
        totals=[_total(total) for total in totals(prediction, items)],
        coverage=list(prediction.coverage),
        unselected=list(prediction.unselected),
        excluded=list(prediction.excluded),
        unread=list(prediction.unread),
        findings=list(prediction.findings),
        problems=list(prediction.problems),
        warnings=list(prediction.warnings),
        expectations=[entry_of(answer) for answer in prediction.expectations],
    )


def _total(item: Total) -> TotalEntry:
    pairs = {verdict.value: number for verdict, number in item.pairs}
    return TotalEntry(item.family.value, item.query[0].value, item.query[1], **pairs)


def _identities(prediction: Prediction, ends: Iterable[int]) -> list[IdentityEntry]:
    named = prediction.pods <= NAMED_PODS
    return [_identity(prediction.matrix.identities[position], named=named) for position in ends]


def _identity(item: Identity, *, named: bool) -> IdentityEntry:
    return IdentityEntry(
        id=item.id,
        namespace=item.namespace,
        title=item.title,
        owners=[str(owner) for owner in item.owners],
        pods=len(item.pods),
        names=[pod.name for pod in item.pods] if named else [],
        labels=dict(item.labels),
        account=item.account,
        families=[family.value for family in item.pods[0].families],
        ports=[PortEntry(protocol.value, port) for protocol, port in item.asks],
        isolated=sorted(direction.value for direction in item.isolated),
    )


def _plane(
    item: Asked, found: Sequence[bytes], sources: list[int], destinations: list[int], single: list[int]
) -> PlaneEntry:
    """Write each row that occurs once, in the order in which sources have them."""
    number: dict[bytes, int] = {}
    index = [number.setdefault(row, len(number)) for row in found]
    return PlaneEntry(
        item.family.value,
        item.query[0].value,
        item.query[1],
        sources,
        destinations,
        single,
        [view.signs(row) for row in number],
        index,
    )

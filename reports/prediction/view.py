"""What formats of a prediction share: names, ports, order and grouping.

Pure.  Texts are raw: each format neutralises them on its own edge.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from auditor.census import BIT, Total
from auditor.model.flow import Direction, Family
from auditor.model.lint import LintFinding, LintSeverity
from auditor.model.matrix import Identity, Query
from auditor.model.prediction import Coverage, Prediction
from reports.words import MIXED, VERDICTS


def _signs() -> bytes:
    single = {bit: VERDICTS[verdict].glyph for verdict, bit in BIT.items()}
    glyphs = "".join(single.get(cell, MIXED.glyph) for cell in range(1 << len(BIT)))
    return glyphs.encode("ascii").ljust(256)


SIGNS = _signs()
"""For `bytes.translate`: cells of `auditor.census` into signs."""


def signs(row: bytes) -> str:
    """A row of cells as signs, one character each."""
    return row.translate(SIGNS).decode("ascii")


def port_name(query: Query, unnamed: Sequence[Query] = ()) -> str:
    """A port as people write it: `80/TCP`; one that stands for all that nobody names is called so."""
    return f"any other {query[0].value} port" if query in unnamed else f"{query[1]}/{query[0].value}"


def port_names(
    asked: Iterable[tuple[Family, Query]], families: tuple[Family, ...], unnamed: Sequence[Query] = ()
) -> tuple[str, ...]:
    """Ports, each once; the family is named where a port is asked in some of the cluster's families only."""
    by_query: dict[Query, list[Family]] = {}
    for family, query in asked:
        by_query.setdefault(query, []).append(family)
    found = []
    for query, used in by_query.items():
        if set(used) >= set(families):
            found.append(port_name(query, unnamed))
        else:
            found += [f"{port_name(query, unnamed)} {family.value}" for family in used]
    return tuple(found)


def labels_text(identity: Identity) -> str:
    """The labels of an identity that policies can see."""
    return ", ".join(f"{key}={value}" for key, value in identity.labels)


def isolated_text(identity: Identity) -> str:
    """The directions in which policies have a say."""
    return " and ".join(it.value.lower() for it in Direction if it in identity.isolated)


def names(prediction: Prediction) -> list[str]:
    """A name for each identity: its title, and where several share one, what tells them apart."""
    identities = prediction.matrix.identities
    shared = Counter(identity.title for identity in identities)
    told = [_told_apart(identity) if shared[identity.title] > 1 else identity.title for identity in identities]
    again = Counter(told)
    return [f"{name} #{it.id}" if again[name] > 1 else name for name, it in zip(told, identities, strict=True)]


def _told_apart(identity: Identity) -> str:
    labels = labels_text(identity)
    return f"{identity.title} ({labels})" if labels else identity.title


def shown(prediction: Prediction) -> tuple[int, ...]:
    """Positions of the identities that are an end of some flow that was asked for."""
    return tuple(sorted({*prediction.sources, *prediction.destinations}))


@dataclass(frozen=True, slots=True)
class Covered:
    """How far policies reach in one namespace."""

    namespace: str
    pods: int
    ingress: int
    """Pods that are isolated."""
    ingress_default_deny: bool
    egress: int
    egress_default_deny: bool

    @property
    def closed(self) -> bool:
        """Whether nothing is left to be done: default deny both ways."""
        denies = self.ingress_default_deny and self.egress_default_deny
        return denies and self.ingress == self.egress == self.pods


def coverage(prediction: Prediction) -> tuple[Covered, ...]:
    """Coverage by namespace: those with most pods that nothing isolates come first."""
    by_namespace: dict[str, dict[Direction, Coverage]] = {}
    for item in prediction.coverage:
        by_namespace.setdefault(item.namespace, {})[item.direction] = item
    found = [_covered(name, ways) for name, ways in by_namespace.items()]
    return tuple(sorted(found, key=_exposed))


def _covered(name: str, ways: dict[Direction, Coverage]) -> Covered:
    ingress, egress = ways.get(Direction.INGRESS), ways.get(Direction.EGRESS)
    return Covered(
        name,
        max(item.pods for item in ways.values()),
        ingress.isolated if ingress else 0,
        ingress is not None and ingress.default_deny,
        egress.isolated if egress else 0,
        egress is not None and egress.default_deny,
    )


def _exposed(item: Covered) -> tuple[int, int, int, str]:
    denies = item.ingress_default_deny + item.egress_default_deny
    return item.ingress - item.pods, item.egress - item.pods, denies, item.namespace


@dataclass(frozen=True, slots=True)
class Oddity:
    """Findings of one rule, or a single one."""

    first: LintFinding
    times: int


def oddities(prediction: Prediction, most: int) -> tuple[Oddity, ...]:
    """Errors and warnings; folded by rule where there are more than `most`."""
    found = [item for item in prediction.findings if item.severity is not LintSeverity.INFO]
    if len(found) <= most:
        return tuple(Oddity(item, 1) for item in found)
    by_rule: dict[tuple[LintSeverity, str], list[LintFinding]] = {}
    for item in found:
        by_rule.setdefault((item.severity, item.id), []).append(item)
    groups = sorted(by_rule.values(), key=lambda group: (-group[0].severity.rank, -len(group), group[0].id))
    return tuple(Oddity(group[0], len(group)) for group in groups)


def infos(prediction: Prediction) -> int:
    """Findings that are only news."""
    return sum(item.severity is LintSeverity.INFO for item in prediction.findings)


def total_name(total: Total, families: tuple[Family, ...], unnamed: Sequence[Query] = ()) -> str:
    """The port of a total, with its family where there are several."""
    return port_names([(total.family, total.query)], families, unnamed)[0]

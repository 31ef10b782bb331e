"""Pods grouped into classes whose members no policy can tell apart, namespace by namespace.

Pure.  A class is finer than an identity: it also parts pods whose addresses fall into different blocks.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from auditor.evaluate.end import End
from auditor.evaluate.ends import FAMILIES, numbers
from auditor.evaluate.match import edges
from auditor.evaluate.model import Model
from auditor.evaluate.vocabulary import leaves, port_terms, predicates
from auditor.model.cluster import Pod
from auditor.model.flow import Family, Protocol
from auditor.model.labels import LabelSelector
from auditor.model.policy import IPBlock
from auditor.model.rules import AccountIs, AccountLabels, InBlock, PodLabels, Section

OTHER = "\x00"
"""Stands for every value of a label that no policy names; no label can hold it."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Everything that policies mention about single pods."""

    labels: Mapping[str, frozenset[str] | None]
    """By key, the values that selectors name; None where a selector may look at any."""
    port_names: frozenset[str]
    cuts: Mapping[Family, Sequence[int]]
    """Where blocks begin, and the first address behind them: sorted, per family."""
    accounts: bool
    """Whether service accounts matter."""
    blocks: tuple[InBlock, ...]
    """Every question about addresses."""


def vocabulary(sections: Iterable[Section]) -> Vocabulary:
    """Collect what policies mention."""
    labels: dict[str, set[str] | None] = {}
    names: set[str] = set()
    blocks: dict[InBlock, None] = {}
    accounts = False
    seen: set[int] = set()
    for section in sections:
        names.update(term.name for term in port_terms(section.clauses) if term.name)
        for predicate in predicates(section):
            if id(predicate) in seen:
                continue
            seen.add(id(predicate))
            for leaf in leaves(predicate):
                if isinstance(leaf, PodLabels):
                    _note_labels(leaf, labels)
                elif isinstance(leaf, InBlock):
                    blocks[leaf] = None
                elif isinstance(leaf, AccountIs | AccountLabels):
                    accounts = True
    return Vocabulary(
        {key: None if values is None else frozenset(values) for key, values in labels.items()},
        frozenset(names),
        cuts(leaf.block for leaf in blocks),
        accounts,
        tuple(blocks),
    )


def _note_labels(leaf: PodLabels, labels: dict[str, set[str] | None]) -> None:
    selector = leaf.selector
    if not isinstance(selector, LabelSelector):
        labels.update(dict.fromkeys(selector.keys))
        return
    for requirement in selector.requirements:
        known = labels.setdefault(requirement.key, set())
        if known is not None:
            known |= requirement.values


def cuts(blocks: Iterable[IPBlock]) -> dict[Family, list[int]]:
    """Where blocks begin, and the first address behind them: sorted, per family."""
    found: dict[Family, set[int]] = {family: set() for family in Family}
    for block in blocks:
        for network in (block.cidr, *block.excepts):
            first, last = edges(network)
            found[FAMILIES[network.version]] |= {first, last + 1}
    return {family: sorted(edge) for family, edge in found.items()}


@dataclass(frozen=True, slots=True)
class Class:
    """Pods that are alike to every policy; `end` is any of them."""

    namespace: str
    pods: tuple[Pod, ...]
    end: End
    labels: tuple[tuple[str, str], ...]
    """The labels that policies mention, with OTHER for a value that none names."""
    intervals: tuple[tuple[Family, int], ...]
    """For each address, between which cuts it lies."""


def classify(model: Model, pods: Iterable[Pod], words: Vocabulary) -> tuple[Class, ...]:
    """Group pods that policies apply to, sorted so that each namespace is one range."""
    groups: dict[_Signature, list[Pod]] = defaultdict(list)
    project = _Projection(words)
    for pod in pods:
        if pod.talks:
            groups[project.signature(pod)].append(pod)
    found = [
        Class(members[0].namespace, tuple(members), model.end(members[0]), signature.labels, signature.intervals)
        for signature, members in groups.items()
    ]
    return tuple(sorted(found, key=lambda item: (item.namespace, item.labels, item.pods[0].name)))


class _Signature(NamedTuple):
    """What policies can tell of a pod; a tuple, since there is one for each pod and it is hashed."""

    namespace: str
    labels: tuple[tuple[str, str], ...]
    ports: tuple[tuple[str, int, Protocol], ...]
    intervals: tuple[tuple[Family, int], ...]
    account: str
    families: tuple[Family, ...]
    planned: bool


class _Projection:
    """Reduces a pod to what policies mention."""

    def __init__(self, words: Vocabulary) -> None:
        self._words = words
        self._labels: dict[tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]] = {}

    def signature(self, pod: Pod) -> _Signature:
        """Equal for two pods exactly when no policy can tell them apart by what it mentions."""
        names = self._words.port_names
        ports = tuple((port.name, port.number, port.protocol) for port in pod.ports if port.name in names)
        account = pod.service_account if self._words.accounts else ""
        intervals = self._intervals(pod)
        return _Signature(pod.namespace, self._project(pod), ports, intervals, account, pod.families, pod.planned)

    def _project(self, pod: Pod) -> tuple[tuple[str, str], ...]:
        known = self._words.labels
        found = []
        for key, value in pod.labels.items():
            if key in known:
                values = known[key]
                found.append((key, value if values is None or value in values else OTHER))
        found.sort()
        labels = tuple(found)
        return self._labels.setdefault(labels, labels)

    def _intervals(self, pod: Pod) -> tuple[tuple[Family, int], ...]:
        cuts = self._words.cuts
        return tuple(
            (family, bisect_right(cuts[family], number))
            for family, found in numbers(pod.addresses).items()
            if cuts[family]
            for number in found
        )

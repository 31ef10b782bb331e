"""Oddities of a cluster's policies, found without a packet; one file for each group of rules."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

from auditor.engines import Identification, identify_engine
from auditor.evaluate.model import Model
from auditor.lint import blocks, dns, enforcement, history, inert, mesh, overlap, peers, ports, staged, subjects, tiers
from auditor.lint.case import Case, Hit, Lint
from auditor.lint.crowd import Crowd
from auditor.model.cluster import Snapshot
from auditor.model.lint import LintFinding

LINTS: tuple[Lint, ...] = (
    subjects.SELECTS_NOTHING,
    subjects.SELECTS_HOST_PODS,
    subjects.MISSING_NAMESPACE,
    peers.UNKNOWN_NAMESPACE_LABEL,
    peers.DEAD_RULE,
    peers.DEAD_PEER,
    peers.SPLIT_SELECTORS,
    ports.UNKNOWN_NAME,
    ports.SERVICE_PORT,
    ports.NEAR_MISS,
    blocks.HOLDS_PODS,
    blocks.HOLDS_SERVICES,
    blocks.HOLDS_NOTHING,
    blocks.HOST_BITS,
    dns.BLOCKED,
    dns.WITHOUT_TCP,
    dns.PAST_THE_CACHE,
    inert.INERT,
    inert.UNTYPED,
    inert.EMPTY_LIST,
    inert.OPEN,
    overlap.DUPLICATE,
    overlap.SHADOWED_POLICY,
    overlap.SHADOWED_RULE,
    overlap.OVERRIDDEN,
    tiers.EQUAL_PRIORITIES,
    enforcement.IGNORED,
    enforcement.SETTING,
    enforcement.IGNORED_LABEL,
    staged.STAGED_POLICY,
    mesh.HIDDEN_PORTS,
    history.OLD_ANNOTATION,
    history.DROPPED_FIELD,
)
"""Every rule, in the order in which a reader would ask: whom, by which port, and what else."""


def lint(
    snapshot: Snapshot,
    model: Model | None = None,
    engine: Identification | None = None,
    lints: Iterable[Lint] = LINTS,
) -> tuple[LintFinding, ...]:
    """Everything odd about a snapshot's policies, worst first, then by object and place.

    `model` and `engine` are the snapshot's, where they were made already.
    """
    case = Case(snapshot, Crowd(model or Model(snapshot)), engine or identify_engine(snapshot))
    found = [_finding(rule, hit, snapshot.cluster_uid) for rule in lints for hit in rule.check(case)]
    return tuple(sorted(_told_apart(found), key=lambda item: (-item.severity.rank, item.object, item.id, item.path)))


def _finding(rule: Lint, hit: Hit, cluster_uid: str) -> LintFinding:
    about = hit.about or hit.path
    return LintFinding(
        id=rule.id,
        severity=hit.severity or rule.severity,
        object=hit.object,
        path=hit.path,
        message=hit.message,
        why=hit.why,
        remedy=hit.remedy,
        fingerprint=_hash(
            rule.id, cluster_uid, *map(str, (hit.object.kind, hit.object.namespace, hit.object.name)), about
        ),
    )


def _told_apart(found: Iterable[LintFinding]) -> Iterator[LintFinding]:
    """Where one object holds the same oddity more than once, all but the first get a hash of their own."""
    seen: Counter[str] = Counter()
    for item in sorted(found, key=lambda item: (item.fingerprint, item.path)):
        seen[item.fingerprint] += 1
        number = seen[item.fingerprint]
        yield item if number == 1 else replace(item, fingerprint=_hash(item.fingerprint, str(number)))


def _hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode(errors="surrogatepass")).hexdigest()[:16]

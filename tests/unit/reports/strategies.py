"""Generated reports: any text anywhere, identities that flows may or may not name, enum words of now and later."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from auditor.model.finding import Agreement, Confidence, Proof, Severity
from auditor.model.flow import Family, Protocol, Verdict
from auditor.model.probe import Outcome
from auditor.model.report import (
    SCHEMA,
    AuditReport,
    ClaimEntry,
    FindingEntry,
    FlowEntry,
    IdentityEntry,
    MarkEntry,
    SkipEntry,
    StandInEntry,
    Summary,
)
from tests.unit.reports.builders import CLUSTER, EVIL, RUN, TRICKS

texts = st.one_of(st.sampled_from(["", "shop/web", TRICKS, EVIL, "long " * 30]), st.text(max_size=6))
words = texts
small = st.integers(0, 99_999)
shares = st.sampled_from([0.0, 0.3333, 0.9, 0.99999, 1.0])
ids = st.sampled_from(["", "a", "b", "c", "not-listed"])


def one_of(
    kind: type[Agreement | Confidence | Proof | Severity | Family | Protocol | Verdict | Outcome],
) -> st.SearchStrategy[str]:
    """A value of an enum as it is written, or a word that a later version may add."""
    return st.sampled_from([*(member.value for member in kind), "of-a-later-version", TRICKS])


identities = st.builds(
    IdentityEntry,
    id=st.sampled_from(["a", "b", "c"]),
    title=words,
    namespace=words,
    labels=st.dictionaries(words, texts, max_size=2),
    owners=st.just([]),
    pods=small,
    nodes=st.lists(words, max_size=2),
    isolated=st.lists(st.sampled_from(["Ingress", "Egress"]), unique=True),
    ports=st.lists(small, max_size=2),
    control=st.booleans(),
)

flows = st.builds(
    FlowEntry,
    id=small,
    source=words,
    destination=words,
    source_identity=ids,
    destination_identity=ids,
    family=one_of(Family),
    protocol=one_of(Protocol),
    port=st.integers(1, 65_535),
    verdict=one_of(Verdict),
    outcome=one_of(Outcome),
    agreement=one_of(Agreement),
    reason=texts,
    policies=st.lists(words, max_size=2),
    denied_by=st.lists(words, max_size=2),
    tries=small,
    milliseconds=st.integers(-1, 9_999),
    settled_after_seconds=st.sampled_from([0.0, 2.25]),
)

findings = st.builds(
    FindingEntry,
    id=words,
    rule=words,
    severity=one_of(Severity),
    confidence=one_of(Confidence),
    title=texts,
    cause=texts,
    remedy=texts,
    policies=st.lists(words, max_size=2),
    source=words,
    destination=words,
    flows=st.lists(small, max_size=3),
    evidence=st.lists(texts, max_size=2),
)

claims = st.builds(ClaimEntry, subject=words, direction=words, proof=one_of(Proof), reason=texts, flows=small)

summaries = st.builds(
    Summary,
    status=st.sampled_from(["clean", "findings", "incomplete", "of-a-later-version"]),
    sentence=texts,
    exit_code=small,
    planned=small,
    judged=small,
    coverage=shares,
    min_coverage=shares,
    as_expected=small,
    leaks=small,
    blockages=small,
    late=small,
    inconclusive=small,
    proven_denials=small,
    findings=small,
)

stand_ins = st.builds(
    StandInEntry,
    key=words,
    identity=ids,
    namespace=words,
    pod=words,
    node=words,
    addresses=st.just([]),
    state=st.one_of(st.just("running"), texts),
    note=texts,
)

reports = st.builds(
    AuditReport,
    schema=st.just(SCHEMA),
    run=st.builds(replace, st.just(RUN), id=texts, image=texts, command=texts),
    cluster=st.builds(replace, st.just(CLUSTER), context=texts, uid=texts),
    summary=summaries,
    findings=st.lists(findings, max_size=3),
    identities=st.lists(identities, max_size=3, unique_by=lambda identity: identity.id),
    flows=st.lists(flows, max_size=6),
    stand_ins=st.lists(stand_ins, max_size=3),
    skipped=st.lists(st.builds(SkipEntry, what=texts, reason=texts, flows=small), max_size=2),
    policies=st.lists(claims, max_size=3),
    nodes=st.lists(claims, max_size=2),
    limits=st.lists(texts, max_size=2),
    warnings=st.lists(texts, max_size=2),
    leftovers=st.lists(texts, max_size=2),
    marked=st.lists(
        st.builds(MarkEntry, namespace=texts, pod=texts, container=texts, owner=texts, identity=texts, state=texts),
        max_size=2,
    ),
)

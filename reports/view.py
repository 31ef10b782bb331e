"""Everything that a view shows, computed once: ordering, grouping, counts and the sentences made from them.

Pure.  `Summary` holds the numbers of the audit and nothing here counts them anew; what is counted here are groups.
Texts are raw: each format neutralises them on its own edge.  The two matrices are in `heatmap`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from auditor.model.report import AuditReport, ClaimEntry, FindingEntry, IdentityEntry, Run, StandInEntry, Summary
from reports import marks, words
from reports.enforcement import Timed, timed_rows
from reports.expectations import Expected, expected_rows
from reports.flows import FlowRow, flow_rows
from reports.handshakes import Met, handshake_rows
from reports.heatmap import CONTROL_TITLE, NamespaceMatrix, PodMatrix, is_control, namespace_matrix, pod_matrix
from reports.pings import Pings, ping_rows
from reports.service_paths import Crossing, Naming, name_rows, path_rows
from reports.untested import Gap, gaps
from reports.words import Sign, plural


@dataclass(frozen=True, slots=True)
class Number:
    """One of the four numbers that a reader takes away."""

    sign: Sign
    label: str
    value: str
    note: str


@dataclass(frozen=True, slots=True)
class Found:
    """A finding with some of its flows."""

    entry: FindingEntry
    ends: str
    """From where to where; empty when it is not about flows."""
    examples: tuple[FlowRow, ...]
    more: int
    """Flows of it beyond the examples."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Findings that one mend puts right."""

    cause: str
    remedy: str
    severity: str
    """The worst among its findings."""
    findings: tuple[Found, ...]


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim with the sign of its proof."""

    sign: Sign
    entry: ClaimEntry


@dataclass(frozen=True, slots=True)
class Claims:
    """Claims of one kind, those that need a reader first."""

    claims: tuple[Claim, ...]
    sentence: str


@dataclass(frozen=True, slots=True)
class IdentityRow:
    """One identity and how far it was tested."""

    title: str
    labels: str
    pods: int
    nodes: str
    isolated: str
    ports: str
    stand_ins: str
    flows: int
    judged: int


@dataclass(frozen=True, slots=True)
class View:
    """What the formats show, in their order."""

    status: Sign
    sentence: str
    counts: str
    numbers: tuple[Number, ...]
    next_steps: tuple[str, ...]
    causes: tuple[Cause, ...]
    surprises: tuple[FlowRow, ...]
    """Leaks, blockages and late flows."""
    namespaces: NamespaceMatrix
    pods: PodMatrix
    flows: tuple[FlowRow, ...]
    policies: Claims
    rules: Claims
    """Only those that are not proven; the sentence counts all."""
    nodes: Claims
    gaps: tuple[Gap, ...]
    identities: tuple[IdentityRow, ...]
    environment: tuple[tuple[str, str], ...]
    expectations: tuple[Expected, ...]
    handshakes: tuple[Met, ...]
    timed: tuple[Timed, ...]
    """How soon policies held."""
    marked: tuple[str, ...]
    """Real pods that stay marked, after a sentence about them."""
    service_paths: tuple[Crossing, ...]
    """What came of ways through netaudit's own Services."""
    names: tuple[Naming, ...]
    """What DNS said of one of them."""
    pings: tuple[Pings, ...]
    """What came of ICMP, which is no part of anything else here."""
    report: AuditReport


def view(report: AuditReport) -> View:
    """Compute everything that a format shows."""
    flows = flow_rows(report)
    untested = gaps(report)
    causes = _causes(report.findings, flows)
    policies = _claims(report.policies, "policy direction", "policy directions")
    nodes = _claims(report.nodes, "node direction", "node directions")
    return View(
        status=words.sign_of(words.STATUSES, report.summary.status),
        sentence=report.summary.sentence,
        counts=_counts(report.summary),
        numbers=_numbers(report.summary),
        next_steps=_next_steps(report, policies, len(causes)),
        causes=causes,
        surprises=tuple(row for row in flows if row.sign.key in _SURPRISES),
        namespaces=namespace_matrix(report),
        pods=pod_matrix(report),
        flows=flows,
        policies=policies,
        rules=_rules(report.rules),
        nodes=nodes,
        gaps=untested,
        identities=_identities(report),
        environment=_environment(report),
        expectations=expected_rows(report.expectations),
        handshakes=handshake_rows(report),
        timed=timed_rows(report.enforcement),
        marked=(marks.sentence(report.marked), *marks.marked_rows(report.marked)) if report.marked else (),
        service_paths=path_rows(report.service_paths),
        names=name_rows(report.names),
        pings=ping_rows(report),
        report=report,
    )


_SETTLED = frozenset({words.LEAK.key, words.AS_EXPECTED.key})
"""Claims with an answer, be it leaking or proven."""

EXAMPLES = 5
"""Flows that are shown with a finding."""

_SURPRISES = frozenset({words.LEAK.key, words.BLOCKAGE.key, words.LATE.key})


def percent(share: float) -> str:
    """Write a share in percent, rounded down, so that 100% means all."""
    return f"{int(share * 1000 + 1e-6) / 10:.1f}%".replace(".0%", "%")


def is_incomplete(summary: Summary) -> bool:
    """Tell whether too little was judged or something is missing, whatever else was found."""
    return bool(summary.gaps) or summary.judged == 0 or summary.coverage < summary.min_coverage


def _counts(summary: Summary) -> str:
    """One line that accounts for every flow."""
    judged = (
        f"{summary.as_expected:,} as expected, {plural(summary.leaks, 'leak')}, "
        f"{plural(summary.blockages, 'blockage')}, {summary.late:,} late"
    )
    planned = plural(summary.planned, "flow")
    if summary.unchosen:
        planned += f" of {summary.planned + summary.unchosen:,} that could be tried"
    return (
        f"{planned} planned, {summary.judged:,} judged ({_coverage(summary)}): {judged}; "
        f"{summary.inconclusive:,} inconclusive. {plural(summary.proven_denials, 'denial')} proven."
    )


def _coverage(summary: Summary) -> str:
    return percent(summary.coverage) if summary.planned else "nothing was planned"


def _numbers(summary: Summary) -> tuple[Number, ...]:
    enough = words.INCONCLUSIVE if is_incomplete(summary) else words.AS_EXPECTED
    wanted = f"{percent(summary.min_coverage)} wanted"
    coverage = f"{summary.judged:,} of {plural(summary.planned, 'planned flow')} judged; {wanted}"
    return (
        Number(words.LEAK, "leaks", f"{summary.leaks:,}", "predicted denied, and reached"),
        Number(words.BLOCKAGE, "blockages", f"{summary.blockages:,}", "predicted allowed, and not reached"),
        Number(words.INCONCLUSIVE, "inconclusive", f"{summary.inconclusive:,}", "tried, without proof either way"),
        Number(enough, "coverage", percent(summary.coverage) if summary.planned else "none", coverage),
    )


def _next_steps(report: AuditReport, policies: Claims, causes: int) -> tuple[str, ...]:
    """Say what the reader should do now, in this order."""
    summary, steps = report.summary, []
    if report.findings:
        steps.append(f"Mend what Findings lists, worst first ({plural(causes, 'cause')}), then run netaudit again.")
    if summary.planned == 0:
        steps.append("Nothing was tested: this audit proves nothing. Not tested says what was left out, and why.")
    elif summary.judged == 0 or summary.coverage < summary.min_coverage:
        steps.append(
            f"Coverage is {percent(summary.coverage)}, below {percent(summary.min_coverage)}: mend what Not tested "
            "lists, largest first, then run netaudit again."
        )
    elif summary.gaps:
        steps.append(f"Mend what makes this audit incomplete, then run netaudit again: {'; '.join(summary.gaps)}.")
    if report.leftovers:
        steps.append(f"Run netaudit cleanup: {plural(len(report.leftovers), 'object')} could not be removed.")
    unproven = sum(1 for claim in policies.claims if claim.sign.key not in _SETTLED)
    if unproven:
        steps.append(f"Read under Policies why {plural(unproven, 'policy direction')} could not be proven.")
    if not steps:
        steps.append("Nothing to mend. Read Limits for what this audit cannot see.")
    return tuple(steps)


def _causes(findings: list[FindingEntry], flows: tuple[FlowRow, ...]) -> tuple[Cause, ...]:
    """Group findings by cause and remedy: the worst first, then by the id of the first finding."""
    rank = {row.entry.id: index for index, row in enumerate(flows)}
    grouped: dict[tuple[str, str], list[Found]] = {}
    for finding in sorted(findings, key=_by_severity):
        known = sorted(rank[flow] for flow in finding.flows if flow in rank)
        examples = tuple(flows[index] for index in known[:EXAMPLES])
        found = Found(finding, _ends(finding), examples, max(len(finding.flows) - len(examples), 0))
        grouped.setdefault((finding.cause, finding.remedy), []).append(found)
    # Findings went in worst first, so each group, and the order of groups, starts with its worst.
    return tuple(Cause(*key, group[0].entry.severity, tuple(group)) for key, group in grouped.items())


def _ends(finding: FindingEntry) -> str:
    if not finding.source and not finding.destination:
        return ""
    return f"from {finding.source or 'anywhere'} to {finding.destination or 'anywhere'}"


def _by_severity(finding: FindingEntry) -> tuple[int, str]:
    return words.severity_rank(finding.severity), finding.id


def _claims(entries: list[ClaimEntry], noun: str, several: str) -> Claims:
    signed = (Claim(words.sign_of(words.PROOFS, entry.proof), entry) for entry in entries)
    claims = tuple(sorted(signed, key=lambda claim: (claim.sign.rank, claim.entry.subject, claim.entry.direction)))
    parts = words.tally(claim.sign.word for claim in claims)
    return Claims(claims, f"{plural(len(claims), noun, several)}: {parts}." if claims else f"No {noun} to prove.")


def _rules(entries: list[ClaimEntry]) -> Claims:
    """Rules in the order of the report; there are many, so what is proven is counted and not listed."""
    signed = tuple(Claim(words.sign_of(words.PROOFS, entry.proof), entry) for entry in entries)
    parts = words.tally(claim.sign.word for claim in sorted(signed, key=lambda claim: claim.sign.rank))
    unproven = tuple(claim for claim in signed if claim.sign.key != words.AS_EXPECTED.key)
    worst_first = tuple(sorted(unproven, key=lambda claim: claim.sign.rank))
    return Claims(worst_first, f"{plural(len(entries), 'rule')} of these policies: {parts}." if entries else "")


def _identities(report: AuditReport) -> tuple[IdentityRow, ...]:
    planned: Counter[str] = Counter()
    judged: Counter[str] = Counter()
    for flow in report.flows:
        ends = {flow.source_identity, flow.destination_identity}
        planned.update(ends)
        if words.agreement_of(flow).key != words.INCONCLUSIVE.key:
            judged.update(ends)
    controls = {identity.id for identity in report.identities if is_control(identity)}
    stand_ins: dict[str, list[StandInEntry]] = {}
    for stand_in in report.stand_ins:
        stand_ins.setdefault("" if stand_in.identity in controls else stand_in.identity, []).append(stand_in)
    rows = [
        IdentityRow(
            title=CONTROL_TITLE if is_control(identity) else identity.title,
            labels=", ".join(f"{key}={value}" for key, value in sorted(identity.labels.items()))
            or "none that policies use",
            pods=identity.pods,
            nodes=", ".join(sorted(identity.nodes)),
            isolated=" and ".join(sorted(identity.isolated)) or "not isolated",
            ports=", ".join([*map(str, sorted(identity.ports)), *_beside_tcp(identity)]),
            stand_ins=_standing(stand_ins.get("" if is_control(identity) else identity.id, [])),
            flows=planned[identity.id],
            judged=judged[identity.id],
        )
        for identity in report.identities
    ]
    return tuple(sorted(rows, key=lambda row: (row.title, row.labels, row.ports)))


def _beside_tcp(identity: IdentityEntry) -> list[str]:
    return [word for word in identity.listens if not word.endswith("/TCP")]


def _standing(stand_ins: list[StandInEntry]) -> str:
    """Each probe pod's node and state, with what differs from what was asked."""
    told = []
    for stand_in in stand_ins:
        note = f" ({stand_in.note})" if stand_in.note else ""
        told.append(f"{stand_in.node or 'no node'}: {stand_in.state}{note}")
    return "; ".join(sorted(told)) or "no probe pod"


def _environment(report: AuditReport) -> tuple[tuple[str, str], ...]:
    run, cluster = report.run, report.cluster
    objects = (
        plural(cluster.nodes, "node"),
        plural(cluster.namespaces, "namespace"),
        plural(cluster.pods, "pod"),
        plural(cluster.policies, "policy", "policies"),
    )
    method = (
        f"{plural(run.tries, 'try', 'tries')} of {run.connect_timeout_seconds:g} s for each flow",
        f"surprises tried again for {run.settle_seconds:g} s",
        plural(run.rounds, "round"),
    )
    return (
        ("cluster", cluster.context or "not named"),
        ("cluster UID", cluster.uid),
        ("Kubernetes", cluster.server_version),
        ("size", ", ".join(objects)),
        ("run", run.id),
        ("started", run.started),
        ("finished", f"{run.finished} ({run.seconds:.1f} s)"),
        ("netaudit", run.version),
        ("mode", _mode(run)),
        ("probe image", f"{run.image} ({run.agent} agent)"),
        ("method", "; ".join(method)),
        ("choice", f"--coverage {run.coverage}, seed {run.seed}"),
        *(
            (("went on from", f"run {run.resumed}: {plural(report.summary.taken_over, 'flow')}"),)
            if run.resumed
            else ()
        ),
        ("command", run.command or "not recorded"),
    )


def _mode(run: Run) -> str:
    if not run.sandbox:
        return run.mode
    return (
        f"{run.mode}, in a sandbox whose engine has the fault {run.fault}" if run.fault else f"{run.mode}, in a sandbox"
    )

"""Audit reports for tests, small and whole: who may talk to whom is said, and what was measured follows from it.

The cluster is the staging example of a tutorial: a frontend, a backend and a database in one namespace behind
default-deny policies, an admin namespace that may reach the database, and netaudit's control.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from auditor.model.report import (
    SCHEMA,
    AuditReport,
    ClaimEntry,
    Cluster,
    FindingEntry,
    FlowEntry,
    IdentityEntry,
    Run,
    SkipEntry,
    StandInEntry,
    Summary,
)

EVIL = "</script><img src=x onerror=alert(1)>"
TRICKS = "\x1b[2J\x1b]0;owned\x07\nnetaudit: all clean\u202egnp.exe\u200b\x9b31m"


@dataclass(frozen=True)
class Who:
    """An identity of the example: `policy` is the one that isolates it, `callers` may talk to it."""

    namespace: str
    name: str
    nodes: tuple[str, ...]
    port: int
    policy: str
    callers: tuple[str, ...] = ()
    protocol: str = "TCP"

    @property
    def title(self) -> str:
        return f"{self.namespace}/{self.name}"


STAGING = (
    Who("admin", "console", ("n1",), 8080, ""),
    Who("staging", "backend", ("n1", "n2"), 8080, "staging/backend-policy", ("frontend",)),
    Who("staging", "db", ("n2",), 5432, "staging/db-policy", ("backend", "console")),
    Who("staging", "frontend", ("n1",), 80, "", ()),
)

CONTROL = IdentityEntry(
    "control", "netaudit-ctl-1/control", "netaudit-ctl-1", {}, [], 2, ["n1", "n2"], [], [8080], True
)

Measure = Callable[[FlowEntry], FlowEntry]
"""Fills a flow's outcome, agreement and reason in."""


def as_predicted(flow: FlowEntry) -> FlowEntry:
    if flow.verdict == "allowed":
        return replace(flow, outcome="reached", agreement="as-expected", reason="The nonce came back.", milliseconds=3)
    reason = "Silent in 3 tries while listener and twins answered."
    return replace(flow, outcome="silent", agreement="as-expected", reason=reason, tries=3, milliseconds=1000)


def everything_reached(flow: FlowEntry) -> FlowEntry:
    if flow.verdict == "allowed":
        return as_predicted(flow)
    reason = "The nonce came back, and still did after 45 s."
    return replace(flow, outcome="reached", agreement="leak", reason=reason, milliseconds=2)


def no_answer(flow: FlowEntry) -> FlowEntry:
    reason = "The source's probe pod did not run: ErrImagePull."
    return replace(flow, outcome="untested", agreement="inconclusive", reason=reason, tries=0)


def node_leaks(flow: FlowEntry) -> FlowEntry:
    return everything_reached(flow) if flow.destination.endswith("n2") else as_predicted(flow)


def mixed(flow: FlowEntry) -> FlowEntry:
    """Every agreement once or more."""
    results: dict[int, Measure] = {
        0: no_answer,
        1: lambda one: replace(one, outcome="silent", agreement="blockage", reason="No nonce in 45 s.", tries=9),
        2: lambda one: replace(as_predicted(one), agreement="late", settled_after_seconds=3.2),
        8: everything_reached,
    }
    return results.get(flow.id, as_predicted)(flow)


def flows(people: Sequence[Who], measure: Measure) -> list[FlowEntry]:
    """One flow from everybody, and from the control, to everybody else on the port that it listens on."""
    made: list[FlowEntry] = []
    for target in people:
        for node in target.nodes:
            for source in (*people, None):
                if source != target:
                    made.append(measure(_flow(len(made), source, target, node)))
    return made


def _flow(number: int, source: Who | None, target: Who, node: str) -> FlowEntry:
    allowed = not target.policy or (source is not None and source.name in target.callers)
    return FlowEntry(
        id=number,
        source=f"{source.name}-{source.nodes[0]}" if source else "control-n1",
        destination=f"{target.name}-{node}",
        source_identity=source.title if source else CONTROL.id,
        destination_identity=target.title,
        family="IPv4",
        protocol=target.protocol,
        port=target.port,
        verdict="allowed" if allowed else "denied",
        outcome="",
        agreement="",
        reason="",
        policies=[] if allowed else [target.policy],
        denied_by=[] if allowed else ["Ingress"],
        tries=1,
    )


def identity(who: Who) -> IdentityEntry:
    return IdentityEntry(
        id=who.title,
        title=who.title,
        namespace=who.namespace,
        labels={"app": who.name},
        owners=[f"Deployment/{who.name}"],
        pods=len(who.nodes),
        nodes=list(who.nodes),
        isolated=["Ingress"] if who.policy else [],
        ports=[who.port] if who.protocol == "TCP" else [],
        listens=[] if who.protocol == "TCP" else [f"{who.port}/{who.protocol}"],
    )


def stand_ins(people: Sequence[Who], state: str = "running") -> list[StandInEntry]:
    made = [
        StandInEntry(f"{who.name}-{node}", who.title, who.namespace, f"netaudit-r1-{who.name}-{node}", node, [], state)
        for who in people
        for node in who.nodes
    ]
    return [StandInEntry("control-n1", "control", "netaudit-ctl-1", "netaudit-r1-c-0", "n1", [], state), *made]


def summary(entries: Sequence[FlowEntry], findings: int = 0, min_coverage: float = 0.9) -> Summary:
    """Count as the audit does."""
    tally = Counter(flow.agreement for flow in entries)
    judged = len(entries) - tally["inconclusive"]
    coverage = judged / len(entries) if entries else 0.0
    incomplete = not judged or coverage < min_coverage
    status = "findings" if findings else "incomplete" if incomplete else "clean"
    return Summary(
        status=status,
        sentence=_sentence(status, tally, judged),
        exit_code={"findings": 3, "incomplete": 4, "clean": 0}[status],
        planned=len(entries),
        judged=judged,
        coverage=coverage,
        min_coverage=min_coverage,
        as_expected=tally["as-expected"],
        leaks=tally["leak"],
        blockages=tally["blockage"],
        late=tally["late"],
        inconclusive=tally["inconclusive"],
        proven_denials=sum(1 for flow in entries if flow.verdict == "denied" and flow.agreement == "as-expected"),
        findings=findings,
    )


def _sentence(status: str, tally: Counter[str], judged: int) -> str:
    if status == "clean":
        return f"All {judged} judged flows are as the policies say."
    if status == "incomplete":
        return "Too little was measured to say whether the policies are enforced."
    return f"Policies are not enforced as written: {tally['leak']} leaks, {tally['blockage']} blockages."


def leak_finding(entries: Sequence[FlowEntry], policy: str, cause: str, remedy: str) -> FindingEntry:
    """One finding for all leaks of a policy."""
    own = [flow for flow in entries if flow.agreement == "leak" and policy in flow.policies]
    return FindingEntry(
        id=f"F-{policy.replace('/', '-')}",
        rule="policy-not-enforced",
        severity="high",
        confidence="confirmed",
        title=f"{policy} does not hold back ingress traffic",
        cause=cause,
        remedy=remedy,
        policies=[policy],
        source="any other pod",
        destination=own[0].destination_identity if own else "",
        flows=[flow.id for flow in own],
        evidence=[f"flow {flow.id}: predicted denied, measured reached" for flow in own[:2]],
    )


def claims(entries: Sequence[FlowEntry]) -> list[ClaimEntry]:
    """Say of each policy's ingress what the flows show."""
    made = []
    for policy in sorted({policy for flow in entries for policy in flow.policies}):
        own = [flow for flow in entries if policy in flow.policies]
        made.append(ClaimEntry(policy, "Ingress", *_proof(own), flows=len(own)))
    return made


def rule_claims(entries: Sequence[FlowEntry]) -> list[ClaimEntry]:
    """One rule for each policy, which is worth what its direction is; and a second one that nothing can prove."""
    made = [replace(claim, subject=f"{claim.subject}.ingress[0]") for claim in claims(entries)]
    reason = "other rules allow each flow that it allows too: staging/db-policy.ingress[0]"
    return [*made, ClaimEntry("staging/db-policy.ingress[1]", "Ingress", "not separately proven", reason, 0)]


def node_claims(entries: Sequence[FlowEntry]) -> list[ClaimEntry]:
    made = []
    for node in ("n1", "n2"):
        own = [flow for flow in entries if flow.destination.endswith(node) and flow.verdict == "denied"]
        made.append(ClaimEntry(node, "Ingress", *_proof(own), flows=len(own)))
        made.append(ClaimEntry(node, "Egress", "not separately proven", "No policy isolates egress on it.", flows=0))
    return made


def _proof(own: Sequence[FlowEntry]) -> tuple[str, str]:
    if any(flow.agreement == "leak" for flow in own):
        return "leaking", "The control reached a pod that it selects."
    if any(flow.agreement == "as-expected" for flow in own):
        return "proven", "The control was held back, and its twin was reached."
    return "not separately proven", "No flow that this direction alone denies was judged."


def report(
    people: Sequence[Who] = STAGING,
    measure: Measure = as_predicted,
    findings: Callable[[list[FlowEntry]], list[FindingEntry]] = lambda _: [],
) -> AuditReport:
    """A whole report over `people`; everything else follows from how flows were measured."""
    entries = flows(people, measure)
    found = findings(entries)
    return AuditReport(
        schema=SCHEMA,
        run=RUN,
        cluster=CLUSTER,
        summary=summary(entries, len(found)),
        findings=found,
        identities=[*(identity(who) for who in people), CONTROL],
        stand_ins=stand_ins(people),
        flows=entries,
        policies=claims(entries),
        nodes=node_claims(entries),
        skipped=[SkipEntry("addresses of Services", "Probe pods are tried on their own addresses only.", 0)],
        limits=["A flow that was not planned is not covered.", "Traffic through Services was not measured."],
        warnings=[],
        rules=rule_claims(entries),
    )


RUN = Run(
    id="r1a2b3c4",
    version="0.1.0",
    started="2026-01-02T03:04:05Z",
    finished="2026-01-02T03:05:05Z",
    mode="clone",
    image="busybox:1.37",
    agent="shell",
    settle_seconds=45.0,
    tries=3,
    connect_timeout_seconds=1.0,
    rounds=2,
    seconds=60.25,
    command="netaudit run --context staging",
)

CLUSTER = Cluster("5c1f-uid", "v1.35.0", "staging", nodes=2, namespaces=6, pods=14, policies=2)

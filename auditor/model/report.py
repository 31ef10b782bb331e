"""The audit report: the one document that every view is computed from.

It is written as JSON by msgspec, and its JSON Schema is published beside it.  Later versions of schema 1 add fields and
never rename or remove one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from auditor.model.ping import PingEntry
from auditor.model.timing import EnforcementEntry

SCHEMA = "netaudit.report/1"


@dataclass(frozen=True, slots=True)
class Run:
    """How and when the audit ran; times are RFC 3339 in UTC."""

    id: str
    version: str
    """netaudit's own."""
    started: str
    finished: str
    mode: str
    """Where probes stood; `clone`: beside workloads, with their policy-relevant labels; `inplace`: inside them."""
    image: str
    agent: str
    settle_seconds: float
    tries: int
    connect_timeout_seconds: float
    rounds: int
    seconds: float
    command: str = ""
    allowed: list[str] = field(default_factory=list)
    """Kinds of hazards that the user took with `--allow`."""
    coverage: str = "full"
    """smoke, rules or full: how many of the flows that could be tried were chosen."""
    seed: int = 0
    """By which a sample was drawn."""
    resumed: str = ""
    """Id of the run that this one went on from; empty where there was none."""
    enforce_time: bool = False
    """Whether it was timed how soon policies hold: `enforcement`."""
    targets: str = "pod"
    """What was connected to beside probe pods: pod: nothing; real: real pods; service: netaudit's own Services."""
    sandbox: bool = False
    """Whether it was a rehearsal of manifests on one machine: it tests the policies, and no cluster's engine."""
    fault: str = ""
    """The fault that the sandbox's engine was given; empty where there was none."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Which cluster was audited."""

    uid: str
    server_version: str
    context: str
    nodes: int
    namespaces: int
    pods: int
    policies: int


@dataclass(frozen=True, slots=True)
class Summary:
    """The answer in numbers; flows are counted once each."""

    status: str
    """clean, findings or incomplete."""
    sentence: str
    exit_code: int
    planned: int
    judged: int
    coverage: float
    """Judged flows of planned ones, 0 to 1."""
    min_coverage: float
    as_expected: int
    leaks: int
    blockages: int
    late: int
    inconclusive: int
    proven_denials: int
    """Flows predicted denied that were shown to be so."""
    findings: int
    unchosen: int = 0
    """Flows that could have been tried and that `run.coverage` left out; they do not count in `coverage`."""
    expectations: int = 0
    """What the user said must work or must not."""
    expectations_broken: int = 0
    taken_over: int = 0
    """Flows that an earlier run measured and this one did not try anew; they count as judged."""
    handshakes: int = 0
    """With addresses that are not probe pods'; they count neither as planned nor in `coverage`."""
    handshakes_wrong: int = 0
    """Of these, leaks, blockages, and what is not as the user expects."""
    service_paths: int = 0
    """Through netaudit's own Services, and beside them; they count neither as planned nor in `coverage`."""
    service_paths_wrong: int = 0
    """Of these, leaks and blockages."""
    gaps: list[str] = field(default_factory=list)
    """Why the audit is incomplete, in clauses; empty where it is complete."""


@dataclass(frozen=True, slots=True)
class IdentityEntry:
    """One row and column of the matrix."""

    id: str
    title: str
    namespace: str
    labels: dict[str, str]
    owners: list[str]
    pods: int
    nodes: list[str]
    isolated: list[str]
    """Ingress, Egress."""
    ports: list[int]
    """TCP ports that were tried."""
    control: bool = False
    """netaudit's own unpoliced pods: they stand for any pod that nobody planned for."""
    listens: list[str] = field(default_factory=list)
    """All ports that were tried, as port/PROTOCOL; empty in reports of versions that tried TCP only."""


@dataclass(frozen=True, slots=True)
class StandInEntry:
    """One probe pod that was made, or could not be."""

    key: str
    identity: str
    namespace: str
    pod: str
    node: str
    addresses: list[str]
    state: str
    """running, or the reason why not."""
    note: str = ""
    """Where the stored pod differs from what was asked."""


@dataclass(frozen=True, slots=True)
class FlowEntry:
    """One flow: predicted, measured, judged."""

    id: int
    source: str
    destination: str
    """Keys of stand-ins."""
    source_identity: str
    destination_identity: str
    family: str
    protocol: str
    port: int
    verdict: str
    outcome: str
    agreement: str
    reason: str
    policies: list[str]
    """Policies that deny it, as namespace/name; empty where it is allowed."""
    denied_by: list[str]
    """Directions that deny it: Egress, Ingress."""
    tries: int
    milliseconds: int = -1
    settled_after_seconds: float = 0.0
    measured: str = ""
    """When the run that this one went on from measured it, from which it was taken over; empty where this one did."""


@dataclass(frozen=True, slots=True)
class ClaimEntry:
    """Whether a direction of a policy, or of a node, or a single rule is proven to be enforced."""

    subject: str
    direction: str
    proof: str
    """proven, leaking, not separately proven, not chosen, not tested, not applicable."""
    reason: str
    flows: int


@dataclass(frozen=True, slots=True)
class FindingEntry:
    """One thing that is wrong."""

    id: str
    rule: str
    severity: str
    confidence: str
    title: str
    cause: str
    remedy: str
    policies: list[str]
    source: str
    destination: str
    flows: list[int]
    evidence: list[str]


@dataclass(frozen=True, slots=True)
class SkipEntry:
    """Something that was not tested, and why."""

    what: str
    reason: str
    flows: int


@dataclass(frozen=True, slots=True)
class ExpectedFlowEntry:
    """One flow of an expectation: expected, predicted, measured."""

    source: str
    destination: str
    family: str
    protocol: str
    port: int
    verdict: str
    accord: str
    reason: str
    flow: int = 0
    """Id of the measured flow; 0 where it was not tried."""


@dataclass(frozen=True, slots=True)
class ExpectationEntry:
    """Something that the user says must work or must not, and what came of it."""

    name: str
    source: str
    destination: str
    port: str
    """With its protocol."""
    expected: str
    """allowed, denied."""
    reason: str
    place: str
    """File and line."""
    accord: str
    """The worst of its flows': leak, policies allow it, blockage, policies forbid it, against the policies,
    inconclusive, kept late, kept."""
    meaning: str
    """The same in a sentence."""
    flows: list[ExpectedFlowEntry]


@dataclass(frozen=True, slots=True)
class HandshakeEntry:
    """One handshake with a listener that is none of netaudit's: nothing was sent; reached means that it was done."""

    id: int
    kind: str
    """external: an address outside the cluster that the user named; real: a workload's own pod."""
    source: str
    """Key of a stand-in."""
    source_identity: str
    target: str
    """The other end; where a block was named, which of its addresses was tried and what for."""
    address: str
    family: str
    protocol: str
    port: int
    expected: str
    """allowed, denied; empty where the user expects whatever the policies say."""
    verdict: str
    outcome: str
    agreement: str
    """Against the verdict; where the model has none, against what is expected."""
    accord: str
    """As in `expectations`; empty where nothing of the user's own is expected."""
    reason: str
    policies: list[str]
    """Policies that deny it, as namespace/name."""
    denied_by: list[str]
    tries: int
    milliseconds: int = -1
    settled_after_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ServicePathEntry:
    """One way to a pod of netaudit's own, under policies of its own: does a policy hold through a Service, too."""

    id: int
    way: str
    """pod address: beside the others, for comparison; ClusterIP, headless or NodePort."""
    source_node: str
    caller: str
    """unpoliced: a control; gated: an egress policy allows it one port of the server."""
    server_node: str
    node: str
    """Whose node port it is; empty for other ways."""
    family: str
    protocol: str
    address: str
    port: int
    """What was connected to."""
    target_port: int
    """The server's own port, which is what policies speak of."""
    verdict: str
    outcome: str
    agreement: str
    """inconclusive also where the API leaves the verdict open: `outcome` is what was seen."""
    reason: str
    policies: list[str]
    denied_by: list[str]
    tries: int
    """With the policies in place."""
    milliseconds: int = -1
    """Time to connect, without resolving a name."""
    settled_after_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class NameEntry:
    """A name of netaudit's own headless Service, looked up from one node: DNS apart from connecting."""

    name: str
    """NAME.NAMESPACE; the cluster's domain was put behind it by the pod that asked."""
    source_node: str
    family: str
    outcome: str
    """resolved, did not resolve, no answer, fault, untested; none of them says anything of a policy."""
    addresses: list[str]
    reason: str
    tries: int
    milliseconds: int
    """Until the first answer that was an address, -1 where there was none."""
    quickest_milliseconds: int


@dataclass(frozen=True, slots=True)
class MarkEntry:
    """A real pod that holds an ephemeral container of this run until it is replaced."""

    namespace: str
    pod: str
    container: str
    owner: str
    """What makes its next pod, as kind/name; pod/name where nothing does."""
    identity: str
    state: str
    """What became of the agent in it."""


@dataclass(frozen=True, slots=True)
class AuditReport:
    """One audit of one cluster; lists are sorted, so equal audits give equal bytes."""

    schema: str
    run: Run
    cluster: Cluster
    summary: Summary
    findings: list[FindingEntry]
    identities: list[IdentityEntry]
    stand_ins: list[StandInEntry]
    flows: list[FlowEntry]
    policies: list[ClaimEntry]
    nodes: list[ClaimEntry]
    skipped: list[SkipEntry]
    limits: list[str]
    """What this audit cannot say, in plain sentences."""
    warnings: list[str]
    leftovers: list[str] = field(default_factory=list)
    """What the run could not remove."""
    rules: list[ClaimEntry] = field(default_factory=list)
    """Rules of policies that select a probe pod, by policy; `subject` is the rule's name."""
    expectations: list[ExpectationEntry] = field(default_factory=list)
    """In the order of the user's files."""
    handshakes: list[HandshakeEntry] = field(default_factory=list)
    """By id."""
    enforcement: list[EnforcementEntry] = field(default_factory=list)
    """By node, change and direction; empty where nothing was timed."""
    marked: list[MarkEntry] = field(default_factory=list)
    """By namespace and pod; empty but in mode inplace."""
    service_paths: list[ServicePathEntry] = field(default_factory=list)
    """By id; empty where no Service was tried."""
    names: list[NameEntry] = field(default_factory=list)
    """In the order of the nodes; empty where no name was looked up."""
    pings: list[PingEntry] = field(default_factory=list)
    """By id; empty where nothing was pinged."""

"""The audits that every format is tried on, by name; each one is a golden folder in tests/cases/reports too."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from auditor.accord import MEANINGS
from auditor.model.expectation import Accord
from auditor.model.finding import Agreement
from auditor.model.flow import Direction
from auditor.model.ping import Between, Echo, PingEntry
from auditor.model.probe import Way
from auditor.model.report import (
    AuditReport,
    ClaimEntry,
    ExpectationEntry,
    ExpectedFlowEntry,
    FindingEntry,
    FlowEntry,
    HandshakeEntry,
    MarkEntry,
    NameEntry,
    ServicePathEntry,
    SkipEntry,
)
from auditor.model.service_path import Resolving
from auditor.model.timing import Change, EnforcementEntry, Pace
from tests.unit.reports.builders import (
    EVIL,
    STAGING,
    TRICKS,
    Who,
    as_predicted,
    everything_reached,
    leak_finding,
    mixed,
    no_answer,
    node_leaks,
    report,
    stand_ins,
    summary,
)

NO_ENGINE = (
    "No engine that enforces NetworkPolicy runs in this cluster: the API stores policies, and nothing reads them.",
    "Install an engine that enforces NetworkPolicy, such as Cilium or Calico, then run netaudit again.",
)
ONE_NODE = (
    "Pods on node n2 are not policed: every denied flow to a pod there was reached, and none on n1 was.",
    "Look at the engine's agent on n2: kubectl -n kube-system get pods -o wide --field-selector spec.nodeName=n2",
)


def clean() -> AuditReport:
    return report()


def nothing_enforced() -> AuditReport:
    return report(measure=everything_reached, findings=lambda flows: _leaks(flows, *NO_ENGINE))


def one_node_leaking() -> AuditReport:
    return report(measure=node_leaks, findings=lambda flows: _leaks(flows, *ONE_NODE))


def every_agreement() -> AuditReport:
    """A leak, a blockage, a late and an inconclusive flow beside those that are as expected."""
    return report(measure=mixed, findings=lambda flows: [*_leaks(flows, *ONE_NODE), _blockage()])


def incomplete() -> AuditReport:
    """Half of the flows have no answer, because the frontend's probe pod did not start."""
    whole = report(measure=lambda flow: no_answer(flow) if flow.source.startswith("frontend") else as_predicted(flow))
    broken = [
        replace(one, state="did not start: ErrImagePull", pod="") if one.key.startswith("frontend") else one
        for one in stand_ins(STAGING)
    ]
    skipped = [*whole.skipped, SkipEntry("payments/api", "A Service publishes its pods before they are ready.", 14)]
    warnings = ["networkpolicies in namespace payments could not be listed: 403"]
    leftovers = ["Pod staging/netaudit-r1-frontend-n1"]
    return replace(whole, stand_ins=broken, skipped=skipped, warnings=warnings, leftovers=leftovers)


def datagrams() -> AuditReport:
    """A server of names that anybody can ask by UDP, although only the frontend may."""
    names = Who("staging", "dns", ("n2",), 53, "staging/dns-policy", ("frontend",), "UDP")
    measure = {"UDP": everything_reached, "TCP": as_predicted}
    return report((*STAGING, names), lambda flow: measure[flow.protocol](flow), lambda flows: _leaks(flows, *ONE_NODE))


def nothing_tested() -> AuditReport:
    """No probe pod could be made."""
    empty = report(())
    nobody = [SkipEntry("every identity", "Pods may not be created: PodSecurity restricted.", 0)]
    return replace(empty, stand_ins=[], flows=[], nodes=[], policies=[], rules=[], identities=[], skipped=nobody)


def hostile_names() -> AuditReport:
    """Every text that someone else chooses holds markup, terminal escapes, newlines and bidi marks."""
    people = (*STAGING, Who(EVIL, f"{EVIL}{TRICKS}", (f"n2{TRICKS}",), 80, f"{EVIL}/{TRICKS}"))
    base = report(people, everything_reached, lambda flows: [_hostile_finding(flows)])
    return replace(
        base,
        identities=[
            replace(one, labels={EVIL: TRICKS}, owners=[EVIL], title=f"{one.title}") for one in base.identities
        ],
        flows=[replace(flow, reason=f"{TRICKS}{EVIL}", policies=[f"{EVIL}{TRICKS}"]) for flow in base.flows],
        stand_ins=[replace(one, pod=EVIL, state=f"running{TRICKS}", note=EVIL) for one in base.stand_ins],
        policies=[ClaimEntry(f"{EVIL}{TRICKS}", TRICKS, EVIL, f"{EVIL}{TRICKS}", 2)],
        rules=[ClaimEntry(f"{TRICKS}{EVIL}", EVIL, TRICKS, f"{EVIL}{TRICKS}", 2)],
        skipped=[SkipEntry(f"{EVIL}{TRICKS}", f"{TRICKS}{EVIL}", 3)],
        limits=[f"{EVIL}{TRICKS}"],
        warnings=[f"{TRICKS}{EVIL}"],
        leftovers=[f"{EVIL}{TRICKS}"],
        summary=replace(base.summary, sentence=f"{EVIL}{TRICKS}", status=EVIL),
        run=replace(base.run, image=EVIL, command=f"{TRICKS}{EVIL}"),
        cluster=replace(base.cluster, context=f"{EVIL}{TRICKS}"),
    )


def many(identities: int) -> AuditReport:
    """So many identities in five namespaces, each talking to some of the others; the third of them leak."""
    people = tuple(
        Who(f"team-{number % 5}", f"app-{number:03}", ("n1",), 80, f"team-{number % 5}/deny" if number % 2 else "")
        for number in range(identities)
    )
    flows = [flow for flow in report(people, _some_leak).flows if flow.id % 3 == 0]
    base = report(people, _some_leak)
    return replace(base, flows=flows, summary=summary(flows, findings=1))


def _some_leak(flow: FlowEntry) -> FlowEntry:
    if flow.id % 7 == 0:
        return no_answer(flow)
    return everything_reached(flow) if flow.destination.startswith("app-003") else as_predicted(flow)


def _leaks(flows: list[FlowEntry], cause: str, remedy: str) -> list[FindingEntry]:
    policies = sorted({policy for flow in flows if flow.agreement == "leak" for policy in flow.policies})
    return [leak_finding(flows, policy, cause, remedy) for policy in policies]


def _blockage() -> FindingEntry:
    return FindingEntry(
        id="F-blockage",
        rule="allowed-but-not-reached",
        severity="medium",
        confidence="likely",
        title="staging/backend was not reached from staging/frontend",
        cause="The engine does not know the pods of node n1.",
        remedy="Restart the engine's agent on n1, then run netaudit again.",
        policies=[],
        source="staging/frontend",
        destination="staging/backend",
        flows=[1],
        evidence=["flow 1: predicted allowed, measured silent"],
    )


def _hostile_finding(flows: list[FlowEntry]) -> FindingEntry:
    whole = f"{EVIL}{TRICKS}"
    return FindingEntry(
        whole, whole, whole, whole, whole, whole, whole, [whole], whole, whole, [flow.id for flow in flows], [whole]
    )


def expectations() -> AuditReport:
    """One expectation of each accord, one with a hostile name, and findings about what is broken."""
    base = every_agreement()
    entries = [_expected(number, accord) for number, accord in enumerate(Accord)]
    hostile = replace(entries[0], name=f"{EVIL}{TRICKS}", source=EVIL, reason=TRICKS, accord=EVIL, meaning=TRICKS)
    whole = replace(entries[-1], name="the shop is closed", reason="PCI DSS 1.3", flows=entries[-1].flows * 3)
    counted = replace(base.summary, expectations=len(entries) + 2, expectations_broken=4)
    return replace(base, expectations=[*entries, hostile, whole], summary=counted)


def _expected(number: int, accord: Accord) -> ExpectationEntry:
    flow = ExpectedFlowEntry(
        source="staging/frontend",
        destination="staging/backend",
        family="IPv4",
        protocol="TCP",
        port=8080,
        verdict="allowed",
        accord=accord.value,
        reason="The nonce came back.",
        flow=number,
    )
    return ExpectationEntry(
        name="",
        source="staging/frontend",
        destination="staging/backend",
        port="8080/TCP",
        expected="denied",
        reason="",
        place=f"flows.yaml:{3 + 4 * number}",
        accord=accord.value,
        meaning=MEANINGS[accord],
        flows=[flow],
    )


def handshakes() -> AuditReport:
    """With addresses outside: each agreement, each accord, and one with hostile words."""
    base = every_agreement()
    kinds = [*((item, None) for item in Agreement), *((Agreement.AS_EXPECTED, item) for item in Accord)]
    entries = [_handshake(number, agreement, accord) for number, (agreement, accord) in enumerate(kinds, 1)]
    hostile = replace(entries[0], id=len(entries) + 1, target=f"{EVIL}{TRICKS}", source_identity=EVIL, reason=TRICKS)
    counted = replace(base.summary, handshakes=len(entries) + 1, handshakes_wrong=6)
    return replace(base, handshakes=[*entries, hostile], summary=counted)


def _handshake(number: int, agreement: Agreement, accord: Accord | None) -> HandshakeEntry:
    return HandshakeEntry(
        id=number,
        kind="external",
        source="frontend-n1",
        source_identity="staging/frontend",
        target="203.0.113.1, the first usable of 203.0.113.0/24 (256 addresses)",
        address="203.0.113.1",
        family="IPv4",
        protocol="TCP",
        port=443,
        expected="" if accord is None else "denied",
        verdict="denied",
        outcome="silent",
        agreement=agreement.value,
        accord="" if accord is None else accord.value,
        reason="denied, while others on the same node reached it",
        policies=["staging/frontend-out"],
        denied_by=["Egress"],
        tries=3,
        milliseconds=1000,
    )


def timed() -> AuditReport:
    """Every pace of every change, one on a node with a hostile name."""
    entries = [
        _timed(change, pace, direction.value)
        for change in Change
        for pace in Pace
        for direction in (Direction.EGRESS, Direction.INGRESS)
    ]
    hostile = replace(entries[0], node=f"{EVIL}{TRICKS}", change=TRICKS, pace=EVIL, direction=TRICKS, reason=EVIL)
    base = clean()
    return replace(base, enforcement=[*entries, hostile], run=replace(base.run, mode="sentinel", enforce_time=True))


def _timed(change: Change, pace: Pace, direction: str) -> EnforcementEntry:
    known = {Pace.AT_ONCE: (640, 640), Pace.AFTER: (1_217, 104), Pace.NEVER: (45_013, 0), Pace.INCONCLUSIVE: (-1, -1)}
    reasons = {
        Pace.AT_ONCE: "denied in the first try and ever after",
        Pace.AFTER: "got through at first, then denied",
        Pace.NEVER: "new connections still got through when 45 s were over",
        Pace.INCONCLUSIVE: "the unpoliced twin on the same node did not get through in every try",
    }
    return EnforcementEntry("n1", direction, change.value, pace.value, *known[pace], 45.0, 83, reasons[pace])


def inplace() -> AuditReport:
    """Real pods that stay marked: one whose agent has ended, one whose agent may still run, one of a hostile name."""
    ended, other = "its agent has ended", "its agent may run until 2026-01-02T03:14:05Z and then ends by itself"
    marked = [
        MarkEntry("staging", "backend-7d9f-x2x4z", "netaudit-r1a2b3-r0", "deployment/backend", "b", ended),
        MarkEntry("staging", "db-0", "netaudit-r1a2b3-r1", "statefulset/db", "d", other),
        MarkEntry(EVIL, TRICKS, EVIL, TRICKS, EVIL, f"{EVIL}{TRICKS}"),
    ]
    base = clean()
    left = [f"agent in pod staging/db-0: {other}"]
    return replace(base, marked=marked, leftovers=left, run=replace(base.run, mode="inplace"))


def services() -> AuditReport:
    """Every way with every agreement, what has no verdict, and one path with hostile names."""
    entries = [_path(way, agreement) for way in Way for agreement in Agreement]
    undefined = replace(entries[-1], verdict="undefined", outcome="reached", agreement="inconclusive", policies=[])
    hostile = replace(entries[0], way=EVIL, source_node=f"{EVIL}{TRICKS}", node=TRICKS, address=EVIL, reason=EVIL)
    base = clean()
    return replace(
        base,
        service_paths=[replace(item, id=number) for number, item in enumerate((*entries, undefined, hostile), 1)],
        names=[*(_name(item) for item in Resolving), replace(_name(Resolving.NOT_RESOLVED), name=EVIL, reason=TRICKS)],
        run=replace(base.run, mode="sentinel", targets="service"),
    )


def _name(outcome: Resolving) -> NameEntry:
    good = outcome is Resolving.RESOLVED
    name = "netaudit-headless.netaudit-ctl-2"
    addresses, reason = (["10.244.1.7"], "it has an address") if good else ([], "DNS says: NXDOMAIN")
    return NameEntry(name, "n1", "IPv4", outcome.value, addresses, reason, 3, *((12, 1) if good else (-1, -1)))


def _path(way: Way, agreement: Agreement) -> ServicePathEntry:
    dialled = {Way.POD: 8081, Way.NODE_PORT: 31727}.get(way, 81)
    return ServicePathEntry(
        id=0,
        way=way.value,
        source_node="n1",
        caller="gated" if agreement is Agreement.BLOCKAGE else "unpoliced",
        server_node="n2",
        node="n3" if way is Way.NODE_PORT else "",
        family="IPv4",
        protocol="TCP",
        address="198.51.100.3" if way is Way.NODE_PORT else "10.96.0.7",
        port=dialled,
        target_port=8081,
        verdict="allowed" if agreement is Agreement.BLOCKAGE else "denied",
        outcome="reached" if agreement is Agreement.LEAK else "silent",
        agreement=agreement.value,
        reason="got through before the policies were made and not with them, while others did",
        policies=["netaudit-ctl-2/netaudit-service-in"],
        denied_by=["Ingress"],
        tries=3,
        milliseconds=1000,
    )


def pings() -> AuditReport:
    """Every echo of both kinds of pairs, two of one kind alike, and one with hostile texts."""
    alike = [_ping(Between.PODS, Echo.SILENT, source_node="n2"), _ping(Between.PODS, Echo.SILENT, family="IPv6")]
    entries = [_ping(between, echo) for between in Between for echo in Echo]
    hostile = _ping(Between.PODS, Echo.FAULT, source_node=EVIL, source_identity=TRICKS, reason=TRICKS, meaning=EVIL)
    odd = _ping(Between.PODS, Echo.FAULT, outcome="a word of a later version")
    found = [*entries, *alike, hostile, odd]
    return replace(clean(), pings=[replace(item, id=number) for number, item in enumerate(found, 1)])


def _ping(between: Between, echo: Echo, **more: Any) -> PingEntry:
    twins = between is Between.TWINS
    told = {Echo.SILENT: "an engine that drops ICMP together with the ports that policies deny"}
    reasons = {
        Echo.ANSWERED: "an echo came back",
        Echo.REFUSED: "said to be unreachable or prohibited (exit 113)",
        Echo.SILENT: "no echo within the time limit",
        Echo.FAULT: "the exec failed: it answered 500",
        Echo.NOT_POSSIBLE: "the probe image has no ping, or the node's kernel no such socket",
    }
    entry = PingEntry(
        id=0,
        between=between.value,
        source="c0a" if twins else "f",
        destination="c1b" if twins else "b",
        source_identity="control" if twins else "f",
        destination_identity="control" if twins else "b",
        source_node="n1",
        destination_node="n2",
        family="IPv4",
        outcome=echo.value,
        reason=reasons[echo],
        meaning="" if twins else told.get(echo, ""),
        tries=2,
        milliseconds=3 if echo is Echo.ANSWERED else -1,
    )
    return replace(entry, **more)


SAMPLES: dict[str, AuditReport] = {
    "clean": clean(),
    "datagrams": datagrams(),
    "every-agreement": every_agreement(),
    "expectations": expectations(),
    "handshakes": handshakes(),
    "hostile-names": hostile_names(),
    "incomplete": incomplete(),
    "inplace": inplace(),
    "nothing-enforced": nothing_enforced(),
    "nothing-tested": nothing_tested(),
    "one-node-leaking": one_node_leaking(),
    "pings": pings(),
    "services": services(),
    "timed": timed(),
}

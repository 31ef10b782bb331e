"""All that an audit found, into the report document.

Pure.  Clock, run id and version come in as arguments; every list is sorted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from auditor.accord import entry_of
from auditor.caveats import limits
from auditor.greetings import accord
from auditor.model import report as doc
from auditor.model.cluster import Snapshot
from auditor.model.finding import Claim, Finding, Greeting, Judgement
from auditor.model.flow import Protocol
from auditor.model.matrix import Identity, Query, in_order
from auditor.model.options import Options
from auditor.model.probe import NotPlaced, Placed, Role, Skip, StandIn, Timing
from auditor.model.timing import EnforcementEntry, Figure
from auditor.model.words import plural
from auditor.pings import entries
from auditor.plan import is_system, isolated_directions
from auditor.service_proof import entry_of as path_entry
from auditor.service_proof import name_entry
from auditor.verdict import Material, summarise

CONTROL_ID = "control"
CONTROL_TITLE = "any other pod (unpoliced control)"


def assemble(material: Material, options: Options, run: doc.Run, context: str) -> doc.AuditReport:
    """Write the document of one audit."""
    snapshot, plan = material.snapshot, material.plan
    identity_of = {item.key: item.identity or CONTROL_ID for item in plan.stand_ins}
    lost = [Skip(item.subject, item.loss) for item in snapshot.lost]
    skipped = [*plan.skipped, *_out_of_reach(snapshot, options), *lost]
    return doc.AuditReport(
        schema=doc.SCHEMA,
        run=run,
        cluster=doc.Cluster(
            uid=snapshot.cluster_uid,
            server_version=snapshot.server_version,
            context=context,
            nodes=len(snapshot.nodes),
            namespaces=len(snapshot.namespaces),
            pods=len(snapshot.pods),
            policies=len(snapshot.policies),
        ),
        summary=summarise(material, options),
        findings=[_finding(item) for item in material.findings],
        identities=_identities(material),
        stand_ins=[_stand_in(item, material.placement.get(item.key), run.id) for item in plan.stand_ins],
        flows=[_flow(item, identity_of) for item in material.comparison.judgements],
        policies=[_claim(item) for item in material.comparison.policies],
        nodes=[_claim(item) for item in material.comparison.nodes],
        skipped=[doc.SkipEntry(item.what, item.reason, item.flows) for item in sorted(skipped, key=_skip_key)],
        limits=limits(material, options),
        warnings=sorted({*snapshot.warnings, *plan.notes}),
        leftovers=sorted(material.leftovers),
        rules=[_claim(item) for item in material.comparison.rules],
        expectations=[entry_of(item) for item in material.answers],
        handshakes=[_greeting(item, identity_of) for item in material.comparison.greetings],
        marked=_marked(material),
        enforcement=[_timed(item, plan.timing) for item in material.timed if plan.timing is not None],
        names=[name_entry(item) for item in material.names],
        pings=entries(plan, material.pinged, material.comparison.judgements, CONTROL_ID),
        service_paths=[path_entry(item, plan.services) for item in material.crossed if plan.services is not None],
    )


def _skip_key(skip: Skip) -> tuple[str, str]:
    return skip.what, skip.reason


def _out_of_reach(snapshot: Snapshot, options: Options) -> list[Skip]:
    skips = []
    host = [pod for pod in snapshot.pods if pod.host_network and not is_system(pod.namespace)]
    if host:
        what = f"{plural(len(host), 'pod')} on the host's network"
        skips.append(Skip(what, "policies do not apply there in a defined way"))
    homeless = [pod for pod in snapshot.pods if not pod.addresses and pod.phase == "Pending" and not pod.host_network]
    if homeless:
        skips.append(Skip(f"{plural(len(homeless), 'pod')} without an address", "still Pending"))
    system = Counter(pod.namespace for pod in snapshot.pods if is_system(pod.namespace) and pod.talks)
    for namespace, count in system.items():
        if namespace not in options.namespaces:
            what = f"namespace {namespace} ({plural(count, 'pod')})"
            skips.append(Skip(what, "system namespaces are off unless they are named"))
    return skips


def _identities(material: Material) -> list[doc.IdentityEntry]:
    used = {item.identity for item in material.plan.stand_ins}
    entries = [_identity(item) for item in material.matrix.identities if item.id in used]
    controls = [item for item in material.plan.stand_ins if item.role is Role.CONTROL]
    if controls:
        entries.append(
            doc.IdentityEntry(
                id=CONTROL_ID,
                title=CONTROL_TITLE,
                namespace=controls[0].namespace,
                labels={},
                owners=[],
                pods=len(controls),
                nodes=sorted({item.node for item in controls}),
                isolated=[],
                ports=sorted(
                    {port for item in controls for protocol, port in item.listens if protocol is Protocol.TCP}
                ),
                listens=_words(query for item in controls for query in item.listens),
                control=True,
            )
        )
    return entries


def _identity(item: Identity) -> doc.IdentityEntry:
    return doc.IdentityEntry(
        id=item.id,
        title=item.title,
        namespace=item.namespace,
        labels=dict(item.labels),
        owners=[str(owner) for owner in item.owners],
        pods=len(item.pods),
        nodes=list(item.nodes),
        isolated=isolated_directions(item),
        ports=[port for protocol, port in item.listens if protocol is Protocol.TCP],
        listens=_words(item.listens),
    )


def _words(queries: Iterable[Query]) -> list[str]:
    return [f"{port}/{protocol.value}" for protocol, port in in_order(queries)]


def _stand_in(item: StandIn, placed: Placed | NotPlaced | None, run: str) -> doc.StandInEntry:
    running = placed if isinstance(placed, Placed) else None
    reason = placed.reason if isinstance(placed, NotPlaced) else "it was not made"
    note = ""
    if running is not None and dict(running.pod.labels) != dict(item.labels):
        note = f"admission changed its labels to {dict(sorted(running.pod.labels.items()))}"
    return doc.StandInEntry(
        key=item.key,
        identity=item.identity or CONTROL_ID,
        namespace=item.namespace,
        pod=item.pod or f"netaudit-{run}-{item.key}-0",
        node=item.node,
        addresses=list(running.pod.addresses) if running else [],
        state="running" if running else reason,
        note=note,
    )


def _flow(judgement: Judgement, identity_of: Mapping[str, str]) -> doc.FlowEntry:
    flow = judgement.flow
    last = judgement.observations[-1] if judgement.observations else None
    return doc.FlowEntry(
        id=flow.id,
        source=flow.source,
        destination=flow.destination,
        source_identity=identity_of[flow.source],
        destination_identity=identity_of[flow.destination],
        family=flow.family.value,
        protocol=flow.protocol.value,
        port=flow.port,
        verdict=flow.predicted.verdict.value,
        outcome=judgement.outcome.value,
        agreement=judgement.agreement.value,
        reason=judgement.reason,
        policies=[str(policy) for policy in flow.predicted.denied_by],
        denied_by=[direction.value for direction in flow.predicted.deniers],
        tries=sum(len(item.outcomes) for item in judgement.observations),
        milliseconds=last.milliseconds if last else -1,
        settled_after_seconds=round(judgement.settled_after, 1),
        measured=judgement.measured,
    )


def _greeting(greeting: Greeting, identity_of: Mapping[str, str]) -> doc.HandshakeEntry:
    item = greeting.handshake
    last = greeting.observations[-1] if greeting.observations else None
    found = accord(greeting)
    return doc.HandshakeEntry(
        id=item.id,
        kind=item.kind.value,
        source=item.source,
        source_identity=identity_of[item.source],
        target=item.target,
        address=item.address,
        family=item.family.value,
        protocol=item.protocol.value,
        port=item.port,
        expected=item.wish.value if item.wish is not None else "",
        verdict=item.predicted.verdict.value,
        outcome=greeting.outcome.value,
        agreement=greeting.agreement.value,
        accord=found.value if found is not None else "",
        reason=greeting.reason,
        policies=[str(policy) for policy in item.predicted.denied_by],
        denied_by=[direction.value for direction in item.predicted.deniers],
        tries=sum(len(one.outcomes) for one in greeting.observations),
        milliseconds=last.milliseconds if last else -1,
        settled_after_seconds=round(greeting.settled_after, 1),
    )


def _marked(material: Material) -> list[doc.MarkEntry]:
    """The real pods that stay marked, with whoever makes the pods that come after them."""
    identities = {(item.namespace, item.pod): item.identity for item in material.plan.stand_ins if item.pod}
    owners = {(pod.namespace, pod.name): pod.owner for pod in material.snapshot.pods}
    return [
        doc.MarkEntry(
            namespace=item.namespace,
            pod=item.pod,
            container=item.container,
            owner=str(owners.get((item.namespace, item.pod)) or f"pod/{item.pod}"),
            identity=identities.get((item.namespace, item.pod), ""),
            state=item.state,
        )
        for item in material.marks
    ]


def _claim(claim: Claim) -> doc.ClaimEntry:
    return doc.ClaimEntry(
        subject=str(claim.subject),
        direction=claim.direction.value,
        proof=claim.proof.value,
        reason=claim.reason,
        flows=len(claim.flows),
    )


def _timed(figure: Figure, timing: Timing) -> EnforcementEntry:
    return EnforcementEntry(
        node=figure.node,
        direction=figure.direction.value,
        change=figure.change.value,
        pace=figure.pace.value,
        milliseconds=figure.milliseconds,
        resolution_milliseconds=figure.resolution,
        limit_seconds=timing.limit,
        tries=figure.tries,
        reason=figure.reason,
    )


def _finding(finding: Finding) -> doc.FindingEntry:
    return doc.FindingEntry(
        id=finding.id,
        rule=finding.rule,
        severity=finding.severity.value,
        confidence=finding.confidence.value,
        title=finding.title,
        cause=finding.cause,
        remedy=finding.remedy,
        policies=[str(policy) for policy in finding.policies],
        source=finding.source,
        destination=finding.destination,
        flows=list(finding.flows),
        evidence=list(finding.evidence),
    )

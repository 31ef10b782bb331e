"""All that an audit found, into the report document.

Pure.  Clock, run id and version come in as arguments; every list is sorted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from auditor.accord import entry_of
from auditor.greetings import accord
from auditor.model import report as doc
from auditor.model.cluster import Snapshot
from auditor.model.finding import Claim, Finding, Greeting, Judgement
from auditor.model.flow import Protocol, Verdict
from auditor.model.handshake import Beyond
from auditor.model.matrix import Identity, Query, in_order
from auditor.model.options import Mode, Options
from auditor.model.probe import NotPlaced, Placed, ProbePlan, Role, Skip, StandIn, Timing
from auditor.model.timing import Figure
from auditor.plan import is_system, isolated_directions
from auditor.verdict import Material, summarise

CONTROL_ID = "control"
CONTROL_TITLE = "any other pod (unpoliced control)"


def assemble(material: Material, options: Options, run: doc.Run, context: str) -> doc.AuditReport:
    """Write the document of one audit."""
    snapshot, plan = material.snapshot, material.plan
    identity_of = {item.key: item.identity or CONTROL_ID for item in plan.stand_ins}
    skipped = [*plan.skipped, *_out_of_reach(snapshot, options)]
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
        limits=[
            *_choice(plan, options),
            *_before(material),
            *_limits(plan, options),
            *_unwitnessed(material),
            *([TIMED] if plan.timing else []),
            *map(_doubt, snapshot.doubts),
        ],
        warnings=sorted({*snapshot.warnings, *plan.notes}),
        leftovers=sorted(material.leftovers),
        rules=[_claim(item) for item in material.comparison.rules],
        expectations=[entry_of(item) for item in material.answers],
        handshakes=[_greeting(item, identity_of) for item in material.comparison.greetings],
        marked=_marked(material),
        enforcement=[_timed(item, plan.timing) for item in material.timed if plan.timing is not None],
    )


def _skip_key(skip: Skip) -> tuple[str, str]:
    return skip.what, skip.reason


def _doubt(text: str) -> str:
    return f"Not read, so that it may explain what was denied or got through here: {text}."


_MEASURED = (
    "Measured between probe pods on pod addresses, with UDP and SCTP only on ports that a policy or a container "
    "names with that protocol; Service addresses and addresses outside the cluster were not tried."
)
_MET = (
    "Measured between probe pods on pod addresses, with UDP and SCTP only on ports that a policy or a container "
    "names with that protocol, and by handshake with strangers; Service addresses were not tried."
)
_HANDSHAKES = {
    Beyond.EXTERNAL: (
        "A handshake shows that something answered, be it a proxy on the way, and not who: nothing was sent. "
        "Of a block one address was tried for each part that policies tell apart, and others may not answer alike."
    ),
    Beyond.REAL: (
        "Of real pods one of each identity was tried, once from each probe pod, on the TCP ports that its containers "
        "name but {ports}; in a pod with a proxy of a mesh the proxy may have answered."
    ),
}
_NODES = "A node is proven where a denied flow was measured with its pod there; other nodes are not."
_WHEN = "Only new connections were tried, at the time of this run."
_KEPT = (
    "The cluster keeps Events about the probe pods until they expire (an hour by default), and some engines keep "
    "the identities that they made for them until their own clean-up."
)
_MARKED = (
    "An ephemeral container cannot be removed from a pod: what is marked stays so until the pod is replaced. Its agent "
    "ends with the run; what it used until then counted as the pod's own, for limits and for autoscalers."
)
_MEASURED_INPLACE = (
    "Measured between agents in real pods and unpoliced controls on pod addresses; Service addresses were not tried."
)
LIMITS = {
    Mode.CLONE: (
        _MEASURED,
        (
            "A probe pod stands for an identity: pods that no policy can tell apart. It wears its policy-relevant "
            "labels on a node that runs one of its pods; the pods themselves were not touched."
        ),
        _NODES,
        _WHEN,
        _KEPT,
    ),
    Mode.SENTINEL: (
        (
            "Mode sentinel says whether each node enforces NetworkPolicy in both directions, by label and port, with "
            "netaudit's own policies over its own pods in its own namespaces."
        ),
        (
            "It cannot say what the policies of this cluster's users mean, whether they protect anything, or what "
            "workloads can reach: none of them were read, and an engine can fail on what no sentinel tries."
        ),
        "An ipBlock is not tried: the API leaves open whether it means pods. Neither are port names and port ranges.",
        "How full the nodes were was not read: at most eight small pods stood on each for the time of the run.",
        _MEASURED,
        _NODES,
        _WHEN,
        _KEPT,
    ),
    Mode.INPLACE: (
        (
            "Mode inplace measures from and to real pods, one of each identity that was asked for (and one more where "
            "a node would go unproven), through an agent in an ephemeral container. Other pods of an identity, and "
            "pods that were not asked for, were not touched."
        ),
        (
            "An agent listens on one port of its pod, which nobody declares, leads to, knocks at or names in a policy. "
            "That shows what is denied or allowed on all ports alike; whether a rule holds on the ports that it names "
            "is shown between probe pods only (--mode clone or shadow), or by handshake with --targets real."
        ),
        (
            "What drops or answers a packet inside a pod cannot be told from the engine: pods with a proxy of a known "
            "mesh, and pods one of whose containers may filter their traffic, were left out for that."
        ),
        _MARKED,
        _MEASURED_INPLACE,
        _NODES,
        _WHEN,
        _KEPT,
    ),
    Mode.SHADOW: (
        (
            "Mode shadow measures equivalents, not the workloads themselves: pods with their policy-relevant labels, "
            "in netaudit's own namespaces, under copies of the NetworkPolicies of the namespaces that were asked for."
        ),
        (
            "It shows that the engine enforces such policies on such pods on these nodes. It cannot show that the "
            "policy that stands beside the workloads has reached the engine, or what the engine does in that namespace."
        ),
        "Flows that policies decide otherwise for the copies than for the workloads were left out and are counted.",
        _MEASURED,
        _NODES,
        _WHEN,
        _KEPT,
    ),
}
"""What an audit of each mode can and cannot say."""
TIMED = (
    "Times to enforce are those of a policy that denies all, for new connections between pods of one node by TCP; a "
    "connection that stood already was not tried, and a policy with many peers may take longer."
)


def _limits(plan: ProbePlan, options: Options) -> list[str]:
    """What this audit cannot say; of strangers there is more to say where some were met."""
    if not plan.handshakes:
        return [*LIMITS[options.mode]]
    known = {item.kind for item in plan.handshakes}
    more = [text for kind, text in _HANDSHAKES.items() if kind in known]
    real = {text.format(ports=", ".join(map(str, options.never_ports))) for text in more}
    return [_MET if text is _MEASURED else text for text in LIMITS[options.mode]] + sorted(real)


def _choice(plan: ProbePlan, options: Options) -> list[str]:
    """What a chosen part of the flows cannot say."""
    if not plan.unchosen:
        return []
    whole = len(plan.flows) + plan.unchosen
    return [
        (
            f"--coverage {options.coverage.value} chose {len(plan.flows):,} of {whole:,} flows (seed {options.seed}); "
            "the others were not tried, and a leak among them would not show. --coverage full tries them."
        )
    ]


def _before(material: Material) -> list[str]:
    """What flows that were taken over cannot say."""
    if not any(item.measured for item in material.comparison.judgements):
        return []
    return [
        (
            f"Flows that were taken over hold for the time at which run {material.resumed} measured them. Nothing that "
            "bears on them has changed since, and for each node of theirs something like them was tried anew; they do "
            "not speak for nodes."
        )
    ]


def _unwitnessed(material: Material) -> list[str]:
    """How many probe pods were silent with no flow of their own to show that their path was alive."""
    silent: set[tuple[bool, str, str]] = set()
    alive: set[tuple[bool, str, str]] = set()
    for item in material.comparison.judgements:
        found = alive if item.flow.predicted.verdict is Verdict.ALLOWED else silent
        found |= {(is_source, key, item.flow.family.value) for is_source, key in _ends(item)}
    clones = {item.key for item in material.plan.stand_ins if item.role is not Role.CONTROL}
    left = {key for _, key, _ in silent - alive} & clones
    if not left:
        return []
    return [
        (
            f"Policies allow nothing that was tried into or out of {len(left)} of {len(clones)} probe pods; that their "
            "paths were alive when they were silent that way is known from the twins on their nodes only."
        )
    ]


def _ends(judgement: Judgement) -> tuple[tuple[bool, str], tuple[bool, str]]:
    return (True, judgement.flow.source), (False, judgement.flow.destination)


def _out_of_reach(snapshot: Snapshot, options: Options) -> list[Skip]:
    skips = []
    host = [pod for pod in snapshot.pods if pod.host_network and not is_system(pod.namespace)]
    if host:
        skips.append(Skip(f"{len(host)} pods on the host's network", "policies do not apply to them in a defined way"))
    homeless = [pod for pod in snapshot.pods if not pod.addresses and pod.phase == "Pending" and not pod.host_network]
    if homeless:
        skips.append(Skip(f"{len(homeless)} pods without an address", "they are still Pending"))
    system = Counter(pod.namespace for pod in snapshot.pods if is_system(pod.namespace) and pod.talks)
    for namespace, count in system.items():
        if namespace not in options.namespaces:
            skips.append(
                Skip(f"namespace {namespace} ({count} pods)", "system namespaces are off unless they are named")
            )
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


def _timed(figure: Figure, timing: Timing) -> doc.EnforcementEntry:
    return doc.EnforcementEntry(
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

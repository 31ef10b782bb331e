"""Paths through netaudit's own Services on which its own policies do not hold, or stop what they allow.

What others met: kube-router accepted node ports after its egress chain, Weave and Antrea let node ports in behind SNAT,
Calico with IPVS passed same-node traffic through a Service, and the AWS VPC CNI took the Service's port for the pod's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from auditor.diagnosis.case import Case, finding_id
from auditor.model.finding import Agreement, Finding, Severity
from auditor.model.probe import Way
from auditor.model.service_path import Crossed

SHOWN = 20
"""Paths of a finding that are told as evidence."""
SEVERITIES = {Agreement.LEAK: Severity.HIGH, Agreement.BLOCKAGE: Severity.MEDIUM}
TITLES = {
    Agreement.LEAK: "A policy does not hold for connections by {way}",
    Agreement.BLOCKAGE: "A policy stops connections by {way} that it allows",
}
EVERYWHERE = {
    Agreement.LEAK: "the same is denied by policies and gets through at the pod's own address, too: the network plugin "
    "does not enforce it at all",
    Agreement.BLOCKAGE: "the same is allowed by policies and does not get through at the pod's own address either",
}
HERE_ALONE = {
    Agreement.LEAK: "the policy holds at the pod's own address and not by this way: it is decided before the "
    "translation, or by a source that was rewritten on the way",
    Agreement.BLOCKAGE: "the policy lets it through to the pod's own address and not by this way: it is decided before "
    "the translation, by the Service's address or port, or by a source that was rewritten on the way",
}
REMEDIES = {
    True: "install a network plugin that enforces NetworkPolicy, or switch enforcement on in the one that is there",
    False: "look at how the network plugin and kube-proxy go together (proxy mode, masquerading of cluster traffic, "
    "the plugin's own replacement of kube-proxy) and for a known fault of this release with Services",
}
Group = tuple[Agreement, Way]


def find(case: Case) -> tuple[Finding, ...]:
    """At most one finding for each way and way of being wrong; paths are its evidence."""
    groups: dict[Group, list[Crossed]] = defaultdict(list)
    for item in case.crossed:
        if item.agreement in SEVERITIES:
            groups[item.agreement, item.path.way].append(item)
    ordered = sorted(groups.items(), key=lambda entry: (entry[0][0].value, entry[0][1].value))
    return tuple(_finding(case, group, items, everywhere=_also_direct(groups, items)) for group, items in ordered)


def _also_direct(groups: dict[Group, list[Crossed]], items: Sequence[Crossed]) -> bool:
    """Whether each of these came out the same at the pod's own address."""
    direct = {_flow(item) for item in groups.get((items[0].agreement, Way.POD), ())}
    return {_flow(item) for item in items} <= direct


def _flow(item: Crossed) -> tuple[str, str, int]:
    return item.path.source, item.path.family.value, item.path.port


def _finding(case: Case, group: Group, items: Sequence[Crossed], *, everywhere: bool) -> Finding:
    agreement, way = group
    policies = tuple(sorted({ref for item in items for ref in item.path.predicted.denied_by}))
    evidence = [_evidence(item) for item in items[:SHOWN]]
    if len(items) > SHOWN:
        evidence.append(f"and {len(items) - SHOWN} more paths")
    return Finding(
        id=finding_id("service", case.cluster_uid, ((), f"{agreement.value} {way.value}", "")),
        rule="service",
        severity=SEVERITIES[agreement],
        confidence=case.confidence,
        title=TITLES[agreement].format(way=way.value),
        cause=(EVERYWHERE if everywhere else HERE_ALONE)[agreement] + case.proviso,
        remedy=REMEDIES[everywhere],
        policies=policies,
        source="netaudit's own pods",
        destination=f"netaudit's own server by {way.value}",
        evidence=tuple(evidence),
    )


def _evidence(item: Crossed) -> str:
    path = item.path
    address, port = path.via or (path.address, path.port)
    door = f", the port of node {path.door}" if path.door else ""
    return (
        f"path {path.id}: from {path.source_node} to {address} port {port}{door}, which is port {path.port} of the "
        f"server: {path.predicted.verdict.value} by {', '.join(map(str, path.predicted.denied_by)) or 'no policy'}; "
        f"{item.reason}"
    )

"""Software that finds the members of its cluster by their labels, and would take a probe pod for one.

Pure.  Patroni counts every pod with its cluster's labels as a member, for which the primary keeps a replication slot
and with it all its write-ahead log; operators look up their primary, or what to restart, the same way.  Nobody says by
which labels, so all workloads count that an operator made, and labels that such software is known to look for.
"""

from __future__ import annotations

from collections.abc import Iterable

from auditor.model.cluster import Snapshot
from auditor.model.labels import Labels
from auditor.model.matrix import Identity
from probes.hazards import Hazard, Kind

PREFIXES = {
    "cnpg.io/": "CloudNativePG",
    "elasticsearch.k8s.elastic.co/": "Elastic's operator",
    "postgres-operator.crunchydata.com/": "Crunchy's operator",
    "strimzi.io/": "Strimzi",
}
"""Keys of labels, by how they begin."""
PATRONI = {("application", "spilo"), ("application", "patroni")}
PATRONI_KEYS = frozenset({"spilo-role", "patroni.zalan.do/role"})


def member_hazards(labels: Labels) -> Iterable[Hazard]:
    """Whose member a pod with these labels could seem to be."""
    found = {name for key in labels for prefix, name in PREFIXES.items() if key.startswith(prefix)}
    if PATRONI & labels.items() or PATRONI_KEYS & labels.keys():
        found.add("Patroni")
    for name in sorted(found):
        yield Hazard(Kind.OPERATOR, f"{name} finds its pods by labels like these, and could take a probe pod for one")


def made_by_operators(snapshot: Snapshot, identity: Identity) -> Iterable[Hazard]:
    """Whose operator could take a probe pod of this identity for one of its own; one without labels nobody finds."""
    if not identity.labels:
        return
    makers = {pod.maker for pod in identity.pods}
    owners = {(pod.owner.kind, pod.owner.name) for pod in identity.pods if pod.owner is not None}
    makers |= {
        item.maker
        for item in snapshot.workloads
        if item.maker and item.namespace == identity.namespace and (item.kind, item.name) in owners
    }
    for maker in sorted(makers - {""}):
        yield Hazard(Kind.OPERATOR, f"{maker} made its pods, and its controller may find them by labels like these")

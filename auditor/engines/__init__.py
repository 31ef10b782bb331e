"""Which engine enforces policy in a cluster, how it answers what the API leaves open, and what it ignores."""

from __future__ import annotations

from dataclasses import replace

from auditor.engines import (
    antrea,
    aws_vpc_cni,
    azure_npm,
    calico,
    cilium,
    flannel,
    kindnet,
    kube_network_policies,
    kube_ovn,
    kube_router,
    ovn_kubernetes,
    terway,
    weave,
)
from auditor.engines.engine import Engine, Identification
from auditor.engines.gaps import unsupported
from auditor.model.cluster import Snapshot
from auditor.model.dialect import API
from auditor.model.finding import Confidence
from auditor.model.rules import Match

__all__ = ["ENGINES", "Engine", "Identification", "identify_engine", "unsupported"]

ENGINES: dict[str, Engine] = {
    "cilium": cilium.ENGINE,
    "calico": calico.ENGINE,
    "antrea": antrea.ENGINE,
    "ovn_kubernetes": ovn_kubernetes.ENGINE,
    "kube_ovn": kube_ovn.ENGINE,
    "kube_router": kube_router.ENGINE,
    "kube_network_policies": kube_network_policies.ENGINE,
    "azure_npm": azure_npm.ENGINE,
    "aws_vpc_cni": aws_vpc_cni.ENGINE,
    "terway": terway.ENGINE,
    "kindnet": kindnet.ENGINE,
    "weave": weave.ENGINE,
    "flannel": flannel.ENGINE,
}
"""By name; of engines that are found together, those that enforce come before those that may and those that do not."""
NOBODY = Identification(
    "",
    "unknown",
    Confidence.SUSPECTED,
    ("no agents, settings or objects of an engine that netaudit knows",),
    notes=("no engine was recognised: what the API leaves open stays open",),
)


def identify_engine(snapshot: Snapshot) -> Identification:
    """Name the engine that enforces policy; where two may, say so, and leave open what the API leaves open."""
    found = [item for engine in ENGINES.values() if (item := engine.identify(snapshot)) is not None]
    if not found:
        return NOBODY
    ranked = sorted(found, key=lambda item: _order(item, snapshot))
    best = _with_doubts(ranked[0], snapshot)
    if best.confidence is Confidence.SUSPECTED:
        # A suspicion answers nothing that the API leaves open.
        best = replace(best, dialect=API)
    rivals = [item for item in ranked if _order(item, snapshot) == _order(best, snapshot)]
    others = tuple(item.title for item in ranked[1:])
    if len(rivals) == 1:
        return replace(best, others=others)
    names = " and ".join(item.title for item in rivals)
    note = f"{names} were found at once: which one enforces is not known, so that what the API leaves open stays open"
    return replace(best, dialect=API, others=others, notes=(*best.notes, note))


def _order(item: Identification, snapshot: Snapshot) -> tuple[int, int]:
    """How sure it is that an engine is there, then whether it enforces."""
    works = ENGINES[item.engine].ways_in(snapshot).features.policies.works
    return list(Confidence).index(item.confidence), -int(works)


def _with_doubts(item: Identification, snapshot: Snapshot) -> Identification:
    policies = ENGINES[item.engine].ways_in(snapshot).features.policies
    return item if policies.works is Match.YES else replace(item, notes=(f"{item.title}: {policies.why}",))

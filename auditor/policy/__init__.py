"""What the policy APIs mean; one file for each API."""

from __future__ import annotations

from collections.abc import Callable

from auditor.model.cluster import PolicyObject, Snapshot
from auditor.model.dialect import Dialect
from auditor.model.rules import Translation
from auditor.policy import adminnetworkpolicy, calico, cilium, clusternetworkpolicy

Translator = Callable[[PolicyObject], Translation]
"""Reads one object; raises FieldError where it cannot be read."""

POLICY_APIS: dict[str, Callable[[Snapshot, Dialect], Translator]] = {
    "adminnetworkpolicies.policy.networking.k8s.io": adminnetworkpolicy.translator,
    "baselineadminnetworkpolicies.policy.networking.k8s.io": adminnetworkpolicy.translator,
    "ciliumclusterwidenetworkpolicies.cilium.io": cilium.translator,
    "ciliumnetworkpolicies.cilium.io": cilium.translator,
    "clusternetworkpolicies.policy.networking.k8s.io": clusternetworkpolicy.translator,
    "globalnetworkpolicies.crd.projectcalico.org": calico.translator,
    "globalnetworksets.crd.projectcalico.org": calico.translator,
    "networkpolicies.crd.projectcalico.org": calico.translator,
    "networksets.crd.projectcalico.org": calico.translator,
    "stagedglobalnetworkpolicies.crd.projectcalico.org": calico.translator,
    "stagedkubernetesnetworkpolicies.crd.projectcalico.org": calico.translator,
    "stagednetworkpolicies.crd.projectcalico.org": calico.translator,
    "tiers.crd.projectcalico.org": calico.translator,
}
"""By resource, what prepares a translator; NetworkPolicy v1 is not among them, because it is decoded into a type."""

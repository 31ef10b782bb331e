"""Which resources a snapshot holds, and where the API serves them.

Policy kinds that this version does not model are listed too: an object of such a kind makes the flows it may touch
UNKNOWN instead of guessed.
"""

from __future__ import annotations

from dataclasses import dataclass

CORE: dict[str, str] = {
    "namespaces": "/api/v1/namespaces",
    "nodes": "/api/v1/nodes",
    "pods": "/api/v1/pods",
    "services": "/api/v1/services",
    "replicationcontrollers": "/api/v1/replicationcontrollers",
    "networkpolicies": "/apis/networking.k8s.io/v1/networkpolicies",
    "deployments": "/apis/apps/v1/deployments",
    "statefulsets": "/apis/apps/v1/statefulsets",
    "replicasets": "/apis/apps/v1/replicasets",
    "horizontalpodautoscalers": "/apis/autoscaling/v2/horizontalpodautoscalers",
}

NEEDED = frozenset({"namespaces", "nodes", "pods", "networkpolicies"})
"""Without these there is no audit."""

DECIDING = frozenset({"namespaces", "networkpolicies"})
"""What is read again after the probes, because a change of it changes verdicts."""


@dataclass(frozen=True, slots=True)
class ForeignPolicy:
    """A policy kind that can decide about flows and is not modelled."""

    kind: str
    group: str
    versions: tuple[str, ...]
    """Served versions that are understood, the preferred one first."""
    plural: str
    namespaced: bool


def _foreign(kind: str, group: str, versions: str, plural: str, *, namespaced: bool) -> tuple[str, ForeignPolicy]:
    return f"{plural}.{group}", ForeignPolicy(kind, group, tuple(versions.split()), plural, namespaced)


FOREIGN_POLICIES: dict[str, ForeignPolicy] = dict(
    (
        _foreign(
            "AdminNetworkPolicy", "policy.networking.k8s.io", "v1alpha1", "adminnetworkpolicies", namespaced=False
        ),
        _foreign(
            "BaselineAdminNetworkPolicy",
            "policy.networking.k8s.io",
            "v1alpha1",
            "baselineadminnetworkpolicies",
            namespaced=False,
        ),
        _foreign(
            "ClusterNetworkPolicy", "policy.networking.k8s.io", "v1alpha2", "clusternetworkpolicies", namespaced=False
        ),
        _foreign("CiliumNetworkPolicy", "cilium.io", "v2", "ciliumnetworkpolicies", namespaced=True),
        _foreign(
            "CiliumClusterwideNetworkPolicy", "cilium.io", "v2", "ciliumclusterwidenetworkpolicies", namespaced=False
        ),
        _foreign("NetworkPolicy (Calico)", "crd.projectcalico.org", "v1", "networkpolicies", namespaced=True),
        _foreign(
            "GlobalNetworkPolicy (Calico)", "crd.projectcalico.org", "v1", "globalnetworkpolicies", namespaced=False
        ),
        _foreign("NetworkPolicy (Antrea)", "crd.antrea.io", "v1beta1", "networkpolicies", namespaced=True),
        _foreign(
            "ClusterNetworkPolicy (Antrea)", "crd.antrea.io", "v1beta1", "clusternetworkpolicies", namespaced=False
        ),
        _foreign("EgressFirewall", "k8s.ovn.org", "v1", "egressfirewalls", namespaced=True),
        _foreign(
            "ClusterNetworkPolicy (AWS)", "networking.k8s.aws", "v1alpha1", "clusternetworkpolicies", namespaced=False
        ),
        _foreign(
            "ApplicationNetworkPolicy (AWS)",
            "networking.k8s.aws",
            "v1alpha1",
            "applicationnetworkpolicies",
            namespaced=True,
        ),
    )
)

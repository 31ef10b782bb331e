"""Which resources a snapshot holds, and where the API serves them.

Policy kinds that this version does not model are listed too: an object of such a kind makes the flows it may touch
UNKNOWN instead of guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

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
    "daemonsets": "/apis/apps/v1/daemonsets",
    "jobs": "/apis/batch/v1/jobs",
    "cronjobs": "/apis/batch/v1/cronjobs",
    "limitranges": "/api/v1/limitranges",
    "resourcequotas": "/api/v1/resourcequotas",
    "horizontalpodautoscalers": "/apis/autoscaling/v2/horizontalpodautoscalers",
}

NEEDED = frozenset({"namespaces", "nodes", "pods", "networkpolicies"})
"""Without these there is no audit."""

VERTICAL, MONITORS = "verticalpodautoscalers.autoscaling.k8s.io", "podmonitors.monitoring.coreos.com"
BESIDE: dict[str, tuple[str, str]] = {VERTICAL: ("autoscaling.k8s.io", "v1"), MONITORS: ("monitoring.coreos.com", "v1")}
"""What may look at probe pods and is not there in every cluster: group and version."""
SCALES = "scales"
"""Scale subresources of what autoscalers name and no list holds."""

SLICES = "endpointslices"
"""Needed for flows to Services without a selector only, which are UNKNOWN without them."""
SLICES_PATH = "/apis/discovery.k8s.io/v1/endpointslices"
OWNING_SERVICE = "kubernetes.io/service-name"
"""The label that ties an EndpointSlice to a Service of its namespace (`discoveryv1.LabelServiceName`)."""

DECIDING = frozenset({"namespaces", "networkpolicies"})
"""What is read again after the probes, because a change of it changes verdicts."""


@dataclass(frozen=True, slots=True)
class ForeignPolicy:
    """A policy kind other than NetworkPolicy v1, or a kind that such policies lean on."""

    kind: str
    group: str
    versions: tuple[str, ...]
    """Served versions that are understood, the preferred one first."""
    plural: str
    namespaced: bool
    decides: bool = True
    """False where an object alone cannot decide about any flow: a tier, a set of addresses, a staged policy."""
    other_group: str = ""
    """Where the same objects are served when `group` is not."""


def _kinds(
    group: str,
    versions: str,
    kinds: str,
    plurals: str,
    *,
    namespaced: bool,
    decides: bool = True,
    maker: str = "",
    other_group: str = "",
) -> dict[str, ForeignPolicy]:
    """Kinds that differ in name alone; `maker` tells them from kinds of the same name."""
    known = tuple(versions.split())
    return {
        f"{plural}.{group}": ForeignPolicy(
            f"{kind} ({maker})" if maker else kind, group, known, plural, namespaced, decides, other_group
        )
        for kind, plural in zip(kinds.split(), plurals.split(), strict=True)
    }


_POLICY_API, _CILIUM, _CALICO = "policy.networking.k8s.io", "cilium.io", "crd.projectcalico.org"
_ANTREA, _OVN, _AWS = "crd.antrea.io", "k8s.ovn.org", "networking.k8s.aws"
_calico = partial(_kinds, _CALICO, "v1 v3", maker="Calico", other_group="projectcalico.org")

FOREIGN_POLICIES: dict[str, ForeignPolicy] = {
    **_kinds(
        _POLICY_API,
        "v1alpha1",
        "AdminNetworkPolicy BaselineAdminNetworkPolicy",
        "adminnetworkpolicies baselineadminnetworkpolicies",
        namespaced=False,
    ),
    **_kinds(_POLICY_API, "v1alpha2 v1beta1", "ClusterNetworkPolicy", "clusternetworkpolicies", namespaced=False),
    **_kinds(_CILIUM, "v2", "CiliumNetworkPolicy", "ciliumnetworkpolicies", namespaced=True),
    **_kinds(_CILIUM, "v2", "CiliumClusterwideNetworkPolicy", "ciliumclusterwidenetworkpolicies", namespaced=False),
    **_kinds(_CILIUM, "v2 v2alpha1", "CiliumCIDRGroup", "ciliumcidrgroups", namespaced=False, decides=False),
    **_calico("NetworkPolicy", "networkpolicies", namespaced=True),
    **_calico("GlobalNetworkPolicy", "globalnetworkpolicies", namespaced=False),
    **_calico("Tier GlobalNetworkSet", "tiers globalnetworksets", namespaced=False, decides=False),
    **_calico("NetworkSet", "networksets", namespaced=True, decides=False),
    **_calico("StagedGlobalNetworkPolicy", "stagedglobalnetworkpolicies", namespaced=False, decides=False),
    **_calico(
        "StagedNetworkPolicy StagedKubernetesNetworkPolicy",
        "stagednetworkpolicies stagedkubernetesnetworkpolicies",
        namespaced=True,
        decides=False,
    ),
    **_kinds(_ANTREA, "v1beta1", "NetworkPolicy", "networkpolicies", namespaced=True, maker="Antrea"),
    **_kinds(_ANTREA, "v1beta1", "ClusterNetworkPolicy", "clusternetworkpolicies", namespaced=False, maker="Antrea"),
    **_kinds(_OVN, "v1", "EgressFirewall", "egressfirewalls", namespaced=True),
    **_kinds(_AWS, "v1alpha1", "ClusterNetworkPolicy", "clusternetworkpolicies", namespaced=False, maker="AWS"),
    **_kinds(_AWS, "v1alpha1", "ApplicationNetworkPolicy", "applicationnetworkpolicies", namespaced=True, maker="AWS"),
}

LEANING = frozenset({f"{name}.{_CALICO}" for name in ("tiers", "networksets", "globalnetworksets")})
"""Without these the policies of their group cannot be read."""
LEANT_ON_BY = frozenset({f"{name}.{_CALICO}" for name in ("networkpolicies", "globalnetworkpolicies")})
"""The policies that need what `LEANING` names, and that select by the labels of service accounts."""

ACCOUNTS = "/api/v1/serviceaccounts"
SETTINGS: dict[str, str] = {_CILIUM: "/api/v1/namespaces/kube-system/configmaps/cilium-config"}
"""The ConfigMap in which an engine's switches stand, by the API group that shows the engine."""

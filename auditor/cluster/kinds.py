"""Which kinds of manifests matter, under which API versions they are served, and since when old ones are not.

Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

from auditor.cluster.resources import FOREIGN_POLICIES


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object that is read from files."""

    resource: str
    """As in `RawSnapshot.objects`."""
    name: str
    group: str
    versions: tuple[str, ...]
    """Those that API servers serve today, the preferred one first."""
    namespaced: bool = True
    foreign: bool = False
    """Whether it is another policy kind than NetworkPolicy v1, or what such policies lean on."""

    @property
    def api_version(self) -> str:
        """As a manifest has it."""
        return f"{self.group}/{self.versions[0]}" if self.group else self.versions[0]


BUILT_IN_GROUPS = frozenset(
    {"", "apps", "autoscaling", "batch", "discovery.k8s.io", "extensions", "networking.k8s.io", "policy"}
)

_BUILT_IN = (
    Kind("namespaces", "Namespace", "", ("v1",), namespaced=False),
    Kind("nodes", "Node", "", ("v1",), namespaced=False),
    Kind("pods", "Pod", "", ("v1",)),
    Kind("services", "Service", "", ("v1",)),
    Kind("endpointslices", "EndpointSlice", "discovery.k8s.io", ("v1",)),
    Kind("serviceaccounts", "ServiceAccount", "", ("v1",)),
    Kind("configmaps", "ConfigMap", "", ("v1",)),
    Kind("resourcequotas", "ResourceQuota", "", ("v1",)),
    Kind("limitranges", "LimitRange", "", ("v1",)),
    Kind("replicationcontrollers", "ReplicationController", "", ("v1",)),
    Kind("networkpolicies", "NetworkPolicy", "networking.k8s.io", ("v1",)),
    Kind("deployments", "Deployment", "apps", ("v1",)),
    Kind("statefulsets", "StatefulSet", "apps", ("v1",)),
    Kind("daemonsets", "DaemonSet", "apps", ("v1",)),
    Kind("replicasets", "ReplicaSet", "apps", ("v1",)),
    Kind("jobs", "Job", "batch", ("v1",)),
    Kind("cronjobs", "CronJob", "batch", ("v1",)),
    Kind("horizontalpodautoscalers", "HorizontalPodAutoscaler", "autoscaling", ("v2", "v1")),
)
_FOREIGN = {
    (group, kind.kind.partition(" ")[0]): Kind(
        resource, kind.kind.partition(" ")[0], group, kind.versions, kind.namespaced, foreign=True
    )
    for resource, kind in FOREIGN_POLICIES.items()
    for group in (kind.group, kind.other_group)
    if group
}
KINDS = {kind.resource: kind for kind in _BUILT_IN}
"""Kinds of Kubernetes itself, by resource."""
_BY_SMALL_NAME = {kind.name.lower(): kind for kind in _BUILT_IN}

GONE: dict[tuple[str, str], str] = {
    ("extensions/v1beta1", "NetworkPolicy"): "1.16",
    ("extensions/v1beta1", "Deployment"): "1.16",
    ("extensions/v1beta1", "DaemonSet"): "1.16",
    ("extensions/v1beta1", "ReplicaSet"): "1.16",
    ("apps/v1beta1", "Deployment"): "1.16",
    ("apps/v1beta1", "StatefulSet"): "1.16",
    ("apps/v1beta2", "Deployment"): "1.16",
    ("apps/v1beta2", "StatefulSet"): "1.16",
    ("apps/v1beta2", "DaemonSet"): "1.16",
    ("apps/v1beta2", "ReplicaSet"): "1.16",
    ("batch/v2alpha1", "CronJob"): "1.21",
    ("batch/v1beta1", "CronJob"): "1.25",
    ("discovery.k8s.io/v1beta1", "EndpointSlice"): "1.25",
    ("autoscaling/v2beta1", "HorizontalPodAutoscaler"): "1.25",
    ("autoscaling/v2beta2", "HorizontalPodAutoscaler"): "1.26",
}
"""Versions that API servers served once, and the release that stopped it (Kubernetes deprecation guide)."""


def kind_of(api_version: str, name: str) -> Kind | None:
    """The kind that a manifest means, whether or not its version is served; None where it does not matter."""
    group, _, _ = api_version.rpartition("/")
    foreign = _FOREIGN.get((group, name))
    if foreign is not None:
        return foreign
    return _BY_SMALL_NAME.get(name.lower()) if group in BUILT_IN_GROUPS else None


def is_served(kind: Kind, api_version: str, name: str) -> bool:
    """Whether an API server of today takes the manifest's apiVersion and kind, to the letter."""
    group, _, version = api_version.rpartition("/")
    return name == kind.name and version in kind.versions and (kind.foreign or group == kind.group)


def gone_since(api_version: str, name: str) -> str | None:
    """The Kubernetes release that stopped serving this version of a kind."""
    return GONE.get((api_version, name))

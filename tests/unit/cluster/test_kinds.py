"""Which kind a manifest means, and whether a server of today would know it."""

from __future__ import annotations

import pytest

from auditor.cluster.kinds import GONE, KINDS, gone_since, is_served, kind_of
from auditor.cluster.resources import CORE, FOREIGN_POLICIES


@pytest.mark.parametrize(
    ("api_version", "name", "resource", "served"),
    [
        ("v1", "Pod", "pods", True),
        ("apps/v1", "Deployment", "deployments", True),
        ("autoscaling/v1", "HorizontalPodAutoscaler", "horizontalpodautoscalers", True),
        ("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", True),
        ("networking.k8s.io/v1beta1", "NetworkPolicy", "networkpolicies", False),
        ("networking.k8s.io/v1", "networkPolicy", "networkpolicies", False),
        ("v1", "NetworkPolicy", "networkpolicies", False),
        ("apps/v1", "Pod", "pods", False),
        ("discovery.k8s.io/v1", "EndpointSlice", "endpointslices", True),
        ("discovery.k8s.io/v1beta1", "EndpointSlice", "endpointslices", False),
        ("crd.projectcalico.org/v1", "NetworkPolicy", "networkpolicies.crd.projectcalico.org", True),
        ("projectcalico.org/v3", "Tier", "tiers.crd.projectcalico.org", True),
        ("crd.antrea.io/v1beta1", "NetworkPolicy", "networkpolicies.crd.antrea.io", True),
        ("cilium.io/v1", "CiliumNetworkPolicy", "ciliumnetworkpolicies.cilium.io", False),
        (
            "policy.networking.k8s.io/v1alpha2",
            "ClusterNetworkPolicy",
            "clusternetworkpolicies.policy.networking.k8s.io",
            True,
        ),
        (
            "policy.networking.k8s.io/v1alpha1",
            "ClusterNetworkPolicy",
            "clusternetworkpolicies.policy.networking.k8s.io",
            False,
        ),
    ],
)
def test_kinds(api_version: str, name: str, resource: str, served: bool) -> None:
    kind = kind_of(api_version, name)

    assert kind is not None
    assert (kind.resource, is_served(kind, api_version, name)) == (resource, served)


@pytest.mark.parametrize(
    ("api_version", "name"),
    [
        ("v1", "Secret"),
        ("serving.knative.dev/v1", "Service"),
        ("cilium.io/v2", "NetworkPolicy"),
        ("", ""),
        ("a/b/c", "Pod"),
    ],
)
def test_kinds_that_do_not_matter(api_version: str, name: str) -> None:
    assert kind_of(api_version, name) is None


def test_everything_that_is_listed_is_read_from_files_too() -> None:
    """And an apiVersion that is gone belongs to a kind that is known, under another version."""
    foreign = {
        kind_of(f"{kind.group}/{kind.versions[0]}", kind.kind.partition(" ")[0]) for kind in FOREIGN_POLICIES.values()
    }
    assert {kind.resource for kind in foreign if kind} == set(FOREIGN_POLICIES)
    assert set(CORE) <= set(KINDS)
    for (api_version, name), release in GONE.items():
        kind = kind_of(api_version, name)
        assert kind is not None
        assert not is_served(kind, api_version, name)
        assert gone_since(api_version, name) == release
        assert is_served(kind, kind.api_version, kind.name)

"""Raw objects into values: every kind read as the API means it, and one bad object one warning."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.cluster.decode import decode
from auditor.cluster.decode_objects import decode_namespace, decode_node
from auditor.cluster.decode_pod import decode_pod
from auditor.evaluate.model import Model
from auditor.model.cluster import ContainerPort, Owner
from auditor.model.flow import Family, Protocol, Verdict
from auditor.ports import RawSnapshot
from tests.builders import (
    CLUSTER_UID,
    Raw,
    a_pod,
    autoscaler,
    deny_all,
    named,
    namespace,
    node,
    pod,
    policy,
    port,
    raw,
    selector,
    service,
    snapshot,
    workload,
)


def test_namespace_gets_the_label_that_the_server_sets() -> None:
    """Manifests in files lack kubernetes.io/metadata.name; live ones have it."""
    bare = decode_namespace({"metadata": {"name": "shop", "labels": {"team": "a"}}})

    assert bare.labels == {"team": "a", "kubernetes.io/metadata.name": "shop"}
    assert not bare.terminating
    assert decode_namespace({"metadata": {"name": "shop", "deletionTimestamp": "now"}}).terminating


def test_pod_with_everything() -> None:
    """Ports come from containers and sidecars, addresses from podIPs, the primary one first."""
    sidecar = {"restartPolicy": "Always", "ports": [port(15001, "mesh")]}
    job = {"ports": [port(1)]}
    made = a_pod(
        "shop/web",
        on="n2",
        at=["10.0.0.1", "fd00::1"],
        spec={"containers": [{"ports": [port(80, "http"), port(53, "dns", "UDP")]}], "initContainers": [sidecar, job]},
        app="web",
    )

    assert made.ports == (
        ContainerPort("dns", 53, Protocol.UDP),
        ContainerPort("http", 80),
        ContainerPort("mesh", 15001),
    )
    assert (made.addresses, made.node, made.labels) == (("10.0.0.1", "fd00::1"), "n2", {"app": "web"})
    assert made.families == (Family.IPV4, Family.IPV6)


def test_pod_with_nothing() -> None:
    """What is absent or null has its default: the namespace default, no address, pending."""
    for empty in (
        {"metadata": {"name": "web"}},
        {"metadata": {"name": "web", "labels": None}, "spec": None, "status": {}},
    ):
        made = decode_pod(empty)
        assert (made.namespace, made.addresses, made.phase, made.owner) == ("default", (), "Pending", None)


def test_single_address_counts_where_there_is_no_list() -> None:
    """Old servers send podIP alone."""
    assert decode_pod({"metadata": {"name": "web"}, "status": {"podIP": "10.0.0.1"}}).addresses == ("10.0.0.1",)


@pytest.mark.parametrize(
    ("kind", "name", "labels", "owner"),
    [
        ("ReplicaSet", "web-5d8f", {"pod-template-hash": "5d8f"}, Owner("Deployment", "web")),
        ("ReplicaSet", "web-5d8f", {"pod-template-hash": "other"}, Owner("ReplicaSet", "web-5d8f")),
        ("ReplicaSet", "web-5d8f", {}, Owner("ReplicaSet", "web-5d8f")),
        ("StatefulSet", "db", {}, Owner("StatefulSet", "db")),
    ],
)
def test_owner_is_what_a_user_would_name(kind: str, name: str, labels: dict[str, str], owner: Owner) -> None:
    """A ReplicaSet with its Deployment's hash stands for the Deployment, any other controller for itself."""
    assert a_pod("shop/web", owner=f"{kind}/{name}", **labels).owner == owner


def test_owner_that_does_not_control_is_none() -> None:
    """Only the controller counts."""
    reference = {"kind": "ConfigMap", "name": "x"}

    assert decode_pod({"metadata": {"name": "web", "ownerReferences": [reference]}}).owner is None


@pytest.mark.parametrize(
    ("labels", "ready", "expected"),
    [
        ({}, True, (True, True)),
        ({"kubernetes.io/os": "linux"}, True, (True, True)),
        ({"kubernetes.io/os": "windows"}, True, (True, False)),
        ({"type": "virtual-kubelet"}, True, (True, False)),
        ({}, False, (False, True)),
    ],
)
def test_nodes_that_can_host_probes(labels: dict[str, str], ready: bool, expected: tuple[bool, bool]) -> None:
    """Windows and virtual nodes cannot; readiness is the Ready condition."""
    made = decode_node({**node("n1", ready=ready), "metadata": {"name": "n1", "labels": labels}})

    assert (made.ready, made.hosts_probes) == expected
    assert not decode_node({"metadata": {"name": "n1"}}).ready


def test_service_without_selector_has_none() -> None:
    """An empty selector of a Service selects nothing, unlike that of a policy."""
    made = snapshot(service("shop/web", app="web", publishes=True), service("shop/external"))

    assert [item.selector is None for item in made.services] == [True, False]
    assert [item.publishes_not_ready for item in made.services] == [False, True]


def test_workloads_and_autoscalers() -> None:
    """Each controller has its pod selector, also the old kind whose selector is a plain map."""
    made = snapshot(
        workload("Deployment", "shop/web", app="web"),
        workload("ReplicationController", "shop/old", app="old"),
        autoscaler("shop/grow", "Deployment/web"),
    )

    assert [(item.kind, item.name, item.selector.matches({"app": "web"})) for item in made.workloads] == [
        ("Deployment", "web", True),
        ("ReplicationController", "old", False),
    ]
    assert made.autoscalers[0].target == Owner("Deployment", "web")


def anti(term: Raw, *, kind: str = "podAntiAffinity") -> Raw:
    return {"affinity": {kind: {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (anti({"labelSelector": selector(app="a")}), [(True, False)]),
        (anti({"labelSelector": selector(app="a"), "namespaceSelector": {}}), [(True, True)]),
        (anti({"labelSelector": selector(app="a"), "namespaces": ["other"]}), [(True, True)]),
        (anti({"labelSelector": None}), []),
        (anti({"labelSelector": selector(app="a")}, kind="podAffinity"), []),
        ({"affinity": None}, []),
        ({"topologySpreadConstraints": [spread := {"whenUnsatisfiable": "DoNotSchedule"}]}, []),
        ({"topologySpreadConstraints": [{**spread, "labelSelector": selector(app="a")}]}, [(True, False)]),
        ({"topologySpreadConstraints": [{"whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {}}]}, []),
    ],
)
def test_what_repels_stand_ins(spec: Raw, expected: list[tuple[bool, bool]]) -> None:
    """Required anti-affinity and hard spread constraints count pods; soft ones and affinity do not."""
    found = a_pod("shop/web", spec=spec).repelled_by

    assert [(term.selector.matches({"app": "a"}), term.everywhere) for term in found] == expected


BAD: list[tuple[str, Any]] = [
    ("pods", {**pod("shop/bad"), "spec": {"nodeName": 5}}),
    ("pods", {**pod("shop/bad"), "status": {"podIPs": [{"ip": "no address"}]}}),
    ("pods", {**pod("shop/bad"), "metadata": {"namespace": "shop", "name": "bad", "labels": {"a": 1}}}),
    ("pods", {**pod("shop/bad"), "metadata": {"namespace": "shop", "name": "bad", "labels": {1: "a"}}}),
    ("pods", {**pod("shop/bad"), "metadata": "text"}),
    ("pods", None),
    ("pods", "text"),
    ("pods", 7),
    ("pods", ["list"]),
    ("nodes", {"metadata": {"name": "bad"}, "status": {"conditions": "Ready"}}),
    ("services", {**service("shop/bad"), "spec": []}),
    ("deployments", {**named("Deployment", "shop/bad"), "spec": {"selector": {"matchExpressions": [{}]}}}),
    ("resourcequotas", {**named("ResourceQuota", "shop/bad"), "status": {"hard": {"pods": "many"}}}),
    ("horizontalpodautoscalers", {**named("HPA", "shop/bad"), "spec": {"scaleTargetRef": "web"}}),
    ("networkpolicies", {**named("NetworkPolicy", "shop/bad"), "spec": {"ingress": {}}}),
    ("namespaces", {"metadata": {"name": "bad", "labels": ["a"]}}),
]


_KINDS = {
    "pods": "Pod",
    "nodes": "Node",
    "services": "Service",
    "deployments": "Deployment",
    "resourcequotas": "ResourceQuota",
    "horizontalpodautoscalers": "HorizontalPodAutoscaler",
    "networkpolicies": "NetworkPolicy",
    "namespaces": "Namespace",
}


@pytest.mark.parametrize(("resource", "bad"), BAD)
def test_one_bad_object_is_one_warning(resource: str, bad: Any) -> None:
    """The object is left out and named, and everything beside it is read as before."""
    good = raw(pod("shop/web"), service("shop/web"), deny_all("shop/deny"), workload("Deployment", "shop/web"))
    before = decode(good)
    after = decode(RawSnapshot({**good.objects, resource: [bad, *good.objects.get(resource, ())]}))

    assert len(after.warnings) == 1
    assert after.warnings[0].startswith(f"{_KINDS[resource]} ")
    assert (after.pods, after.services, after.policies, after.namespaces) == (
        before.pods,
        before.services,
        before.policies,
        before.namespaces,
    )
    assert {name for name, _ in after.unreadable_in} == {resource}


def test_ports_that_no_api_knows_do_not_cost_the_pod() -> None:
    """A future protocol or an impossible number is left out, the pod stays."""
    made = a_pod("shop/web", ports=[port(80, "a", "QUIC"), port(0), port(70_000), port(81), {"name": "none"}])

    assert made.ports == (ContainerPort("", 81),)


def test_hostile_text_is_bounded() -> None:
    """No warning is longer than what the API server would allow for names, and some words on the cause."""
    bad = {"metadata": {"namespace": "shop", "name": "x" * 9_000, "labels": {"y" * 9_000: 1}}}
    (warning,) = decode(RawSnapshot({"pods": [bad]})).warnings

    assert len(warning) < 700


def test_undecodable_policy_is_a_blind_spot_of_its_namespace_only() -> None:
    """Flows with an end there are UNKNOWN, all others keep their verdict."""
    found = snapshot(
        pod("shop/web"), pod("ops/a"), pod("ops/b"), policy("shop/odd", {"matchExpressions": [{"operator": "Like"}]})
    )
    a, b, web = found.pods
    model = Model(found)

    assert [spot.namespace for spot in found.blind_spots] == ["shop"]
    assert model.decide(a, web, Family.IPV4, 80).verdict is Verdict.UNKNOWN
    assert model.decide(web, a, Family.IPV4, 80).verdict is Verdict.UNKNOWN
    assert model.decide(a, b, Family.IPV4, 80).verdict is Verdict.ALLOWED
    assert "shop/odd" in model.decide(a, web, Family.IPV4, 80).reason


@pytest.mark.parametrize(
    "metadata", [None, "text", {"namespace": ["x"], "name": "odd"}, {"namespace": "", "name": "odd"}]
)
def test_policy_whose_namespace_cannot_be_told_blinds_everything(metadata: Any) -> None:
    """Where the bad policy might stand anywhere, no verdict is guessed."""
    found = decode(RawSnapshot({"networkpolicies": [{"metadata": metadata, "spec": {"ingress": 1}}]}))

    assert [spot.namespace for spot in found.blind_spots] == [None]


def test_name_with_a_slash_does_not_move_the_blind_spot() -> None:
    """A hostile name cannot point at another namespace."""
    found = decode(RawSnapshot({"networkpolicies": [{"metadata": {"name": "ops/x"}, "spec": {"ingress": 1}}]}))

    assert [spot.namespace for spot in found.blind_spots] == ["default"]


def test_undecodable_namespace_is_a_blind_spot_of_its_own_flows() -> None:
    """Its labels may let policies match its pods, so nobody can say who reaches them or whom they reach."""
    bad = {"kind": "Namespace", "metadata": {"name": "shop", "labels": {"team": 1}}}
    found = snapshot(bad, pod("shop/web"), pod("ops/a"), pod("ops/b"))
    a, b, web = found.pods

    decision = Model(found).decide(a, web, Family.IPV4, 80)

    assert (decision.verdict, decision.reason) == (Verdict.UNKNOWN, found.blind_spots[0].reason)
    assert Model(found).decide(a, b, Family.IPV4, 80).verdict is Verdict.ALLOWED
    assert decode(RawSnapshot({"namespaces": [{"metadata": {"name": 5}}]})).blind_spots[0].namespace is None


def test_foreign_policies_blind_what_they_may_touch() -> None:
    """A namespaced kind its namespace, a cluster-wide one everything, and each is named."""
    local = {**named("CiliumNetworkPolicy", "shop/l7"), "apiVersion": "cilium.io/v9"}
    wide = {**named("AdminNetworkPolicy", "guard"), "apiVersion": "policy.networking.k8s.io/v9"}

    found = {spot.namespace: spot.reason for spot in Model(snapshot(local, wide)).blind_spots}
    assert found.keys() == {"shop", None}
    assert found["shop"].startswith("CiliumNetworkPolicy shop/l7 is ")
    assert found[None] == "AdminNetworkPolicy guard is of version v9, which is not modelled"
    odd = RawSnapshot({"ciliumnetworkpolicies.cilium.io": [{"metadata": {"namespace": 5}}]})
    assert decode(odd).blind_spots[0].namespace is None


@pytest.mark.parametrize(
    ("resource", "blind"),
    [("networkpolicies", True), ("namespaces", True), ("ciliumnetworkpolicies.cilium.io", True), ("services", False)],
)
def test_what_could_not_be_listed(resource: str, blind: bool) -> None:
    """Kinds that decide about flows make every verdict UNKNOWN; all are named."""
    found = snapshot(pod("shop/web"), unreadable={resource: "403"})

    assert found.unreadable == {resource}
    assert bool(found.blind_spots) is blind


def test_unreadable_core_resource_is_a_warning() -> None:
    """A resource that could not be listed is said once."""
    assert snapshot(unreadable={"services": "403"}).warnings == ("services could not be listed: 403",)


def test_everything_is_sorted_whatever_the_order_of_input() -> None:
    """The same objects in another order give the same value."""
    objects: list[Raw] = [
        *(pod(f"{home}/{name}") for home in ("b", "a") for name in ("z", "y")),
        *(deny_all(f"{home}/deny") for home in ("b", "a")),
        service("b/s"),
        service("a/s"),
        node("n9"),
        namespace("a", team="x"),
        named("CiliumNetworkPolicy", "b/l7"),
        named("CiliumNetworkPolicy", "a/l7"),
    ]

    assert snapshot(*objects) == snapshot(*reversed(objects))
    assert [(item.namespace, item.name) for item in snapshot(*objects).pods] == sorted(
        (home, name) for home in "ab" for name in "yz"
    )


def test_cluster_is_known_by_its_system_namespace() -> None:
    """The UID of kube-system stands for the cluster; without it there is none."""
    assert snapshot().cluster_uid == CLUSTER_UID
    odd: list[Any] = [None, {"metadata": 5}, {"metadata": {"name": "kube-system"}}]
    assert not decode(RawSnapshot({"namespaces": odd})).cluster_uid

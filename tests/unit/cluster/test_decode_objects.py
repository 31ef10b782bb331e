"""Services, nodes, service accounts, settings and the objects of other policy kinds, each as the API means it."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.cluster.decode import decode
from auditor.cluster.decode_objects import decode_namespace, decode_node, decode_service, decode_slice
from auditor.cluster.decode_pod import decode_pod
from auditor.model.cluster import BlindSpot, EndpointPort, EndpointSlice, PolicyObject, ServicePort
from auditor.model.flow import Protocol
from auditor.ports import RawSnapshot
from tests.builders import Raw, named, node, pod, service, snapshot

TIERS = "tiers.crd.projectcalico.org"
CALICO = "networkpolicies.crd.projectcalico.org"


def service_of(**spec: Any) -> Raw:
    return {**named("Service", "shop/web"), "spec": spec}


@pytest.mark.parametrize(
    ("port", "read"),
    [
        ({"port": 80}, [ServicePort(80, 80)]),
        ({"port": 80, "targetPort": None}, [ServicePort(80, 80)]),
        ({"port": 80, "targetPort": 8080}, [ServicePort(80, 8080)]),
        (
            {"port": 53, "targetPort": "dns", "protocol": "UDP", "name": "d"},
            [ServicePort(53, "dns", Protocol.UDP, "d")],
        ),
        ({"port": 80, "protocol": "QUIC"}, []),
        ({"port": 0}, []),
        ({"targetPort": 80}, []),
    ],
)
def test_service_ports(port: Raw, read: list[ServicePort]) -> None:
    """The target is the port itself where it is left out; what no port is costs the Service nothing."""
    assert list(decode_service(service_of(ports=[port])).ports) == read


@pytest.mark.parametrize(
    ("spec", "addresses"),
    [
        ({"clusterIPs": ["10.96.0.1", "fd00:0:0::0A"]}, ("10.96.0.1", "fd00::a")),
        ({"clusterIP": "10.96.0.1"}, ("10.96.0.1",)),
        ({"clusterIP": "None", "clusterIPs": ["None"]}, ()),
        ({"clusterIP": ""}, ()),
        ({}, ()),
    ],
)
def test_service_addresses(spec: Raw, addresses: tuple[str, ...]) -> None:
    """A headless Service and one that is not running have none; addresses have one form."""
    assert decode_service(service_of(**spec)).addresses == addresses


def test_service_type_has_its_default() -> None:
    """As the API server would set it."""
    assert [decode_service(service_of(**spec)).type for spec in ({}, {"type": "NodePort"})] == ["ClusterIP", "NodePort"]


@pytest.mark.parametrize("ports", [{}, [None], [{"port": "80"}], [{"port": 80, "targetPort": True}], [{"port": 80.5}]])
def test_service_with_ports_of_wrong_types_is_one_warning(ports: Any) -> None:
    """The others are read."""
    found = snapshot(service_of(ports=ports), service("shop/good", app="web"))

    assert [item.name for item in found.services] == ["good"]
    assert len(found.warnings) == 1


SLICE: Raw = {
    **named("EndpointSlice", "shop/web-x", labels={"kubernetes.io/service-name": "web"}),
    "addressType": "IPv4",
    "endpoints": [{"addresses": ["203.0.113.9"]}],
    "ports": [{"name": "http", "port": 8080}, {"port": None, "protocol": "UDP"}, {"port": 70000}, {"protocol": "QUIC"}],
}


def test_slice_keeps_the_first_address_of_each_endpoint_and_what_ports_mean() -> None:
    """Of addresses beyond the first the API says that they mean nothing."""
    made = decode_slice(
        {**SLICE, "endpoints": [{"addresses": ["203.0.113.9", "203.0.113.10"]}, {"addresses": ["1.1.1.1"]}]}
    )

    assert made == EndpointSlice(
        "shop",
        "web-x",
        "web",
        (EndpointPort("http", 8080), EndpointPort("", None, Protocol.UDP)),
        ("203.0.113.9", "1.1.1.1"),
    )


def test_only_slices_of_services_without_a_selector_are_kept() -> None:
    """Those of the others are not even looked at: there are as many of their endpoints as there are pods."""
    bad = {**named("EndpointSlice", "shop/db-x", labels={"kubernetes.io/service-name": "db"}), "endpoints": 5}
    bare = {**named("Service", "shop/web"), "spec": {}}
    found = snapshot(bare, service("shop/db", app="db"), SLICE, bad)

    assert [item.service for item in found.slices] == ["web"]
    assert found.warnings == ()
    assert decode_slice(SLICE, {("shop", "db")}) is None


@pytest.mark.parametrize(
    ("part", "why"),
    [
        ({"addressType": "IPv5"}, "addressType: expected IPv4, IPv6 or FQDN"),
        ({"addressType": None}, "addressType: expected IPv4, IPv6 or FQDN"),
        ({"endpoints": [{"addresses": []}]}, "addresses: an endpoint needs an address"),
        ({"endpoints": [{"addresses": ["web"]}]}, "addresses[0]: not an IPv4 address: 'web'"),
        ({"endpoints": [{"addresses": ["fd00::1"]}]}, "addresses[0]: not an IPv4 address: 'fd00::1'"),
        ({"endpoints": [{"addresses": ["1.1.1.1"], "conditions": {"ready": "yes"}}]}, "ready: expected true or false"),
        ({"ports": [5]}, "ports[0]: expected an object"),
    ],
)
def test_slice_that_cannot_be_read_is_one_warning(part: Raw, why: str) -> None:
    found = snapshot({**named("Service", "shop/web"), "spec": {}}, {**SLICE, **part})

    (warning,) = found.warnings
    assert why in warning
    assert found.slices == ()
    assert found.unreadable_in == {("endpointslices", "shop")}


def test_node_addresses() -> None:
    """Those that are addresses, each once, in one form."""
    listed = [
        {"type": "InternalIP", "address": "192.0.2.1"},
        {"type": "ExternalIP", "address": "192.0.2.1"},
        {"type": "InternalIP", "address": "FD00::0001"},
        {"type": "Hostname", "address": "n1"},
    ]

    assert decode_node({**node("n1"), "status": {"addresses": listed}}).addresses == ("192.0.2.1", "fd00::1")


@pytest.mark.parametrize(
    ("spec", "account"),
    [
        ({}, "default"),
        ({"serviceAccountName": "web"}, "web"),
        ({"serviceAccount": "old"}, "old"),
        ({"serviceAccountName": "web", "serviceAccount": "old"}, "web"),
    ],
)
def test_service_account_of_a_pod(spec: Raw, account: str) -> None:
    """The older field of the same meaning counts where the newer one is absent."""
    assert decode_pod(pod("shop/web", spec=spec)).service_account == account


@pytest.mark.parametrize(
    ("status", "planned"), [({}, True), (None, True), ({"conditions": []}, True), ({"phase": "Pending"}, False)]
)
def test_pod_without_status_is_planned(status: Raw | None, planned: bool) -> None:
    """A pod that a server holds always has a phase."""
    made = decode_pod({**pod("shop/web"), "status": status})

    assert made.planned is planned
    assert made.talks is planned


def test_pod_addresses_have_one_form() -> None:
    """Two spellings of an address are the same address."""
    assert decode_pod(pod("shop/web", at=["10.0.0.1", "FD00:0::1"])).addresses == ("10.0.0.1", "fd00::1")


@pytest.mark.parametrize("text", ["10.0.0.256", "10.0.0.01", "10.0.0", "web", "::g"])
def test_pod_address_that_is_none_is_a_warning(text: str) -> None:
    """The pod is left out rather than taken for one without address."""
    found = snapshot(pod("shop/web", at=[text]))

    assert found.pods == ()
    assert f"not an address: '{text}'" in found.warnings[0]


def test_namespace_keeps_the_annotation_that_once_isolated_and_no_other() -> None:
    """Even beside annotations that are no strings."""
    key = "net.beta.kubernetes.io/network-policy"
    annotations = {key: "{}", "other": "x", "odd": 5}

    assert decode_namespace({"metadata": {"name": "shop", "annotations": annotations}}).annotations == {key: "{}"}
    assert decode_namespace({"metadata": {"name": "shop", "annotations": ["x"]}}).annotations == {}


def test_service_accounts_that_were_not_read_are_none() -> None:
    """An empty list is something else than no list, and a list with a hole is no list."""
    good = named("ServiceAccount", "shop/web", labels={"team": "a"})

    assert decode(RawSnapshot({})).accounts is None
    assert decode(RawSnapshot({"serviceaccounts": []})).accounts == ()
    (account,) = decode(RawSnapshot({"serviceaccounts": [good]})).accounts or ()
    assert (account.namespace, account.name, account.labels) == ("shop", "web", {"team": "a"})
    assert decode(RawSnapshot({"serviceaccounts": [good, {"metadata": 5}]})).accounts is None


def test_settings_are_known_by_the_name_of_their_config_map() -> None:
    """The data of each ConfigMap; one that holds no strings is a warning."""
    good = {**named("ConfigMap", "kube-system/cilium-config"), "data": {"enable-policy": "never"}}
    odd = {**named("ConfigMap", "kube-system/odd"), "data": {"a": 5}}
    found = decode(RawSnapshot({"configmaps": [good, odd]}))

    assert found.settings == {"kube-system/cilium-config": {"enable-policy": "never"}}
    assert len(found.warnings) == 1


def test_objects_of_other_policy_kinds_are_kept_as_they_are() -> None:
    """Sorted, with the version that the object names; kinds of the whole cluster have no namespace."""
    wide = {**named("AdminNetworkPolicy", "guard"), "apiVersion": "policy.networking.k8s.io/v1alpha1", "spec": {}}
    local = named("CiliumNetworkPolicy", "shop/l7")
    group = "adminnetworkpolicies.policy.networking.k8s.io"

    assert snapshot(local, wide).objects == (
        PolicyObject(group, "AdminNetworkPolicy", "", "guard", wide, "policy.networking.k8s.io/v1alpha1"),
        PolicyObject("ciliumnetworkpolicies.cilium.io", "CiliumNetworkPolicy", "shop", "l7", local, "cilium.io/v2"),
    )


def test_a_tier_alone_decides_nothing() -> None:
    """Tiers, network sets and staged policies leave verdicts alone unless a policy leans on them."""
    for resource in (TIERS, "networksets.crd.projectcalico.org", "stagednetworkpolicies.crd.projectcalico.org"):
        found = decode(RawSnapshot({resource: [named("X", "some/thing")]}))
        assert [item.name for item in found.objects] == ["thing"]
        assert found.blind_spots == ()


@pytest.mark.parametrize(("policies", "blind"), [([], False), ([named("NetworkPolicy", "shop/a")], True)])
def test_tiers_that_may_not_be_listed(policies: list[Raw], blind: bool) -> None:
    """They matter as soon as there is a policy that may stand in one."""
    found = decode(RawSnapshot({CALICO: policies}, {TIERS: "403"}))

    assert (BlindSpot(None, f"{TIERS} could not be listed: 403") in found.blind_spots) is blind


@pytest.mark.parametrize("bad", [5, {"metadata": {"namespace": "shop", "name": 5}}])
def test_policy_object_without_a_name_is_a_blind_spot(bad: Any) -> None:
    """What cannot even be named cannot be translated."""
    found = decode(RawSnapshot({CALICO: [bad]}))

    assert found.objects == ()
    assert any("cannot be read" in spot.reason for spot in found.blind_spots)

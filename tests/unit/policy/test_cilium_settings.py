"""The agents' settings that change what Cilium's policies mean, and policies about nodes."""

from __future__ import annotations

import pytest

from auditor.model.cluster import Snapshot
from auditor.model.flow import Verdict
from tests.builders import Raw, pod, snapshot
from tests.cilium import SCENE, app, cnp, config, machine, where
from tests.unit.policy.cilium_scene import ALLOWED, DENIED, UNKNOWN, decide, says, scene


def into(*rules: Raw, **more: Raw) -> Raw:
    return cnp("a/p", endpointSelector=app("srv"), ingress=list(rules), **more)


def out_of(*rules: Raw) -> Raw:
    return cnp("a/p", endpointSelector=app("cli"), egress=list(rules))


def unread(*objects: Raw) -> Snapshot:
    """The scene where agents run, and their settings were not read."""
    return snapshot(*SCENE, pod("kube-system/cilium", owner="DaemonSet/cilium"), *objects)


def test_selectors_by_what_is_missing_depend_on_a_setting() -> None:
    rule = out_of({"toEndpoints": [where("k8s:io.kubernetes.pod.namespace", "NotIn", "b")]})
    off = config(policy_default_local_cluster="false")

    assert [ALLOWED, DENIED, DENIED, DENIED] == says(scene(rule), "a/cli", "a/srv", "b/srv", "n2", "ext")
    assert [ALLOWED, DENIED, ALLOWED, ALLOWED] == says(
        scene(rule, settings=off), "a/cli", "a/srv", "b/srv", "n2", "ext"
    )
    assert [ALLOWED, DENIED, UNKNOWN, UNKNOWN] == says(unread(rule), "a/cli", "a/srv", "b/srv", "n2", "ext")
    assert "policy-default-local-cluster" in decide(unread(rule), "a/cli", "ext").reason


def test_cluster_that_is_named_takes_the_place_of_the_setting() -> None:
    expressions = [
        where("io.cilium.k8s.policy.cluster", "NotIn", "other"),
        where("io.kubernetes.pod.namespace", "NotIn", "b"),
    ]
    both = {"matchExpressions": [item["matchExpressions"][0] for item in expressions]}

    found = scene(out_of({"toEndpoints": [both]}))

    assert [ALLOWED, DENIED, ALLOWED, ALLOWED] == says(found, "a/cli", "a/srv", "b/srv", "n2", "ext")


def test_policy_of_all_namespaces_stays_with_pods() -> None:
    rule = cnp(
        "c",
        endpointSelector=app("cli"),
        egress=[{"toEndpoints": [where("io.cilium.k8s.namespace.labels.team", "NotIn", "y")]}],
    )
    off = config(policy_default_local_cluster="false")

    assert [ALLOWED, DENIED, DENIED, DENIED] == says(scene(rule, settings=off), "a/cli", "a/srv", "b/srv", "n2", "ext")


def test_cluster_named_that_is_not() -> None:
    rule = out_of({"toEndpoints": [where("io.cilium.k8s.policy.cluster", "NotIn", "other")]})

    assert [ALLOWED, ALLOWED] == says(scene(rule), "a/cli", "a/srv", "a/srv2")
    assert [UNKNOWN, DENIED] == says(unread(rule), "a/cli", "a/srv", "b/srv")


def test_blocks_may_hold_nodes() -> None:
    nodes = config(policy_cidr_match_mode="nodes")
    near, all_of_them = out_of({"toCIDR": ["192.0.2.0/24"]}), out_of({"toCIDR": ["0.0.0.0/0"]})

    assert [DENIED, DENIED] == says(scene(near), "a/cli", "n1", "n2")
    assert [ALLOWED, ALLOWED] == says(scene(near, settings=nodes), "a/cli", "n1", "n2")
    assert [DENIED, DENIED, ALLOWED] == says(scene(all_of_them, settings=nodes), "a/cli", "n1", "n2", "ext")


def test_blocks_may_hold_pods() -> None:
    rule = out_of({"toCIDR": ["198.18.0.0/16"]})

    assert [DENIED] == says(scene(rule), "a/cli", "a/srv")
    assert [ALLOWED] == says(scene(rule, settings=config(policy_cidr_match_mode="pods")), "a/cli", "a/srv")


def test_default_deny_that_perhaps_cannot_be_off() -> None:
    # Agents of 1.19 do not read the setting; what others do is not known.
    rule = into({"fromEndpoints": [app("cli2")]}, enableDefaultDeny={"ingress": False})
    forced = scene(rule, settings=config(enable_non_default_deny_policies="false"))

    assert [ALLOWED, ALLOWED] == [*says(scene(rule), "a/cli", "a/srv"), *says(scene(rule), "a/cli2", "a/srv")]
    assert [UNKNOWN, ALLOWED] == [*says(forced, "a/cli", "a/srv"), *says(forced, "a/cli2", "a/srv")]
    assert [ALLOWED] == says(forced, "a/srv", "ext"), "the other direction has no section"
    assert "a/p.enableDefaultDeny.ingress: default deny is off here" in decide(forced, "a/cli", "a/srv").reason


def test_nodes_by_label() -> None:
    rule = out_of({"toNodes": [{"matchLabels": {"x": "y"}}]})

    assert [UNKNOWN, UNKNOWN] == says(scene(rule), "a/cli", "a/srv", "n2"), "it is refused"
    on = scene(rule, settings=config(enable_node_selector_labels="true"))
    assert [DENIED, DENIED, UNKNOWN, DENIED] == says(on, "a/cli", "a/srv", "n1", "n2", "ext")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"enable_ipv4": "true", "enable_ipv6": "true"}, ALLOWED),
        ({"enable_ipv4": "true", "enable_ipv6": "false"}, DENIED),
        ({}, DENIED),
    ],
)
def test_world_by_family(settings: dict[str, str], expected: Verdict) -> None:
    rule = out_of({"toEntities": ["world-ipv4"]})

    assert [DENIED, expected] == says(scene(rule, settings=config(**settings)), "a/cli", "a/srv", "ext")
    assert [DENIED, UNKNOWN] == says(unread(rule), "a/cli", "a/srv", "ext")


def test_port_may_be_left_out_where_other_protocols_are_known() -> None:
    rule = into({"toPorts": [{"ports": [{"protocol": "TCP"}]}]})

    assert [UNKNOWN] == says(scene(rule), "ext", "a/srv"), "it is refused"
    assert [ALLOWED] == says(scene(rule, settings=config(enable_extended_ip_protocols="true")), "ext", "a/srv")


# The host firewall.


def test_policy_about_nodes_has_no_effect_without_host_firewall() -> None:
    assert [ALLOWED, ALLOWED] == says(scene(cnp("c", nodeSelector={}, ingress=[{}])), "a/cli", "a/srv", "n2")


def test_policy_about_nodes_may_refuse_what_pods_send_them() -> None:
    on = config(enable_host_firewall="true")
    about = cnp("c", nodeSelector={"matchLabels": {"pool": "x"}}, ingressDeny=[{"fromEntities": ["all"]}])
    every = cnp("c", nodeSelector={}, ingress=[{}])

    assert [ALLOWED, ALLOWED, ALLOWED] == says(scene(about, settings=on), "a/cli", "a/srv", "n1", "n2")
    assert [ALLOWED, UNKNOWN, UNKNOWN, ALLOWED] == says(scene(every, settings=on), "a/cli", "a/srv", "n1", "n2", "ext")
    assert [ALLOWED] == says(scene(every, settings=on), "b/host", "a/srv")
    assert [UNKNOWN] == says(unread(every), "a/cli", "n2")


def test_policy_about_nodes_may_keep_them_from_sending() -> None:
    every = cnp("c", nodeSelector={"matchLabels": {}}, egress=[{}])
    found = scene(every, settings=config(enable_host_firewall="true"))

    assert [UNKNOWN, ALLOWED] == [*says(found, "b/host", "a/srv"), *says(found, "a/cli", "n2")]


def test_nodes_may_be_selected_by_labels_with_a_source() -> None:
    about = cnp("c", nodeSelector={"matchLabels": {"k8s:kubernetes.io/hostname": "n2"}}, ingress=[{}])
    labelled = {**machine("n2"), "metadata": {"name": "n2", "labels": {"kubernetes.io/hostname": "n2"}}}
    others = [item for item in SCENE if item["metadata"]["name"] != "n2"]
    found = snapshot(*others, labelled, config(enable_host_firewall="true"), about)

    assert [ALLOWED, UNKNOWN] == says(found, "a/cli", "n1", "n2")


def test_policy_of_a_namespace_cannot_be_about_nodes() -> None:
    refused = cnp("a/p", nodeSelector={}, ingress=[{}])

    assert [ALLOWED] == says(scene(refused, settings=config(enable_host_firewall="true")), "a/cli", "n2")

"""What of Cilium's policies is not modelled makes just the flows UNKNOWN that it can touch, and says why."""

from __future__ import annotations

from typing import Any

import pytest

from tests.builders import Raw, named, pod, service, snapshot
from tests.cilium import NODES, SCENE, app, cnp, config, tcp
from tests.unit.policy.cilium_scene import ALLOWED, DENIED, UNKNOWN, decide, says, scene

HTTP = {"http": [{"path": "/"}]}


def into(*rules: Raw, **more: Any) -> Raw:
    return cnp("a/p", endpointSelector=app("srv"), ingress=list(rules), **more)


def out_of(*rules: Raw, **more: Any) -> Raw:
    return cnp("a/p", endpointSelector=app("cli"), egress=list(rules), **more)


def why(*objects: Raw, source: str = "a/cli", target: str = "a/srv", port: int | None = None) -> str:
    found = decide(scene(*objects), source, target, port)
    assert UNKNOWN is found.verdict
    return found.reason


# Layer 7.


@pytest.mark.parametrize(
    "more",
    [
        {"rules": HTTP},
        {"rules": {"kafka": [{"topic": "t"}]}},
        {"rules": {"dns": [{"matchPattern": "*"}]}},
        {"rules": {"l7proto": "mine"}},
        {"serverNames": ["example.com"]},
        {"terminatingTLS": {"secret": {"name": "s"}}},
        {"listener": {"name": "l"}},
        {"future": {"x": 1}},
    ],
    ids=lambda more: next(iter(more.get("rules", more))),
)
def test_more_than_ports(more: Raw) -> None:
    rule = {"fromEndpoints": [app("cli")], "toPorts": [{**tcp("8080")[0], **more}]}

    reason = why(into(rule))

    assert "a/p.ingress[0].toPorts[0]: " in reason
    assert next(iter(more)) in reason
    assert [DENIED] == says(scene(into(rule)), "a/cli2", "a/srv")
    assert [DENIED] == says(scene(into(rule)), "a/cli", "a/srv", port=8081)


@pytest.mark.parametrize("rules", [{}, {"http": []}, {"http": None}])
def test_no_rule_for_layer_7(rules: Raw) -> None:
    assert [ALLOWED] == says(scene(into({"toPorts": [{**tcp("8080")[0], "rules": rules}]})), "a/cli", "a/srv")


def test_another_rule_does_not_lift_layer_7() -> None:
    both = ({"toPorts": [{**tcp("8080")[0], "rules": HTTP}]}, {"fromEntities": ["all"]})

    assert "layer" not in why(into(*both))
    assert [ALLOWED] == says(scene(into(*both)), "a/cli", "a/srv", port=8081)


def test_layer_7_without_default_deny_may_refuse_all_the_same() -> None:
    why(into({"toPorts": [{**tcp("8080")[0], "rules": HTTP}]}, enableDefaultDeny={"ingress": False}))


def test_what_is_denied_for_sure_stays_denied() -> None:
    denied = {"ingressDeny": [{"fromEndpoints": [app("cli")]}]}

    assert [DENIED] == says(scene(into({"toPorts": [{**tcp("8080")[0], "rules": HTTP}]}, **denied)), "a/cli", "a/srv")


def test_authentication() -> None:
    rule = {"fromEndpoints": [app("cli")], "authentication": {"mode": "required"}}

    assert "ingress[0].authentication" in why(into(rule))
    assert [DENIED] == says(scene(into(rule)), "a/cli2", "a/srv")
    assert [ALLOWED] == says(scene(into({**rule, "authentication": {"mode": "disabled"}})), "a/cli", "a/srv")


# Peers that only a running cluster knows.


def test_domain_names_mean_addresses_outside() -> None:
    found = scene(out_of({"toFQDNs": [{"matchName": "example.com"}], "toPorts": tcp("8080", "7070")}))

    assert [DENIED, DENIED, DENIED, UNKNOWN] == says(found, "a/cli", "a/srv", "n1", "n2", "ext")
    assert "egress[0] names domains" in decide(found, "a/cli", "ext").reason
    assert [DENIED] == says(found, "a/cli", "ext", port=443)


def to_service(name: str, **more: Any) -> Raw:
    return {"toServices": [{"k8sService": {"serviceName": name, "namespace": "a"}}], **more}


def test_service_means_the_pods_behind_it() -> None:
    found = scene(service("a/s", app="srv"), out_of(to_service("s")))

    assert [UNKNOWN, DENIED, DENIED, DENIED] == says(found, "a/cli", "a/srv", "a/srv2", "b/srv", "ext")
    assert "Service a/s" in decide(found, "a/cli", "a/srv").reason


def test_service_of_any_namespace() -> None:
    rule = {"toServices": [{"k8sService": {"serviceName": "s"}}]}
    found = scene(service("a/s", app="srv"), service("b/s", app="srv"), out_of(rule))

    assert [UNKNOWN, DENIED, UNKNOWN] == says(found, "a/cli", "a/srv", "a/srv2", "b/srv")


def test_service_without_selector_means_addresses() -> None:
    found = scene(service("a/s"), out_of(to_service("s")))

    assert [DENIED, UNKNOWN] == says(found, "a/cli", "a/srv", "ext")


def test_missing_service_may_mean_everybody() -> None:
    # Agents then see a rule of ports alone, which means any peer.
    found = scene(out_of(to_service("gone", toPorts=tcp("8080"))))

    assert [UNKNOWN, UNKNOWN, DENIED] == says(found, "a/cli", "a/srv", "ext", "n2")


def test_services_by_label_may_mean_everybody() -> None:
    rule = {"toServices": [{"k8sServiceSelector": {"selector": {"matchLabels": {"x": "y"}}}}]}

    assert [UNKNOWN, UNKNOWN] == says(scene(out_of(rule)), "a/cli", "b/srv", "ext")


def test_services_that_could_not_be_listed_may_be_anything() -> None:
    found = snapshot(*SCENE, config(), out_of(to_service("s")), unreadable={"services": "forbidden"})

    assert [UNKNOWN, UNKNOWN] == says(found, "a/cli", "b/srv", "ext")


def test_groups_of_a_provider_are_enforced_through_a_copy() -> None:
    groups = {"toGroups": [{"aws": {"securityGroupsIds": ["sg-1"]}}]}
    planned = out_of(groups)
    planned["metadata"].pop("uid")

    assert [ALLOWED, ALLOWED] == says(scene(out_of(groups)), "a/cli", "a/srv", "ext")
    assert [DENIED, UNKNOWN] == says(scene(planned), "a/cli", "a/srv", "ext")


def test_api_servers_that_no_pod_shows() -> None:
    found = scene(out_of({"toEntities": ["kube-apiserver"]}))

    assert [DENIED, UNKNOWN, UNKNOWN] == says(found, "a/cli", "a/srv", "n1", "ext")
    assert "kube-apiserver" in decide(found, "a/cli", "ext").reason


def test_api_servers_that_are_pods_on_their_nodes() -> None:
    on_host = {"hostNetwork": True}
    shown = pod("kube-system/api", on="n2", at=[NODES["n2"]], spec=on_host, component="kube-apiserver")
    found = scene(shown, out_of({"toEntities": ["kube-apiserver"]}))

    assert [DENIED, DENIED, ALLOWED, DENIED] == says(found, "a/cli", "a/srv", "n1", "n2", "ext")


def test_pod_with_an_address_of_its_own_is_no_api_server() -> None:
    found = scene(pod("kube-system/api", component="kube-apiserver"), out_of({"toEntities": ["kube-apiserver"]}))

    assert [UNKNOWN] == says(found, "a/cli", "ext")


def test_group_of_blocks_that_was_not_read() -> None:
    found = scene(out_of({"toCIDRSet": [{"cidrGroupRef": "g"}]}))

    assert [DENIED, DENIED, UNKNOWN] == says(found, "a/cli", "a/srv", "n2", "ext")
    assert "CiliumCIDRGroup g" in decide(found, "a/cli", "ext").reason


GROUP = {
    **named("CiliumCIDRGroup", "g", labels={"z": "1"}),
    "spec": {"externalCIDRs": ["203.0.113.0/24", "2001:db8::/32"]},
}


@pytest.mark.parametrize(
    ("rule", "opens"),
    [
        ({"cidrGroupRef": "g"}, True),
        ({"cidrGroupRef": "g", "except": ["203.0.113.10/32"]}, False),
        ({"cidrGroupSelector": {"matchLabels": {"z": "1"}}}, True),
        ({"cidrGroupSelector": {"matchLabels": {"z": "2"}}}, False),
    ],
)
def test_group_of_blocks(rule: Raw, opens: bool) -> None:
    assert [DENIED, ALLOWED if opens else DENIED] == says(
        scene(GROUP, out_of({"toCIDRSet": [rule]})), "a/cli", "a/srv", "ext"
    )


def test_group_of_blocks_that_cannot_be_read() -> None:
    broken = {**GROUP, "spec": {"externalCIDRs": ["nonsense"]}}

    assert [UNKNOWN] == says(scene(broken, out_of({"toCIDRSet": [{"cidrGroupRef": "g"}]})), "a/cli", "ext")


# What limits everything else, and fields of other versions.


def test_requirements_limit_what_is_allowed() -> None:
    limited = into({"fromEndpoints": [app("cli")]}, {"fromRequires": [app("cli")]})

    assert "ingress[1].fromRequires" in why(limited)
    assert [DENIED] == says(scene(limited), "a/cli2", "a/srv")


def test_unknown_field_of_a_rule_beside_peers() -> None:
    strange = into({"fromEndpoints": [app("cli")], "fromFuture": [1]})

    assert "ingress[0]: fromFuture is a field" in why(strange)
    assert [DENIED] == says(scene(strange), "a/cli2", "a/srv")


def test_unknown_field_alone_may_mean_anybody() -> None:
    strange = into({"fromFuture": [1], "toPorts": tcp("8080")})

    assert [UNKNOWN] == says(scene(strange), "ext", "a/srv")
    assert [DENIED] == says(scene(strange), "ext", "a/srv", port=8081)


def test_unknown_field_of_a_deny_section() -> None:
    strange = cnp(
        "a/p",
        endpointSelector=app("srv"),
        ingressDeny=[{"fromEndpoints": [app("cli")], "x": 1}],
        ingress=[{"fromEntities": ["all"]}],
    )

    assert [UNKNOWN, ALLOWED] == [*says(scene(strange), "a/cli", "a/srv"), *says(scene(strange), "a/cli2", "a/srv")]


def test_unknown_field_by_itself() -> None:
    assert [UNKNOWN, UNKNOWN] == [
        *says(scene(into({"x": 1})), "ext", "a/srv"),
        *says(scene(into({"x": 1})), "b/cli", "a/srv"),
    ]


@pytest.mark.parametrize(
    "more", [{"authentication": {"mode": "disabled"}}, {"toPorts": [{**tcp("8080")[0], "rules": HTTP}]}]
)
def test_deny_section_with_what_only_others_have(more: Raw) -> None:
    strange = cnp(
        "a/p",
        endpointSelector=app("srv"),
        ingressDeny=[{"fromEndpoints": [app("cli")], **more}],
        ingress=[{"fromEntities": ["all"]}],
    )

    assert [UNKNOWN, ALLOWED] == [*says(scene(strange), "a/cli", "a/srv"), *says(scene(strange), "a/cli2", "a/srv")]


@pytest.mark.parametrize(
    "spec",
    [
        {"order": 1},
        {"ingress": {}},
        {"ingress": [{"toPorts": tcp("8080"), "icmps": [{"fields": []}]}]},
        {"ingress": [{"fromEndpoints": [{}], "fromCIDR": ["10.0.0.0/8"]}]},
        {"ingress": [{"fromEntities": ["everybody"]}]},
        {"ingress": [{"fromEntities": [1]}]},
        {"ingress": [{"fromCIDR": ["10.0.0.0/33"]}]},
        {"ingress": [{"fromCIDR": [1]}]},
        {"ingress": [{"fromCIDRSet": [{"cidr": "10.0.0.0/16", "except": ["10.1.0.0/24"]}]}]},
        {"ingress": [{"fromCIDRSet": [{"cidr": "10.0.0.0/16", "except": ["2001:db8::/48"]}]}]},
        {"ingress": [{"fromCIDRSet": [{"cidr": "10.0.0.0/16", "cidrGroupRef": "g"}]}]},
        {"ingress": [{"fromCIDRSet": [{}]}]},
        {"ingress": [{"fromNodes": [{"matchLabels": {"x": "y"}}]}]},
        {"ingress": [{"fromEndpoints": [{"matchExpressions": [{"key": "a", "operator": "Near"}]}]}]},
        {"ingress": [{"toPorts": [{"ports": [{"protocol": "TCP"}]}]}]},
        {"ingress": [{"toPorts": tcp("08080")}]},
        {"ingress": [{"toPorts": tcp("99999")}]},
        {"ingress": [{"toPorts": [{"ports": [{"port": 8080}]}]}]},
        {"ingress": [{"toPorts": [{"ports": [{"port": "80", "protocol": "tcp"}]}]}]},
        {"ingress": [{"toPorts": [{"ports": [{"port": "80", "future": 1}]}]}]},
        {"nodeSelector": {}},
    ],
    ids=str,
)
def test_what_cannot_be_read_or_is_refused(spec: Raw) -> None:
    refused = cnp("a/p", **{"endpointSelector": app("srv"), "ingress": [{}], **spec})

    assert "cannot be read, or Cilium refuses it" in why(refused)
    assert [UNKNOWN] == says(scene(refused), "a/srv", "ext"), "the other direction is in doubt as well"
    assert [ALLOWED] == says(scene(refused), "a/cli", "a/srv2"), "other pods are not"


def test_refused_policy_may_allow_as_well_as_deny() -> None:
    closed, refused = cnp("a/closed", endpointSelector=app("srv"), ingress=[{}]), into({"fromEntities": ["everybody"]})

    assert [UNKNOWN] == says(scene(closed, refused), "a/cli", "a/srv")


def test_both_selectors_are_refused() -> None:
    refused = cnp("c", endpointSelector=app("srv"), nodeSelector={}, ingress=[{}])

    assert "one of endpointSelector and nodeSelector" in why(refused)


def test_rule_without_sections_beside_others_is_refused_with_them() -> None:
    refused = cnp("a/p", {"endpointSelector": app("srv"), "ingress": [{}]}, {"endpointSelector": app("srv2")})

    assert [UNKNOWN, UNKNOWN, ALLOWED] == says(scene(refused), "a/cli", "a/srv", "a/srv2", "b/srv")


def test_subject_that_cannot_be_read_leaves_its_namespace_in_doubt() -> None:
    broken = cnp("a/p", endpointSelector={"matchLabels": {"app": 1}}, ingress=[{}])

    assert [UNKNOWN] == says(scene(broken), "a/cli", "a/srv2")
    assert [ALLOWED] == says(scene(broken), "b/cli", "b/srv")


INVALID = {"conditions": [{"type": "Valid", "status": "False", "message": "combining is not supported"}]}


def test_refused_and_called_invalid_has_no_effect() -> None:
    refused = into({"fromEndpoints": [{}], "fromCIDR": ["10.0.0.0/8"]})

    assert [ALLOWED] == says(scene({**refused, "status": INVALID}), "a/cli", "a/srv")


def test_called_invalid_for_a_reason_that_is_not_seen() -> None:
    # The operator may be wrong: agents enforce rules of which it says that settings forbid them.
    assert "combining is not supported" in why({**into({}), "status": INVALID})


@pytest.mark.parametrize(
    "status", [{"conditions": [{"type": "Valid", "status": "True"}]}, {"conditions": 1}, {"conditions": [1]}, "x", None]
)
def test_other_statuses_say_nothing(status: Any) -> None:
    assert [DENIED] == says(scene({**into({}), "status": status}), "a/cli", "a/srv")


def test_labels_of_a_source_that_kubernetes_does_not_have() -> None:
    assert "source 'container'" in why(into({"fromEndpoints": [{"matchLabels": {"container:app": "cli"}}]}))


def test_end_of_a_range_beside_a_name() -> None:
    found = scene(into({"toPorts": tcp("http", endPort=9000)}))

    assert [ALLOWED] == says(found, "a/cli", "a/srv")
    assert [UNKNOWN] == says(found, "a/cli", "a/srv", port=8081)

"""Pods that may connect to others and not ask for their names."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.model.lint import LintSeverity
from tests.builders import Raw, allow, block, deny_all, named, namespaces, pod, pods, policy, port, selector, tcp, udp
from tests.unit.lint.linting import DNS, OF_DNS, SHOP, TO_DNS, found, on_host, one, places, service

BLOCKED, WITHOUT_TCP, CACHE = "dns-blocked", "dns-without-tcp", "dns-past-the-cache"
KUBE_DNS = service(
    "kube-system/kube-dns",
    {"port": 53, "targetPort": "dns", "protocol": "UDP"},
    {"port": 53, "targetPort": "dns-tcp"},
    **OF_DNS,
)
KUBE_SYSTEM = namespaces(**{"kubernetes.io/metadata.name": "kube-system"})


def out(*rules: Raw, name: str = "shop/out", **labels: str) -> Raw:
    return policy(name, selector(**labels), egress=list(rules), types=["Egress"])


TO_API = allow(pods(app="api"), ports=[tcp(8000)])


def test_egress_without_dns() -> None:
    finding = one(BLOCKED, *SHOP, KUBE_DNS, out(TO_API, app="web"))

    assert (finding.path, finding.severity) == ("spec.egress", LintSeverity.WARNING)
    assert finding.why == (
        "egress is closed for 1 pod, such as shop/web-1",
        "no rule lets them through to UDP 53 of the cluster's DNS",
    )


@pytest.mark.parametrize(
    "rule",
    [
        TO_DNS,
        allow(),
        allow(ports=[udp(53)]),
        allow(ports=[udp()]),
        allow(ports=[udp(1, 1023)]),
        allow(namespaces()),
        allow(KUBE_SYSTEM),
        allow(KUBE_SYSTEM, ports=[udp("dns")]),
        allow(block("169.254.20.10/32"), ports=[udp(53)]),
    ],
    ids=["the usual", "all", "port", "UDP", "range", "everybody", "namespace", "by name", "cache"],
)
def test_egress_with_dns(rule: Raw) -> None:
    assert found(BLOCKED, *SHOP, KUBE_DNS, out(TO_API, rule, app="web")) == ()


@pytest.mark.parametrize(
    "rule",
    [
        allow(KUBE_SYSTEM, ports=[udp("mdns")]),
        allow(KUBE_SYSTEM, ports=[udp(5353)]),
        allow(pods(**OF_DNS), ports=[udp(53)]),
        allow(block("192.0.2.0/24"), ports=[tcp(53)]),
    ],
    ids=["other name", "other port", "own namespace", "TCP outside"],
)
def test_egress_with_something_like_dns(rule: Raw) -> None:
    assert len(found(BLOCKED, *SHOP, KUBE_DNS, out(TO_API, rule, app="web"))) == 1


def test_port_without_protocol_is_not_dns() -> None:
    """The rule that has it nearly right is named."""
    finding = one(BLOCKED, *SHOP, KUBE_DNS, out(TO_API, allow(KUBE_SYSTEM, ports=[tcp(53, protocol=None)]), app="web"))

    assert finding.path == "spec.egress[1]"
    assert "spec.egress[1] allows TCP 53 alone: a port without a protocol is TCP" in finding.why


def test_egress_that_is_closed_altogether() -> None:
    """Who may talk to nobody needs no names: worth knowing, no more."""
    finding = one(BLOCKED, *SHOP, deny_all("shop/closed"))

    assert finding.severity is LintSeverity.INFO
    assert finding.why[0] == "egress is closed for 3 pods, such as shop/api-1"


def test_policies_of_the_same_pods_are_one_finding() -> None:
    """It stands at the policy that opens something, and names the others."""
    finding = one(BLOCKED, *SHOP, deny_all("shop/closed", app="web"), out(TO_API, app="web"))

    assert finding.object.name == "out"
    assert "isolated by shop/closed as well" in finding.why


def test_dns_may_be_another_policys_business() -> None:
    """Policies add up, and those of other kinds count too."""
    rule = {"action": "Allow", "to": [{"namespaces": {}}]}
    spec = {"priority": 1, "subject": {"namespaces": {}}, "egress": [rule]}
    admin = {**named("AdminNetworkPolicy", "dns"), "spec": spec}

    assert found(BLOCKED, *SHOP, out(TO_API, app="web"), out(TO_DNS, name="shop/dns")) == ()
    assert found(BLOCKED, *SHOP, out(TO_API, app="web"), admin) == ()
    assert len(found(BLOCKED, *SHOP, out(TO_API, app="web"), out(TO_DNS, name="shop/dns", app="api"))) == 1


def test_ingress_alone_closes_nothing() -> None:
    assert found(BLOCKED, *SHOP, deny_all("shop/closed", "Ingress")) == ()


def test_pods_that_are_not_there_lack_nothing() -> None:
    assert found(BLOCKED, *SHOP, out(TO_API, app="gone")) == ()


def test_port_of_dns_pods_counts() -> None:
    """OpenShift's DNS listens on 5353 behind port 53."""
    server = pod("openshift-dns/dns-1", ports=[port(5353, "dns", "UDP")], dns="default")
    front = service("openshift-dns/dns-default", {"port": 53, "targetPort": "dns", "protocol": "UDP"}, dns="default")
    there = namespaces(**{"kubernetes.io/metadata.name": "openshift-dns"})

    assert "UDP 5353" in one(BLOCKED, *SHOP[:3], server, front, out(allow(there, ports=[udp(53)]), app="web")).why[1]
    assert found(BLOCKED, *SHOP[:3], server, front, out(allow(there, ports=[udp(5353)]), app="web")) == ()


def test_manifests_without_dns() -> None:
    """Where its pods are not in the input, a rule for its port is taken to mean it."""
    pods_alone = SHOP[:3]

    assert len(found(BLOCKED, *pods_alone, out(TO_API, app="web"), whole=False)) == 1
    for rule in (TO_DNS, allow(), allow(pods(app="resolver"), ports=[udp(53)])):
        assert found(BLOCKED, *pods_alone, out(TO_API, rule, app="web"), whole=False) == ()


def test_dns_itself_may_be_closed() -> None:
    """The pods of an unknown DNS cannot be told from others of its namespace."""
    closed = deny_all("kube-system/closed")

    assert found(BLOCKED, pod("kube-system/other-1", app="x"), closed) == ()


def test_dns_by_udp_alone() -> None:
    rule = allow(KUBE_SYSTEM, ports=[udp(53)])
    finding = one(WITHOUT_TCP, *SHOP, KUBE_DNS, out(rule, app="web"))

    assert (finding.path, finding.severity) == ("spec.egress[0]", LintSeverity.INFO)
    assert found(WITHOUT_TCP, *SHOP, KUBE_DNS, out(rule, allow(KUBE_SYSTEM, ports=[tcp(53)]), app="web")) == ()
    assert found(WITHOUT_TCP, *SHOP, KUBE_DNS, out(TO_DNS, app="web")) == ()
    assert found(WITHOUT_TCP, *SHOP, KUBE_DNS, out(TO_API, app="web")) == ()


def cache(**more: Any) -> Raw:
    return on_host("kube-system/node-local-dns-1", **{"k8s-app": "node-local-dns"}, **more)


def test_dns_beside_the_cache_on_the_node() -> None:
    finding = one(CACHE, *SHOP, KUBE_DNS, cache(), out(TO_DNS, app="web"))

    assert finding.path == "spec.egress[0]"
    assert "169.254.20.10" in finding.message


@pytest.mark.parametrize(
    "objects",
    [
        (out(TO_DNS, app="web"),),
        (cache(), out(TO_DNS, allow(block("169.254.20.10/32"), ports=[udp(53), tcp(53)]), app="web")),
        (cache(), out(allow(ports=[udp(53)]), app="web")),
        (cache(), out(TO_API, app="web")),
        (cache(phase="Failed"), out(TO_DNS, app="web")),
    ],
    ids=["no cache", "allowed", "anywhere", "no DNS at all", "gone"],
)
def test_cache_that_is_reached_or_not_there(objects: tuple[Raw, ...]) -> None:
    assert found(CACHE, *SHOP, KUBE_DNS, *objects) == ()


def test_findings_stand_by_namespace() -> None:
    other = pod("other/web-1", app="web")

    assert places(found(BLOCKED, *SHOP, DNS, other, out(TO_API), out(TO_API, name="other/out"))) == [
        ("other/out", "spec.egress"),
        ("shop/out", "spec.egress"),
    ]

"""Policies and rules that others make superfluous."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.model.lint import LintFinding, LintSeverity
from tests.builders import Raw, allow, block, deny_all, namespace, namespaces, pod, pods, policy, selector, tcp, udp
from tests.unit.lint.linting import SHOP, found, on_host, one, places

DUPLICATE, POLICY, RULE, OVERRIDDEN = "policy-duplicate", "policy-shadowed", "rule-shadowed", "deny-overridden"
WEB = selector(app="web")
FROM_API = allow(pods(app="api"), ports=[tcp(8080)])
SAME_NAMESPACE = policy("shop/same-namespace", ingress=[allow(pods())])


def web(name: str, *rules: Raw, **more: Any) -> Raw:
    return policy(f"shop/{name}", WEB, ingress=list(rules), **more)


def shadows(*objects: Raw) -> list[LintFinding]:
    return [item for rule in (POLICY, RULE) for item in found(rule, *SHOP, *objects)]


def test_policies_with_the_same_spec() -> None:
    """However its rules are ordered; the first by name stays."""
    other = allow(namespaces())
    finding = one(DUPLICATE, *SHOP, web("b", FROM_API, other), web("a", other, FROM_API))

    assert finding.object.name == "b"
    assert finding.message == "says the same as shop/a"
    assert finding.severity is LintSeverity.WARNING


@pytest.mark.parametrize(
    "other",
    [
        web("b", allow(pods(app="api"), ports=[tcp(8081)])),
        web("b", allow(pods(app="db"), ports=[tcp(8080)])),
        policy("shop/b", selector(app="db"), ingress=[FROM_API]),
        web("b", FROM_API, types=["Ingress", "Egress"]),
        policy("other/b", WEB, ingress=[FROM_API]),
    ],
    ids=["port", "peer", "subject", "types", "namespace"],
)
def test_policies_that_differ(other: Raw) -> None:
    assert found(DUPLICATE, *SHOP, pod("other/web-1", app="web"), web("a", FROM_API), other) == ()


def test_what_selects_nothing_is_told_as_that() -> None:
    idle = [policy(f"shop/{name}", selector(app="gone"), ingress=[FROM_API]) for name in "ab"]

    assert found(DUPLICATE, *SHOP, *idle) == ()
    assert len(found(DUPLICATE, *SHOP, deny_all("empty/a"), deny_all("empty/b"))) == 1


def test_policy_that_changes_nothing() -> None:
    """All that it allows is allowed by a wider one, which isolates its pods as well."""
    (finding,) = shadows(SAME_NAMESPACE, web("narrow", FROM_API))

    assert (finding.id, finding.object.name, finding.severity) == (POLICY, "narrow", LintSeverity.WARNING)
    assert finding.message == "changes nothing: shop/same-namespace allows all that it allows, and more"


@pytest.mark.parametrize(
    "wide",
    [
        web("wide", allow(pods(app="api"), ports=[tcp(8000, 9000)])),
        web("wide", allow(pods(app="api"), ports=[tcp()])),
        web("wide", allow(pods(app="api"))),
        web("wide", allow(ports=[tcp(8080)])),
        web("wide", allow(pods(("app", "In", ["api", "db"])), ports=[tcp(8080), udp(53)])),
        web("wide", allow(namespaces())),
        policy("shop/wide", selector(("app", "Exists")), ingress=[allow(namespaces())]),
    ],
    ids=["range", "protocol", "any port", "any peer", "more of both", "everybody", "more subjects"],
)
def test_what_is_wider(wide: Raw) -> None:
    assert [item.object.name for item in shadows(wide, web("narrow", FROM_API))] == ["narrow"]


@pytest.mark.parametrize(
    "other",
    [
        web("other", allow(pods(app="api"), ports=[tcp(8081, 9000)])),
        web("other", allow(pods(app="api"), ports=[udp()])),
        web("other", allow(pods(app="api"), ports=[tcp("http")])),
        web("other", allow(pods(app="db"))),
        web("other", allow(block("10.0.0.0/8"))),
        policy("shop/other", selector(app="db"), ingress=[allow()]),
        policy("shop/other", WEB, egress=[allow(pods())], types=["Egress"]),
    ],
    ids=["other ports", "other protocol", "a name", "other peer", "a block", "other subject", "other direction"],
)
def test_what_is_not_wider(other: Raw) -> None:
    assert shadows(other, web("narrow", FROM_API)) == []


def test_policy_that_isolates_still_counts() -> None:
    """Its rule says nothing new, but without it egress would be open."""
    narrow = web("narrow", FROM_API, types=["Ingress", "Egress"])

    assert [(item.id, item.object.name) for item in shadows(SAME_NAMESPACE, narrow)] == [(RULE, "narrow")]
    both = (SAME_NAMESPACE, narrow, deny_all("shop/closed", "Egress"))
    assert [(item.id, item.object.name) for item in shadows(*both)] == [(POLICY, "narrow")]


def test_rule_beside_one_that_counts() -> None:
    """A part of a policy is worth knowing, no more."""
    (finding,) = shadows(SAME_NAMESPACE, web("mixed", FROM_API, allow(namespaces(x="y"), block("192.0.2.0/24"))))

    assert (finding.id, finding.path, finding.severity) == (RULE, "spec.ingress[0]", LintSeverity.INFO)
    assert finding.why[0].startswith("shop/same-namespace: spec.ingress[0] is for the same pods or more")


def test_of_equals_one_stays() -> None:
    same = [web(name, FROM_API, allow(pods(app=app))) for name, app in (("a", "db"), ("b", "web"))]

    assert [(item.object.name, item.path) for item in shadows(*same)] == [("b", "spec.ingress[0]")]


@pytest.mark.parametrize(
    ("wide", "narrow", "covered"),
    [
        (block("10.0.0.0/8"), block("10.1.0.0/16"), True),
        (block("10.0.0.0/8"), block("10.0.0.0/8", "10.1.0.0/16"), True),
        (block("10.0.0.0/8", "10.1.0.0/16"), block("10.2.0.0/16"), True),
        (block("10.0.0.0/8", "10.1.0.0/24"), block("10.1.0.0/16", "10.1.0.0/23"), True),
        (block("10.0.0.0/8", "10.1.0.0/16"), block("10.1.2.0/24"), False),
        (block("10.0.0.0/8", "10.1.0.0/16"), block("10.0.0.0/8", "10.1.0.0/24"), False),
        (block("10.1.0.0/16"), block("10.0.0.0/8"), False),
        (block("::/0"), block("10.0.0.0/8"), False),
        (pods(), block("10.0.0.0/8"), False),
    ],
)
def test_blocks_are_compared_by_their_addresses(wide: Raw, narrow: Raw, covered: bool) -> None:
    named = {item.object.name for item in shadows(web("a-wide", allow(wide)), web("narrow", allow(narrow)))}

    assert ("narrow" in named) is covered


@pytest.mark.parametrize(
    ("wide", "narrow", "always"),
    [
        (namespaces(), namespaces() | pods(app="x"), True),
        (namespaces(), namespaces(team="x"), True),
        (namespaces(team="x"), namespaces(team="x"), True),
        (namespaces(team="x") | pods(app="x"), namespaces(team="x"), False),
        (namespaces(env="y"), namespaces(team="x"), False),
        (pods(), namespaces(team="x"), False),
    ],
)
def test_manifests_do_not_show_who_else_there_is(wide: Raw, narrow: Raw, always: bool) -> None:
    """What holds of the pods of a cluster may be chance in a few manifests, unless the selectors say it."""
    objects = (
        *SHOP,
        namespace("other", team="x", env="y"),
        pod("other/x-1", app="x"),
        policy("shop/a-wide", WEB, ingress=[allow(wide), allow(namespaces(z="z"), block("192.0.2.0/24"))]),
        policy("shop/narrow", WEB, ingress=[allow(narrow), allow(namespaces(z="z"), block("198.51.100.0/24"))]),
    )
    named = {item.object.name for item in found(RULE, *objects, whole=False)}

    assert ("narrow" in named) is always


def test_dead_rules_are_told_as_that() -> None:
    assert shadows(SAME_NAMESPACE, web("dead", allow(pods(app="gone")))) == []


def test_pods_on_the_host_keep_a_policy() -> None:
    """What a wider policy means for them is open, so nothing is said to be superfluous."""
    agent = on_host("shop/agent", app="web")

    assert shadows(agent, SAME_NAMESPACE, web("narrow", FROM_API)) == []


def test_denial_that_is_undone() -> None:
    """Guide 001: allow-all overrides deny-all."""
    both = found(OVERRIDDEN, *SHOP, deny_all("shop/deny"), policy("shop/open", ingress=[allow()], egress=[allow()]))

    assert places(both) == [("shop/deny", "spec.egress"), ("shop/deny", "spec.ingress")]
    assert both[0].message == "denies no egress: shop/open allows all of it for the same pods"


@pytest.mark.parametrize(
    "other",
    [
        policy("shop/open", WEB, ingress=[allow()]),
        policy("shop/open", ingress=[allow(ports=[tcp(80)])]),
        policy("shop/open", ingress=[allow(namespaces())]),
        policy("other/open", ingress=[allow()]),
        policy("shop/open", egress=[allow()], types=["Egress"]),
    ],
    ids=["some pods", "a port", "pods alone", "elsewhere", "other direction"],
)
def test_denial_that_holds(other: Raw) -> None:
    assert found(OVERRIDDEN, *SHOP, deny_all("shop/deny", "Ingress"), other) == ()


def test_denial_for_the_pods_that_are_open() -> None:
    narrow = deny_all("shop/deny", "Ingress", app="web")

    assert len(found(OVERRIDDEN, *SHOP, narrow, policy("shop/open", WEB, ingress=[allow()]))) == 1

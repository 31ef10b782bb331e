"""What manifests say in vain, or more of than they seem to."""

from __future__ import annotations

import pytest

from auditor.model.lint import LintSeverity
from tests.builders import Raw, allow, block, namespaces, pods, policy, selector, tcp
from tests.unit.lint.linting import SHOP, found, one, places

INERT, LEFT_OPEN, EMPTY, OPEN = "inert-rules", "egress-left-open", "empty-list-means-any", "open-to-anyone"
FROM_API = allow(pods(app="api"))


def test_rules_of_a_direction_that_is_not_listed() -> None:
    inert = policy("shop/p", ingress=[FROM_API], egress=[FROM_API, FROM_API], types=["Ingress"])
    finding = one(INERT, *SHOP, inert)

    assert finding.path == "spec.egress"
    assert finding.message == "has 2 egress rules without effect: policyTypes does not list Egress"
    assert one(INERT, *SHOP, policy("shop/p", ingress=[FROM_API], types=["Egress"])).path == "spec.ingress"


@pytest.mark.parametrize(
    "made",
    [
        policy("shop/p", ingress=[FROM_API], egress=[FROM_API]),
        policy("shop/p", ingress=[FROM_API], egress=[FROM_API], types=["Ingress", "Egress"]),
        policy("shop/p", ingress=[FROM_API], egress=[], types=["Ingress"]),
        policy("shop/p", egress=[FROM_API], types=["Egress"]),
    ],
    ids=["defaulted", "both", "empty", "listed"],
)
def test_rules_that_are_in_force(made: Raw) -> None:
    assert found(INERT, *SHOP, made) == ()


def test_empty_list_of_egress_rules() -> None:
    assert one(LEFT_OPEN, *SHOP, policy("shop/p", egress=[])).path == "spec.egress"
    assert found(LEFT_OPEN, *SHOP, policy("shop/p", egress=[], types=["Egress"])) == ()
    assert found(LEFT_OPEN, *SHOP, policy("shop/p")) == ()


@pytest.mark.parametrize(("key", "item"), [("from", "peer"), ("ports", "port")])
def test_empty_lists(key: str, item: str) -> None:
    made = policy("shop/p", ingress=[FROM_API])
    made["spec"]["ingress"][0] |= {key: []}
    finding = one(EMPTY, *SHOP, made)

    assert (finding.path, finding.severity) == (f"spec.ingress[0].{key}", LintSeverity.INFO)
    assert finding.message == f"an empty list here means any {item}, not none"


def test_lists_that_are_absent_or_full() -> None:
    assert found(EMPTY, *SHOP, policy("shop/p", ingress=[allow(), FROM_API, allow(ports=[tcp(80)])])) == ()


@pytest.mark.parametrize(
    "rule",
    [allow(), allow(ports=[tcp(80)]), allow(block("0.0.0.0/0")), allow(pods(app="x"), block("::/0"))],
    ids=["anything", "a port", "IPv4", "IPv6 among others"],
)
def test_rules_without_limits(rule: Raw) -> None:
    finding = one(OPEN, *SHOP, policy("shop/p", selector(app="web"), ingress=[FROM_API, rule]))

    assert (finding.path, finding.severity) == ("spec.ingress[1]", LintSeverity.INFO)


@pytest.mark.parametrize(
    "made",
    [
        policy("shop/p", ingress=[FROM_API, allow(namespaces()), allow(block("0.0.0.0/0", "10.0.0.0/8"))]),
        policy("shop/p", selector(app="gone"), ingress=[allow()]),
        policy("shop/p", ingress=[allow()], types=["Egress"]),
    ],
    ids=["limited", "selects nothing", "inert"],
)
def test_rules_with_limits(made: Raw) -> None:
    assert found(OPEN, *SHOP, made) == ()


def test_directions_are_told_apart() -> None:
    both = found(OPEN, *SHOP, policy("shop/p", ingress=[allow()], egress=[allow()]))

    assert places(both) == [("shop/p", "spec.egress[0]"), ("shop/p", "spec.ingress[0]")]
    assert ["to anywhere" in item.message for item in both] == [True, False]

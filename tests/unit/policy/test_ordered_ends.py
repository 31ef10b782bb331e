"""Who is meant by the peers of the Network Policy API: addresses, nodes, names, and pods on the host's network."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.model.flow import Verdict
from tests.builders import Raw, selector
from tests.unit.policy.ordered_scene import ALLOWED, DENIED, OUTSIDE, OUTSIDE6, UNKNOWN, V4, V6, out_of, says
from tests.unit.policy.ordering import ALL, admin, app, baseline, in_team, old_admin, old_baseline, rule

DENY = rule("Deny", ALL)


@pytest.mark.parametrize("make", [admin, baseline, old_admin, old_baseline])
@pytest.mark.parametrize(
    ("destination", "networks", "expected"),
    [
        ("y/a", ["0.0.0.0/0"], DENIED),
        ("y/a", ["10.2.0.1/32"], DENIED),
        ("y/a", ["10.1.0.0/16"], ALLOWED),
        ("y/a", ["::/0"], ALLOWED),
        (OUTSIDE, ["203.0.113.0/24"], DENIED),
        (OUTSIDE, ["0.0.0.0/0"], DENIED),
        (OUTSIDE, ["198.51.100.0/24"], ALLOWED),
        ("192.168.0.2", ["192.168.0.2/32"], DENIED),
        ("x/host", ["192.168.0.2/32"], DENIED),
    ],
)
def test_networks_hold_whoever_has_the_address(
    make: Any, destination: str, networks: list[str], expected: Verdict
) -> None:
    raw = out_of(make, rule("Deny", {"networks": networks}))

    assert expected is says([raw], "x/a", destination)


def test_blocks_are_of_one_family_and_selectors_of_both() -> None:
    raw = out_of(admin, rule("Deny", {"networks": ["10.0.0.0/8"]}))
    assert [DENIED, ALLOWED] == [says([raw], "x/a", "y/a", family=family) for family in (V4, V6)]

    raw = out_of(admin, rule("Deny", in_team("red")))
    assert [DENIED, DENIED] == [says([raw], "x/a", "y/a", family=family) for family in (V4, V6)]

    raw = out_of(admin, rule("Deny", {"networks": ["::/0"]}))
    assert [ALLOWED, DENIED] == [says([raw], "x/a", "y/a", family=family) for family in (V4, V6)]
    assert DENIED is says([raw], "x/a", OUTSIDE6, family=V6)


@pytest.mark.parametrize(
    ("nodes", "destination", "expected"),
    [
        ({}, "192.168.0.2", DENIED),
        (selector(pool="b"), "192.168.0.2", DENIED),
        (selector(pool="a"), "192.168.0.2", ALLOWED),
        # A server on the host's network is its node, and the API says so.
        ({}, "x/host", DENIED),
        (selector(pool="b"), "x/host", DENIED),
        (selector(pool="a"), "x/host", ALLOWED),
        ({}, "y/b", ALLOWED),
        ({}, OUTSIDE, ALLOWED),
    ],
)
@pytest.mark.parametrize("make", [admin, old_admin])
def test_nodes_as_peers(make: Any, nodes: Raw, destination: str, expected: Verdict) -> None:
    raw = out_of(make, rule("Deny", {"nodes": nodes}))

    assert expected is says([raw], "x/a", destination)


def test_node_accepted_in_spite_of_a_later_denial() -> None:
    raw = out_of(admin, rule("Accept", {"nodes": selector(pool="b")}), rule("Deny", {"networks": ["0.0.0.0/0"]}))

    assert ALLOWED is says([raw], "x/a", "x/host")
    assert ALLOWED is says([raw], "x/a", "192.168.0.2")
    assert DENIED is says([raw], "x/a", "y/b")


@pytest.mark.parametrize(
    ("raw", "source", "destination"),
    [
        (admin(ingress=[DENY]), "x/a", "x/host"),
        (admin(egress=[DENY]), "x/host", "y/a"),
        (admin(egress=[DENY]), "x/a", "x/host"),
        (admin(ingress=[DENY]), "x/host", "y/a"),
        (admin(ingress=[rule("Deny", app("a"))]), "x/host", "y/a"),
    ],
)
def test_pods_on_the_host_are_no_subjects_and_no_pods(raw: Raw, source: str, destination: str) -> None:
    # NetworkPolicy v1 leaves this open; here the API settles it.
    assert ALLOWED is says([raw], source, destination)


def test_what_fails_closed_leaves_the_host_alone() -> None:
    raw = admin(ingress=[rule("Deny", {})], egress=[rule("Deny", {})])

    assert DENIED is says([raw], "x/host", "x/a")
    assert ALLOWED is says([raw], "x/host", "192.168.0.1")


@pytest.mark.parametrize(
    ("destination", "expected"),
    [("y/a", DENIED), (OUTSIDE, UNKNOWN), ("192.168.0.2", UNKNOWN), ("x/host", UNKNOWN)],
)
def test_domain_names_are_unknown_where_they_may_lead(destination: str, expected: Verdict) -> None:
    deny = rule("Deny", {"networks": ["0.0.0.0/0"]})
    raw = out_of(admin, rule("Accept", {"domainNames": ["*.example.org"]}), deny)

    assert expected is says([raw], "x/a", destination)


def test_domain_names_that_make_no_difference() -> None:
    names = rule("Accept", {"domainNames": ["example.org"]}, protocols=[{"tcp": {"destinationPort": {"number": 443}}}])

    assert ALLOWED is says([out_of(admin, names)], "x/a", OUTSIDE, 443)
    denied = out_of(admin, names, rule("Deny", {"networks": ["0.0.0.0/0"]}))
    assert DENIED is says([denied], "x/a", OUTSIDE, 80)
    assert UNKNOWN is says([denied], "x/a", OUTSIDE, 443)


def test_names_of_the_clusters_own_dns_may_be_pods() -> None:
    names = rule("Accept", {"domainNames": ["db.y.svc.cluster.local"]})
    raw = out_of(admin, names, DENY)

    assert UNKNOWN is says([raw], "x/a", "y/a")


def test_outside_is_no_pod() -> None:
    raw = admin(ingress=[DENY], egress=[DENY])

    assert ALLOWED is says([raw], OUTSIDE, "x/a")
    assert ALLOWED is says([raw], "x/a", OUTSIDE)


def test_pod_reaches_itself_whatever_the_rules() -> None:
    everything = admin(ingress=[rule("Deny", {})], egress=[rule("Deny", {})])

    assert ALLOWED is says([everything], "x/a", "x/a")
    assert DENIED is says([everything], "x/a", "x/b")


def test_own_node_reaches_its_pods() -> None:
    raw = admin(ingress=[rule("Deny", {})])

    assert ALLOWED is says([raw], "192.168.0.1", "x/a")
    assert DENIED is says([raw], "192.168.0.2", "x/a")

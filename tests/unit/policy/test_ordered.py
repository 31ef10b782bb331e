"""Verdicts under the Network Policy API: each statement of the API, and what its conformance tests leave out."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.evaluate.model import Model
from auditor.model.flow import Protocol, Verdict
from tests.builders import Raw, allow, deny_all, policy, snapshot
from tests.unit.policy.ordered_scene import (
    ALLOWED,
    DENIED,
    SCENE,
    SCTP,
    TCP,
    UDP,
    UNDEFINED,
    UNKNOWN,
    at_once,
    decide,
    into,
    out_of,
    says,
)
from tests.unit.policy.ordering import ALL, admin, app, baseline, in_team, old_admin, old_baseline, rule

ACCEPT, DENY, PASS = (rule(action, ALL) for action in ("Accept", "Deny", "Pass"))
NO_MATCH = rule("Accept", in_team("blue"))
"""y/b is of team red."""
OLD_ALL: Raw = {"namespaces": {"namespaceSelector": {}}}
OF_BOTH: Raw = {"namespaces": {"sameLabels": ["team"]}}
CLOSED = deny_all("x/closed", "Ingress")
OPEN = policy("x/open", ingress=[allow()])


def first(*rules: Raw) -> Raw:
    return into(admin, *rules, name="first", priority=1)


def second(*rules: Raw) -> Raw:
    return into(admin, *rules, name="second", priority=2)


def ahead(*rules: Raw) -> Raw:
    return into(admin, *rules, name="zz", priority=0)


def same(*rules: Raw) -> Raw:
    return into(admin, *rules, name="same", priority=1)


def base(*rules: Raw, name: str = "base", priority: int = 1) -> Raw:
    return into(baseline, *rules, name=name, priority=priority)


CASES: list[tuple[str, list[Raw], Verdict]] = [
    # Of y/b to x/a, port 80.  Tiers, one after the other
    ("nothing", [], ALLOWED),
    ("Admin denies before NetworkPolicy allows", [first(DENY), OPEN], DENIED),
    ("Admin accepts before NetworkPolicy denies", [first(ACCEPT), CLOSED], ALLOWED),
    ("Admin denies before Baseline accepts", [first(DENY), base(ACCEPT)], DENIED),
    ("Admin accepts before Baseline denies", [first(ACCEPT), base(DENY)], ALLOWED),
    ("NetworkPolicy denies before Baseline accepts", [CLOSED, base(ACCEPT)], DENIED),
    ("NetworkPolicy allows before Baseline denies", [OPEN, base(DENY)], ALLOWED),
    ("Baseline denies what nothing else decides", [base(DENY)], DENIED),
    ("a NetworkPolicy for egress alone leaves ingress to Baseline", [deny_all("x/e", "Egress"), base(DENY)], DENIED),
    ("being selected isolates from nothing", [first(NO_MATCH)], ALLOWED),
    # Pass
    ("Pass to NetworkPolicy", [first(PASS, DENY), OPEN], ALLOWED),
    ("Pass to NetworkPolicy, which denies", [first(PASS, ACCEPT), CLOSED], DENIED),
    ("Pass to Baseline", [first(PASS, ACCEPT), base(DENY)], DENIED),
    ("Pass to what nothing decides", [first(PASS, DENY)], ALLOWED),
    ("Pass leaves the tier, not just its policy", [first(PASS), second(DENY)], ALLOWED),
    ("Pass in Baseline", [base(PASS, DENY)], ALLOWED),
    ("Pass in Baseline leaves all of it", [base(PASS), base(DENY, name="late", priority=2)], ALLOWED),
    # Priorities and order
    ("lower numbers come first", [second(DENY), first(ACCEPT)], ALLOWED),
    ("whatever their names", [ahead(DENY), first(ACCEPT)], DENIED),
    ("rules in their order", [first(ACCEPT, DENY)], ALLOWED),
    ("rules in the other order", [first(DENY, ACCEPT)], DENIED),
    ("what does not match leaves it to the next rule", [first(NO_MATCH, DENY)], DENIED),
    ("and to the next policy", [first(NO_MATCH), second(DENY)], DENIED),
    ("several Baselines", [base(DENY, name="late", priority=2), base(ACCEPT)], ALLOWED),
    ("a Baseline that does not match", [base(NO_MATCH), base(DENY, name="late", priority=2)], DENIED),
    # Equal priorities
    ("that agree", [first(DENY), same(DENY)], DENIED),
    ("that differ", [first(DENY), same(ACCEPT)], UNDEFINED),
    ("of which one matches", [first(DENY), same(NO_MATCH)], DENIED),
    ("of different tiers", [first(ACCEPT), base(DENY)], ALLOWED),
    ("accept, or pass to a denial", [first(ACCEPT), same(PASS), CLOSED], UNDEFINED),
    ("deny, or pass to a denial", [first(DENY), same(PASS), CLOSED], DENIED),
    ("accept, or pass to nothing", [first(ACCEPT), same(PASS)], ALLOWED),
    ("that differ where one more decides", [ahead(DENY), first(ACCEPT), same(DENY)], DENIED),
    ("in Baseline", [base(ACCEPT), base(DENY, name="same")], UNDEFINED),
    # Subjects and peers
    ("subject by namespace", [into(admin, DENY, subject=in_team("red"))], ALLOWED),
    ("subject by pod", [into(admin, DENY, subject=app("a", team="blue"))], DENIED),
    ("subject by another pod", [into(admin, DENY, subject=app("b", team="blue"))], ALLOWED),
    ("peer by namespace", [first(rule("Deny", in_team("red")))], DENIED),
    ("peer by pod", [first(rule("Deny", app("b", team="red")))], DENIED),
    ("peer by both, of which one differs", [first(rule("Deny", app("b", team="blue")))], ALLOWED),
    ("any peer of several", [first(rule("Deny", in_team("blue"), app("b")))], DENIED),
    # Both ends
    ("egress denies", [out_of(admin, DENY, subject=in_team("red"))], DENIED),
    ("egress accepts, ingress denies", [admin(subject=ALL, egress=[ACCEPT], ingress=[DENY])], DENIED),
    ("egress of another", [out_of(admin, DENY, subject=in_team("blue"))], ALLOWED),
    # The first version
    ("AdminNetworkPolicy", [into(old_admin, rule("Deny", ALL)), OPEN], DENIED),
    ("AdminNetworkPolicy passes", [into(old_admin, rule("Pass", ALL), rule("Deny", ALL)), CLOSED], DENIED),
    ("AdminNetworkPolicy as v0.1.1 wrote it", [into(old_admin, rule("Deny", OLD_ALL))], DENIED),
    ("BaselineAdminNetworkPolicy", [into(old_baseline, rule("Deny", ALL))], DENIED),
    ("BaselineAdminNetworkPolicy after NetworkPolicy", [into(old_baseline, rule("Deny", ALL)), OPEN], ALLOWED),
    ("both versions, by priority", [into(old_admin, rule("Allow", ALL), priority=5), second(DENY)], DENIED),
    ("both versions, with one priority", [into(old_admin, rule("Allow", ALL), priority=2), second(DENY)], UNDEFINED),
    ("both baselines, which differ", [into(old_baseline, rule("Deny", ALL)), base(ACCEPT)], UNDEFINED),
    ("both baselines, which agree", [into(old_baseline, rule("Deny", ALL)), base(DENY)], DENIED),
    ("both baselines, of which one matches", [into(old_baseline, rule("Deny", ALL)), base(NO_MATCH)], DENIED),
    ("labels of both ends", [into(old_admin, rule("Deny", OF_BOTH))], UNKNOWN),
    ("labels of both ends, after a decision", [first(DENY), into(old_admin, rule("Allow", OF_BOTH))], DENIED),
    # What is not known
    ("Accept fails closed", [first(rule("Accept", {"someday": 1}, ALL)), second(DENY)], DENIED),
    ("Deny fails closed", [first(rule("Deny", {"someday": 1}, protocols=[{"udp": {}}])), OPEN], DENIED),
    ("Pass fails closed", [first(rule("Pass", {})), OPEN], DENIED),
    ("an action of some later version", [first(rule("Log", ALL))], UNKNOWN),
    ("which comes too late", [first(DENY, rule("Log", ALL))], DENIED),
    ("an empty list of protocols", [first(rule("Deny", ALL, protocols=[]))], UNDEFINED),
    ("which makes no difference", [first(rule("Deny", ALL, protocols=[])), CLOSED], DENIED),
]


@pytest.mark.parametrize(("policies", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_tiers(policies: list[Raw], expected: Verdict) -> None:
    assert expected is says(policies, "y/b", "x/a") is at_once(policies, "y/b", "x/a")


@pytest.mark.parametrize(
    ("protocols", "meant"),
    [
        (None, {(TCP, 80), (TCP, 81), (UDP, 80), (SCTP, 80)}),
        ([{"tcp": {}}], {(TCP, 80), (TCP, 81)}),
        ([{"tcp": {"destinationPort": {"number": 80}}}], {(TCP, 80)}),
        ([{"udp": {"destinationPort": {"range": {"start": 79, "end": 80}}}}], {(UDP, 80)}),
        ([{"sctp": {"destinationPort": {"range": {"start": 80, "end": 81}}}}], {(SCTP, 80)}),
        ([{"tcp": {"destinationPort": {"range": {"start": 81, "end": 99}}}}], {(TCP, 81)}),
        ([{"tcp": {"destinationPort": {"number": 80}}}, {"udp": {}}], {(TCP, 80), (UDP, 80)}),
    ],
)
def test_protocols_do_not_cross(protocols: list[Raw] | None, meant: set[tuple[Protocol, int]]) -> None:
    raw = first(rule("Deny", ALL, protocols=protocols))
    asked = ((TCP, 80), (TCP, 81), (UDP, 80), (SCTP, 80))

    assert meant == {
        (proto, number) for proto, number in asked if says([raw], "y/b", "x/a", number, protocol=proto) is DENIED
    }


@pytest.mark.parametrize("way", ["ingress", "egress"])
def test_name_means_every_protocol_that_declares_it(way: str) -> None:
    rules: Any = {way: [rule("Deny", ALL, protocols=[{"destinationNamedPort": "dns"}])]}
    raw = admin(**rules)

    assert DENIED is says([raw], "y/b", "x/a", 53, protocol=TCP)
    assert DENIED is says([raw], "y/b", "x/a", 5353, protocol=UDP)
    assert ALLOWED is says([raw], "y/b", "x/a", 53, protocol=UDP)
    assert ALLOWED is says([raw], "y/b", "x/a", 5353, protocol=TCP)
    assert ALLOWED is says([raw], "x/a", "y/b", 53, protocol=TCP)


@pytest.mark.parametrize("named", [old_admin, admin])
def test_name_is_that_of_the_destination(named: Any) -> None:
    ports = (
        {"ports": [{"namedPort": "http"}]} if named is old_admin else {"protocols": [{"destinationNamedPort": "http"}]}
    )
    raw = named(egress=[rule("Deny", ALL, **ports)])

    found = {(to, number): says([raw], "x/b", to, number) for to in ("x/a", "y/a") for number in (80, 8080)}
    assert {("x/a", 80): DENIED, ("x/a", 8080): ALLOWED, ("y/a", 80): ALLOWED, ("y/a", 8080): DENIED} == found


def test_protocol_of_old_ports_is_tcp_unless_said() -> None:
    ports = [{"portNumber": {"port": 80}}, {"portRange": {"protocol": "UDP", "start": 5, "end": 5}}]
    raw = into(old_admin, rule("Deny", ALL, ports=ports))

    assert DENIED is says([raw], "y/b", "x/a", 80)
    assert ALLOWED is says([raw], "y/b", "x/a", 80, protocol=UDP)
    assert DENIED is says([raw], "y/b", "x/a", 5, protocol=UDP)


def test_reasons_name_the_rule_and_what_is_not_known() -> None:
    deny = decide([first(ACCEPT), second(DENY)], "y/b", "x/a")
    assert "first.ingress[0]" in deny.reason

    unknown = decide([into(admin, rule("Log", ALL), name="later")], "y/b", "x/a").reason
    assert "later.ingress[0]: action: 'Log'" in unknown

    tied = decide([first(DENY), same(ACCEPT)], "y/b", "x/a").reason
    assert "first" in tied
    assert "same" in tied


def test_unreadable_object_hides_every_flow() -> None:
    raw = admin("broken", ingress=[rule("Deny")])

    found = decide([raw], "y/b", "x/a")
    assert UNKNOWN is found.verdict
    assert "ClusterNetworkPolicy broken cannot be read: spec.ingress[0]: from: at least one peer" in found.reason


@pytest.mark.parametrize("version", ["v1alpha2", "v1beta1"])
def test_both_versions_say_the_same(version: str) -> None:
    assert DENIED is says([first(DENY) | {"apiVersion": f"policy.networking.k8s.io/{version}"}, OPEN], "y/b", "x/a")


def test_version_of_a_later_day_hides_every_flow() -> None:
    raw = first(DENY) | {"apiVersion": "policy.networking.k8s.io/v9"}

    found = decide([raw], "y/b", "x/a")
    assert UNKNOWN is found.verdict
    assert "ClusterNetworkPolicy first is of version v9, which is not modelled" in found.reason


def test_notes_reach_the_model() -> None:
    found = Model(snapshot(*SCENE, first(rule("Deny", {"someday": 1}))))

    (note,) = found.notes
    assert note.startswith("ClusterNetworkPolicy first: spec.ingress[0].from[0] sets someday,")

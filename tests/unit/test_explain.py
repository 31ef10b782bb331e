"""Chains: the tiers, policies and rules that give a verdict, in words."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.evaluate.model import Model
from auditor.explain import explain, title
from auditor.model.cluster import Pod
from auditor.model.dialect import Dialect, HostNetwork
from auditor.model.ends import Address
from auditor.model.explanation import DirectionSteps, Explanation, TierStep
from auditor.model.flow import Family, Protocol, Traffic, Verdict
from tests.builders import (
    Raw,
    allow,
    block,
    deny_all,
    named,
    namespaces,
    pod,
    pods,
    policy,
    port,
    selector,
    snapshot,
    tcp,
)
from tests.unit.explaining import model_of, on_host

WEB, DB = (
    pod("shop/web", app="web", at=["10.0.0.1"]),
    pod("shop/db", app="db", at=["10.0.0.2"], ports=[port(5432, "sql")]),
)


def chain(*objects: Raw, source: str = "web", destination: str = "db", number: int = 80, **options: Any) -> Explanation:
    model = model_of(WEB, DB, *objects, **options)
    return explain(model, end(model, source), end(model, destination), Traffic(Family.IPV4, Protocol.TCP, number))


def end(model: Model, name: str) -> Pod | Address:
    return next((item for item in model.snapshot.pods if item.name == name), None) or Address(name)


def ingress(*rules: Raw, number: int = 80, **more: Any) -> TierStep:
    (tier,) = way(*rules, number=number, **more).tiers
    return tier


def way(*rules: Raw, number: int = 80, **more: Any) -> DirectionSteps:
    return chain(policy("shop/p", selector(app="db"), ingress=rules), number=number, **more).directions[1]


def because(*rules: Raw, number: int = 80, **more: Any) -> list[tuple[str, str]]:
    return [(item.matched, item.because) for item in ingress(*rules, number=number, **more).rules]


def test_ends_are_called_by_name() -> None:
    found = chain()

    assert ("shop/web", "shop/db") == (found.source, found.destination)
    assert "192.0.2.1" == title(Address("192.0.2.1"))


def test_without_policies_there_is_no_tier() -> None:
    found = chain()

    assert Verdict.ALLOWED is found.decision.verdict
    assert [("shop/web", ()), ("shop/db", ())] == [(item.subject, item.tiers) for item in found.directions]


def test_rule_that_allows_says_by_what() -> None:
    found = ingress(allow(pods(app="web"), ports=[tcp(80)]))

    assert ("NetworkPolicy", "allowed by shop/p spec.ingress[0]") == (found.name, found.end)
    (rule,) = found.rules
    assert ("spec.ingress[0]", "yes", "allow") == (rule.path, rule.matched, rule.action)
    assert "from[0]: namespace shop and pods with app=web; 80/TCP" == rule.because


def test_rules_that_also_allow_are_counted() -> None:
    assert "allowed by shop/p spec.ingress[0] and 1 more" == ingress(allow(), allow()).end


def test_first_peer_that_matches_for_sure_is_named() -> None:
    found = because(allow(block("10.0.0.0/8"), pods(app="web")))

    assert [("yes", "from[1]: namespace shop and pods with app=web; any port")] == found


def test_rule_without_peers_names_none() -> None:
    assert [("yes", "anybody; any port")] == because(allow())


def test_first_thing_that_failed_is_said_of_each_peer() -> None:
    found = because(allow(pods(app="x"), namespaces(team="a"), block("192.0.2.0/24")))

    assert [
        (
            "no",
            (
                "from[0]: app=x is wanted, and the pod has app=web; "
                "from[1]: team=a is wanted, and namespace shop has no label team; "
                "from[2]: addresses in 192.0.2.0/24: shop/web is not among them"
            ),
        )
    ] == found


def test_port_that_fails_is_said_before_peers() -> None:
    found = because(allow(pods(app="x"), ports=[tcp(81), tcp("sql")]))

    assert [("no", "81/TCP, sql/TCP is meant, and the flow is to 80/TCP; sql is 5432/TCP there")] == found


def test_name_that_the_destination_does_not_have() -> None:
    ((_, text),) = because(allow(ports=[tcp("web")]))

    assert text.endswith("no container port there is called web")


def test_end_of_a_tier_without_a_rule_that_matches() -> None:
    assert "denied: shop/p isolates the pod and no rule allows the flow" == ingress(allow(pods(app="x"))).end


def test_block_that_holds_a_pod_is_not_certain() -> None:
    found = way(allow(block("10.0.0.0/8")))

    (tier,) = found.tiers
    assert Verdict.UNDEFINED is found.verdict
    assert ["open"] == [item.matched for item in tier.rules]
    assert tier.rules[0].because.startswith("from[0]: addresses in 10.0.0.0/8; any port; this rule has an ipBlock")
    assert (
        "not certain: allowed by shop/p spec.ingress[0], or denied: shop/p isolates the pod and no rule allows the flow"
        == tier.end
    )


def admin(name: str, priority: int, action: str, **peer: Raw) -> Raw:
    rule = {"action": action, "from": [{"namespaces": {}}]}
    spec = {"priority": priority, "subject": {"namespaces": {}}, "ingress": [rule]}
    return {
        **named("AdminNetworkPolicy", name),
        "apiVersion": "policy.networking.k8s.io/v1alpha1",
        "spec": spec,
    }


def tiers(*objects: Raw) -> list[tuple[str, str]]:
    return [(item.name, item.end) for item in chain(*objects).directions[1].tiers]


def test_tier_that_decides_is_the_last() -> None:
    assert [("Admin", "denied by a spec.ingress[0]")] == tiers(admin("a", 1, "Deny"), deny_all("shop/p"))


def test_pass_leaves_the_tier() -> None:
    found = tiers(admin("a", 1, "Pass"), admin("b", 2, "Deny"), deny_all("shop/p"))

    assert ("Admin", "passed on by a spec.ingress[0]") == found[0]
    assert ["Admin", "NetworkPolicy"] == [name for name, _ in found]


def test_equal_priorities_are_a_tie() -> None:
    ((name, text),) = tiers(admin("a", 1, "Allow"), admin("b", 1, "Deny"))

    assert "Admin" == name
    assert (
        "not certain (a, b have equal priority): allowed by a spec.ingress[0], or denied by b spec.ingress[0]" == text
    )


def test_namespace_that_was_not_read_makes_a_rule_unknown() -> None:
    model = Model(
        snapshot(WEB, DB, pod("far/x"), policy("shop/p", selector(app="db"), ingress=[allow(namespaces(team="a"))]))
    )
    del model.namespaces["far"]
    found = explain(model, end(model, "x"), end(model, "db"), Traffic(Family.IPV4, Protocol.TCP, 80))

    (rule,) = found.directions[1].tiers[0].rules
    assert (Verdict.UNKNOWN, "unknown") == (found.decision.verdict, rule.matched)
    assert rule.because.endswith("this rule selects by labels of namespace far, which were not read")
    assert "Ingress: shop/p.ingress[0] selects by labels of namespace far, which were not read" == found.decision.reason


@pytest.mark.parametrize(
    ("reading", "shown", "note"),
    [
        (HostNetwork.OPEN, 1, "shown is what they say if they do"),
        (HostNetwork.AS_POD, 1, "the engine takes it for a pod like any other"),
        (HostNetwork.AS_NODE, 0, "the engine takes it for its node"),
    ],
)
def test_pod_on_the_host_network_is_shown_as_a_pod_where_it_may_be_one(
    reading: HostNetwork, shown: int, note: str
) -> None:
    host = pod("shop/host", app="host", **on_host("192.168.0.9", "n2"))
    found = chain(host, deny_all("shop/p", app="host"), destination="host", dialect=Dialect(host_network=reading))

    assert shown == len(found.directions[1].tiers)
    assert (
        f"shop/host is on its node's network, where the API leaves open whether policies apply: {note}",
    ) == found.notes


def test_flow_without_a_pod_says_that_policies_have_no_say() -> None:
    found = chain(source="192.0.2.1", destination="192.0.2.2")

    assert (Verdict.ALLOWED, ("neither end is a pod: policies have no say in such a flow",)) == (
        found.decision.verdict,
        found.notes,
    )


def test_decision_that_a_service_made_is_the_one_that_is_explained() -> None:
    model = model_of(WEB, deny_all("shop/p"))
    web = next(item for item in model.snapshot.pods)
    traffic = Traffic(Family.IPV4, Protocol.TCP, 80)
    ruled = model.ruled(web, web, traffic)

    found = explain(model, web, web, traffic, ruled)

    assert (ruled, Verdict.DENIED) == (found.decision, found.directions[1].verdict)


def test_each_direction_is_shown_in_the_reading_that_decides_it() -> None:
    # The source is the node or a pod on it: either way the pod's own node, but its egress may be ruled or not.
    host = pod("shop/host", app="host", **on_host("192.168.0.1"))
    found = chain(host, deny_all("shop/p"), source="host")

    egress, ingress_of_db = found.directions
    assert (Verdict.UNDEFINED, 1) == (egress.verdict, len(egress.tiers))
    assert found.decision.verdict is not Verdict.ALLOWED
    assert ingress_of_db.verdict is found.decision.ingress.verdict

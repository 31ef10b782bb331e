"""Admission refuses probe pods that were to prove something: others are chosen for it, a few times at most."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from auditor.audit import REPLANS
from auditor.model.finding import Claim, Proof
from auditor.model.options import Coverage, Options
from auditor.model.probe import StandIn
from tests.builders import Raw, allow, namespaces, pod, policy, port, selector, tcp
from tests.unit.auditing import Audited, audit

HOMES = [f"t{number}" for number in range(12)]
RULES = Options(namespaces=("shop",), coverage=Coverage.RULES, sample=0, max_pods=7)
"""Room for the database, two clients, and two controls on each of two nodes."""


def shop() -> list[Raw]:
    """A database, and clients in many namespaces, each of which could prove the one rule."""
    peers = selector(app="client")
    return [
        *(pod(f"{home}/p", on="n1", ports=[port(9000)], app="client") for home in HOMES),
        pod("shop/db", on="n2", ports=[port(5432)], app="db"),
        policy(
            "shop/in", selector(app="db"), ingress=[allow({**namespaces(), "podSelector": peers}, ports=[tcp(5432)])]
        ),
    ]


def refusing(*homes: str) -> Callable[[StandIn], str]:
    return lambda item: "no bare pods here" if item.namespace in homes else ""


def chosen(found: Audited) -> set[str]:
    """The namespaces of the users' whose pods were to be made."""
    return {item.namespace for item in found.material.plan.stand_ins if item.identity}


def rule(found: Audited) -> Claim:
    (claim,) = found.material.comparison.rules
    return claim


def test_a_rule_that_others_can_prove_is_proven_by_them() -> None:
    """Whoever was chosen first is refused, and named with the reason; the rule loses nothing."""
    first = chosen(audit(objects=shop(), options=RULES)) - {"shop"}
    assert len(first) == 2

    found = audit(objects=shop(), options=RULES, refuses=refusing(*first))

    assert chosen(found) - {"shop"}
    assert not chosen(found) & first
    assert rule(found).proof is Proof.PROVEN
    named = {skip.what: skip.reason for skip in found.material.plan.skipped if skip.reason == "no bare pods here"}
    assert {f"{home}/p" for home in first} <= named.keys()


def test_each_port_of_a_rule_is_tried_by_others() -> None:
    """There is room for all, but flows are chosen so that few try each port."""
    ports = [tcp(number) for number in (5432, 5433, 5434, 5435)]
    peers = {**namespaces(), "podSelector": selector(app="client")}
    objects = [*shop()[:-1], policy("shop/in", selector(app="db"), ingress=[allow(peers, ports=ports)])]
    options = replace(RULES, max_pods=100)

    def tried(found: Audited) -> dict[int, set[str]]:
        """By port of the database the namespaces from which it was tried."""
        homes = {item.key: item.namespace for item in found.material.plan.stand_ins}
        flows = [item for item in found.material.plan.flows if homes[item.destination] == "shop"]
        return {item.port: {homes[it.source] for it in flows if it.port == item.port} & {*HOMES} for item in flows}

    before = tried(audit(objects=objects, options=options))
    first = {home for port in (5433, 5434, 5435) for home in before[port]}
    assert len(first) < len(HOMES) - 2

    after = tried(audit(objects=objects, options=options, refuses=refusing(*first)))
    assert all(after[number] for number in (5432, 5433, 5434, 5435))


def test_what_went_with_them_stays_counted() -> None:
    """Others tried the same rule, but what was to be tried of these was not."""
    before = audit(objects=shop(), options=RULES)
    first = chosen(before) - {"shop"}
    keys = {item.key for item in before.material.plan.stand_ins if item.namespace in first}
    gone = [flow for flow in before.material.plan.flows if {flow.source, flow.destination} & keys]

    found = audit(objects=shop(), options=RULES, refuses=refusing(*first))

    (left,) = [skip for skip in found.material.plan.skipped if skip.unjudged]
    assert (left.flows, left.reason) == (len(gone), "no bare pods here")


def test_what_is_lost_is_counted_once() -> None:
    """Of those who are chosen in place of others nothing more goes with them."""
    before = audit(objects=shop(), options=RULES)
    first = chosen(before) - {"shop"}
    keys = {item.key for item in before.material.plan.stand_ins if item.namespace in first}
    gone = [flow for flow in before.material.plan.flows if {flow.source, flow.destination} & keys]
    next_ones = chosen(audit(objects=shop(), options=RULES, refuses=refusing(*first))) - {"shop"}

    found = audit(objects=shop(), options=RULES, refuses=refusing(*first, *next_ones))

    assert next_ones
    assert sum(skip.flows for skip in found.material.plan.skipped if skip.unjudged) == len(gone)


def test_choosing_anew_ends() -> None:
    """However many are refused one after the other; nobody who is refused stays in the plan, nor is forgotten."""
    found = audit(objects=shop(), options=RULES, refuses=refusing(*HOMES))

    asked = found.backend.rehearsed
    assert len(asked) == 1 + REPLANS
    assert chosen(found) == {"shop"}
    tried = {f"{item.namespace}/p" for plan in asked for item in plan.stand_ins if item.namespace in HOMES}
    told = {skip.what for skip in found.material.plan.skipped if skip.reason == "no bare pods here"}
    assert tried <= told
    assert rule(found).proof is not Proof.PROVEN
    assert found.summary.exit_code == 4


def test_where_nobody_is_refused_admission_is_asked_once() -> None:
    assert len(audit(objects=shop(), options=RULES).backend.rehearsed) == 1


def test_flows_that_are_chosen_are_the_same_each_time() -> None:
    first = chosen(audit(objects=shop(), options=RULES)) - {"shop"}
    one, other = (audit(objects=shop(), options=RULES, refuses=refusing(*first)) for _ in range(2))
    assert one.material.plan == other.material.plan

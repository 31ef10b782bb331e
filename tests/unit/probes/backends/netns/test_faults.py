"""The table of faults, and what each changes in the rules; what they do to packets is for tests/sandbox."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from auditor.model.finding import Agreement
from probes.backends.netns import faults
from probes.backends.netns.faults import FAULTS, RESTART, START_WINDOW, Command, Fault
from probes.backends.netns.ruleset import rulesets
from probes.backends.netns.world import World
from tests.unit.probes.backends.netns.worlds import API, GUEST, WEB, WORLD, policy, under

BLOCK = {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.0.2.0/24"]}}
RULE: dict[str, Any] = {"ports": [{"port": "http"}, {"port": 8000, "endPort": 8010}]}
RICH = replace(
    under(
        policy(
            podSelector={"matchLabels": {"app": "web"}},
            ingress=[RULE | {"from": [BLOCK, {"podSelector": {}}]}],
            egress=[RULE | {"to": [{"podSelector": {}}, BLOCK]}],
        ),
        policy(podSelector={"matchLabels": {"app": "api"}}, ingress=[RULE]),
    ),
    seats=(replace(WEB, born=90.0), replace(API, before={"app": "web"}), GUEST),
    gone=(policy(ingress=[{}]),),
    nodes=("n1", "n2"),
    now=100.0,
)
"""A world in which no fault is without consequence."""


@pytest.mark.parametrize("fault", FAULTS.values(), ids=lambda fault: fault.name)
def test_fault_changes_the_rules(fault: Fault) -> None:
    assert rulesets(RICH, fault) != rulesets(RICH)
    assert rulesets(RICH, fault).keys() == rulesets(RICH).keys()


def test_no_two_faults_are_the_same() -> None:
    texts = {name: str(rulesets(RICH, fault)) for name, fault in FAULTS.items()}

    # A node that lost its rules is like one that never had any.
    assert texts.pop("restart-loses-rules") == texts["node-without-agent"]
    assert len(set(texts.values())) == len(texts)


def test_the_table_is_whole() -> None:
    assert len(FAULTS) == len(faults._TABLE) == 20
    assert all(name == fault.name for name, fault in FAULTS.items())
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) for name in FAULTS)
    assert all(fault.sentence.endswith(".") and fault.sentence.count(". ") == 0 for fault in FAULTS.values())
    assert all(re.fullmatch(r"([DO][0-9]+)?", fault.row) for fault in FAULTS.values())
    assert {fault.command for fault in FAULTS.values()} == set(Command)
    assert {fault.finds for fault in FAULTS.values()} == set(Agreement) - {Agreement.AS_EXPECTED} | {None}


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("reject-icmp", "reject with icmpx port-unreachable"),
        ("reject-reset", "meta l4proto tcp reject with tcp reset"),
        ("udp-ignored", "meta l4proto udp accept"),
        ("ipv6-ignored", "meta nfproto ipv6 accept"),
        ("established-kept", "    ct state established accept"),
        ("source-lost", "masquerade"),
        ("packet-loss", "numgen random mod 100 < 20 drop"),
    ],
)
def test_flags_of_the_engine_are_single_lines(name: str, word: str) -> None:
    assert word in rulesets(RICH, FAULTS[name])["n1"]
    assert word not in rulesets(RICH)["n1"]


@pytest.mark.parametrize("name", ["source-lost", "packet-loss"])
def test_a_node_without_pods_has_nobody_to_fail(name: str) -> None:
    assert rulesets(WORLD, FAULTS[name])["n3"] == rulesets(WORLD)["n3"]


def test_the_last_node_is_the_one_without_agent() -> None:
    found, calm = rulesets(RICH, FAULTS["node-without-agent"]), rulesets(RICH)

    assert found["n1"] == calm["n1"]
    assert "vmap" not in found["n2"]
    assert "vmap" in calm["n2"]


def test_young_pods_are_policed_when_their_time_has_come() -> None:
    fault, born = FAULTS["late-start"], 90.0
    world = replace(RICH, seats=(replace(WEB, born=born), replace(API, born=95.0), replace(GUEST, born=0.0)))

    assert (born + START_WINDOW, 95.0 + START_WINDOW) == fault.moments(world)
    assert "v1" not in vmaps(rulesets(world, fault)["n1"])
    late = replace(world, now=born + START_WINDOW)
    assert rulesets(late, fault)["n1"] == rulesets(late)["n1"]
    assert (95.0 + START_WINDOW,) == fault.moments(late)
    assert fault.moments(replace(world, now=200.0)) == ()


def test_a_node_has_its_rules_until_it_restarts() -> None:
    fault = FAULTS["restart-loses-rules"]
    before, after = replace(RICH, now=0.0), replace(RICH, now=RESTART)

    assert (RESTART,) == fault.moments(before)
    assert rulesets(before, fault) == rulesets(before)
    assert rulesets(after, fault) == rulesets(after, FAULTS["node-without-agent"])
    assert fault.moments(after) == ()


@pytest.mark.parametrize("name", sorted(FAULTS.keys() - {"late-start", "restart-loses-rules"}))
def test_other_faults_do_not_depend_on_time(name: str) -> None:
    assert FAULTS[name].moments(replace(RICH, now=0.0)) == ()
    assert rulesets(replace(RICH, now=0.0), FAULTS[name]) == rulesets(RICH, FAULTS[name])


def test_the_ordinary_engine_does_not_look_at_what_was() -> None:
    then = replace(RICH, gone=(), seats=tuple(replace(seat, before=None, born=0.0) for seat in RICH.seats), now=0.0)

    assert rulesets(RICH) == rulesets(then)


def test_a_rule_that_loses_all_its_ports_allows_none() -> None:
    world = under(policy(ingress=[{"ports": [{"port": "http"}]}]))
    text = rulesets(world, FAULTS["named-port-ignored"])["n1"]

    assert "chain p1 {\n    drop\n  }" in text


def test_any_port_is_no_range() -> None:
    world = under(policy(ingress=[{"ports": [{"protocol": "UDP"}]}]))

    assert rulesets(world, FAULTS["endport-ignored"]) == rulesets(world)


def test_pods_without_any_policy_alone_are_denied_everything() -> None:
    world: World = under(policy(podSelector={"matchLabels": {"app": "web"}}, ingress=[{}]))
    found = rulesets(world, FAULTS["always-deny"])

    assert found["n1"] == rulesets(world)["n1"]
    assert vmaps(found["n2"]).count("v2") == vmaps(found["n2"]).count("v3") == 2


def vmaps(text: str) -> str:
    return "".join(line for line in text.splitlines() if "vmap" in line)

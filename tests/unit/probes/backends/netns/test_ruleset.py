"""The text that nftables gets; what it does to packets is for tests/sandbox."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from probes.backends.netns.ruleset import rulesets
from probes.backends.netns.world import World
from tests.unit.probes.backends.netns.worlds import API, GUEST, WEB, WORLD, policy, under

HOSTILE = '"; flush ruleset #\n} \x1b[2J'


def chains(text: str) -> dict[str, list[str]]:
    found = re.findall(r"  chain (\w+) \{\n(.*?)\n  \}", text, re.DOTALL)
    return {name: [line.strip() for line in body.splitlines()] for name, body in found}


def judged(text: str, key: str) -> dict[str, str]:
    """Which chain judges each interface."""
    return dict(re.findall(r'"(\w+)" : jump (\w+)', "".join(re.findall(f"{key} vmap .*", text))))


def test_every_node_gets_rules_that_replace_earlier_ones() -> None:
    found = rulesets(WORLD)

    assert list(found) == ["n1", "n2", "n3"]
    assert all(text.startswith("table inet netaudit\ndelete table inet netaudit\n") for text in found.values())


def test_a_node_that_only_a_pod_names_is_a_node() -> None:
    assert set(rulesets(World({}, (WEB,)))) == {"n1"}


def test_nothing_is_judged_without_policies() -> None:
    text = rulesets(WORLD)["n2"]

    assert chains(text).keys() == {"forward"}
    assert "vmap" not in text


def test_pods_are_judged_in_the_directions_in_which_they_are_isolated() -> None:
    found = rulesets(under(policy(), policy("guests", policyTypes=["Egress"])))

    assert judged(found["n1"], "oifname").keys() == {"v1"}
    assert judged(found["n1"], "iifname").keys() == set()
    assert judged(found["n2"], "oifname").keys() == {"v2"}
    assert judged(found["n2"], "iifname").keys() == {"v3"}


def test_a_chain_returns_what_is_allowed_and_ends_with_a_denial() -> None:
    ports = [{"port": 80}, {"port": 90, "endPort": 99}, {"protocol": "UDP"}]
    text = rulesets(under(policy(ingress=[{"from": [{"podSelector": {}}], "ports": ports}, {}])))["n1"]

    assert chains(text)["p1"] == [
        "ip saddr @s1 tcp dport { 80, 90-99 } return",
        "ip saddr @s1 meta l4proto udp return",
        "ip6 saddr @s2 tcp dport { 80, 90-99 } return",
        "ip6 saddr @s2 meta l4proto udp return",
        "return",
        "drop",
    ]
    assert "elements = { 10.0.1.1, 10.0.2.1 }" in text


def test_whole_families_and_single_spans_need_no_set() -> None:
    peers = [{"ipBlock": {"cidr": "0.0.0.0/0"}}, {"ipBlock": {"cidr": "fd00::/8"}}]
    text = rulesets(under(policy(egress=[{"to": peers}])))["n1"]

    assert chains(text)[judged(text, "iifname")["v1"]] == [
        "meta nfproto ipv4 return",
        "ip6 daddr fd00::-fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff return",
        "drop",
    ]


def test_pods_that_are_allowed_the_same_share_a_chain() -> None:
    seats = tuple(replace(API, name=f"api-{number}", interface=f"q{number}") for number in range(5))
    text = rulesets(replace(under(policy(ingress=[{"ports": [{"port": "http"}]}])), seats=seats))["n2"]

    assert chains(text).keys() == {"p1", "forward"}
    assert set(judged(text, "oifname").values()) == {"p1"}


def test_pods_whose_names_mean_other_numbers_do_not() -> None:
    other = replace(API, interface="v9", ports=(("http", "TCP", 1),))
    text = rulesets(replace(under(policy(ingress=[{"ports": [{"port": "http"}]}])), seats=(API, other)))["n2"]

    assert chains(text)["p1"] == ["tcp dport { 8080 } return", "drop"]
    assert chains(text)["p2"] == ["tcp dport { 1 } return", "drop"]


def test_no_word_of_the_cluster_gets_into_the_text() -> None:
    labels = {HOSTILE: HOSTILE}
    seat = replace(WEB, namespace=HOSTILE, name=HOSTILE, labels=labels, node=HOSTILE, ports=((HOSTILE, "TCP", 80),))
    hostile = policy(
        HOSTILE,
        podSelector={"matchLabels": labels},
        ingress=[{"from": [{"podSelector": {"matchLabels": labels}}], "ports": [{"port": HOSTILE}]}],
    )

    found = rulesets(World({HOSTILE: labels}, (seat, GUEST), (hostile,), nodes=(HOSTILE,)))

    assert chains(found[HOSTILE])["p1"][0] == "ip saddr 10.0.1.1 tcp dport { 80 } return"
    assert re.fullmatch(r"[a-z0-9 .:,;@{}\"\n-]*", found[HOSTILE])


@pytest.mark.parametrize("name", ["", HOSTILE, "v1*", 'v"1', "sixteen-letters-"])
def test_an_interface_must_be_one(name: str) -> None:
    with pytest.raises(ValueError, match="is not the name of an interface"):
        rulesets(replace(WORLD, seats=(replace(WEB, interface=name),)))


def test_an_address_must_be_one() -> None:
    world = under(policy(ingress=[{"from": [{"ipBlock": {"cidr": "10.0.0.0/8 }"}}]}]))

    with pytest.raises(ValueError, match="does not appear to be"):
        rulesets(world)


def test_same_world_same_bytes() -> None:
    world = under(
        policy(ingress=[{"from": [{"namespaceSelector": {}}]}]), policy(egress=[{"ports": [{"port": "http"}]}])
    )

    assert rulesets(world) == rulesets(replace(world, nodes=world.nodes))

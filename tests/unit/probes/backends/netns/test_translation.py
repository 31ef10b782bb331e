"""The text that carries out Services; what it does to packets is for tests/sandbox."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from probes.backends.netns.services import allotted
from probes.backends.netns.translation import BARE, translations
from probes.backends.netns.world import World
from tests.unit.probes.backends.netns.test_ruleset import HOSTILE, chains
from tests.unit.probes.backends.netns.worlds import API, WEB, WORLD, service

NODES = {"n1": ("192.0.2.1", "2001:db8::1"), "n2": ("192.0.2.2", "2001:db8::2"), "n3": ("192.0.2.3",)}
TWO = replace(WORLD, seats=(WEB, replace(API, labels={"app": "web"})))
LOCAL = {"internalTrafficPolicy": "Local", "externalTrafficPolicy": "Local"}


def texts(*services: dict[str, Any], world: World = WORLD) -> dict[str, str]:
    return translations(replace(world, services=allotted(services)), NODES)


def lines(text: str, chain: str) -> list[str]:
    """What a chain holds, without its hook."""
    return chains(text)[chain][1:]


def test_without_services_there_is_nothing() -> None:
    assert texts() == dict.fromkeys(NODES, BARE)
    assert texts(service(clusterIP="None"), service("out", type="ExternalName")) == dict.fromkeys(NODES, BARE)


def test_the_table_is_one_of_its_own_and_replaces_an_earlier_one() -> None:
    text = texts(service())["n1"]
    assert text.startswith("table inet netaudit_services\ndelete table inet netaudit_services\n")
    assert set(re.findall(r"table inet (\w+)", text)) == {"netaudit_services"}


def test_an_address_leads_to_the_only_pod() -> None:
    for text in texts(service()).values():
        assert lines(text, "coming") == ["ip daddr 10.96.0.1 tcp dport 80 goto e1"]
        assert chains(text)["e1"] == ["meta l4proto tcp dnat ip to 10.0.1.1:80"]


def test_one_of_several_pods_is_chosen_by_chance() -> None:
    text = texts(service(ipFamilies=["IPv6"], ports=[{"port": 53, "protocol": "UDP", "targetPort": 5353}]), world=TWO)
    assert lines(text["n3"], "coming") == [
        "ip6 daddr fd00:10:96::1 udp dport 53 numgen random mod 2 vmap { 0 : goto e1, 1 : goto e2 }"
    ]
    assert chains(text["n3"])["e2"] == ["meta l4proto udp dnat ip6 to [fd00:2::1]:5353"]


def test_services_over_the_same_port_of_a_pod_share_what_leads_there() -> None:
    text = texts(service("a", selector={"app": "web"}), service("b", selector={"app": "web"}))["n1"]
    assert [line.rpartition(" ")[2] for line in lines(text, "coming")] == ["e1", "e1"]


def test_what_was_not_translated_is_refused() -> None:
    text = texts(service("nobody", ipFamilyPolicy="PreferDualStack"), service())["n2"]
    assert lines(text, "coming") == ["ip daddr 10.96.0.2 tcp dport 80 goto e1"]
    assert lines(text, "unserved") == [
        "ip daddr { 10.96.0.1, 10.96.0.2 } reject with icmpx port-unreachable",
        "ip6 daddr { fd00:10:96::1 } reject with icmpx port-unreachable",
    ]


def test_each_node_takes_its_own_port_and_gives_its_own_address() -> None:
    found = texts(service(type="NodePort", ipFamilyPolicy="PreferDualStack"))
    assert lines(found["n2"], "coming") == [
        "ip daddr 10.96.0.1 tcp dport 80 goto e1",
        "ip daddr 192.0.2.2 tcp dport 30000 goto e1",
        "ip6 daddr fd00:10:96::1 tcp dport 80 goto e2",
        "ip6 daddr 2001:db8::2 tcp dport 30000 goto e2",
    ]
    assert "ct status dnat ct original ip daddr 192.0.2.2 meta l4proto tcp ct original proto-dst { 30000 } snat ip to 192.0.2.2" in lines(found["n2"], "leaving")  # fmt: skip  # noqa: E501
    assert "2001:db8" not in found["n3"]


def test_whoever_reaches_itself_comes_from_the_node() -> None:
    found = texts(service(), world=TWO)
    assert lines(found["n1"], "leaving") == [
        "ct status dnat ip saddr . ip daddr { 10.0.1.1 . 10.0.1.1 } snat ip to 192.0.2.1",
        "ct status dnat ip6 saddr . ip6 daddr { fd00:1::1 . fd00:1::1 } snat ip6 to 2001:db8::1",
    ]
    assert lines(found["n3"], "leaving") == []


def test_some_services_lead_to_pods_of_the_same_node_alone() -> None:
    """Nobody's address is replaced then, because the answers come by the same node."""
    found = texts(service(type="NodePort", **LOCAL), world=TWO)
    assert [line.split(" dport ")[1] for line in lines(found["n1"], "coming")] == ["80 goto e1", "30000 goto e1"]
    assert chains(found["n1"])["e1"] == ["meta l4proto tcp dnat ip to 10.0.1.1:80"]
    assert [line.split(" dport ")[1] for line in lines(found["n3"], "coming")] == ["80 drop", "30000 drop"]
    assert "ct original" not in found["n1"]


@pytest.mark.parametrize("policy", LOCAL)
def test_what_holds_inside_says_nothing_of_outside(policy: str) -> None:
    """On a node without pods of the Service, what is for pods of the same node alone is dropped."""
    text = texts(service(type="NodePort", **{policy: "Local"}), world=TWO)["n3"]
    dropped = [line.startswith("ip daddr 192.0.2.3") for line in lines(text, "coming") if line.endswith(" drop")]
    assert dropped == [policy == "externalTrafficPolicy"]


def test_where_nobody_is_at_all_nothing_is_dropped() -> None:
    assert lines(texts(service("nobody", **LOCAL))["n1"], "coming") == []


def test_names_are_not_part_of_the_text() -> None:
    named = service(HOSTILE, selector={"app": "web"}, ports=[{"name": HOSTILE, "port": 80, "targetPort": 8080}])
    plain = service("a", selector={"app": "web"}, ports=[{"port": 80, "targetPort": 8080}])
    assert texts(named) == texts(plain)

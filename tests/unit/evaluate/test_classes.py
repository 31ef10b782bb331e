"""Pods in classes, and what divides them."""

from __future__ import annotations

from ipaddress import ip_network

from auditor.evaluate.classes import OTHER, classify, cuts, vocabulary
from auditor.evaluate.model import Model
from auditor.model.flow import Family
from auditor.model.policy import IPBlock
from tests.builders import Raw, allow, block, pod, pods, policy, port, selector, tcp
from tests.unit.explaining import model_of, on_host


def members(model: Model) -> list[list[str]]:
    found = classify(model, model.snapshot.pods, vocabulary(model.all_sections()))
    return [[item.name for item in one.pods] for one in found]


def classes(*objects: Raw) -> list[list[str]]:
    return members(model_of(*objects))


A, B, C = (pod(f"shop/{it}", app=it, at=[f"10.0.0.{place}"]) for place, it in enumerate("abc", 1))


def test_values_that_nobody_names_are_one() -> None:
    model = model_of(A, B, C, policy("shop/p", selector(app="a"), ingress=[]))
    found = classify(model, model.snapshot.pods, vocabulary(model.all_sections()))

    assert [(("app", OTHER),), (("app", "a"),)] == [item.labels for item in found]
    assert [["b", "c"], ["a"]] == members(model)


def test_blocks_divide_what_is_inside_from_what_is_not() -> None:
    assert [["a"], ["b", "c"]] == classes(A, B, C, policy("far/p", egress=[allow(block("10.0.0.2/31"))]))


def test_names_of_ports_divide_where_they_are_used() -> None:
    x, y = (pod(f"shop/{name}", ports=[port(number, "http")]) for name, number in (("x", 80), ("y", 81)))

    assert [["x", "y"]] == classes(x, y)
    assert [["x"], ["y"]] == classes(x, y, policy("shop/p", ingress=[allow(ports=[tcp("http")])]))


def test_namespaces_and_families_divide_always() -> None:
    assert [["x"], ["a"], ["s"]] == classes(A, pod("ops/x"), pod("shop/s", at=["fd00::1"]))


def test_pods_that_policies_do_not_apply_to_have_no_class() -> None:
    gone = (pod("shop/x", phase="Failed"), pod("shop/y", at=[]), pod("shop/z", **on_host("192.168.0.1")))

    assert [["a"]] == classes(A, *gone)


def test_vocabulary_is_what_policies_mention() -> None:
    rules = policy(
        "shop/p",
        selector(("tier", "Exists"), app="a"),
        ingress=[allow(pods(app="b"), ports=[tcp("http"), tcp(80)]), allow(block("10.0.0.0/8"))],
    )
    found = vocabulary(model_of(rules).all_sections())

    assert {"app": frozenset({"a", "b"}), "tier": frozenset()} == found.labels
    assert frozenset({"http"}) == found.port_names
    assert [IPBlock(ip_network("10.0.0.0/8"))] == [leaf.block for leaf in found.blocks]
    assert not found.accounts


def test_cuts_are_where_blocks_begin_and_the_first_address_behind_them() -> None:
    found = cuts([IPBlock(ip_network("0.0.0.8/29"), (ip_network("0.0.0.10/31"),)), IPBlock(ip_network("::/126"))])

    assert {Family.IPV4: [8, 10, 12, 16], Family.IPV6: [0, 4]} == found

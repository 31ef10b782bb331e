"""What holds for all rules: order, fingerprints, and what the guides' examples give."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from auditor.cluster.saved import read_files
from auditor.lint import LINTS, lint
from auditor.model.lint import LintFinding, LintSeverity
from tests.builders import Raw, allow, block, deny_all, pod, pods, policy, selector, snapshot, tcp
from tests.model_cases import CASES, read_cases, snapshot_of
from tests.unit.lint.linting import SHOP

GUIDES = {case.name: case for case in read_cases(CASES / "guides")}
EXPECTED: dict[str, list[tuple[str, str, str]]] = {
    "001-allow-all-as-it-was-meant": [
        ("deny-overridden", "default/deny-all", "spec.egress"),
        ("deny-overridden", "default/deny-all", "spec.ingress"),
    ],
    "001-allow-out-to-in": [("dns-blocked", "default/allow-out-to-in", "spec.egress")],
    "001-db-connection": [
        ("dns-blocked", "default/db-connection", "spec.egress"),
        ("port-digits-exchanged", "default/db-connection", "spec.ingress[0].ports[0].port"),
    ],
    "001-isolate-namespace-without-its-label": [
        ("namespace-label-unknown", "default/isolate-namespace", "spec.egress[0].to[0].namespaceSelector"),
        ("namespace-label-unknown", "default/isolate-namespace", "spec.ingress[0].from[0].namespaceSelector"),
    ],
    "004-and-or:or-with-a-block": [("dns-blocked", "default/db-policy", "spec.egress")],
    "004-five-rules-of-the-picture": [
        ("dns-blocked", "default/api-policy", "spec.egress"),
        ("dns-blocked", "default/web-policy", "spec.egress"),
    ],
    "004-internal-policy": [("dns-blocked", "default/internal-policy", "spec.egress")],
}
"""Warnings and worse about the examples of the guides: rule, object, place.  All others are as they should be."""


def test_ids_are_stable_words_and_unlike_each_other() -> None:
    ids = [rule.id for rule in LINTS]

    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)+", text) for text in ids)
    assert all(rule.title for rule in LINTS)


@pytest.mark.parametrize("name", GUIDES)
def test_examples_of_the_guides(name: str) -> None:
    """Nothing but the truth: what the guides teach as it should be gives no warning."""
    found = [item for item in lint(snapshot_of(GUIDES[name])) if item.severity is not LintSeverity.INFO]

    assert [(item.id, f"{item.object.namespace}/{item.object.name}", item.path) for item in found] == EXPECTED.get(
        name, []
    )


@pytest.mark.parametrize(
    "path", sorted((CASES.parents[2] / "auditor" / "guides").glob("*.yaml")), ids=lambda path: path.stem
)
def test_manifests_of_the_guides(path: Path) -> None:
    """Files hold neither the cluster's DNS nor addresses, and that is no reason to warn."""
    found = lint(read_files([str(path)], bytes)[0])

    assert [item for item in found if item.severity is not LintSeverity.INFO] == []


def test_isolation_by_annotation_of_the_guides() -> None:
    files = CASES / "guides" / "002-default-deny-annotation-has-no-effect-today" / "objects.yaml"
    found = lint(read_files([str(files)], bytes)[0])

    assert [item.id for item in found] == ["isolation-by-annotation"]


def test_every_guide_that_should_warn_is_there() -> None:
    assert set(EXPECTED) <= set(GUIDES)


def odd(*more: Raw) -> tuple[LintFinding, ...]:
    made = policy(
        "shop/odd", selector(app="web"), ingress=[*more, allow(ports=[tcp("nowhere")]), allow(pods(app="gone"))]
    )
    return lint(snapshot(*SHOP, made, deny_all("shop/closed", app="gone")))


def test_worst_first_then_by_object() -> None:
    found = odd()
    order = [(-item.severity.rank, str(item.object), item.id, item.path) for item in found]

    assert order == sorted(order)
    assert [item.id for item in found if item.severity is LintSeverity.WARNING] == [
        "policy-selects-nothing",
        "named-port-unknown",
        "rule-matches-nothing",
    ]


def test_fingerprints_outlive_new_rules() -> None:
    """A rule that is put in front moves the others and changes nothing about them."""
    before = {item.fingerprint: item.path for item in odd()}
    after = {item.fingerprint: item.path for item in odd(allow(pods(app="api"), ports=[tcp(8080)]))}
    moved = {before[key]: after[key] for key in before.keys() & after.keys()}

    assert moved["spec.ingress[0].ports[0].port"] == "spec.ingress[1].ports[0].port"
    assert moved["spec.ingress[1]"] == "spec.ingress[2]"


def test_fingerprints_tell_the_same_oddity_twice_apart() -> None:
    twice = [allow(block("0.0.0.0/0")), allow(block("::/0"))]
    found = [item for item in lint(snapshot(*SHOP, policy("shop/p", ingress=twice))) if item.id == "open-to-anyone"]

    assert len({item.fingerprint for item in found}) == 2


def test_fingerprints_belong_to_a_cluster() -> None:
    here = snapshot(*SHOP, deny_all("shop/closed", app="gone"))
    elsewhere = replace(here, cluster_uid="another")

    assert {item.fingerprint for item in lint(here)}.isdisjoint(item.fingerprint for item in lint(elsewhere))


def test_names_are_data() -> None:
    """Whatever a label holds, a finding quotes it and stays one finding."""
    hostile = "\x1b[31m\n'; rm -rf / #<script>\ud800"
    found = lint(snapshot(pod("shop/web", app="web"), deny_all("shop/closed", "Ingress", app=hostile)))

    assert [item.id for item in found] == ["policy-selects-nothing"]


def test_nothing_odd_about_nothing() -> None:
    assert lint(snapshot()) == ()
    assert lint(snapshot(*SHOP)) == ()


def test_one_name_twice() -> None:
    """Files may hold a name twice; each stands for itself."""
    cluster = snapshot(*SHOP, deny_all("shop/p", "Ingress"), policy("shop/q", ingress=[allow(pods(app="api"))]))
    doubled = replace(cluster, policies=tuple(replace(item, name="p") for item in cluster.policies))

    assert {item.object.name for item in lint(doubled)} <= {"p"}

"""Peers that mean nobody, and two selectors where one peer was meant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from auditor.model.lint import LintFinding, LintSeverity
from tests.builders import Raw, allow, block, named, namespace, namespaces, pod, pods, policy, selector, workload
from tests.unit.lint.linting import SHOP, found, on_host, one, places

LABEL, RULE, PEER, SPLIT = (
    "namespace-label-unknown",
    "rule-matches-nothing",
    "peer-matches-nothing",
    "selectors-or-not-and",
)
WEB = selector(app="web")
MONITORING = (namespace("monitoring", purpose="monitoring"), pod("monitoring/prometheus-1", role="prometheus"))


def guarded(*peers: Raw, **more: Any) -> Raw:
    return policy("shop/guard", WEB, ingress=[allow(*peers)], **more)


def all_of(*objects: Raw, whole: bool = True) -> list[LintFinding]:
    """What the three rules about peers find: each fault is told once."""
    return [item for rule in (LABEL, RULE, PEER) for item in found(rule, *SHOP, *objects, whole=whole)]


def test_namespace_label_that_no_namespace_has() -> None:
    finding = one(LABEL, *SHOP, *MONITORING, guarded(namespaces(purpose="monitorng")))

    assert finding.path == "spec.ingress[0].from[0].namespaceSelector"
    assert finding.why[0] == "no namespace has purpose=monitorng; purpose=monitoring is there once"
    assert finding.why[1] == "no other peer of the rule means anybody, so it allows nothing"
    assert all_of(*MONITORING, guarded(namespaces(purpose="monitorng"))) == [finding]


def test_namespace_label_beside_a_peer_that_means_somebody() -> None:
    (finding,) = all_of(guarded(namespaces(purpose="x"), pods(app="api")))

    assert finding.id == LABEL
    assert len(finding.why) == 1


@pytest.mark.parametrize(
    "peer",
    [
        namespaces(purpose="monitoring"),
        namespaces(("purpose", "Exists")),
        namespaces(),
        namespaces(purpose="empty"),
        pods(app="api"),
        pods(),
        block("192.0.2.0/24"),
    ],
    ids=repr,
)
def test_peers_that_mean_somebody_or_are_ready_to(peer: Raw) -> None:
    """A namespace that is there may get its pods later."""
    assert all_of(*MONITORING, namespace("empty", purpose="empty"), guarded(peer)) == []


def test_manifests_may_name_namespaces_of_others() -> None:
    """A namespace by name that is in no manifest exists elsewhere; a label that none has is worth a look."""
    by_name = guarded(namespaces(**{"kubernetes.io/metadata.name": "elsewhere"}))
    by_label = guarded(namespaces(purpose="x"))

    assert all_of(by_name, whole=False) == []
    assert [item.id for item in all_of(by_name)] == [LABEL]
    (finding,) = all_of(by_label, whole=False)
    assert finding.severity is LintSeverity.INFO
    assert finding.why[-1] == "only the namespaces of these manifests were looked at"


def test_label_that_only_sounds_like_a_namespace() -> None:
    """Guide 001: a namespace does not have its name as a label of any key."""
    finding = one(LABEL, *SHOP, guarded(namespaces(nsname="shop")), whole=False)

    assert finding.severity is LintSeverity.WARNING
    assert finding.why[1] == "shop has no such label: only kubernetes.io/metadata.name comes by itself"


@pytest.mark.parametrize(
    ("peer", "told"),
    [
        (namespaces() | pods(app="gone"), False),
        (namespaces(purpose="monitoring") | pods(app="gone"), False),
        (namespaces(("kubernetes.io/metadata.name", "NotIn", ["shop"])) | pods(app="gone"), False),
        (namespaces(("kubernetes.io/metadata.name", "In", ["monitoring", "else"])) | pods(app="gone"), False),
        (namespaces(**{"kubernetes.io/metadata.name": "monitoring"}) | pods(app="gone"), True),
        (pods(app="gone"), True),
    ],
    ids=["any namespace", "by label", "all but one", "one of them elsewhere", "by name", "own"],
)
def test_manifests_hold_some_pods_of_other_namespaces(peer: Raw, told: bool) -> None:
    """Such as those of DNS in kube-system, which an application's manifests never hold."""
    assert len(all_of(*MONITORING, guarded(peer), whole=False)) == told
    assert len(all_of(*MONITORING, guarded(peer))) == 1


def test_rule_none_of_whose_peers_is_there() -> None:
    finding = one(RULE, *SHOP, guarded(pods(app="apii"), namespaces() | pods(app="x")))

    assert finding.path == "spec.ingress[0]"
    assert finding.why == (
        "spec.ingress[0].from[0]: no pod of shop has app=apii; app=api is there once",
        "spec.ingress[0].from[1]: no pod of 2 namespaces has app=x",
    )
    assert all_of(guarded(pods(app="apii"), namespaces() | pods(app="x"))) == [finding]


def test_one_peer_of_several_that_is_not_there() -> None:
    (finding,) = all_of(guarded(pods(app="api"), pods(app="gone")))

    assert (finding.id, finding.path, finding.severity) == (PEER, "spec.ingress[0].from[1]", LintSeverity.INFO)


def test_labels_that_pods_of_another_namespace_have() -> None:
    """The most common slip: a podSelector alone looks in the policy's own namespace."""
    (finding,) = all_of(*MONITORING, guarded(pods(role="prometheus")))

    assert finding.why[0].endswith(
        "pods with role=prometheus are in monitoring, which needs a namespaceSelector beside it"
    )


@pytest.mark.parametrize(
    "waiting",
    [pod("shop/job-1", phase="Failed", app="job"), workload("StatefulSet", "shop/job", app="job")],
    ids=["finished", "scaled to zero"],
)
def test_peers_that_come_and_go(waiting: Raw) -> None:
    assert all_of(waiting, guarded(pods(app="job"))) == []


def test_peers_on_the_host() -> None:
    """An ingress controller on the host's network is the classic: its traffic is its node's."""
    (finding,) = all_of(on_host("ingress/controller", app="proxy"), guarded(namespaces() | pods(app="proxy")))

    assert finding.id == RULE
    assert "only pods on the host's network meet it (ingress/controller)" in finding.why[0]


def test_policy_that_selects_nothing_is_odd_enough() -> None:
    idle = policy("shop/idle", selector(app="gone"), ingress=[allow(pods(app="x"), namespaces(y="z"))])

    assert all_of(idle) == []


def test_rules_of_other_kinds_in_a_whole_cluster() -> None:
    def admin(name: str, label: str) -> Raw:
        peer = {"pods": {"namespaceSelector": {}, "podSelector": selector(app=label)}}
        rule = {"action": "Deny", "from": [peer]}
        return {
            **named("AdminNetworkPolicy", name),
            "spec": {"priority": 1, "subject": {"namespaces": {}}, "ingress": [rule]},
        }

    mixed = admin("mixed", "x")
    mixed["spec"]["egress"] = [
        {"action": "Deny", "to": [*mixed["spec"]["ingress"][0]["from"], {"networks": ["192.0.2.0/24"]}]}
    ]
    del mixed["spec"]["ingress"]
    objects = (*SHOP, admin("dead", "x"), admin("alive", "web"), mixed)

    assert places(found(RULE, *objects)) == [("/dead", "spec.ingress[0]")]
    assert found(RULE, *objects, whole=False) == ()


def split(*peers: Raw, others: Sequence[Raw] = MONITORING) -> tuple[LintFinding, ...]:
    return found(SPLIT, *SHOP, *others, guarded(*peers))


def test_pods_of_the_other_items_namespaces_show_that_and_was_meant() -> None:
    """The note of guide 000: the dash makes two peers of it."""
    (finding,) = split(namespaces(purpose="monitoring"), pods(role="prometheus"))

    assert finding.path == "spec.ingress[0]"
    assert finding.why == (
        (
            "spec.ingress[0].from[1]: no pod of shop has role=prometheus, and the namespaces that "
            "spec.ingress[0].from[0] selects hold 1 pod with it"
        ),
        "as it stands, 0 pods without role=prometheus of those namespaces are meant too",
    )


def test_item_that_adds_nothing_shows_that_and_was_meant() -> None:
    (finding,) = split(namespaces(), pods(app="api"))

    assert "lets every pod of shop in as well, so spec.ingress[0].from[1] adds nothing to it" in finding.why[0]
    assert finding.why[1] == "as it stands, 4 pods without app=api of those namespaces are meant too"


@pytest.mark.parametrize(
    "peers",
    [
        [pods(app="api"), namespaces(purpose="monitoring")],
        [pods(), namespaces(purpose="monitoring")],
        [namespaces(purpose="monitoring") | pods(role="prometheus")],
        [namespaces(purpose="monitoring"), pods(role="nobody")],
        [namespaces(purpose="nothing"), pods(role="prometheus")],
        [pods(app="api"), block("192.0.2.0/24")],
    ],
    ids=["both mean somebody", "all of the own", "one item", "nobody", "no namespace", "a block"],
)
def test_lists_that_may_well_mean_or(peers: list[Raw]) -> None:
    """Guides 001 and 002 list such peers and mean it."""
    assert split(*peers) == ()

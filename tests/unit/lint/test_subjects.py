"""Policies that select nothing, or pods to which no policy applies."""

from __future__ import annotations

from dataclasses import replace

import pytest

from auditor.model.lint import LintSeverity, ObjectRef
from tests.builders import Raw, deny_all, named, pod, policy, selector, snapshot, workload
from tests.unit.lint.linting import SHOP, found, found_in, manifests, on_host, one

NOTHING, HOST, MISSING = "policy-selects-nothing", "policy-on-host-network", "policy-namespace-missing"


def test_selector_that_no_pod_meets() -> None:
    """The finding names the policy, the place, the label, and the label that is nearly the same."""
    finding = one(NOTHING, *SHOP, deny_all("shop/closed", app="wweb"))

    assert finding.object == ObjectRef("NetworkPolicy", "shop", "closed")
    assert finding.path == "spec.podSelector"
    assert finding.severity is LintSeverity.WARNING
    assert finding.message == "selects no pod: app=wweb matches nothing in shop"
    assert finding.why == ("no pod of shop has app=wweb; app=web is there once",)


@pytest.mark.parametrize("labels", [{"app": "web"}, {}])
def test_selector_that_some_pod_meets(labels: dict[str, str]) -> None:
    """An empty selector is ready for pods to come, so it is right even where there are none."""
    assert found(NOTHING, *SHOP, deny_all("shop/closed", **labels), deny_all("empty/closed")) == ()


def test_namespace_without_pods_is_said() -> None:
    assert one(NOTHING, *SHOP, deny_all("empty/closed", app="x")).why == ("empty has no pods at all",)


def test_pods_elsewhere_are_named() -> None:
    """A policy in the wrong namespace is the likely reason."""
    finding = one(NOTHING, *SHOP, pod("other/queue", app="queue"), deny_all("shop/closed", app="queue"))

    assert finding.why[-1] == "pods with app=queue are in other"
    assert "in other" in finding.remedy


@pytest.mark.parametrize(
    "waiting",
    [
        pod("shop/job-1", phase="Succeeded", app="job"),
        pod("shop/job-1", at=(), phase="Pending", app="job"),
        on_host("shop/job-1", app="job"),
        workload("Deployment", "shop/job", app="job"),
    ],
    ids=["finished", "pending", "on the host", "scaled to zero"],
)
def test_pods_that_come_and_go_are_waited_for(waiting: Raw) -> None:
    assert found(NOTHING, *SHOP, waiting, deny_all("shop/closed", app="job")) == ()


def test_workloads_of_others_are_not_waited_for() -> None:
    """Neither one with other labels, nor one elsewhere, nor what a Deployment has left of its past."""
    past = {
        **named("ReplicaSet", "shop/job-x"),
        "spec": {"selector": selector(app="job", **{"pod-template-hash": "x"})},
    }
    others = (workload("Deployment", "shop/other", app="other"), workload("Deployment", "else/job", app="job"), past)

    one(NOTHING, *SHOP, *others, deny_all("shop/closed", app="job"))


def test_manifests_without_pods_tell_nothing() -> None:
    """Policies alone may be meant for pods that stand in other files."""
    policies = (deny_all("shop/closed", app="x"), deny_all("else/closed", app="x"))

    assert [item.object.namespace for item in found_in(NOTHING, manifests(*SHOP, *policies))] == ["shop"]


def test_unreadable_pods_tell_nothing() -> None:
    unread = replace(snapshot(*SHOP, deny_all("shop/closed", app="x")), unreadable_in=frozenset({("pods", "shop")}))

    assert found_in(NOTHING, unread) == ()


def test_policies_of_other_kinds() -> None:
    """Without labels there is nothing to mistake; in a cluster of which all was read there is."""
    rules = [{"action": "Deny", "from": [{"namespaces": {}}]}]
    subjects = {
        "by-label": {"pods": {"namespaceSelector": {}, "podSelector": selector(app="x")}},
        "by-home": {"namespaces": selector(team="x")},
        "by-known-label": {"pods": {"namespaceSelector": {}, "podSelector": selector(app="web")}},
        "all": {"namespaces": {}},
    }
    objects = [
        {**named("AdminNetworkPolicy", name), "spec": {"priority": number, "subject": subject, "ingress": rules}}
        for number, (name, subject) in enumerate(subjects.items())
    ]

    assert [item.object.name for item in found(NOTHING, *SHOP, *objects)] == ["by-home", "by-label"]
    assert found(NOTHING, *SHOP, *objects, whole=False) == ()


def test_pods_on_the_host_alone() -> None:
    finding = one(HOST, *SHOP, on_host("shop/agent", app="agent"), deny_all("shop/closed", app="agent"))

    assert finding.severity is LintSeverity.WARNING
    assert finding.why == ("spec.hostNetwork is true in agent",)


def test_pods_on_the_host_among_others() -> None:
    """A selector that names them does more than it says; one for everybody is no mistake."""
    objects = (*SHOP, on_host("shop/agent", app="web"))

    assert one(HOST, *objects, deny_all("shop/closed", app="web")).severity is LintSeverity.INFO
    assert found(HOST, *objects, deny_all("shop/closed")) == ()
    assert found(HOST, *objects, deny_all("shop/closed", app="api")) == ()
    assert found(HOST, on_host("shop/agent"), deny_all("shop/closed")) != ()


def test_finished_pods_on_the_host_do_not_count() -> None:
    gone = on_host("shop/agent", phase="Failed", app="agent")

    assert found(HOST, *SHOP, gone, deny_all("shop/closed", app="agent")) == ()


def test_namespace_that_is_not_there() -> None:
    cluster = snapshot(*SHOP, policy("lost/closed"))
    without = replace(cluster, namespaces=tuple(item for item in cluster.namespaces if item.name != "lost"))
    unread = replace(without, unreadable_in=frozenset({("namespaces", "lost")}))

    assert found_in(MISSING, cluster) == ()
    assert [item.object.name for item in found_in(MISSING, without)] == ["closed"]
    assert found_in(MISSING, unread) == ()
    assert found_in(MISSING, replace(without, unreadable=frozenset({"namespaces"}))) == ()

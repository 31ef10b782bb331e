"""Which changes of real objects our pods alone explain, and which any cluster makes by itself."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from probes.guard import AUTOSCALERS, BUDGETS, SLICES, Guard, Worn, own_reaction

Raw = dict[str, Any]
POD = Worn("shop", "netaudit-abc-i0-0", {"app": "web"})


def a_budget(**status: Any) -> Raw:
    base = {"currentHealthy": 3, "desiredHealthy": 2, "disruptionsAllowed": 1, "expectedPods": 3, "conditions": []}
    return an_object({"selector": {"matchLabels": {"app": "web"}}}, base | status)


def an_object(spec: Raw, status: Raw) -> Raw:
    return {"metadata": {"namespace": "shop", "name": "web", "generation": 1}, "spec": spec, "status": status}


def a_slice(name: str, **conditions: bool) -> Raw:
    return {
        "metadata": {"namespace": "shop", "name": "web-1", "labels": {"kubernetes.io/service-name": "web"}},
        "endpoints": [{"targetRef": {"kind": "Pod", "name": name}, "conditions": conditions}],
    }


def a_set(replicas: int, counted: int) -> Raw:
    return an_object({"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}}, {"replicas": counted})


def a_scaler(status: str, message: str) -> Raw:
    return an_object({}, {"conditions": [{"type": "ScalingActive", "status": status, "message": message}]})


FAILED = [{"type": "DisruptionAllowed", "status": "False", "reason": "SyncFailed", "message": "found no controllers"}]
BROKEN = "missing request for cpu in container probe of Pod netaudit-abc-i0-0"


def reaction(resource: str, before: Raw | None, after: Raw) -> str:
    guard = Guard([POD])
    if before is not None:
        guard.note(resource, before)
    return guard.reaction(resource, after)


@pytest.mark.parametrize(
    ("resource", "before", "after", "said"),
    [
        (BUDGETS, a_budget(), a_budget(conditions=FAILED, disruptionsAllowed=0), "found no controllers"),
        (BUDGETS, None, a_budget(conditions=FAILED), "no eviction is allowed"),
        (BUDGETS, a_budget(), a_budget(desiredHealthy=3, expectedPods=4), "wants 3 healthy pods instead of 2"),
        (SLICES, None, a_slice(POD.name, ready=True), "Service web would send it traffic"),
        (SLICES, None, a_slice(POD.name), "Service web would send it traffic"),
        (SLICES, None, a_slice(POD.name, ready=False, serving=True), "Service web would send it traffic"),
        (AUTOSCALERS, a_scaler("True", ""), a_scaler("False", BROKEN), "stopped: missing request"),
        ("replicasets", a_set(2, 2), a_set(2, 3), "counts 3 pods and should have 2"),
        ("statefulsets", a_set(1, 1), a_set(1, 2), "StatefulSet shop/web counts 2 pods"),
    ],
)
def test_what_our_pods_alone_explain(resource: str, before: Raw | None, after: Raw, said: str) -> None:
    assert said in reaction(resource, before, after)


@pytest.mark.parametrize(
    ("resource", "before", "after"),
    [
        (BUDGETS, a_budget(), a_budget(currentHealthy=2, disruptionsAllowed=0)),
        (BUDGETS, a_budget(), a_budget(expectedPods=4)),
        (BUDGETS, a_budget(conditions=FAILED), a_budget(conditions=FAILED)),
        (BUDGETS, a_budget(), a_budget(desiredHealthy=9, expectedPods=10)),
        (SLICES, None, a_slice(POD.name, ready=False, serving=False)),
        (SLICES, None, a_slice("web-5", ready=True)),
        (AUTOSCALERS, a_scaler("True", ""), a_scaler("False", "no metrics returned")),
        ("replicasets", a_set(2, 2), a_set(3, 3)),
        ("replicasets", a_set(3, 2), a_set(3, 3)),
    ],
)
def test_what_happens_in_any_cluster(resource: str, before: Raw | None, after: Raw) -> None:
    assert reaction(resource, before, after) == ""


@pytest.mark.parametrize("resource", [BUDGETS, "replicasets"])
def test_what_selects_none_of_ours_is_left_alone(resource: str) -> None:
    other = {"selector": {"matchLabels": {"app": "db"}}}
    before, after = an_object(other | {"replicas": 1}, {"replicas": 1}), an_object(other, {"conditions": FAILED})
    after["status"]["replicas"] = 5
    assert reaction(resource, before, after) == ""


def test_what_was_asked_for_is_no_reaction() -> None:
    """Somebody edits a budget or a workload while we are there."""
    for resource, before, after in (
        (BUDGETS, a_budget(), a_budget(desiredHealthy=3, expectedPods=4)),
        ("replicasets", a_set(2, 2), a_set(2, 3)),
    ):
        edited = deepcopy(after)
        edited["metadata"]["generation"] = 2
        assert reaction(resource, before, edited) == ""


def test_other_namespaces_do_not_concern_us() -> None:
    guard, elsewhere = Guard([POD]), a_budget(conditions=FAILED)
    elsewhere["metadata"]["namespace"] = "other"
    guard.note(BUDGETS, elsewhere)
    assert (guard.reaction(BUDGETS, elsewhere), guard.concerns(BUDGETS)) == ("", [])


def test_a_budget_of_our_labels_concerns_us() -> None:
    guard = Guard([POD])
    guard.note(BUDGETS, a_budget())
    assert guard.concerns(BUDGETS) == ["shop"]


@pytest.mark.parametrize("selector", [{"matchExpressions": 5}, {"matchLabels": {"app": {}}}])
def test_a_selector_that_cannot_be_read_may_select_us(selector: Raw) -> None:
    odd = an_object({"selector": selector}, {"conditions": FAILED})
    assert "cannot be computed" in reaction(BUDGETS, None, odd)


@pytest.mark.parametrize("raw", [{}, {"metadata": None}, {"metadata": {"namespace": "shop"}, "status": [], "spec": 1}])
@pytest.mark.parametrize("resource", [BUDGETS, SLICES, AUTOSCALERS, "replicasets", "replicationcontrollers"])
def test_odd_objects_end_no_run(resource: str, raw: Raw) -> None:
    assert reaction(resource, None, raw) == ""


def a_pod(owner: str, kind: str, ready: str) -> Raw:
    return {
        "metadata": {
            "namespace": "shop",
            "name": POD.name,
            "ownerReferences": [{"kind": kind, "name": owner, "controller": True}],
        },
        "status": {"conditions": [{"type": "Ready", "status": ready}]},
    }


@pytest.mark.parametrize(
    ("pod", "said"),
    [
        (a_pod("netaudit-abc", "Deployment", "False"), ""),
        (a_pod("web-5d9", "ReplicaSet", "False"), "ReplicaSet web-5d9 adopted the probe pod shop/netaudit-abc-i0-0"),
        (a_pod("netaudit-abc", "Deployment", "True"), "was reported ready"),
    ],
)
def test_what_is_done_to_our_own_pods(pod: Raw, said: str) -> None:
    found = own_reaction(pod, "netaudit-abc")
    assert said in found
    assert bool(said) is bool(found)

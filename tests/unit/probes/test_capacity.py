"""Probe pods leave room: on nodes, and in the quotas of namespaces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from auditor.model.probe import ProbePlan
from tests.builders import Raw, deny_all, node, pod, snapshot
from tests.unit.planning import clones, plan, plan_of


def a_quota(**free: str) -> Raw:
    """A quota over shop, with this much free of each resource."""
    hard = {name.replace("__", "/").replace("_", "."): amount for name, amount in free.items()}
    return {"kind": "ResourceQuota", "metadata": {"namespace": "shop", "name": "q"}, "status": {"hard": hard}}


def sized(name: str, *, slots: int | None = None, cidr: str = "") -> Raw:
    made = node(name)
    if slots is not None:
        made["status"]["allocatable"] = {"pods": str(slots)}
    made["spec"] |= {"podCIDR": cidr} if cidr else {}
    return made


WEB, DB = pod("shop/web", on="n1", app="web"), pod("shop/db", on="n1", app="db")


def planned(*beside: Raw, objects: Sequence[Raw] = (WEB, DB), **options: Any) -> ProbePlan:
    rules = [
        {
            "kind": "NetworkPolicy",
            "metadata": {"namespace": "shop", "name": app},
            "spec": {"podSelector": {"matchLabels": {"app": app}}, "policyTypes": ["Ingress"]},
        }
        for app in ("web", "db")
    ]
    return plan(*objects, *rules, *beside, **options)


def reasons(made: ProbePlan) -> list[str]:
    return [skip.reason for skip in made.skipped if skip.identity]


@pytest.mark.parametrize(
    ("quota", "pods"),
    [
        (a_quota(pods="4"), 2),
        (a_quota(pods="3"), 1),
        (a_quota(pods="1"), 0),
        (a_quota(count__pods="2"), 1),
        (a_quota(requests_cpu="20m"), 1),
        (a_quota(requests_memory="128Mi"), 2),
        (a_quota(limits_cpu="2"), 1),
        (a_quota(limits_memory="64Mi"), 0),
        (a_quota(count__deployments_apps="1"), 0),
        (a_quota(count__deployments_apps="2"), 2),
        (a_quota(services="0"), 2),
    ],
)
def test_half_of_what_a_quota_leaves_stays(quota: Raw, pods: int) -> None:
    made = planned(quota)
    assert len(clones(made)) == pods
    assert len(reasons(made)) == 2 - pods
    assert all("ResourceQuota q leaves" in text for text in reasons(made))


@pytest.mark.parametrize(
    ("slots", "pods"),
    [(110, 2), (7, 2), (6, 1), (5, 0)],
    ids=["plenty", "two and two controls", "one slot less", "no room beside the controls"],
)
def test_a_tenth_of_a_node_stays_free(slots: int, pods: int) -> None:
    """Two real pods run there; each node in use takes two controls beside its stand-ins."""
    made = planned(sized("n1", slots=slots))
    assert len(clones(made)) == pods
    assert all("beyond the tenth that is left alone" in text for text in reasons(made))


def asking(where: str, *, cpu: str = "", memory: str = "", app: str) -> Raw:
    """A pod whose only container asks for this much."""
    wanted = {name: amount for name, amount in (("cpu", cpu), ("memory", memory)) if amount}
    return pod(where, app=app, spec={"containers": [{"name": "c", "resources": {"requests": wanted}}]})


@pytest.mark.parametrize(
    ("amounts", "pods", "lacking"),
    [
        ({"cpu": "2", "memory": "4Gi"}, 2, ""),
        ({"cpu": "1045m"}, 2, ""),
        ({"cpu": "1044m"}, 1, "CPU that no pod asked for"),
        ({"cpu": "1033m"}, 0, "CPU that no pod asked for"),
        ({"cpu": "1"}, 0, "CPU that no pod asked for"),
        ({"memory": "1131Mi"}, 1, "memory that no pod asked for"),
        ({"memory": "512Mi"}, 0, "memory that no pod asked for"),
    ],
)
def test_a_tenth_of_what_no_pod_asked_for_stays_free(amounts: dict[str, str], pods: int, lacking: str) -> None:
    """Real pods ask for one processor and 1 GiB there; ours, two and two controls, for 40m and 128Mi."""
    here = node("n1")
    here["status"]["allocatable"] = amounts
    real = [asking("shop/web", cpu="600m", app="web"), asking("shop/db", cpu="0.4", memory="1Gi", app="db")]
    made = planned(here, objects=real)
    assert len(clones(made)) == pods
    assert [text for text in reasons(made) if f"n1 has too little of {lacking}" not in text] == []
    assert len(reasons(made)) == 2 - pods


def test_a_pod_that_has_ended_asks_for_nothing() -> None:
    here = node("n1")
    here["status"]["allocatable"] = {"cpu": "100m"}
    ended = pod("shop/job", phase="Succeeded", spec={"containers": [{"resources": {"requests": {"cpu": "1"}}}]})
    assert len(clones(planned(here, ended))) == 2


def test_probe_pods_of_a_larger_size_count_as_what_they_ask_for() -> None:
    """A LimitRange asks for at least 500m: one such pod and two controls fit, two do not."""
    here = node("n1")
    here["status"]["allocatable"] = {"cpu": "550m"}
    bounds = {"limits": [{"type": "Container", "min": {"cpu": "500m"}}]}
    limits = {"kind": "LimitRange", "metadata": {"namespace": "shop", "name": "l"}, "spec": bounds}
    assert len(clones(planned(here, limits))) == 0
    here["status"]["allocatable"] = {"cpu": "600m"}
    assert len(clones(planned(here, limits))) == 1


def test_addresses_run_out_before_slots() -> None:
    made = planned(sized("n1", slots=110, cidr="10.0.0.0/29"))
    assert clones(made) == []


def test_another_node_with_a_replica_is_taken_instead() -> None:
    twins = [pod(f"shop/web-{name}", on=name, owner="StatefulSet/web", app="web") for name in ("n1", "n2")]
    made = planned(sized("n1", slots=3), sized("n2", slots=50), objects=twins)
    assert {item.node for item in clones(made)} == {"n2"}


def test_quotas_that_cannot_be_listed_leave_nobody_safe() -> None:
    found = snapshot(WEB, deny_all("shop/deny"), unreadable={"resourcequotas": "403"})
    assert "resourcequotas could not be listed" in reasons(plan_of(found))[0]

"""The usual shop: Deployment, Service, autoscaler, budget and policies that all select on one label `app`.

What is tested of it by clones, in figures; a workload that scales by CPU and whose own name stands in a policy is the
one that cannot be: whoever wears its label is counted by its autoscaler, and whoever does not is of another class.
"""

from __future__ import annotations

import pytest

from auditor.model.probe import ProbePlan
from tests.builders import Raw, allow, autoscaler, deny_all, pod, pods, policy, port, selector, service, tcp, workload
from tests.unit.planning import clones, plan

NAMED = ("web", "api", "db")
"""Workloads that have a policy of their own."""
OTHERS = ("mailer", "search", "worker")
"""Workloads that only the default denies."""


def hpa(name: str, *metrics: str) -> Raw:
    made = autoscaler(f"shop/{name}", f"Deployment/{name}")
    made["spec"]["metrics"] = [{"type": kind} for kind in metrics]
    return made


def tier(name: str, number: int, *, labels: dict[str, str] | None = None) -> list[Raw]:
    worn = {"app": name} if labels is None else labels
    where = f"shop/{name}"
    made = pod(where, on=f"n{number % 2}", ports=[port(8080)], owner=f"ReplicaSet/{name}-abc", hashed="abc", **worn)  # type: ignore[arg-type]
    prefers = {"weight": 1, "podAffinityTerm": {"labelSelector": selector(**worn), "topologyKey": "zone"}}
    made["spec"]["affinity"] = {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [prefers]}}
    return [made, workload("Deployment", where, **worn), {**service(where), "spec": {"selector": worn}}]


POLICIES = (
    deny_all("shop/default"),
    policy("shop/web", selector(app="web"), ingress=[allow(ports=[tcp(8080)])]),
    policy("shop/api", selector(app="api"), ingress=[allow(pods(app="web"), ports=[tcp(8080)])]),
    policy("shop/db", selector(app="db"), ingress=[allow(pods(app="api"), ports=[tcp(8080)])]),
)
TIERS = [item for number, name in enumerate((*NAMED, *OTHERS)) for item in tier(name, number)]


def coverage(made: ProbePlan) -> tuple[int, int]:
    """Identities with a stand-in, and all of them; the three without a policy of their own are one."""
    tested = len({item.identity for item in clones(made)})
    return tested, tested + sum(skip.identity for skip in made.skipped)


@pytest.mark.parametrize(
    ("scaled", "metrics", "expected"),
    [
        ((), (), (4, 4)),
        (OTHERS, ("Resource",), (4, 4)),
        ((*NAMED, *OTHERS), ("External",), (4, 4)),
        (("web",), ("Resource",), (3, 4)),
        (("web", "api"), ("Resource",), (2, 4)),
        ((*NAMED, *OTHERS), ("Resource",), (1, 4)),
    ],
    ids=["no autoscaler", "others by CPU", "all by a queue", "web by CPU", "web and api by CPU", "all by CPU"],
)
def test_coverage_of_the_usual_shop(
    scaled: tuple[str, ...], metrics: tuple[str, ...], expected: tuple[int, int]
) -> None:
    """Services, budgets, soft spreads and metrics of queues cost nothing; CPU costs the workloads that are named."""
    made = plan(*TIERS, *POLICIES, *(hpa(name, *metrics) for name in scaled))
    assert coverage(made) == expected


def test_what_is_left_out_says_what_would_test_it() -> None:
    made = plan(*TIERS, *POLICIES, *(hpa(name, "Resource") for name in NAMED))
    for skip in made.skipped:
        if skip.identity:
            assert "HorizontalPodAutoscaler" in skip.reason
            assert "--allow hpa would test it all the same" in skip.reason
    whole = plan(*TIERS, *POLICIES, *(hpa(name, "Resource") for name in NAMED), allow=("hpa",))
    assert coverage(whole) == (4, 4)
    assert sum("--allow hpa: HorizontalPodAutoscaler" in note for note in whole.notes) == 3


def test_a_label_that_no_policy_would_miss_is_left_off() -> None:
    """And stays on where nothing reacts to it, and where a policy asks for it."""
    made = plan(*TIERS, *POLICIES, *(hpa(name, "Resource") for name in OTHERS))
    worn = {item.labels for item in clones(made)}
    assert worn == {(), (("app", "web"),), (("app", "api"),), (("app", "db"),)}
    still = plan(*TIERS, *POLICIES)
    assert (("app", "mailer"),) in {item.labels for item in clones(still)}


def test_a_label_whose_absence_a_policy_notices_stays_on() -> None:
    """`NotIn` and `DoesNotExist` see what is missing; then the hazard stands."""
    nosy = policy("shop/nosy", selector(("app", "Exists")), ingress=[allow(pods(("app", "DoesNotExist")))])
    made = plan(*TIERS, *POLICIES, nosy, *(hpa(name, "Resource") for name in OTHERS))
    assert coverage(made) == (3, 4)


def test_charts_whose_policies_select_by_name_alone_are_tested_throughout() -> None:
    """Autoscalers select name and instance; a probe pod wears what policies look at, the name."""
    key = "app.kubernetes.io/name"
    chart = [
        item
        for number, name in enumerate(NAMED)
        for item in tier(name, number, labels={key: name, "app.kubernetes.io/instance": "shop"})
    ]
    rules = [deny_all(f"shop/{name}", "Ingress", **{key: name}) for name in NAMED]
    made = plan(*chart, *rules, *(hpa(name, "Resource") for name in NAMED))
    assert coverage(made) == (3, 3)

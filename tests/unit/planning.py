"""Plans of small clusters, for the tests of planning."""

from __future__ import annotations

from typing import Any

from auditor.model.cluster import Snapshot
from auditor.model.options import Coverage, Options
from auditor.model.probe import ProbePlan, Role, StandIn
from auditor.plan import is_system, make_plan
from auditor.predict import predict
from tests.builders import Raw, allow, deny_all, pod, pods, policy, port, selector, snapshot, tcp


def plan_of(found: Snapshot, **options: Any) -> ProbePlan:
    return make_plan(
        found,
        predict(found, lambda pod: not is_system(pod.namespace)),
        Options(**{"coverage": Coverage.FULL, **options}),
    )


def plan(*objects: Raw, **options: Any) -> ProbePlan:
    return plan_of(snapshot(*objects), **options)


def clones(made: ProbePlan) -> list[StandIn]:
    return [item for item in made.stand_ins if item.role is Role.CLONE]


def controls(made: ProbePlan) -> list[StandIn]:
    return [item for item in made.stand_ins if item.role is Role.CONTROL]


def by_key(made: ProbePlan) -> dict[str, StandIn]:
    return {item.key: item for item in made.stand_ins}


SHOP = (
    pod("shop/web", on="n1", ports=[port(80)], app="web"),
    pod("shop/db", on="n2", ports=[port(5432, "sql")], app="db"),
    deny_all("shop/deny"),
    policy("shop/db", selector(app="db"), ingress=[allow(pods(app="web"), ports=[tcp("sql")])]),
)


def spread(*nodes: str, app: str = "web") -> list[Raw]:
    return [pod(f"shop/web-{name}", on=name, owner="StatefulSet/web", app=app) for name in nodes]

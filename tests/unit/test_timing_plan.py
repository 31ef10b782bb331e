"""What `--enforce-time` adds to plans and audits of both modes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from auditor.assemble import assemble
from auditor.audit import run_audit
from auditor.caveats import TIMED
from auditor.forecast import Forecast, forecast
from auditor.model.options import Mode, Options
from auditor.model.probe import ProbePlan
from auditor.model.timing import Change, Pace
from auditor.sentinel import PER_NODE, POLICED, own_policies
from auditor.timing_plan import LEAST_LIMIT, timed_policy, waves
from auditor.verdict import Material, summarise
from reports.forecast import render
from tests import fakes
from tests.builders import Raw, node
from tests.fakes import TIMING, FakeBackend, FakeCluster
from tests.timelines import LIMIT, never
from tests.unit.auditing import SHOP
from tests.unit.reports.builders import RUN
from tests.unit.test_sentinel import NODES, SENTINEL, by_model, made

TIMED_SENTINEL = replace(SENTINEL, enforce_time=True)
CLONE = Options(enforce_time=True)
SHOP_NODES = (node("n1"), node("n2"))


def known(options: Options, *objects: Raw) -> Forecast:
    return asyncio.run(forecast(FakeCluster(objects or NODES), options, fakes.ignore))


def nodes_of(plan: ProbePlan) -> list[str]:
    return [item.node for item in plan.timing.nodes] if plan.timing else []


def audit(options: Options = TIMED_SENTINEL, **switches: Any) -> Material:
    backend = FakeBackend(by_model(*NODES), **switches)
    return asyncio.run(run_audit(FakeCluster(NODES, made(*NODES)), backend, options, fakes.ignore))


def test_each_node_with_controls_is_timed_in_netaudits_own_namespace() -> None:
    for mode, plan in (
        ("sentinel", known(TIMED_SENTINEL).plan),
        ("clone", known(CLONE, *SHOP, *SHOP_NODES).plan),
    ):
        keys = {item.key for item in plan.stand_ins}
        assert plan.timing is not None
        assert nodes_of(plan) == (["n1", "n2", "n3"] if mode == "sentinel" else ["n1", "n2"])
        for item in plan.timing.nodes:
            assert {item.caller, item.peer} <= keys
            assert {item.steady.key, item.fresh.key}.isdisjoint(keys)
            for stand_in in (item.steady, item.fresh):
                assert (stand_in.namespace, stand_in.node) == (POLICED, item.node)
                assert timed_policy().pod_selector.matches(dict(stand_in.labels))
        assert plan.timing.policy.namespace == POLICED
        assert POLICED in plan.own_namespaces


def test_the_policy_selects_nobody_else_and_no_other_selects_its_pods() -> None:
    plan = known(TIMED_SENTINEL).plan
    assert plan.timing is not None
    pods = [item.fresh for item in plan.timing.nodes]

    assert not any(timed_policy().pod_selector.matches(dict(item.labels)) for item in plan.stand_ins)
    assert not any(own.pod_selector.matches(dict(item.labels)) for own in own_policies() for item in pods)


@pytest.mark.parametrize("options", [SENTINEL, replace(CLONE, enforce_time=False)])
def test_nothing_is_added_unasked(options: Options) -> None:
    assert known(options, *SHOP, *NODES).plan.timing is None


def test_the_cost_is_counted_and_said_before() -> None:
    plain, with_it = known(SENTINEL).plan, known(TIMED_SENTINEL)
    timing, cost = with_it.plan.timing, with_it.plan.estimate
    assert timing is not None
    text = render(with_it.plan, with_it.matrix, TIMED_SENTINEL)

    assert cost.pods - plain.estimate.pods == 2 * len(NODES)
    assert cost.requests - plain.estimate.requests == timing.requests > 10 * len(NODES)
    assert cost.seconds - plain.estimate.seconds == timing.seconds > 0
    assert f"makes the NetworkPolicy {POLICED}/netaudit-timed" in text
    assert f"would make {cost.pods} probe pods" in text
    assert "time how soon" not in render(plain, with_it.matrix, SENTINEL)


def test_no_more_pods_than_allowed_and_whole_nodes_first() -> None:
    few = known(replace(TIMED_SENTINEL, max_pods=2 * (PER_NODE + 2))).plan
    assert nodes_of(few) == ["n1", "n2"]
    assert [skip.what for skip in few.skipped] == ["node n3"]

    plan = known(CLONE, *SHOP, *SHOP_NODES).plan
    tight = known(replace(CLONE, max_pods=len(plan.stand_ins) + 2), *SHOP, *SHOP_NODES).plan
    assert nodes_of(tight) == ["n1"]
    assert "time to enforce on n2" in {skip.what for skip in tight.skipped}


def test_a_node_without_free_slots_is_left_alone() -> None:
    nodes = [
        {**node(name), "status": {**node(name)["status"], "allocatable": {"pods": slots}}}
        for name, slots in (("n1", "110"), ("n2", str(PER_NODE + 2)))
    ]
    plan = known(TIMED_SENTINEL, *nodes).plan

    assert nodes_of(plan) == ["n1"]
    assert "pod slots" in next(skip.reason for skip in plan.skipped if skip.what == "time to enforce on n2")


def test_many_nodes_take_turns() -> None:
    plan = known(TIMED_SENTINEL, *(node(f"n{number:02}") for number in range(19))).plan
    assert plan.timing is not None

    assert [len(wave) for wave in waves(plan.timing)] == [8, 8, 3]


@pytest.mark.parametrize(("settle", "limit"), [(45.0, 45.0), (0.0, LEAST_LIMIT)])
def test_the_limit_is_the_settle_time(settle: float, limit: float) -> None:
    timing = known(replace(TIMED_SENTINEL, settle=settle)).plan.timing
    assert timing is not None
    assert timing.limit == limit


def test_figures_come_into_the_report_and_change_nothing_else() -> None:
    found, plain = audit(), audit(SENTINEL)
    report = assemble(found, TIMED_SENTINEL, RUN, "here")

    assert [item.node for item in report.enforcement] == [name for name in ("n1", "n2", "n3") for _ in range(6)]
    assert {item.change for item in report.enforcement} == {change.value for change in Change}
    assert {item.pace for item in report.enforcement} == {Pace.AFTER.value, Pace.AT_ONCE.value}
    assert TIMED in report.limits
    assert summarise(found, TIMED_SENTINEL) == summarise(plain, SENTINEL)
    assert assemble(plain, SENTINEL, RUN, "here").enforcement == []


def test_policies_that_never_hold_are_findings() -> None:
    options = replace(TIMED_SENTINEL, settle=LIMIT)
    found = audit(options, timelines=never)

    assert {finding.rule for finding in found.findings} == {"enforcement"}
    assert summarise(found, options).exit_code == 3


def test_what_reacts_meanwhile_ends_the_run_and_spoils_no_flow() -> None:
    found = audit(reacted_in=TIMING)

    assert "adopted" in found.withdrawn
    assert {item.agreement for item in found.comparison.judgements} == {
        item.agreement for item in audit().comparison.judgements
    }
    assert {item.pace for item in found.timed} == {Pace.INCONCLUSIVE}
    assert summarise(found, TIMED_SENTINEL).exit_code == 4


def test_a_withdrawn_run_times_nothing() -> None:
    assert {item.pace for item in audit(reacted_in=1).timed} == {Pace.INCONCLUSIVE}
    assert TIMED_SENTINEL.mode is Mode.SENTINEL

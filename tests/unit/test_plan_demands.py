"""Flows that are asked for by name are in the plan, whatever else is chosen or left out."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.evaluate.model import Model
from auditor.expected import cover, demands
from auditor.model.expectation import Expectation
from auditor.model.flow import Protocol
from auditor.model.options import Coverage, Options
from auditor.model.probe import ProbePlan
from auditor.plan import is_system, make_plan
from auditor.predict import predict
from tests.builders import Raw, deny_all, pod, port, snapshot
from tests.unit.expecting import expect
from tests.unit.planning import clones

SHOP = (
    pod("shop/web-1", on="n1", owner="StatefulSet/web", app="web", ports=[port(80)]),
    pod("shop/web-2", on="n2", owner="StatefulSet/web", app="web", ports=[port(80)]),
    pod("shop/db", on="n2", app="db", ports=[port(5432)]),
    pod("ops/admin", on="n1"),
    deny_all("shop/web", app="web"),
    deny_all("shop/db", app="db"),
)


def planned(*items: Expectation, objects: tuple[Raw, ...] = SHOP, **options: Any) -> ProbePlan:
    found = snapshot(*objects)
    matrix = predict(found, lambda it: not is_system(it.namespace))
    return make_plan(found, matrix, Options(**options), demands=demands(cover(Model(found), matrix.identities, items)))


def kept(plan: ProbePlan) -> list[tuple[str, str, int]]:
    homes = {item.key: item.namespace for item in plan.stand_ins}
    return [(homes[it.source], homes[it.destination], it.port) for it in plan.flows if it.id in plan.kept]


def test_nothing_asked_for_changes_nothing() -> None:
    plain = planned()

    assert plain.kept == frozenset()
    assert plain == planned(namespaces=())


def test_port_that_nobody_declares_is_listened_on() -> None:
    """The probe pod listens there for those who were named, and for nobody else."""
    plan = planned(expect("denied", "ops/admin", "shop/db", 2222))

    assert [("ops", "shop", 2222)] == kept(plan)
    (flow,) = [it for it in plan.flows if it.port == 2222]
    (there,) = [it for it in plan.stand_ins if it.key == flow.destination]
    assert (Protocol.TCP, 2222) in there.listens
    twins = [it for it in plan.stand_ins if not it.identity and it.node == there.node]
    assert twins
    assert all((Protocol.TCP, 2222) in it.listens for it in twins)


@pytest.mark.parametrize("protocol", [Protocol.UDP, Protocol.SCTP])
@pytest.mark.parametrize("coverage", Coverage)
def test_datagrams_are_listened_for_and_have_their_twins(protocol: Protocol, coverage: Coverage) -> None:
    plan = planned(expect("denied", "ops/admin", "shop/db", 53, protocol.value), coverage=coverage)

    (flow,) = [it for it in plan.flows if it.id in plan.kept]
    assert (protocol, 53) == (flow.protocol, flow.port)
    here, there = (next(it for it in plan.stand_ins if it.key == key) for key in (flow.source, flow.destination))
    twins = [it for it in plan.stand_ins if not it.identity and it.node == there.node]
    assert {it.node for it in plan.stand_ins if not it.identity} >= {here.node, there.node}
    assert len(twins) == 2
    assert all((protocol, 53) in it.listens for it in (there, *twins))


CROWD = (
    *(pod(f"shop/{name}", on="n1", app=name, ports=[port(80)]) for name in "abcdef"),
    *(deny_all(f"shop/{name}", "Ingress", app=name) for name in "abcdef"),
    pod("far/away", on="n1", ports=[port(80)]),
)


@pytest.mark.parametrize("coverage", Coverage)
@pytest.mark.parametrize("end", ["shop/d", "far/away"])
def test_coverage_does_not_leave_them_out(coverage: Coverage, end: str) -> None:
    """A smoke test spares most of a crowd; who is named has a probe pod, and what is allowed is tried as well."""
    items = expect("denied", end, "shop/f", 80), expect("allowed", "shop/e", end, 7777)

    plan = planned(*items, objects=CROWD, coverage=coverage, sample=0)

    home, _, _ = end.partition("/")
    assert [(home, "shop", 80), ("shop", home, 7777)] == sorted(kept(plan), key=lambda it: it[2])
    assert {key for it in plan.flows for key in (it.source, it.destination)} <= {it.key for it in plan.stand_ins}
    whole = planned(*items, objects=CROWD, coverage=Coverage.FULL)
    assert len(plan.flows) + plan.unchosen == len(whole.flows)


def test_smoke_alone_would_spare_them() -> None:
    """So that the test above shows something."""
    item = expect("denied", "shop/e", "shop/f", 80)

    alone, asked = (planned(*items, objects=CROWD, coverage=Coverage.SMOKE) for items in ((), (item,)))

    assert {"shop/e", "shop/f"} <= {skip.what for skip in alone.skipped}
    assert not {"shop/e", "shop/f"} & {skip.what for skip in asked.skipped}


def test_flow_that_is_planned_anyway_is_there_once() -> None:
    plan = planned(expect("denied", "ops/admin", "shop/db"))

    assert [("ops", "shop", 5432)] == kept(plan)
    assert len(plan.flows) == len(planned().flows)


def test_scope_does_not_leave_them_out() -> None:
    """-n names one namespace, the expectation two others."""
    more = (*SHOP, pod("far/away", on="n1", app="far"), deny_all("far/away"))
    plan = planned(expect("denied", "ops/admin", "shop/db"), objects=more, namespaces=("far",))
    alone = planned(objects=more, namespaces=("far",))

    assert [("ops", "shop", 5432)] == kept(plan)
    assert len(plan.flows) == len(alone.flows) + 1


def test_scope_without_any_pod_leaves_just_them() -> None:
    plan = planned(expect("denied", "ops/admin", "shop/db"), namespaces=("nowhere",))

    assert len(plan.flows) == len(plan.kept) == 1


def test_limits_leave_them_in() -> None:
    """An allowed flow, which would go first, stays; so do the probe pods at its ends."""
    item = expect("allowed", "shop/db", "ops/admin", 9999)

    plan = planned(item, max_flows=1)
    small = planned(item, objects=(*SHOP, pod("aaa/a", on="n1"), deny_all("aaa/a")), max_pods=6)

    assert kept(plan) == kept(small) == [("shop", "ops", 9999)]
    assert len(plan.flows) == 1


def test_replicas_get_a_second_probe_pod() -> None:
    """On another node where there is one."""
    plan = planned(expect("denied", "shop/web", "shop/web", 80))

    assert {("shop", "shop", 80)} == set(kept(plan))
    mates = [it for it in clones(plan) if it.identity == next(c.identity for c in clones(plan) if c.key.endswith("x"))]
    assert ["n1", "n2"] == sorted(it.node for it in mates)

"""What `--targets service` adds to plans of both modes."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from auditor.errors import UsageError
from auditor.flags import build_parser, options_from
from auditor.forecast import forecast
from auditor.model.cluster import Snapshot
from auditor.model.flow import Direction, Protocol
from auditor.model.options import Mode, Options, Targets
from auditor.model.probe import ProbePlan, Role, ServicePlan, StandIn, Way
from auditor.model.service_path import NO_DNS
from auditor.sentinel import POLICED
from auditor.service_plan import (
    LIMITED,
    MOST_NODES,
    OPEN,
    SHUT,
    gated_policy,
    own_services,
    server_policy,
    with_services,
)
from reports.forecast import render
from tests import fakes
from tests.builders import Raw, node
from tests.fakes import FakeCluster
from tests.unit.auditing import SHOP
from tests.unit.test_sentinel import NODES

SENTINEL = Options(mode=Mode.SENTINEL, targets=Targets.SERVICE)
CLONE = Options(targets=Targets.SERVICE)


def planned(options: Options, *objects: Raw) -> ProbePlan:
    return asyncio.run(forecast(FakeCluster(objects or NODES), options, fakes.ignore)).plan


def services_of(plan: ProbePlan) -> ServicePlan:
    assert plan.services is not None
    return plan.services


def on(*nodes: str) -> ProbePlan:
    """A plan that has nothing but a pair of controls on each of these nodes."""
    pairs = [(number, name, letter) for number, name in enumerate(nodes) for letter in "ab"]
    controls = tuple(
        StandIn(f"c{n}{letter}", Role.CONTROL, "netaudit-ctl-1", name, (), ()) for n, name, letter in pairs
    )
    return ProbePlan(("netaudit", "netaudit-ctl-1"), controls, ())


def test_without_the_flag_nothing_is_added() -> None:
    assert planned(Options(mode=Mode.SENTINEL)).services is None
    assert planned(Options(), *SHOP, node("n1"), node("n2")).services is None


def test_a_sandbox_has_no_headless_service_and_says_so() -> None:
    plan = planned(replace(SENTINEL, sandbox=True))
    assert [service.way for service in services_of(plan).services] == [Way.CLUSTER_IP, Way.NODE_PORT]
    assert [item.what for item in plan.skipped if item.reason == NO_DNS] == [
        "a headless Service, which is a name and nothing else"
    ]
    assert not [item for item in planned(SENTINEL).skipped if item.reason == NO_DNS]


@pytest.mark.parametrize(
    ("options", "objects", "nodes"),
    [(SENTINEL, NODES, ["n1", "n2", "n3"]), (CLONE, (*SHOP, node("n1"), node("n2")), ["n1", "n2"])],
    ids=["sentinel", "clone"],
)
def test_a_server_and_a_gated_caller_for_each_node_stand_in_own_namespaces(
    options: Options, objects: tuple[Raw, ...], nodes: list[str]
) -> None:
    plan = planned(options, *objects)
    without = planned(replace(options, targets=Targets.POD), *objects)
    added = services_of(plan)
    controls = {item.key: item for item in plan.stand_ins if item.role is Role.CONTROL}
    assert [caller.node for caller in added.callers] == nodes
    assert all(controls[caller.free].node == caller.node for caller in added.callers)
    pods = [added.server, *(caller.gated for caller in added.callers)]
    assert {item.namespace for item in pods} == {POLICED}
    assert {item.key for item in pods}.isdisjoint(item.key for item in plan.stand_ins)
    assert POLICED in plan.own_namespaces
    assert plan.estimate.pods == without.estimate.pods + len(pods)
    assert plan.estimate.requests > without.estimate.requests


def test_services_lead_to_the_server_under_other_numbers_and_policies_speak_of_its_own() -> None:
    added = services_of(planned(SENTINEL))
    assert added.server.listens == tuple((Protocol.TCP, port) for port in (OPEN, SHUT, LIMITED))
    labels = dict(added.server.labels)
    for service in own_services():
        assert service.namespace == POLICED
        assert dict(service.selector) == labels
        assert {port.target for port in service.ports} == {OPEN, SHUT, LIMITED}
        assert all(port.number != port.target for port in service.ports)
    assert {service.way for service in own_services()} == set(Way) - {Way.POD}
    assert server_policy().pod_selector.matches(labels)
    assert not gated_policy().pod_selector.matches(labels)
    assert all(gated_policy().pod_selector.matches(dict(caller.gated.labels)) for caller in added.callers)
    assert [set(policy.isolates) for policy in added.policies] == [{Direction.INGRESS}, {Direction.EGRESS}]


def test_each_node_port_is_met_from_its_own_node_and_from_another() -> None:
    added = services_of(planned(SENTINEL))
    met = {(caller.node, door) for caller in added.callers for door in caller.doors}
    for name in ("n1", "n2", "n3"):
        assert (name, name) in met
        assert any(door == name and caller != name for caller, door in met)


def test_a_few_nodes_are_enough_and_the_others_are_named() -> None:
    names = [f"n{number:02}" for number in range(MOST_NODES + 2)]
    plan = with_services(on(*names), Snapshot(), CLONE)
    assert len(services_of(plan).callers) == MOST_NODES
    assert [skip.what for skip in plan.skipped] == [
        "paths through Services from n08",
        "paths through Services from n09",
    ]


def test_no_more_pods_than_the_user_allows() -> None:
    plan = with_services(on("n1", "n2"), Snapshot(), replace(CLONE, max_pods=2))
    assert len(services_of(plan).callers) == 1
    assert "--max-pods 2" in plan.skipped[0].reason
    assert with_services(on("n1"), Snapshot(), replace(CLONE, max_pods=1)).services is None


def test_the_forecast_says_what_would_be_made() -> None:
    known = asyncio.run(forecast(FakeCluster(NODES), SENTINEL, fakes.ignore))
    text = render(known.plan, known.matrix, SENTINEL)
    assert "would try Services of netaudit's own from 3 nodes" in text
    for name in ("netaudit-cluster-ip", "netaudit-node-port", "netaudit-service-in", "netaudit-service-out"):
        assert f"netaudit-ctl-2/{name}" in text


def test_shadows_stand_where_services_would_and_may_deny_them() -> None:
    parser = build_parser(("table",), "0")
    with pytest.raises(UsageError, match="shadow does not try Services"):
        options_from(parser.parse_args(["run", "--mode", "shadow", "--targets", "service"]))
    assert options_from(parser.parse_args(["run", "--mode", "sentinel", "--targets", "service"])).targets is (
        Targets.SERVICE
    )

"""What a session in a sandbox makes for `--targets service`."""

from __future__ import annotations

import asyncio

import pytest

from auditor.model.cluster import Snapshot
from auditor.model.flow import Family, Protocol
from auditor.model.options import Options, Targets
from auditor.model.probe import Outcome, Placed, Probe, ProbePlan, Role, StandIn, Way
from auditor.model.service_path import NO_DNS, Laid, Named, Naming, Resolving
from auditor.plan import CONTROL_NAMESPACE
from auditor.sentinel import POLICED
from auditor.service_plan import LABEL, OPEN, SERVER, SERVICE_PORTS, with_services
from probes.agents import text_of
from probes.backends.netns import NetnsBackend, sandbox
from probes.placement import AgentSpec, Marks

pytestmark = pytest.mark.sandbox
CONTROLS = tuple(
    StandIn(f"c{number}{letter}", Role.CONTROL, CONTROL_NAMESPACE, f"n{number}", (), ((Protocol.TCP, 8080),))
    for number in (1, 2)
    for letter in "ab"
)
PLAN = with_services(
    ProbePlan(("netaudit", CONTROL_NAMESPACE), CONTROLS, ()), Snapshot(), Options(targets=Targets.SERVICE)
)

THEIRS = {
    "metadata": {"name": "theirs", "namespace": POLICED},
    "spec": {"selector": {LABEL: SERVER}, "ports": [{"port": 80, "targetPort": OPEN}]},
}
"""Somebody else's Service that would have the server behind it, were that ready."""


async def worked() -> tuple[Laid, list[Outcome], list[Named], int, int]:
    """What is laid, what comes of tries through it, what names give, and how much is there then and afterwards."""
    assert PLAN.services is not None
    async with sandbox() as box:
        await box.add_nodes(["n1", "n2"])
        [theirs] = box.serve([THEIRS])
        agent = AgentSpec("none", text_of("python"), 600, "python")
        backend = NetnsBackend(box, Marks("aaaaaa", "0", "x"), agent, lambda: "nonce0123456789", 60, lambda: 0.5)
        async with backend.session(PLAN, lambda _: None) as session:
            laid = await session.lay_services(PLAN.services)
            there = len(box.world.services)
            ways = [
                (laid.services[Way.CLUSTER_IP].addresses[0], SERVICE_PORTS[OPEN]),
                (box.nodes["n2"].addresses[0], laid.services[Way.NODE_PORT].ports[OPEN]),
                (theirs["spec"]["clusterIP"], 80),
            ]
            probes = [Probe("c2a", "v", Family.IPV4, OPEN, (10.0,), via=way) for way in ways]
            seen = await session.run_round(1, probes)
            names = await session.look_up([Naming("c2a", "n2", "web.shop", Family.IPV4, 1, 1)])
        return laid, [item.outcomes[-1] for item in seen], list(names), there, len(box.world.services)


def test_services_are_made_over_a_pod_that_is_not_ready_and_gone_with_the_session() -> None:
    laid, outcomes, [named], there, afterwards = asyncio.run(worked())
    assert {key: isinstance(item, Placed) for key, item in laid.placed.items()} == {"v": True, "g0": True, "g1": True}
    assert len(laid.services[Way.CLUSTER_IP].addresses) == 2
    assert laid.services[Way.CLUSTER_IP].ports == SERVICE_PORTS
    assert laid.services[Way.HEADLESS].addresses == ()
    assert not any(item.fault for item in laid.services.values())
    assert outcomes == [Outcome.REACHED, Outcome.REACHED, Outcome.REFUSED]
    assert (named.best.outcome, named.best.detail) == (Resolving.UNTESTED, NO_DNS)
    assert (there, afterwards) == (4, 0)

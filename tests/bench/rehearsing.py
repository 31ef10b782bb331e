"""How long a sandbox takes from nothing to pods whose agents listen, under rules, by agent."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator

from auditor.errors import NetauditError
from auditor.model.flow import Protocol
from auditor.model.probe import Placed, ProbePlan, Role, StandIn
from probes.agents import text_of
from probes.backends.netns import NetnsBackend, sandbox
from probes.backends.netns.allowed import check_programs
from probes.placement import AgentSpec, Marks
from tests.bench.figures import REPEATS, Figure

NODES, PODS = ("n1", "n2", "n3"), 40
LISTENS = (*((Protocol.TCP, port) for port in (80, 443, 8080, 8081, 9090)), (Protocol.UDP, 53))
AGENTS = ("python", "shell")
TARGET = 5.0
PATIENCE = 60.0
HOME = "rows"


def why_not() -> str:
    """What keeps the bench from running here; empty when nothing does."""
    try:
        check_programs()
        asyncio.run(_nothing())
    except NetauditError as error:
        return error.why
    return ""


async def _nothing() -> None:
    async with sandbox():
        pass


def figures() -> Iterator[Figure]:
    """Start all, and take all away again, at best."""
    for agent in AGENTS:
        up, down = (min(found) for found in zip(*(asyncio.run(started(agent)) for _ in range(REPEATS)), strict=True))
        yield Figure(f"{agent}: sandbox of {PODS} pods on {len(NODES)} nodes", up, "s", target=TARGET)
        yield Figure("  and its end", down, "s")


async def started(agent: str) -> tuple[float, float]:
    """Seconds until all listen, and until nothing is left."""
    began = time.perf_counter()
    spec = AgentSpec("none", text_of(agent), 600, agent)
    async with sandbox() as box:
        await box.add_nodes(NODES)
        box.govern({HOME: {}}, [policy(turn) for turn in range(PODS)])
        backend = NetnsBackend(
            box, Marks("bench", "0", "2030-01-01T00:00:00Z"), spec, lambda: "n" * 24, PATIENCE, random.random
        )
        plan = ProbePlan((), tuple(stand_in(turn) for turn in range(PODS)), ())
        async with backend.session(plan, lambda _: None) as session:
            up = time.perf_counter() - began
            missing = [item.reason for item in session.placed.values() if not isinstance(item, Placed)]
            if missing:
                raise RuntimeError(f"{len(missing)} pods do not listen: {missing[0]}")
            ending = time.perf_counter()
    return up, time.perf_counter() - ending


def stand_in(turn: int) -> StandIn:
    return StandIn(f"r{turn}", Role.CLONE, HOME, NODES[turn % len(NODES)], (("row", f"r{turn}"),), LISTENS)


def policy(turn: int) -> dict[str, object]:
    """One for each pod, open to its neighbour."""
    near, own = ({"matchLabels": {"row": f"r{number}"}} for number in (turn - 1, turn))
    rule = {"from": [{"podSelector": near}], "ports": [{"port": 80, "endPort": 90}]}
    return {"metadata": {"name": f"r{turn}", "namespace": HOME}, "spec": {"podSelector": own, "ingress": [rule]}}

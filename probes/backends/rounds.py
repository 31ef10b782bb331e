"""The rounds of one session: a batch for each source, at the pace that earlier rounds have shown the nodes to keep."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from auditor.events import Progressed, StageStarted, Warned
from auditor.model.probe import Observation, Probe, Role
from auditor.ports import OnEvent
from probes.backends.batch import carry_out, stage_of
from probes.backends.conversation import Desk
from probes.pace import SLOWEST, Room, bound_at, level_within, split, strain
from probes.placement import AgentSpec
from probes.runner import run_batches

ROUNDS_IN_BUDGET = 5
"""A round that was slowed down may take this part of the budget; three of them leave time for the rest."""


class Rounds:
    """What rounds of one session have in common."""

    def __init__(self, agent: AgentSpec, on_event: OnEvent) -> None:
        """Begin at full pace."""
        self._agent = agent
        self._on_event = on_event
        self._level = 0
        """How often the pace was halved."""

    async def run(self, desk: Desk, probes: Sequence[Probe]) -> Sequence[Observation]:
        """Run one batch for each source; every probe gets exactly one observation."""
        self._on_event(StageStarted(stage_of(desk.number, probes), total=len(probes)))
        nodes = {key: item.pod.node for key, item in desk.here.items()}
        name = self._agent.name
        level = level_within(self._level, name, probes, nodes, self._agent.seconds / ROUNDS_IN_BUDGET)
        bound = bound_at(name, level)
        batches = split(probes, nodes, bound, frozenset(key for key, item in desk.here.items() if item.stand_in.pod))
        seen = await run_batches(
            batches, Room(bound), partial(carry_out, desk), lambda done: self._on_event(Progressed(done))
        )
        controls = frozenset(key for key, item in desk.here.items() if item.stand_in.role is Role.CONTROL)
        self._slow_down(strain(seen, controls))
        return seen

    def _slow_down(self, steps: int) -> None:
        """Never up again: the closing round, on which everything rests, must not be the one that is too fast."""
        if steps and self._level < SLOWEST:
            self._level = min(SLOWEST, self._level + steps)
            self._on_event(Warned("attempts that no policy stops were late or lost: the next round goes slower"))

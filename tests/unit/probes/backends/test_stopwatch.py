"""Timing how soon policies hold, in a cluster in memory whose agents answer line by line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from auditor.cluster.exec import ExecChannel
from auditor.model.flow import Direction
from auditor.model.probe import ProbePlan, Role, StandIn
from auditor.model.timing import Change, Figure, Pace, Trace
from auditor.plan import CONTROL_NAMESPACE
from auditor.sentinel import POLICED
from auditor.timing import figures
from auditor.timing_plan import timed_policy
from probes.placement import policies_path
from tests.evidence import WEB
from tests.memory_api import MemoryApi, Raw
from tests.speaking import line
from tests.timelines import timing
from tests.unit.probes.backends.acting import backend, now, silent
from tests.unit.probes.backends.test_session_sentinel import Right, granted, needs

NODES = ("n1", "n2")
CONTROLS = tuple(
    StandIn(f"c{number}{letter}", Role.CONTROL, CONTROL_NAMESPACE, node, (), (WEB,))
    for number, node in enumerate(NODES)
    for letter in "ab"
)
PLANNED = timing(*NODES)
PLAN = ProbePlan(("netaudit", CONTROL_NAMESPACE, POLICED), CONTROLS, (), timing=PLANNED)
POLICY = f"{policies_path(POLICED)}/{timed_policy().name}"


@dataclass
class Engine:
    """How soon it follows, in seconds; None is never."""

    new: float | None = 0.3
    fresh: float | None = 0.0
    removed: float | None = 0.2
    since: float = 0.0
    """When the policy was made, or removed."""
    stands: bool = False
    ages: bool = True
    """Whether agents tell how long their pod has run."""

    def denies(self, pod_runs: float) -> bool:
        """Whether a pod that has run so long is sealed."""
        lag = self.removed if not self.stands else self.fresh if pod_runs < now() - self.since else self.new
        waited = min(pod_runs, now() - self.since)
        followed = lag is not None and waited >= lag
        return followed if self.stands else bool(self.since) and self.new is not None and not followed


@dataclass
class Living(MemoryApi):
    """A cluster whose agents answer each line as it comes."""

    engine: Engine
    began: dict[str, float] = field(default_factory=dict)
    execs: list[str] = field(default_factory=list)
    open: int = 0
    asked: set[Right] = field(default_factory=set)
    """The rights that requests took."""

    def _fail_if_told(self, verb: str, path: str) -> None:
        super()._fail_if_told(verb, path)
        self.asked |= needs(verb, path)

    def __post_init__(self) -> None:
        super().__init__()

    def start(self, path: str) -> None:
        super().start(path)
        self.began[path.rpartition("/")[2]] = now()

    async def create(self, path: str, body: Any, *, dry_run: bool = False) -> Raw:
        made = await super().create(path, body, dry_run=dry_run)
        if path == policies_path(POLICED):
            self.engine.stands, self.engine.since = True, now()
        return made

    async def delete(self, path: str, **options: Any) -> bool:
        gone = await super().delete(path, **options)
        if path == POLICY and gone:
            self.engine.stands, self.engine.since = False, now()
        return gone

    @asynccontextmanager
    async def exec(
        self, namespace: str, pod: str, container: str, command: Sequence[str]
    ) -> AsyncIterator[ExecChannel]:
        await self._answer("EXEC", f"/api/v1/namespaces/{namespace}/pods/{pod}", lambda: None)
        self.execs.append(pod)
        self.open += 1
        try:
            yield LivingChannel(self, pod)
        finally:
            self.open -= 1

    def at(self, address: str) -> str:
        """The name of the pod that has an address."""
        pods = (item for item in self.objects.values() if (item.get("status") or {}).get("podIP") == address)
        return str(next(pods)["metadata"]["name"])

    def gets_through(self, source: str, target: str) -> bool:
        sealed = [pod for pod in (source, target) if pod.split("-")[2].startswith("t")]
        denied = source != target and any(self.engine.denies(now() - self.began[pod]) for pod in sealed)
        return not denied


class LivingChannel(ExecChannel):
    """The stdin and stdout of an agent."""

    def __init__(self, api: Living, pod: str) -> None:
        self._api, self._pod = api, pod
        self._said: asyncio.Queue[bytes] = asyncio.Queue()
        self.exit_code = None

    async def write(self, data: bytes) -> None:
        for asked in data.decode().splitlines():
            self._take(asked.split())

    def _take(self, words: list[str]) -> None:
        if words[0] == "netaudit/1":
            age = round((now() - self._api.began[self._pod]) * 1000) if self._api.engine.ages else -1
            about = {"agent": "a", "run": "r", "nonce": "nonce", "client": "c", "server": "s"}
            self._say(0.1, {"netaudit": 1, "batch": words[1], "n": int(words[3]), "age": age, **about})
            return
        number, address, port, limit = words
        if self._api.gets_through(self._pod, self._api.at(address)):
            self._say(0.103, {"i": int(number), "rc": 0, "to": 0, "c": 1, "ms": 3, "d": f"netaudit nonce {port}"})
        else:
            took = float(limit)
            self._say(took, {"i": int(number), "rc": 1, "to": 1, "c": 0, "ms": round(took * 1000), "d": ""})

    def _say(self, after: float, record: dict[str, Any]) -> None:
        asyncio.get_running_loop().call_later(after, self._said.put_nowait, line(record))

    async def read(self) -> AsyncIterator[bytes]:
        while True:
            yield await self._said.get()


async def timed(api: Living, plan: ProbePlan = PLAN) -> dict[tuple[str, Change, Direction], Figure]:
    """Time a plan; the figures by node, change and direction."""
    traces: list[Trace] = []
    acting = backend(api)
    async with acting.session(plan, silent) as session:
        api.asked.clear()
        await session.time_enforcement(PLANNED, traces)
        assert {right for right in api.asked if right[0] == POLICED} <= granted()
        assert api.open == 0
        assert POLICY not in api.objects
    assert acting.leftovers == ()
    assert api.paths("/namespaces/") == []
    return {(item.node, item.change, item.direction): item for item in figures(traces, PLANNED)}


def assert_about(found: Figure, seconds: float) -> None:
    assert found.pace is Pace.AFTER, found
    assert found.milliseconds - found.resolution - 20 <= seconds * 1000 <= found.milliseconds + 20


async def test_each_change_is_timed_on_each_node_and_direction() -> None:
    api = Living(Engine(new=0.7, fresh=0.0, removed=2.2))
    found = await timed(api)

    assert len(found) == 12
    for (_, change, _), item in found.items():
        if change is Change.FRESH_POD:
            assert item.pace is Pace.AT_ONCE
            assert 0 < item.milliseconds < 1000
        else:
            assert_about(item, 0.7 if change is Change.NEW_POLICY else 2.2)


async def test_three_execs_and_two_pods_for_each_node_whatever_is_tried() -> None:
    api = Living(Engine(new=8.0))
    found = await timed(api)

    assert len(api.execs) == 3 * len(NODES)
    assert len([name for name in api.began if name.split("-")[2].startswith("t")]) == 2 * len(NODES)
    # The longer it lasts, the rarer are the tries: eighty of a tenth of a second would have been more.
    assert all(item.tries < 90 for item in found.values())


async def test_nothing_enforces() -> None:
    found = await timed(Living(Engine(new=None, fresh=None)))

    for (_, change, _), item in found.items():
        assert item.pace is (Pace.INCONCLUSIVE if change is Change.POLICY_REMOVED else Pace.NEVER)


@pytest.mark.parametrize("ages", [True, False])
async def test_a_fresh_pod_that_is_open_at_first(ages: bool) -> None:
    """Also where the agent cannot tell how long it has run: then all that is known is when the pod was asked for."""
    found = await timed(Living(Engine(fresh=3.0, ages=ages)))

    for (_, change, _), item in found.items():
        if change is Change.FRESH_POD:
            assert_about(item, 3.0)
            assert (item.resolution > 1000) is not ages


async def test_a_policy_that_may_not_be_made_is_said() -> None:
    api = Living(Engine())
    api.fail("POST", POLICY, 403, "not granted")
    found = await timed(api)

    assert {item.pace for item in found.values()} == {Pace.INCONCLUSIVE}
    assert all("not granted" in item.reason for item in found.values())


async def test_a_pod_that_does_not_run_spoils_its_node_alone() -> None:
    api = Living(Engine())
    api.kubelet = lambda pod: {"phase": "Failed", "reason": "Evicted"} if "-t1t-" in pod["metadata"]["name"] else {}
    found = await timed(api)

    assert {item.pace for (node, _, _), item in found.items() if node == "n2"} == {Pace.INCONCLUSIVE}
    assert all("Evicted" in item.reason for (node, _, _), item in found.items() if node == "n2")
    assert Pace.INCONCLUSIVE not in {item.pace for (node, _, _), item in found.items() if node == "n1"}


async def test_an_exec_that_is_not_let_in_is_said() -> None:
    api = Living(Engine())
    api.fail("EXEC", ".*-c0a-0", 403, "not granted")
    found = await timed(api)

    assert {"not granted" in item.reason for (node, _, _), item in found.items() if node == "n1"} == {True}


@pytest.mark.parametrize("after", [0.5, 4.0, 6.0, 8.5, 11.0])
async def test_a_run_that_is_stopped_leaves_nothing_and_keeps_what_it_saw(after: float) -> None:
    api, traces = Living(Engine()), list[Trace]()
    acting = backend(api)
    async with acting.session(PLAN, silent) as session:
        task = asyncio.ensure_future(session.time_enforcement(PLANNED, traces))
        await asyncio.sleep(after)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert api.open == 0
    assert acting.leftovers == ()
    assert api.paths("/namespaces/") == []
    assert len(figures(traces, PLANNED)) == 12

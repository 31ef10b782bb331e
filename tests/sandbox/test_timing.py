"""Timelines of real connections: the figures hold the moment when packets began to be dropped."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path as File

import pytest

from auditor.cluster.api import KubeApi
from auditor.cluster.exec import ExecChannel
from auditor.model.cluster import Pod as StoredPod
from auditor.model.flow import Direction, Family
from auditor.model.probe import Placed, Role, StandIn
from auditor.model.timing import Change, Figure, Moment, Pace, Path, Trace
from auditor.timing import figure
from probes.backends.kubernetes.stream import Aim, Stream, Target
from tests.sandbox.agentstage import image
from tests.sandbox.shellpod import Network, Pod, network, pod

pytestmark = pytest.mark.sandbox
PORT, LIMIT = 8080, 60.0
NONCES = {"near": "near0123456789abcdef", "far": "far00123456789abcdef"}
HOOK = "add table inet t; add chain inet t c {{ type filter hook input priority 0; }}; add rule inet t c {}"


class Pipes(ExecChannel):
    """The pipes of a process on this machine."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.exit_code = None

    async def write(self, data: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        await self._process.stdin.drain()

    async def read(self) -> AsyncIterator[bytes]:
        assert self._process.stdout is not None
        while data := await self._process.stdout.read(65536):
            yield data


class LocalApi(KubeApi):
    """Execs into pods without Kubernetes, by the names `near` and `far`."""

    def __init__(self, pods: dict[str, Pod]) -> None:
        self._pods = pods

    @asynccontextmanager
    async def exec(
        self, namespace: str, pod: str, container: str, command: Sequence[str]
    ) -> AsyncIterator[ExecChannel]:
        words, environment = self._pods[pod].entering()
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*words, env=environment, stdin=pipe, stdout=pipe)
        try:
            yield Pipes(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()  # which the agent's own processes look at
            process.kill()
            await process.wait()


@pytest.fixture(scope="module", params=["busybox-musl", "dash+nc+socat", "bash+socat", "python"])
def pods(request: pytest.FixtureRequest) -> Iterator[tuple[Network, dict[str, Pod]]]:
    with ExitStack() as stack:
        tools, net = stack.enter_context(image(request.param)), stack.enter_context(network())
        holders = {"near": net.near, "far": net.far}
        yield net, {name: stack.enter_context(pod(tools, holders[name], [PORT], NONCES[name])) for name in NONCES}


def target(name: str) -> Target:
    address = (Network.NEAR if name == "near" else Network.FAR)[0]
    stand_in = StandIn(name, Role.SENTINEL, "x", "n1", (), ())
    return Target(Placed(stand_in, StoredPod("x", name, {}, "n1", (address,)), NONCES[name]), Family.IPV4, PORT)


async def dropping(net: Network, rule: str) -> Moment:
    """Let the far end drop something; when that began."""
    now = asyncio.get_running_loop().time
    earliest = now()
    command = ["nsenter", f"--net=/proc/{net.far}/ns/net", "nft", HOOK.format(rule)]
    await asyncio.to_thread(subprocess.run, command, check=True)
    return Moment(earliest, now())


def began(one: Pod) -> float:
    """When a pod's first process began, by the clock that the loop has (but for what the machine slept)."""
    return int(File(f"/proc/{one.init}/stat").read_text().rsplit(")", 1)[1].split()[19]) / os.sysconf("SC_CLK_TCK")


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110 -- what it waits for are packets
            await asyncio.sleep(0.1)


async def test_the_figure_holds_the_moment_at_which_packets_began_to_be_dropped(
    pods: tuple[Network, dict[str, Pod]],
) -> None:
    net, running = pods
    api, now = LocalApi(running), asyncio.get_running_loop().time
    streams = {
        name: Stream(api, running[name].agent, target(name).placed, f"b-{name}", lambda: None) for name in NONCES
    }
    streams["near"].aims = {Path.INGRESS: Aim(target("far"), 1.0), Path.TWIN: Aim(target("near"), 5.0)}
    streams["far"].aims = {Path.ITSELF: Aim(target("far"), 5.0)}
    asked, zero = 0.0, Moment(0.0, 0.0)

    def found() -> Figure:
        samples = {path: tuple(seen) for one in streams.values() for path, seen in one.samples.items()}
        trace = Trace(Change.NEW_POLICY, "n1", Family.IPV4, PORT, asked, zero, now(), samples)
        return figure(trace, Direction.INGRESS, LIMIT)

    for stream in streams.values():
        stream.start()
    try:
        await until(lambda: all(len(streams["near"].samples[path]) >= 5 for path in (Path.INGRESS, Path.TWIN)))
        asked = now()
        zero = Moment(asked, asked)
        truth = await dropping(net, f"ip saddr {Network.NEAR[0]} tcp dport {PORT} drop")
        await until(lambda: found().pace is not Pace.INCONCLUSIVE)
    finally:
        await asyncio.gather(*(stream.stop() for stream in streams.values()))
    print(found(), truth.latest - truth.earliest)  # noqa: T201

    said = found()
    assert [stream.fault for stream in streams.values()] == ["", ""]
    assert (said.milliseconds - said.resolution) / 1000 <= truth.latest - asked + 0.01
    assert said.milliseconds / 1000 >= truth.earliest - asked
    for name, stream in streams.items():
        assert stream.born is not None
        assert stream.born.earliest - 0.02 <= began(running[name]) <= stream.born.latest + 0.02

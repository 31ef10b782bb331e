"""ICMP in a cluster in memory: one exec for each pod, and every ping has an answer, be it why there is none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest

from auditor.model.flow import Family
from auditor.model.ping import Between, Echo, Ping, Pinged
from auditor.model.probe import Placed
from probes.backends.kubernetes.pings import BY_LOG, NO_ADDRESS, NOT_RUNNING, send_pings
from probes.echoes import TRIES
from probes.placement import AgentSpec
from tests.memory_api import MemoryApi, Step
from tests.speaking import line
from tests.unit.probes.backends.acting import PLAN, backend, silent

SPEC = AgentSpec("image", "script", 600, echoer="ping\n")
V4, V6 = Family.IPV4, Family.IPV6
PINGS = (Ping(1, Between.PODS, "i0", "c0", V4), Ping(2, Between.PODS, "c0", "i0", V4))
Says = Callable[[str, int], tuple[int, int, str]]
"""Of an address and the turn: the code, whether the time was over, and the text."""


def saying(says: Says, nonce: str = "nonce") -> MemoryApi:
    api = MemoryApi()

    def agent(_: str, work: bytes) -> Iterable[bytes]:
        program, opening, *asked, _end, _ = work.decode().split("\n")
        assert program == "ping\\n"
        batch = opening.split(" ")[1]
        words = {"agent": "a", "run": "r", "batch": batch, "nonce": nonce, "client": "c", "server": "none"}
        yield line({"netaudit": 1, **words, "n": len(asked)})
        for turn, request in enumerate(asked):
            number, address, _ = request.split(" ")
            code, timed, text = says(address, turn)
            yield line({"i": int(number), "rc": code, "to": timed, "ms": 4 + turn, "d": text})
        yield line({"end": len(asked), "batch": batch})

    api.agent = agent
    return api


async def pinged(api: MemoryApi, *pings: Ping, spec: AgentSpec = SPEC) -> list[Pinged]:
    async with backend(api).session(PLAN, silent) as session:
        here = {key: item for key, item in session.placed.items() if isinstance(item, Placed)}
        asked, agent = Counter[str](), api.agent

        def counting(pod: str, work: bytes) -> Iterable[Step]:
            asked[pod] += 1
            return agent(pod, work)

        api.agent = counting
        found = await send_pings(api, spec, here, pings)
        assert set(asked.values()) <= {1}
        return found


async def test_each_ping_has_its_answer_by_one_exec_of_its_source() -> None:
    found = await pinged(saying(lambda _, __: (0, 0, "echo")), *PINGS)

    assert [(item.ping, item.echo, item.tries, item.milliseconds) for item in found] == [
        (ping, Echo.ANSWERED, TRIES, 4) for ping in PINGS
    ]


async def test_one_answer_of_all_tries_is_an_answer() -> None:
    found = await pinged(saying(lambda _, turn: (0, 0, "echo") if turn else (110, 1, "")), PINGS[0])

    assert [(item.echo, item.milliseconds) for item in found] == [(Echo.ANSWERED, 5)]


@pytest.mark.parametrize(
    ("said", "echo"),
    [((110, 1, ""), Echo.SILENT), ((113, 0, ""), Echo.REFUSED), ((126, 0, ""), Echo.NOT_POSSIBLE)],
)
async def test_what_is_no_answer_says_what_it_is(said: tuple[int, int, str], echo: Echo) -> None:
    found = await pinged(saying(lambda _, __: said), PINGS[0])

    assert [item.echo for item in found] == [echo]
    assert found[0].milliseconds == -1
    assert found[0].detail


async def test_an_exec_that_fails_is_a_fault_and_no_silence() -> None:
    api = saying(lambda _, __: (0, 0, "echo"))
    api.fail("EXEC", ".*", 403, "no exec for you")

    (found,) = await pinged(api, PINGS[0])

    assert found.echo is Echo.FAULT
    assert "no exec for you" in found.detail


async def test_the_agent_of_another_pod_tells_nothing() -> None:
    (found,) = await pinged(saying(lambda _, __: (0, 0, "echo"), nonce="other"), PINGS[0])

    assert found.echo is Echo.FAULT
    assert "another pod" in found.detail


async def test_what_cannot_be_asked_says_why() -> None:
    gone = replace(PINGS[0], id=3, destination="i9")
    other = replace(PINGS[0], id=4, family=V6)
    found = await pinged(saying(lambda _, __: (0, 0, "echo")), gone, other, PINGS[0])

    assert [(item.ping.id, item.echo, item.detail) for item in found[1:]] == [
        (3, Echo.NOT_POSSIBLE, NOT_RUNNING),
        (4, Echo.NOT_POSSIBLE, NO_ADDRESS),
    ]
    assert found[0].echo is Echo.ANSWERED
    (without,) = await pinged(MemoryApi(), PINGS[0], spec=replace(SPEC, courier="courier"))
    assert (without.echo, without.detail) == (Echo.NOT_POSSIBLE, BY_LOG)

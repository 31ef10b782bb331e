"""ICMP echoes asked for from probe pods, by one exec for each pod; what fails says nothing of any policy."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence

from auditor.cluster.api import KubeApi
from auditor.errors import NetauditError
from auditor.model.ping import Echo, Ping, Pinged
from auditor.model.probe import Placed
from probes import wire
from probes.backends.conversation import STALL, by_exec
from probes.echoes import MOST, SECONDS, TRIES, Request, classify_echo, encode_requests
from probes.placement import AgentSpec

BY_LOG = "ICMP is tried by exec alone, which --transport logs does without"
NOT_RUNNING = "a probe pod of the pair does not run"
NO_ADDRESS = "a probe pod of the pair has no address of that family"
AT_ONCE = 8
"""Pods that send side by side."""
BEST = (Echo.ANSWERED, Echo.REFUSED, Echo.SILENT, Echo.FAULT, Echo.NOT_POSSIBLE)
"""Which of the tries speaks for all."""
Tries = Sequence[tuple[Echo, str, int]]


async def send_pings(api: KubeApi, agent: AgentSpec, here: Mapping[str, Placed], pings: Sequence[Ping]) -> list[Pinged]:
    """Ask for every echo; each ping has an answer, be it why it was not possible."""
    lacking = {ping.id: reason for ping in pings if (reason := _obstacle(agent, here, ping))}
    by_source: dict[str, list[Ping]] = defaultdict(list)
    for ping in pings:
        if ping.id not in lacking:
            by_source[ping.source].append(ping)
    room = asyncio.Semaphore(AT_ONCE)
    answers = await asyncio.gather(*(_from(api, agent, here, found, room) for found in by_source.values()))
    left = [Pinged(ping, Echo.NOT_POSSIBLE, lacking[ping.id]) for ping in pings if ping.id in lacking]
    return sorted((*left, *(item for found in answers for item in found)), key=lambda item: item.ping.id)


def _obstacle(agent: AgentSpec, here: Mapping[str, Placed], ping: Ping) -> str:
    if agent.courier:
        return BY_LOG
    if ping.source not in here or ping.destination not in here:
        return NOT_RUNNING
    there = all(here[key].pod.address(ping.family) for key in (ping.source, ping.destination))
    return "" if there else NO_ADDRESS


async def _from(
    api: KubeApi, agent: AgentSpec, here: Mapping[str, Placed], pings: Sequence[Ping], room: asyncio.Semaphore
) -> list[Pinged]:
    """All pings of one source: first tries before second ones, so that one hiccup does not meet both."""
    source = here[pings[0].source]
    told: dict[int, list[tuple[Echo, str, int]]] = defaultdict(list)
    asked = [ping for _ in range(TRIES) for ping in pings]
    async with room:
        for start in range(0, len(asked), MOST):
            part = asked[start : start + MOST]
            batch = f"p{start}-{source.stand_in.key}"
            for ping, answer in zip(part, await _batch(api, agent, source, batch, _requests(part, here)), strict=True):
                told[ping.id].append(answer)
    return [_best(ping, told[ping.id]) for ping in pings]


def _requests(pings: Sequence[Ping], here: Mapping[str, Placed]) -> list[Request]:
    return [
        Request(number, here[ping.destination].pod.address(ping.family) or "", SECONDS)
        for number, ping in enumerate(pings)
    ]


def _best(ping: Ping, tries: Tries) -> Pinged:
    echo, detail, _ = min(tries, key=lambda item: BEST.index(item[0]))
    quickest = min((took for found, _, took in tries if found is Echo.ANSWERED and took >= 0), default=-1)
    return Pinged(ping, echo, detail, len(tries), quickest)


async def _batch(api: KubeApi, agent: AgentSpec, source: Placed, batch: str, requests: Sequence[Request]) -> Tries:
    """What came of each request."""
    reader = wire.BatchReader(batch, range(len(requests)))
    work = agent.first_line(agent.echoer) + encode_requests(batch, requests)
    try:
        fault = await by_exec(api, source, agent.reading, (work, reader, STALL + 3 * SECONDS))
    except NetauditError as error:
        fault = f"the exec failed: {error.why}"
    if reader.header is not None and reader.header.nonce != source.nonce:
        reader.records, fault = {}, "the agent that answered is that of another pod"
    records = [reader.records.get(number) for number in range(len(requests))]
    failed = Echo.FAULT, fault or reader.shortfall, -1
    return [(*classify_echo(item), item.milliseconds) if item is not None else failed for item in records]

"""One batch: a source pod's probes of one round, sent through one exec and read back record by record."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from auditor.cluster.api import KubeApi
from auditor.errors import NetauditError
from auditor.model.probe import Observation, Outcome, Placed, Probe
from probes import wire
from probes.outcome import classify
from probes.placement import CONTAINER, AgentSpec

WINDOWS: Mapping[str, int] = {"shell": 64, "python": 1024}
"""By agent, attempts at once in one pod: one takes processes, the other a socket."""
MARGIN = 30.0
"""Seconds that a batch may take beyond the sum of its windows."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What every batch of a round shares."""

    api: KubeApi
    agent: AgentSpec
    here: Mapping[str, Placed]
    number: int
    elapsed: Callable[[], float]
    """Seconds since the first round began."""


async def carry_out(desk: Desk, source: str, probes: Sequence[Probe]) -> Sequence[Observation]:
    """Make all tries of all probes of one source; whatever fails gives FAULT with its reason, never silence."""
    tries = _tries(probes)
    attempts = [_attempt(identifier, desk.here, probe, limit) for identifier, (probe, limit) in enumerate(tries)]
    # Tries of one probe follow each other: a window as wide as one try keeps the next ones back.
    widest = max(len(probe.timeouts) for probe in probes)
    window = min(WINDOWS[desk.agent.name], -(-len(attempts) // widest))
    batch = f"r{desk.number}-{source}"
    reader = wire.BatchReader(batch, [attempt.id for attempt in attempts])
    limit = MARGIN + 4 * sum(attempt.timeout for attempt in attempts) / window + len(attempts) / 10
    fault = await _converse(desk, source, wire.encode_batch(batch, window, attempts), reader, limit)
    by_probe: dict[Probe, list[tuple[Outcome, str, int]]] = {probe: [] for probe in probes}
    for identifier, (probe, _) in enumerate(tries):
        record = reader.records.get(identifier)
        outcome, detail = classify(record, desk.here[probe.destination].nonce, probe.port, probe.protocol)
        if record is None:
            detail = fault or reader.shortfall or detail
        by_probe[probe].append((outcome, detail, record.milliseconds if record is not None else -1))
    at = desk.elapsed()
    return [
        Observation(desk.number, probe, tuple(item[0] for item in seen), seen[-1][1], at, seen[-1][2])
        for probe, seen in by_probe.items()
    ]


def _tries(probes: Sequence[Probe]) -> list[tuple[Probe, float]]:
    """First all first tries, then all second ones, and so on."""
    longest = max(len(probe.timeouts) for probe in probes)
    return [(probe, probe.timeouts[turn]) for turn in range(longest) for probe in probes if turn < len(probe.timeouts)]


def _attempt(identifier: int, here: Mapping[str, Placed], probe: Probe, limit: float) -> wire.Attempt:
    address = here[probe.destination].pod.address(probe.family)
    return wire.Attempt(identifier, address or "", probe.port, limit, probe.protocol)


async def _converse(desk: Desk, source: str, work: bytes, reader: wire.BatchReader, limit: float) -> str:
    """Send the work and feed the reader until the footer or the end; the reason where it went wrong, else empty."""
    pod, probe = desk.here[source].pod, desk.agent.command("probe")
    try:
        async with asyncio.timeout(limit), desk.api.exec(pod.namespace, pod.name, CONTAINER, probe) as channel:
            await channel.write(work)
            async for data in channel.read():
                reader.feed(data)
                if reader.footer is not None:
                    return ""
            return f"the exec ended without its footer, exit code {channel.exit_code}"
    except TimeoutError:
        return f"the exec did not end within {limit:.0f} s"
    except NetauditError as error:
        return f"the exec failed: {error.why}"
    except OSError as error:
        return f"the exec was cut off: {str(error) or type(error).__name__}"

"""One batch: a source pod's probes of one round, made by its agent and read back record by record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from auditor.model.probe import Observation, Outcome, Placed, Probe
from probes import wire
from probes.backends.conversation import Desk, ask
from probes.outcome import classify, classify_handshake
from probes.pace import Batch


async def carry_out(desk: Desk, batch: Batch) -> Sequence[Observation]:
    """Make all tries of all probes of one source; whatever fails gives FAULT with its reason, never silence."""
    tries = _tries(batch.probes)
    asked = {
        identifier: (probe, _attempt(identifier, desk.here, probe, limit))
        for identifier, (probe, limit) in enumerate(tries)
    }
    answers = await ask(desk, batch.source, asked, batch.window)
    by_probe: dict[Probe, list[tuple[Outcome, str, int]]] = {probe: [] for probe in batch.probes}
    for identifier, (probe, _) in enumerate(tries):
        record = answers.records.get(identifier)
        outcome, detail = _classified(desk, probe, record)
        if record is None:
            detail = answers.fault or detail
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


def _classified(desk: Desk, probe: Probe, record: wire.Record | None) -> tuple[Outcome, str]:
    if probe.address:
        return classify_handshake(record)
    return classify(record, desk.here[probe.destination].nonce, probe.port, probe.protocol)


def _attempt(identifier: int, here: Mapping[str, Placed], probe: Probe, limit: float) -> wire.Attempt:
    if probe.address:
        return wire.Attempt(identifier, probe.address, probe.port, limit, probe.protocol, handshake=True)
    address, port = probe.via or (here[probe.destination].pod.address(probe.family) or "", probe.port)
    return wire.Attempt(identifier, address, port, limit, probe.protocol)


def stage_of(number: int, probes: Sequence[Probe]) -> str:
    """What a round is called."""
    if any(probe.address for probe in probes):
        return "try handshakes"
    return "try Services" if any(probe.via for probe in probes) else _ROUND_NAMES.get(number, "probe again")


_ROUND_NAMES = {0: "check listeners", 1: "probe"}

"""Real pods make few attempts at once: what an agent uses there is theirs."""

from __future__ import annotations

from auditor.model.probe import Probe
from probes.pace import FEW, bound_at, split
from tests.evidence import V4


def test_a_real_pod_has_few_attempts_under_way() -> None:
    """And no fewer where the pace is slower than that already."""
    probes = [Probe(source, "c0", V4, port, (1.0,)) for source in ("r0", "c1") for port in range(1, 200)]
    nodes = dict.fromkeys(("r0", "c0", "c1"), "n1")

    windows = {batch.source: batch.window for batch in split(probes, nodes, bound_at("shell", 0), {"r0"})}
    slow = {batch.source: batch.window for batch in split(probes, nodes, bound_at("shell", 3), {"r0"})}

    assert windows == {"r0": FEW, "c1": 64}
    assert slow == {"r0": 8, "c1": 8}

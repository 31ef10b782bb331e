"""What the scheduler counts for a pod."""

from __future__ import annotations

from typing import Any

import pytest

from auditor.cluster.decode_requests import requested

Raw = dict[str, Any]
MIB = 1024**2


def asks(cpu: object = None, memory: object = None, **more: Any) -> Raw:
    amounts = {name: amount for name, amount in (("cpu", cpu), ("memory", memory)) if amount is not None}
    return {"resources": {"requests": amounts}, **more}


@pytest.mark.parametrize(
    ("spec", "cpu", "memory"),
    [
        ({}, 0, 0),
        ({"containers": [asks("100m", "64Mi"), asks("0.5"), asks()]}, 600, 64 * MIB),
        ({"containers": [asks("100m")], "initContainers": [asks("1"), asks("2", "1Mi")]}, 2000, MIB),
        ({"containers": [asks("100m")], "initContainers": [asks("50m", restartPolicy="Always")]}, 150, 0),
        ({"containers": [asks("100m")], "overhead": {"cpu": "250m", "memory": "1Mi"}}, 350, MIB),
        ({"containers": [asks("100m")], **asks("1", "2Mi")}, 1000, 2 * MIB),
        ({"containers": [asks("many"), asks(1), None, {"resources": []}], "initContainers": "x"}, 1000, 0),
        ({"containers": None, "overhead": [], "resources": "x"}, 0, 0),
    ],
)
def test_requests_of_a_pod(spec: Raw, cpu: int, memory: int) -> None:
    assert requested(spec) == (cpu, memory)

"""Which stages of an audit are announced, and in which words."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from auditor.audit import run_audit
from auditor.events import Event, StageStarted
from tests.builders import Raw
from tests.fakes import FakeBackend, FakeCluster, by_model
from tests.unit.auditing import SHOP, WHOLE


def stages(*, objects: Sequence[Raw] = SHOP, sandbox: bool = False) -> dict[str, str]:
    """What was announced, with its detail."""
    told: list[Event] = []
    backend = FakeBackend(by_model(objects), ())
    asyncio.run(run_audit(FakeCluster(objects), backend, replace(WHOLE, sandbox=sandbox), told.append))
    return {event.name: event.detail for event in told if isinstance(event, StageStarted)}


@pytest.mark.parametrize("sandbox", [False, True])
def test_admission_is_asked_where_there_is_some(*, sandbox: bool) -> None:
    assert ("ask admission" in stages(sandbox=sandbox)) is not sandbox


@pytest.mark.parametrize(("objects", "size"), [(SHOP, "3 pods, 2 policies"), (SHOP[:4], "3 pods, 1 policy")])
def test_what_is_predicted_is_counted(objects: Sequence[Raw], size: str) -> None:
    assert stages(objects=objects)["predict"] == size

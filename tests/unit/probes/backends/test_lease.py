"""Whose turn it is: a live run is left alone, a dead one is followed within half a minute."""

from __future__ import annotations

import asyncio

import pytest

from tests.memory_api import MemoryApi
from tests.unit.probes.backends.acting import (
    CTL,
    HOME,
    LEASE,
    PLAN,
    Heard,
    a_run,
    backend,
    hold,
    leave_behind,
    now,
)


def take_over(api: MemoryApi, holder: str) -> None:
    api.change(LEASE, spec={"holderIdentity": holder, "renewTime": "2030-01-01T00:00:00Z"})


@pytest.mark.parametrize("noticed", [True, False])
async def test_a_lost_lease_leaves_namespaces_alone(noticed: bool) -> None:
    """Who has the Lease now lives in these namespaces: only this run's pods and holders go, noticed or not."""
    api, heard = MemoryApi(), Heard()
    async with backend(api).session(PLAN, heard):
        await asyncio.sleep(5)
        take_over(api, "bbbbbb")
        theirs = leave_behind(api, "bbbbbb")
        await asyncio.sleep(20 if noticed else 0)
    assert api.paths() == sorted([HOME, CTL, LEASE, *theirs])
    assert any("the Lease was lost during the run: run bbbbbb took the Lease" in text for text in heard.warnings)


async def test_a_run_renews_its_lease() -> None:
    """During a long run the Lease is never older than ten seconds and a moment."""
    api = MemoryApi()
    async with a_run(api):
        seen = set()
        for _ in range(10):
            await asyncio.sleep(11)
            seen.add(api.objects[LEASE]["spec"]["renewTime"])
    assert len(seen) == 10


async def test_a_passing_fault_does_not_lose_the_lease() -> None:
    """A renewal that fails is tried again, and the run ends as if nothing had been."""
    api, heard = MemoryApi(), Heard()
    async with backend(api).session(PLAN, heard):
        api.fail("*", LEASE, 500, "in trouble", times=1)
        await asyncio.sleep(25)
    assert (api.paths(), heard.warnings) == ([], [])


async def test_a_lease_that_may_not_be_renewed_is_told() -> None:
    """Without the right to update it the Lease runs out under the run, and another may begin beside it."""
    api, heard = MemoryApi(), Heard()
    async with backend(api).session(PLAN, heard):
        api.fail("PUT", LEASE, 403, "no right to update")
        await asyncio.sleep(25)
    assert api.paths() == []
    assert any("could not be renewed" in text and "no right to update" in text for text in heard.warnings)


@pytest.mark.parametrize("seconds", [0, 15])
async def test_a_lease_that_somebody_deleted_is_missed(seconds: float) -> None:
    """Who lost its Lease to nobody says so and still leaves nothing."""
    api, heard = MemoryApi(), Heard()
    async with backend(api).session(PLAN, heard):
        api.drop(LEASE)
        await asyncio.sleep(seconds)
    assert api.paths() == []
    assert any("somebody removed the Lease" in text for text in heard.warnings)


@pytest.mark.parametrize(
    ("renewed", "least", "most"),
    [
        pytest.param("2029-12-31T23:00:00Z", 0, 1, id="long ago"),
        pytest.param("2029-12-31T23:59:35Z", 12, 13, id="nearly run out"),
        pytest.param("2030-01-01T00:00:00Z", 30, 31, id="just now"),
        pytest.param("2036-01-01T00:00:00Z", 30, 31, id="in the future"),
        pytest.param("soon", 30, 31, id="garbage"),
        pytest.param("2030-01-01T00:00:00", 30, 31, id="without a zone"),
        pytest.param("", 30, 31, id="nothing"),
    ],
)
async def test_a_dead_runs_lease_is_taken_after_half_a_minute_at_most(renewed: str, least: int, most: int) -> None:
    """A Lease that nobody renews is waited for, never longer than 30 s, and its run's leftovers are removed."""
    api = MemoryApi()
    hold(api, renewed)
    left = leave_behind(api, "dddddd")
    began = now()
    async with a_run(api):
        assert not set(left) & set(api.paths())
        assert api.objects[LEASE]["spec"]["holderIdentity"] == "aaaaaa"
        assert least <= now() - began <= most + 4, "and some moments for pods to go and to come"
    assert api.paths() == []

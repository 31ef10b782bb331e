"""`netaudit cleanup` holds the Lease while it removes what is left, so that no run begins beside it."""

from __future__ import annotations

import asyncio

import pytest

from auditor.errors import RunInProgress
from probes.backends.kubernetes.cleaning import clean_up, clean_up_by_force
from probes.placement import Marks
from tests.jumping import START, clock
from tests.memory_api import MemoryApi
from tests.unit.probes.backends.acting import (
    HOME,
    LEASE,
    PODS,
    a_namespace,
    a_run,
    hold,
    leave_behind,
    reasons,
)

MARKS = Marks("cleanup1", "1", "")


def quiet(_: str) -> None:
    """Hear nothing."""


async def cleaned(api: MemoryApi) -> tuple[list[str], list[str]]:
    found, trouble = await clean_up(api, MARKS, clock, quiet, None)
    return found.names(), [*trouble]


async def test_what_a_dead_run_left_goes_with_its_namespace_and_lease() -> None:
    api = MemoryApi()
    leave_behind(api, "dddddd")
    hold(api, START.isoformat())
    names, trouble = await cleaned(api)
    assert (api.paths(), trouble) == ([], [])
    assert names == ["pod shop/netaudit-dddddd-i0-0", "deployment shop/netaudit-dddddd", "namespace netaudit"]


async def test_what_stands_without_a_lease_goes_and_nothing_stays_of_the_lease_taken_for_it() -> None:
    api = MemoryApi()
    leave_behind(api, "dddddd")
    names, _ = await cleaned(api)
    assert (api.paths(), len(names)) == ([], 2)


async def test_a_cluster_with_nothing_in_it_is_not_touched() -> None:
    api = MemoryApi()
    api.fail("POST", ".*", 403)
    assert await cleaned(api) == ([], [])


async def test_a_dead_lease_in_a_users_namespace_goes_alone() -> None:
    api = MemoryApi()
    hold(api, START.isoformat())
    api.put(HOME, a_namespace())
    assert await cleaned(api) == ([], [])
    assert api.paths() == [HOME]


async def test_a_run_that_is_alive_keeps_everything() -> None:
    api = MemoryApi()
    async with a_run(api):
        before = api.paths()
        with pytest.raises(RunInProgress):
            await cleaned(api)
        assert api.paths() == before


@pytest.mark.parametrize("begins", [0.01, 0.05, 0.1, 0.5, 1.2, 3.0, 6.5])
async def test_a_run_that_begins_meanwhile_loses_nothing(begins: float) -> None:
    """It is refused as long as the Lease is held, or has its pods to itself."""
    api = MemoryApi()
    leave_behind(api, "dddddd")
    api.finalized.add(f"{PODS}/netaudit-dddddd-i0-0")  # so that there is something to wait for
    asyncio.get_running_loop().call_later(5, api.finalized.clear)
    asyncio.get_running_loop().call_later(5, api.drop, f"{PODS}/netaudit-dddddd-i0-0")
    task = asyncio.ensure_future(cleaned(api))
    await asyncio.sleep(begins)
    try:
        async with a_run(api) as session:
            mine = api.paths("netaudit-aaaaaa")
            await asyncio.sleep(100)
            assert (reasons(session), api.paths("netaudit-aaaaaa")) == (["placed"], mine)
            assert api.objects[LEASE]["spec"]["holderIdentity"] == "aaaaaa"
    except RunInProgress:
        assert not task.done()
    await asyncio.gather(task, return_exceptions=True)
    assert isinstance(task.exception(), RunInProgress | None)


async def test_a_clean_up_that_is_interrupted_gives_the_lease_back() -> None:
    api = MemoryApi()
    api.finalized.add(leave_behind(api, "dddddd")[0])
    task = asyncio.ensure_future(cleaned(api))
    await asyncio.sleep(5)
    assert api.objects[LEASE]["spec"]["holderIdentity"] == "cleanup1"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert LEASE not in api.paths()


async def test_force_removes_everything_under_a_run() -> None:
    api = MemoryApi()
    async with a_run(api):
        await clean_up_by_force(api, None)
        assert api.paths() == []

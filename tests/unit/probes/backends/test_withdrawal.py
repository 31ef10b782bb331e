"""A run says that it is there; one that somebody reacts to ends at once, says why, and leaves nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from auditor.errors import ClusterUnreachable, PermissionMissing, Withdrawn
from auditor.ports import ProbeSession
from tests.memory_api import MemoryApi, refusal
from tests.unit.probes.backends.acting import HOLDERS, PLAN, PODS, PROBES, Heard, backend, now, silent

BUDGET = "/apis/policy/v1/namespaces/shop/poddisruptionbudgets/web"
SLICE = "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices/web-1"
POD = f"{PODS}/netaudit-aaaaaa-i0-0"
FAILED = {"conditions": [{"reason": "SyncFailed", "message": "found no controllers"}]}


def beside() -> MemoryApi:
    """A cluster with a budget and a slice that see the stand-in."""
    api = MemoryApi()
    selector = {"selector": {"matchLabels": {"app": "web"}}}
    api.put(BUDGET, {"metadata": {"namespace": "shop", "name": "web"}, "spec": selector, "status": {}})
    labels = {"kubernetes.io/service-name": "web"}
    api.put(SLICE, {"metadata": {"namespace": "shop", "name": "web-1", "labels": labels}, "endpoints": []})
    api.agent = lambda pod, work: [1000.0]
    return api


def later(change: Callable[[], None]) -> None:
    """Let something happen when the pods have run for a while."""
    asyncio.get_running_loop().call_later(20, change)


async def in_session(api: MemoryApi, work: Callable[[ProbeSession], Awaitable[object]]) -> None:
    async with backend(api).session(NEAR, silent) as session:
        await work(session)


NEAR = replace(PLAN, near=(("endpointslices", "shop"),))
READY = [{"targetRef": {"name": "netaudit-aaaaaa-i0-0"}, "conditions": {"ready": True}}]
REACTIONS: list[tuple[str, dict[str, Any], str]] = [
    (BUDGET, {"status": FAILED}, "found no controllers"),
    (SLICE, {"endpoints": READY}, "would send it traffic"),
    (POD, {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}, "reported ready"),
]


@pytest.mark.parametrize(("path", "change", "said"), REACTIONS)
async def test_a_reaction_in_a_round_withdraws_the_run(path: str, change: dict[str, Any], said: str) -> None:
    """The batch would take a thousand seconds; the reaction ends it, and the pods are gone soon after."""
    api = beside()
    later(lambda: api.change(path, **change))
    with pytest.raises(Withdrawn, match=said):
        await in_session(api, lambda session: session.run_round(1, PROBES))
    assert now() < 100
    assert api.paths() == sorted([BUDGET, SLICE])


async def test_a_reaction_while_pods_start_withdraws_the_run() -> None:
    api = beside()
    api.kubelet = lambda pod: {"phase": "Pending"}
    asyncio.get_running_loop().call_later(5, lambda: api.change(BUDGET, status=FAILED))
    with pytest.raises(Withdrawn, match="found no controllers"):
        await in_session(api, lambda _: pytest.fail("the pods never run"))
    assert api.paths() == sorted([BUDGET, SLICE])


async def test_a_reaction_while_it_waits_withdraws_the_run() -> None:
    api = beside()
    later(lambda: api.change(BUDGET, status=FAILED))
    with pytest.raises(Withdrawn):
        await in_session(api, lambda session: session.wait_until(1000))


@pytest.mark.parametrize(
    "break_", [refusal(410, "too old"), refusal(500, "etcd"), ClusterUnreachable("x", why="y", attempt="z")]
)
async def test_what_happens_while_a_watch_is_broken_is_seen_afterwards(break_: Exception) -> None:
    api = beside()

    def cut() -> None:
        api.cut_watches(break_)  # type: ignore[arg-type]
        api.change(BUDGET, status=FAILED)

    later(cut)
    with pytest.raises(Withdrawn):
        await in_session(api, lambda session: session.wait_until(1000))


@pytest.mark.parametrize("ticks", range(6))
async def test_a_second_cancellation_while_the_watches_close_stops_nothing(ticks: int) -> None:
    """Whenever it comes, also in the moments before the first thing is removed."""
    api = beside()
    task = asyncio.ensure_future(in_session(api, lambda session: session.wait_until(1000)))
    await asyncio.sleep(20)
    task.cancel()
    for _ in range(ticks):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    assert api.paths() == sorted([BUDGET, SLICE])


async def test_no_pod_is_made_where_nobody_may_watch() -> None:
    """What cannot be watched cannot be shown to be harmless."""
    api = beside()
    api.fail("GET", ".*poddisruptionbudgets", 403)
    with pytest.raises(PermissionMissing, match="poddisruptionbudgets react"):
        await in_session(api, lambda _: pytest.fail("pods were made"))
    assert api.paths() == sorted([BUDGET, SLICE])


@pytest.mark.parametrize("resource", ["poddisruptionbudgets", "endpointslices"])
async def test_no_pod_is_made_where_one_may_list_and_not_watch(resource: str) -> None:
    api = beside()
    api.fail("WATCH", f".*{resource}", 403)
    with pytest.raises(PermissionMissing, match=f"{resource} react"):
        await in_session(api, lambda _: pytest.fail("pods were made"))
    assert api.paths() == sorted([BUDGET, SLICE])


@pytest.mark.parametrize("status", [401, 403])
async def test_a_run_that_may_not_watch_any_more_is_withdrawn(status: int) -> None:
    """A role that is taken away in the midst of a run leaves nobody to see what reacts."""
    api = beside()

    def take_away() -> None:
        api.fail("WATCH", ".*poddisruptionbudgets", status)
        api.cut_watches(refusal(410, "too old"))

    later(take_away)
    with pytest.raises(Withdrawn, match="poddisruptionbudgets react to probe pods can no longer be watched"):
        await in_session(api, lambda session: session.wait_until(1000))
    assert api.paths() == sorted([BUDGET, SLICE])


async def test_a_watch_that_opens_late_is_waited_for_no_longer_than_its_first_fault() -> None:
    api = beside()
    api.fail("WATCH", ".*endpointslices", 500, times=3)
    await in_session(api, lambda session: session.wait_until(1))
    assert api.watches > 1


async def test_a_resource_that_is_not_served_reacts_to_nothing() -> None:
    api = beside()
    api.fail("GET", ".*endpointslices", 404)
    await in_session(api, lambda session: session.wait_until(1))


async def test_events_tell_of_the_beginning_and_the_end() -> None:
    """Whoever watches the cluster reads how many pods come, where, until when, and that they are gone."""
    api = beside()
    await in_session(api, lambda session: session.wait_until(1))
    assert [item["reason"] for item in api.told] == ["AuditStarted", "AuditEnded"]
    started, ended = (item["message"] for item in api.told)
    assert "run aaaaaa: 2 probe pods in 2 namespaces, until later" in started
    assert "nothing is left" in ended


async def test_a_run_that_may_not_write_events_says_so_and_goes_on() -> None:
    api, heard = beside(), Heard()
    api.fail("POST", ".*/events/.*", 403)
    async with backend(api).session(NEAR, heard):
        pass
    assert any("no Event says" in text for text in heard.warnings)
    assert api.told == []


async def test_a_run_that_was_never_announced_has_no_end_to_tell() -> None:
    """Refused before its first pod, it was not there."""
    api = beside()
    api.fail("GET", ".*poddisruptionbudgets", 403)
    with pytest.raises(PermissionMissing):
        await in_session(api, lambda _: pytest.fail("pods were made"))
    assert api.told == []


async def test_leftovers_are_in_the_last_event() -> None:
    api = beside()
    api.fail("DELETE", f"({PODS}|{HOLDERS})/.*", 403)
    await in_session(api, lambda session: session.wait_until(1))
    assert "could not be removed: netaudit cleanup" in api.told[-1]["message"]

"""A stand-in that does not run has its reason."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from auditor.errors import ClusterUnreachable, NetauditError
from probes.backends.kubernetes.pods import HOPELESS
from tests.memory_api import MemoryApi, Raw, refusal
from tests.unit.probes.backends.acting import HOLDERS, PLAN, PODS, a_run, backend, now, reasons, silent


def waiting(reason: str, message: str = "") -> Raw:
    state = {"waiting": {"reason": reason, "message": message}}
    return {"phase": "Pending", "containerStatuses": [{"name": "probe", "state": state}]}


def only_shop(status: Raw) -> Callable[[Raw], Raw]:
    return lambda pod: status if pod["metadata"]["namespace"] == "shop" else {}


async def test_a_pod_that_the_api_refuses() -> None:
    """Admission's own words are the reason, and the other stand-in runs."""
    api = MemoryApi()
    api.fail("POST", f"{PODS}/.*", 403, "quota exceeded")
    async with a_run(api) as session:
        assert reasons(session, ("i0", "c0")) == ["its pod was not accepted: it answered 403: quota exceeded", "placed"]


async def test_a_holder_that_the_api_refuses() -> None:
    """Without a holder no pod is made."""
    api = MemoryApi()
    api.fail("POST", f"{HOLDERS}/.*", 403, "no Deployments here")
    async with a_run(api) as session:
        assert reasons(session) == ["no holder can be made in shop: it answered 403: no Deployments here"]
        assert api.paths(PODS) == []


@pytest.mark.parametrize("reason", sorted(HOPELESS))
async def test_a_hopeless_reason_for_waiting_ends_the_wait(reason: str) -> None:
    """A pod whose container will not start is given up long before the time is over."""
    api = MemoryApi()
    api.kubelet = only_shop(waiting(reason, "what the kubelet says"))
    async with a_run(api) as session:
        assert reasons(session) == [f"{reason}: what the kubelet says"]
        assert now() < 5


async def test_a_pod_that_does_not_run_in_time() -> None:
    """What it waited for is the reason."""
    api = MemoryApi()
    api.kubelet = only_shop(waiting("ContainerCreating"))
    async with a_run(api) as session:
        assert reasons(session) == ["not running in time: ContainerCreating"]


@pytest.mark.parametrize(
    ("control", "clone", "found"),
    [
        pytest.param(15, 30, "placed", id="one after the other"),
        pytest.param(1, 30, "not running in time: ContainerCreating", id="long after the other"),
    ],
)
async def test_the_time_to_start_begins_anew_when_a_pod_runs(control: float, clone: float, found: str) -> None:
    """A slow cluster that gets on is waited for: each pod has its 20 seconds after the one before."""
    api = MemoryApi()

    def kubelet(pod: Raw) -> Raw:
        where = pod["metadata"]["namespace"], pod["metadata"]["name"]
        if where in seen:
            return {}
        seen.add(where)
        path = "/api/v1/namespaces/{}/pods/{}".format(*where)
        loop = asyncio.get_running_loop()
        loop.call_at(began + (clone if where[0] == "shop" else control), api.start, path)
        return waiting("ContainerCreating")

    seen: set[tuple[str, str]] = set()
    began = now()
    api.kubelet = kubelet
    async with a_run(api) as session:
        assert reasons(session, ("i0", "c0")) == [found, "placed"]


@pytest.mark.parametrize("phase", ["Failed", "Succeeded"])
async def test_a_pod_that_ends(phase: str) -> None:
    """A pod that was evicted, or ended by itself, is no probe."""
    api = MemoryApi()
    api.kubelet = only_shop({"phase": phase, "reason": "Evicted", "message": "low on memory"})
    async with a_run(api) as session:
        assert reasons(session) == ["its pod ended: Evicted low on memory"]


async def test_a_pod_with_containers_that_admission_added() -> None:
    """A sidecar's name is in the reason."""
    api = MemoryApi()
    api.admission = lambda pod: pod["spec"]["containers"].append({"name": "istio-proxy"})
    async with a_run(api) as session:
        assert reasons(session) == ["admission added containers (istio-proxy): a proxy would stand between"]


async def test_a_namespace_that_may_not_be_watched() -> None:
    """Pods that cannot be followed are not waited for."""
    api = MemoryApi()
    api.fail("WATCH", PODS, 403, "no watch")
    api.kubelet = only_shop(waiting("ContainerCreating"))
    async with a_run(api) as session:
        assert reasons(session) == ["its namespace cannot be watched: it answered 403: no watch"]
        assert now() < 5


async def test_a_label_that_somebody_changed_later() -> None:
    """A stand-in that wears other labels than when it began stands for nothing any more."""
    api = MemoryApi()
    async with a_run(api) as session:
        path = f"{PODS}/netaudit-aaaaaa-i0-0"
        metadata = api.objects[path]["metadata"]
        api.change(path, metadata={**metadata, "labels": {"app": "else"}})
        await session.wait_until(0)
        await session.wait_until(1)
        assert reasons(session) == ["its labels were changed during the run"]


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(ClusterUnreachable("cut", why="payload not completed", attempt=""), id="broken"),
        pytest.param(refusal(410, "too old resource version"), id="too old"),
        pytest.param(refusal(500, "etcd leader changed"), id="trouble"),
    ],
)
async def test_a_watch_that_is_cut_is_followed_again(error: NetauditError) -> None:
    """What happens while no watch is open is seen after the next list, and what comes later by the next watch."""
    api = MemoryApi()

    def kubelet(pod: Raw) -> Raw:
        api.cut_watches(error)
        api.kubelet = lambda pod: {}
        where = pod["metadata"]["namespace"], pod["metadata"]["name"]
        asyncio.get_running_loop().call_later(5, api.start, "/api/v1/namespaces/{}/pods/{}".format(*where))
        return waiting("ContainerCreating")

    api.kubelet = kubelet
    async with a_run(api) as session:
        assert reasons(session, ("i0", "c0")) == ["placed", "placed"]
        assert 6 < now() < 8
    assert api.watches == 4


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda made: made["spec"].update(hostNetwork=True), "set hostNetwork"),
        (lambda made: made["metadata"]["labels"].update(tier="x"), "tier=x, which a dry run did not show"),
    ],
)
async def test_a_pod_that_is_not_what_was_sent_goes_at_once(change: Callable[[Raw], object], said: str) -> None:
    """Not at the end of the run: until then something might react to it."""
    api = MemoryApi()

    def admit(made: Raw) -> None:
        if made["metadata"]["namespace"] == "shop":
            change(made)

    api.admission = admit
    async with a_run(api) as session:
        assert said in reasons(session)[0]
        await asyncio.sleep(5)
        assert api.paths(PODS) == []


async def test_labels_that_the_dry_run_has_shown_are_no_surprise() -> None:
    api = MemoryApi()
    api.admission = lambda made: made["metadata"]["labels"].update(tier="x")
    run = backend(api)
    await run.rehearse(PLAN)
    async with run.session(PLAN, silent) as session:
        assert reasons(session) == ["placed"]

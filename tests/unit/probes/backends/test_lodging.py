"""Agents in real pods: put in once, ended with the run however it ends, named for what they leave."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from auditor.errors import ApiRefused, Withdrawn
from auditor.model.probe import NotPlaced, Placed, Probe, ProbePlan, Role, StandIn
from probes.admitted import look_of
from probes.backends.kubernetes import KubernetesBackend
from probes.backends.kubernetes.lodging import marks_left
from probes.placement import AgentSpec, Marks
from tests.evidence import V4, WEB
from tests.jumping import clock
from tests.memory_api import MemoryApi, Raw, refusal
from tests.unit.probes.backends.acting import CONTROL, PLAN, PODS, answering, cancelled, silent

POD = f"{PODS}/web-1"
CONTAINER = "netaudit-aaaaaa-r0"
SPEC = AgentSpec("image", "script", 600, stopper="stop")
ENDED = "its agent has ended"


def api_with_a_pod() -> tuple[MemoryApi, ProbePlan]:
    """A cluster with the user's pod, and the plan that marks it."""
    api = MemoryApi()
    status: Raw = {"phase": "Running", "podIP": "10.9.9.9", "podIPs": [{"ip": "10.9.9.9"}]}
    status["conditions"] = [{"type": "Ready", "status": "True"}]
    status["containerStatuses"] = [{"name": "c", "restartCount": 0}]
    metadata = {"namespace": "shop", "name": "web-1", "labels": {"app": "web"}}
    owner = {"kind": "ReplicaSet", "name": "web", "uid": api.put("/x/owner", {"metadata": {}})["metadata"]["uid"]}
    made = {"metadata": metadata | {"ownerReferences": [owner]}, "spec": {"nodeName": "n1", "containers": []}}
    uid = api.put(POD, made | {"status": status})["metadata"]["uid"]
    resident = StandIn("r0", Role.RESIDENT, "shop", "n1", (("app", "web"),), (WEB,), pod="web-1", uid=uid)
    return api, ProbePlan(PLAN.own_namespaces, (resident, CONTROL), ())


def backend(api: MemoryApi) -> KubernetesBackend:
    return KubernetesBackend(api, Marks("aaaaaa", "1", "later"), SPEC, lambda: "nonce", 20.0, clock, lambda: 0.5)


def containers(api: MemoryApi) -> list[str]:
    return [item["name"] for item in api.objects[POD]["spec"].get("ephemeralContainers", ())]


def left(run: KubernetesBackend) -> list[tuple[str, str]]:
    return [(f"{item.namespace}/{item.pod} {item.container}", item.state) for item in run.marks_left]


async def test_an_agent_is_put_in_and_ended() -> None:
    """The pod is what is measured; after the run it is marked, the agent is gone, and nothing else is left."""
    api, plan = api_with_a_pod()
    run = backend(api)
    async with run.session(plan, silent) as session:
        found = session.placed["r0"]
        assert isinstance(found, Placed)
        assert (found.pod.name, found.pod.addresses, found.container) == ("web-1", ("10.9.9.9",), CONTAINER)

    assert containers(api) == [CONTAINER]
    assert left(run) == [(f"shop/web-1 {CONTAINER}", ENDED)]
    assert (run.leftovers, api.paths("netaudit")) == ((), [])


async def test_nothing_is_made_beside_a_workload() -> None:
    """No holder and no pod stands in the user's namespace: the pod is there already."""
    api, plan = api_with_a_pod()
    async with backend(api).session(plan, silent):
        assert api.paths("/namespaces/shop/") == [POD]


async def test_work_goes_into_the_agents_own_container() -> None:
    api, plan = api_with_a_pod()
    api.agent = lambda pod, work: answering(work) if work else ()
    where: list[str] = []
    opened = api.exec

    def exec_into(namespace: str, pod: str, container: str, command: Any) -> Any:
        where.append(f"{pod}/{container}" if pod == "web-1" else "control")
        return opened(namespace, pod, container, command)

    api.exec = exec_into  # type: ignore[method-assign]
    async with backend(api).session(plan, silent) as session:
        await session.run_round(1, [Probe("r0", "c0", V4, 80, (1.0,))])
        assert where == [f"web-1/{CONTAINER}"]


@pytest.mark.parametrize("moment", [0.02, 0.1, 0.3, 0.4, 0.5, 0.6, 1.0, 1.6])
@pytest.mark.parametrize("slow", [0.0, 0.4])
async def test_a_run_that_is_cancelled_ends_its_agent_too(moment: float, slow: float) -> None:
    """Also one whose patch was only on its way: the pod is looked at before it is said to be unmarked."""
    api, plan = api_with_a_pod()
    api.slow_posts = slow
    run = backend(api)

    async def work() -> None:
        async with run.session(plan, silent):
            await asyncio.sleep(100)

    await cancelled(work, moment)
    await asyncio.sleep(60)

    states = [item["state"] for item in api.objects[POD]["status"].get("ephemeralContainerStatuses", ())]
    assert [item.container for item in run.marks_left] == containers(api)
    assert all("terminated" in state for state in states)
    assert len(states) == len(containers(api))
    assert (run.leftovers, api.paths("netaudit")) == ((), [])


async def test_a_pod_that_refuses_is_no_end_of_the_run() -> None:
    api, plan = api_with_a_pod()
    api.fail("PATCH", f"{POD}/ephemeralcontainers", 403, 'violates PodSecurity "restricted"')
    run = backend(api)
    async with run.session(plan, silent) as session:
        found = session.placed["r0"]

    assert isinstance(found, NotPlaced)
    assert "its pod accepts no ephemeral container" in found.reason
    assert "PodSecurity" in found.reason
    assert (left(run), run.leftovers) == ([], ())


async def test_a_container_that_never_starts_is_named_before_and_after() -> None:
    """It may still start: what would end it then is said."""
    api, plan = api_with_a_pod()
    api.lodger = {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}
    run = backend(api)
    async with run.session(plan, silent) as session:
        found = session.placed["r0"]

    assert isinstance(found, NotPlaced)
    assert found.reason == "ImagePullBackOff: no such image"
    ((_, state),) = left(run)
    assert (
        state
        == "it has not started; if it still does, its agent may run until 2030-01-01T00:10:00Z and then ends by itself"
    )
    assert run.leftovers == (f"agent in pod shop/web-1: {state}",)


async def test_an_agent_that_does_not_end_is_left_over() -> None:
    """Its own timer is what is left, and its time is said."""
    api, plan = api_with_a_pod()
    api.mortal = False
    run = backend(api)
    async with run.session(plan, silent):
        pass

    ((_, state),) = left(run)
    assert state.startswith("its agent may run until 2030-01-01T00:10:00Z")
    assert state.endswith("it did not end when it was told to")
    assert len(run.leftovers) == 1


async def test_an_api_server_that_is_gone_leaves_the_mark_named() -> None:
    api, plan = api_with_a_pod()
    run = backend(api)
    async with run.session(plan, silent):
        api.fail("*", ".*/pods/web-1", 0, "connection refused")

    ((what, state),) = left(run)
    assert what == f"shop/web-1 {CONTAINER}"
    assert "its agent may run until" in state
    assert "connection refused" in state


async def test_a_pod_that_is_replaced_leaves_no_mark() -> None:
    """And nothing is said of it any more."""
    api, plan = api_with_a_pod()
    run = backend(api)
    async with run.session(plan, silent) as session:
        api.drop(POD)
        await asyncio.sleep(1)
        found = session.placed["r0"]

    assert isinstance(found, NotPlaced)
    assert found.reason == "the pod was removed or replaced during the run"
    assert (left(run), run.leftovers) == ([], ())


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"containerStatuses": [{"name": "c", "restartCount": 1}]}, "restarted"),
        ({"conditions": []}, "not ready any more"),
        ({"phase": "Failed", "reason": "Evicted"}, "Evicted"),
    ],
)
async def test_a_marked_pod_that_suffers_ends_the_run(change: Mapping[str, Any], why: str) -> None:
    """Whether or not the agent is to blame: it is taken out of the pod."""
    api, plan = api_with_a_pod()
    run = backend(api)

    async def work() -> None:
        async with run.session(plan, silent) as session:
            api.change(POD, status={**api.objects[POD]["status"], **change})
            await session.wait_until(100)

    with pytest.raises(Withdrawn, match=why):
        await work()

    assert left(run) == [(f"shop/web-1 {CONTAINER}", ENDED)]


async def test_a_budget_that_cannot_be_computed_any_more_ends_the_run() -> None:
    """A real pod counts by right, so that nothing else of a budget is a reaction."""
    api, plan = api_with_a_pod()
    budget = "/apis/policy/v1/namespaces/shop/poddisruptionbudgets/web"
    spec = {"selector": {"matchLabels": {"app": "web"}}}
    made = {"metadata": {"namespace": "shop", "name": "web"}, "spec": spec, "status": {"desiredHealthy": 1}}
    api.put(budget, made)

    async def work() -> None:
        async with backend(api).session(plan, silent) as session:
            api.change(budget, status={"desiredHealthy": 2, "expectedPods": 1})
            await session.wait_until(5)
            api.change(budget, status={"conditions": [{"reason": "SyncFailed"}]})
            await session.wait_until(10)

    with pytest.raises(Withdrawn, match="cannot be computed"):
        await work()


# --- dry runs ---


async def test_admission_is_asked_about_each_pod_and_nothing_is_made() -> None:
    api, plan = api_with_a_pod()

    found = await backend(api).rehearse(plan)

    assert {key: item.refusal for key, item in found.items()} == {look_of(plan.stand_ins[0]): ""}
    assert containers(api) == []


async def test_what_admission_would_refuse_is_known_beforehand() -> None:
    api, plan = api_with_a_pod()
    api.fail("PATCH", ".*/ephemeralcontainers", 403, 'violates PodSecurity "restricted:latest"')

    found = await backend(api).rehearse(plan)

    assert "would accept no ephemeral container" in found[look_of(plan.stand_ins[0])].refusal


@pytest.mark.parametrize(("status", "why"), [(400, "webhook x does not support dry run"), (503, "webhook is down")])
async def test_what_a_dry_run_cannot_tell_is_tried(status: int, why: str) -> None:
    api, plan = api_with_a_pod()
    api.fail("PATCH", ".*/ephemeralcontainers", status, why)

    found = await backend(api).rehearse(plan)

    assert found[look_of(plan.stand_ins[0])].refusal == ""
    assert "does not show" in found[look_of(plan.stand_ins[0])].notes[0]


async def test_where_nobody_gave_the_right_the_run_ends_before_it_begins() -> None:
    api, plan = api_with_a_pod()
    api.fail("PATCH", ".*", 403, 'cannot patch resource "pods/ephemeralcontainers"')

    with pytest.raises(ApiRefused):
        await backend(api).rehearse(plan)


async def test_a_container_that_admission_bends_is_not_used() -> None:
    """It runs, because it was stored; nothing is measured with it, and it is ended."""
    api, plan = api_with_a_pod()
    run = backend(api)

    def bend(item: Raw) -> None:
        if item.get("name") == CONTAINER:
            item["command"] = ["sleep", "9"]

    api.admission = bend
    async with run.session(plan, silent) as session:
        found = session.placed["r0"]

    assert isinstance(found, NotPlaced)
    assert found.reason == "admission changed its command"
    assert left(run) == [(f"shop/web-1 {CONTAINER}", ENDED)]


# --- what is left of earlier runs ---


async def test_marks_of_earlier_runs_are_found() -> None:
    api, plan = api_with_a_pod()
    async with backend(api).session(plan, silent):
        pass
    said: list[str] = []

    assert [item.container for item in await marks_left(api, said.append)] == [CONTAINER]
    assert said == []


async def test_who_may_not_list_pods_is_told_so() -> None:
    api, _ = api_with_a_pod()
    api.faults.clear()
    api.fail("GET", "/api/v1/pods", 403, "no")
    said: list[str] = []

    assert await marks_left(api, said.append) == ()
    assert "cannot be seen" in said[0]
    assert refusal(403, "no").why in said[0]

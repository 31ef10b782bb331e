"""However a run ends, nothing of it stays, and nothing of anybody else goes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from auditor.errors import NetauditError, RunInProgress
from auditor.events import Event
from probes.placement import Marks, holder_manifest
from tests.jumping import START
from tests.memory_api import MemoryApi, Raw
from tests.unit.probes.backends.acting import (
    CTL,
    HOLDERS,
    HOME,
    LEASE,
    PLAN,
    PODS,
    PROBES,
    Heard,
    a_namespace,
    a_run,
    answering,
    backend,
    cancelled,
    hold,
    leave_behind,
    now,
    reasons,
    silent,
)


async def test_a_run_leaves_nothing_at_its_end() -> None:
    """Both stand-ins run inside the session, and not one object is there after it."""
    api, heard = MemoryApi(), Heard()
    run = backend(api)
    async with run.session(PLAN, heard) as session:
        assert reasons(session, ("i0", "c0")) == ["placed", "placed"]
        assert len(api.paths()) == 7, "two namespaces, a Lease, two holders, two pods"
    assert (api.paths(), run.leftovers, heard.warnings) == ([], (), [])


async def test_a_run_whose_body_raises_leaves_nothing() -> None:
    """An error of the audit comes through, after everything is removed."""
    api = MemoryApi()
    with pytest.raises(ZeroDivisionError):
        async with a_run(api):
            raise ZeroDivisionError
    assert api.paths() == []


@pytest.mark.parametrize("moment", [0.005, 0.035, 0.1, 0.12, 0.14, 0.16, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("slow", [0.0, 0.4])
async def test_a_run_cancelled_while_it_starts_leaves_nothing(moment: float, slow: float) -> None:
    """Whenever a start is cancelled, also what was only on its way to the API server is removed."""
    api = MemoryApi()
    api.slow_posts = slow

    async def body() -> None:
        async with a_run(api):
            await asyncio.sleep(1000)

    await cancelled(body, moment)
    await asyncio.sleep(30)
    assert api.paths() == []


async def test_a_run_cancelled_in_a_round_leaves_nothing() -> None:
    """A batch that is under way does not keep the pods alive."""
    api = MemoryApi()
    api.agent = lambda pod, work: [1000.0]

    async def body() -> None:
        async with a_run(api) as session:
            await session.run_round(1, PROBES)

    await cancelled(body, 10)
    assert api.paths() == []


async def test_a_second_cancellation_does_not_stop_the_clean_up() -> None:
    """Who presses Ctrl-C again is told that pods are still being removed, and they are."""
    api, heard = MemoryApi(), Heard()

    async def body() -> None:
        async with backend(api).session(PLAN, heard):
            await asyncio.sleep(1000)

    task = asyncio.ensure_future(body())
    for seconds in (10, 1, 1):
        await asyncio.sleep(seconds)
        task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    assert api.paths() == []
    assert any("still removing probe pods" in text for text in heard.warnings)


@pytest.mark.parametrize("fault", [OSError("the terminal is gone"), SystemExit(1), ValueError("closed file")])
async def test_a_listener_that_fails_stops_nothing(fault: BaseException) -> None:
    """Where whatever is told raises, as a library does whose pipe is closed, the run goes on and leaves nothing."""
    api = MemoryApi()

    def tell(_: Event) -> None:
        raise fault

    async with backend(api).session(PLAN, tell) as session:
        assert reasons(session) == ["placed"]
    assert api.paths() == []


async def test_a_second_run_refuses_and_removes_nothing_of_the_first() -> None:
    """A run that meets a Lease that is renewed ends with RunInProgress and leaves all objects as they are."""
    api = MemoryApi()
    api.agent = lambda pod, work: answering(work)
    async with a_run(api, "aaaaaa") as session:
        before = api.paths()
        with pytest.raises(RunInProgress):
            async with a_run(api, "bbbbbb"):
                pytest.fail("two runs at once")
        assert api.paths() == before
        seen = await session.run_round(1, PROBES)
        assert {outcome.value for item in seen for outcome in item.outcomes} == {"reached"}
    assert api.paths() == []


@pytest.mark.parametrize("moment", [0.005, 0.03, 5.0])
async def test_a_run_cancelled_while_it_waits_for_another_takes_nothing(moment: float) -> None:
    """Who only looked whether the other one lives leaves its namespaces, its Lease and its pods alone."""
    api = MemoryApi()
    async with a_run(api, "bbbbbb"):
        before = api.paths()

        async def body() -> None:
            async with a_run(api, "aaaaaa"):
                pytest.fail("two runs at once")

        await cancelled(body, moment)
        assert api.paths() == before


async def test_the_end_of_a_run_leaves_alone_what_bears_other_marks() -> None:
    """Holder and pod of another run, in the same namespace of the user, survive this run's end."""
    api = MemoryApi()
    async with a_run(api):
        theirs = leave_behind(api, "bbbbbb")
    assert api.paths() == sorted(theirs)


@pytest.mark.parametrize("begins", [0.0, 0.1, 1.0, 4.9, 5.0, 5.1, 5.5])
async def test_a_run_that_begins_while_the_first_one_goes_keeps_everything(begins: float) -> None:
    """The next run may start as soon as `netaudit` is gone; the first one's end takes nothing from it."""
    api, first, second = MemoryApi(), asyncio.Event(), asyncio.Event()
    ending = backend(api, "aaaaaa")

    async def one() -> None:
        async with ending.session(PLAN, silent):
            await first.wait()

    async def other() -> None:
        async with a_run(api, "bbbbbb"):
            await second.wait()

    tasks = [asyncio.ensure_future(one())]
    await asyncio.sleep(5)
    first.set()
    await asyncio.sleep(begins)
    tasks.append(asyncio.ensure_future(other()))
    await asyncio.sleep(100)
    assert tasks[0].done()
    assert not tasks[1].done()
    assert ending.leftovers == ()
    assert {HOME, CTL, LEASE, f"{HOLDERS}/netaudit-bbbbbb"} < set(api.paths())
    assert api.objects[LEASE]["spec"]["holderIdentity"] == "bbbbbb"
    assert len(api.paths()) == 7
    second.set()
    await asyncio.gather(*tasks)
    assert api.paths() == []


async def test_a_users_own_namespace_survives_and_its_lease_goes() -> None:
    """A namespace `netaudit` without the marks of a run is used as it is and not removed."""
    api = MemoryApi()
    api.put(HOME, a_namespace())
    async with a_run(api):
        assert LEASE in api.paths()
    assert api.paths() == [HOME]


@pytest.mark.parametrize("odd", ["selector", "marks", "label", "other run"])
async def test_a_users_deployment_named_like_a_holder_survives(odd: str) -> None:
    """A Deployment that lacks one sign of a holder is the user's, whatever its name."""
    api = MemoryApi()
    theirs = holder_manifest("shop", Marks("cccccc", "1", "x"))
    match odd:
        case "selector":
            theirs["spec"] |= {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}}
        case "marks":
            del theirs["metadata"]["annotations"]
        case "label":
            theirs["metadata"]["labels"] = {}
        case _:
            theirs["metadata"]["name"] = "netaudit-else"
    path = f"{HOLDERS}/{theirs['metadata']['name']}"
    stored = api.put(path, theirs)
    pod = {"metadata": {"name": "web", "ownerReferences": [{"uid": stored["metadata"]["uid"], "controller": True}]}}
    api.put(f"{PODS}/web", pod)
    async with a_run(api):
        pass
    assert api.paths() == sorted([f"{PODS}/web", path])


@pytest.mark.parametrize("path", [HOME, CTL])
async def test_a_namespace_that_never_goes_ends_in_an_error_that_says_so(path: str) -> None:
    """A finalizer that holds one of netaudit's namespaces stops the run with the namespace's name and a way to look."""
    api = MemoryApi()
    name = path.rpartition("/")[2]
    api.finalized.add(name)
    api.put(path, {"metadata": {"name": name, "deletionTimestamp": "long ago"}})
    with pytest.raises(NetauditError, match=f"namespace {name} of an earlier run is still being deleted") as caught:
        async with a_run(api):
            pytest.fail("it cannot begin")
    assert "finalizer" in caught.value.why
    assert api.paths() == [path]


async def test_leftovers_name_what_the_api_does_not_let_go() -> None:
    """Objects whose removal is refused are named, each with the reason; all others are gone."""
    api = MemoryApi()
    run = backend(api)
    async with run.session(PLAN, silent):
        api.fail("DELETE", f"{PODS}/.*", 403, "pods may not be deleted")
        api.fail("DELETE", CTL, 403, "namespaces may not be deleted")
    text = "\n".join(run.leftovers)
    assert f"{PODS}/netaudit-aaaaaa-i0-0: it answered 403: pods may not be deleted" in text
    assert f"{HOLDERS}/netaudit-aaaaaa: kept as long as its pods are there" in text
    assert f"{CTL}: it answered 403: namespaces may not be deleted" in text
    assert HOME not in api.paths()


async def test_leftovers_name_a_holder_that_does_not_go() -> None:
    api = MemoryApi()
    run = backend(api)
    async with run.session(PLAN, silent):
        api.fail("DELETE", f"{HOLDERS}/.*", 500, "etcd is full")
    assert run.leftovers == (f"{HOLDERS}/netaudit-aaaaaa: it answered 500: etcd is full",)


async def test_a_holder_stays_as_long_as_its_pod_is_only_about_to_go() -> None:
    """A pod on a dead node stays Terminating: without its owner a budget that selects it would freeze all others."""
    api = MemoryApi()
    run, pod, holder = backend(api), f"{PODS}/netaudit-aaaaaa-i0-0", f"{HOLDERS}/netaudit-aaaaaa"
    async with run.session(PLAN, silent):
        api.finalized.add(pod)
    assert api.paths() == [pod, holder]
    assert [text.partition(": ")[0] for text in run.leftovers] == [pod, holder]
    assert "kept as long as its pods are there" in run.leftovers[1]
    assert now() < 100, "it is waited for in full only once"
    api.drop(pod)
    async with backend(api, "bbbbbb").session(PLAN, silent):
        pass
    assert api.paths() == []


async def test_a_holder_that_was_scaled_is_removed_with_its_pods() -> None:
    """Whoever scales all Deployments of a namespace does not hide what a run made, from this run or the next."""
    api = MemoryApi()
    theirs = leave_behind(api, "dddddd")
    api.objects[theirs[1]]["spec"]["replicas"] = 1
    async with a_run(api):
        api.objects[f"{HOLDERS}/netaudit-aaaaaa"]["spec"]["replicas"] = 1
        assert not {*theirs} & {*api.paths()}
    assert api.paths() == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda item: item["spec"].update(replicas=1), "admission changed its replicas"),
        (lambda item: item["spec"].pop("paused"), "admission changed its paused"),
        (lambda item: item["metadata"].pop("labels"), "admission changed its labels"),
        (lambda item: item["metadata"]["annotations"].pop("netaudit/run"), "admission changed its annotations"),
    ],
)
async def test_a_holder_that_admission_changed_is_not_used_and_goes_at_once(
    change: Callable[[Raw], object], said: str
) -> None:
    """It might make pods of its own, or not be found again."""
    api = MemoryApi()

    def admit(item: Raw) -> None:
        if item["metadata"]["namespace"] == "shop":
            change(item)

    api.holder_admission = admit
    async with a_run(api) as session:
        assert reasons(session) == [f"no holder can be made in shop: {said}"]
        assert [path for path in api.paths() if "/shop/" in path] == []
    assert api.paths() == []


async def test_a_holder_with_labels_of_the_clusters_own_is_used() -> None:
    api = MemoryApi()
    api.holder_admission = lambda item: item["metadata"]["labels"].update(team="a")
    async with a_run(api) as session:
        assert reasons(session) == ["placed"]


async def test_leftovers_name_what_may_be_there_when_the_api_is_silent() -> None:
    """With no API server to ask, the user still learns the names of what the run made and why it stays."""
    api = MemoryApi()
    run = backend(api)
    async with run.session(PLAN, silent):
        api.fail("*", ".*", 0, "no route to host")
    text = "\n".join(run.leftovers)
    for name in ("no route to host", "shop", "netaudit-aaaaaa", "netaudit-ctl-1"):
        assert name in text, name


async def test_leftovers_are_only_what_is_there_at_last() -> None:
    """What a first sweep could not remove and a later one could is no leftover."""
    api = MemoryApi()
    run = backend(api)
    async with run.session(PLAN, silent):
        api.fail("DELETE", f"{PODS}/.*", 500, "try again", times=1)
    assert (run.leftovers, api.paths()) == ((), [])


async def test_what_an_earlier_run_left_is_removed_before_a_run_and_said() -> None:
    """Leftovers of a run whose Lease is gone are removed at once; what does not go is said, and is left to the next."""
    api, heard = MemoryApi(), Heard()
    stays = leave_behind(api, "dddddd")
    api.fail("DELETE", f"{PODS}/netaudit-dddddd.*", 403, "not this one", times=1)
    async with backend(api).session(PLAN, heard):
        pass
    assert any("left by an earlier run and not removed" in text for text in heard.warnings)
    assert api.paths() == stays
    async with a_run(api):
        pass
    assert api.paths() == []


async def test_a_dead_runs_namespaces_are_made_new() -> None:
    """Where an earlier run's namespaces are on their way out, this run waits for that and makes its own."""
    api = MemoryApi()
    hold(api, START.isoformat())
    await api.delete(HOME)
    async with a_run(api):
        assert api.objects[HOME]["metadata"]["annotations"]["netaudit/run"] == "aaaaaa"
    assert api.paths() == []

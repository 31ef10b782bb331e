"""Requests that fail for a while: tried again where that can do nothing twice, spread out, and not for ever."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from kubernetes.aio.client import Configuration
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from auditor.cluster import answers
from auditor.cluster.answers import ANSWER, HURRIED, answer_limit
from auditor.cluster.api import KubeApi
from auditor.cluster.retry import FAULTY_EXECS, LONGEST, LONGEST_ASKED, RETRIES, may_pass, pause
from auditor.errors import ApiRefused, ClusterUnreachable, NetauditError
from tests.jumping import JumpingLoop

PODS = "/api/v1/namespaces/shop/pods"
POD = {"metadata": {"name": "p", "annotations": {"netaudit/run": "a"}, "ownerReferences": [{"uid": "u1"}]}}
Step = int | tuple[int, Mapping[str, str]] | Exception | dict[str, Any]


class Answer:
    """A response that was read."""

    def __init__(self, status: int, headers: Mapping[str, str], body: Mapping[str, Any]) -> None:
        self.status = status
        self.headers = headers
        self._body = json.dumps(body).encode()

    async def read(self) -> bytes:
        return self._body


class Scripted(KubeApi):
    """Answers requests from a list; the last answer stands for all that follow."""

    def __init__(self, *steps: Step, chance: float = 1.0, takes: float = 0.0) -> None:
        self.takes = takes
        self.steps = list(steps)
        self.asked: list[str] = []
        self.moments: list[float] = []
        self.host = "here"
        self._chance = lambda: chance

    async def _once(self, method: str, path: str, query: Any, body: Any, stream: float) -> Any:
        self.asked.append(f"{method} {path}")
        await asyncio.sleep(self.takes)
        step = self._next()
        if isinstance(step, dict):
            return Answer(200, {}, step)
        status, headers = step if isinstance(step, tuple) else (step, {})
        return Answer(status, headers, {"message": "because"})

    async def _upgraded(self, path: str, query: Any) -> Any:
        self.asked.append(f"EXEC {path}")
        step = self._next()
        assert isinstance(step, int)
        request = aiohttp.RequestInfo(URL("http://here"), "GET", CIMultiDictProxy(CIMultiDict()))
        raise aiohttp.WSServerHandshakeError(request, (), status=step, message="because")

    def _next(self) -> int | tuple[int, Mapping[str, str]] | dict[str, Any]:
        self.moments.append(asyncio.get_running_loop().time())
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, Exception):
            raise step
        return step


def jumping(work: Callable[[], Any]) -> Any:
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(work())


@pytest.mark.parametrize(
    "fault", [429, 500, 502, 503, 504, ConnectionResetError(), TimeoutError(), aiohttp.ServerDisconnectedError()]
)
@pytest.mark.parametrize("times", [1, RETRIES])
def test_what_passes_is_tried_again(fault: int | Exception, times: int) -> None:
    api = Scripted(*[fault] * times, {"kind": "Pod"})

    assert jumping(lambda: api.get(PODS)) == {"kind": "Pod"}
    assert len(api.asked) == times + 1


@pytest.mark.parametrize("status", [400, 403, 404, 409, 410, 422])
def test_what_does_not_pass_is_told_at_once(status: int) -> None:
    api = Scripted(status)

    with pytest.raises(ApiRefused):
        jumping(lambda: api.get(PODS))
    assert len(api.asked) == 1


@pytest.mark.parametrize(("fault", "error"), [(503, ApiRefused), (ConnectionResetError(), ClusterUnreachable)])
def test_tries_come_to_an_end(fault: int | Exception, error: type[Exception]) -> None:
    api = Scripted(fault)

    with pytest.raises(error):
        jumping(lambda: api.get(PODS))
    assert len(api.asked) == RETRIES + 1


def test_a_server_that_is_slow_each_time_is_given_up_after_two_minutes() -> None:
    """However many tries are left."""
    api = Scripted(503, takes=60)

    with pytest.raises(ApiRefused):
        jumping(lambda: api.get(PODS))
    assert len(api.asked) == 2


@pytest.mark.parametrize(
    ("step", "asked"), [(TimeoutError(), 1), (aiohttp.ServerDisconnectedError(), 1), (503, RETRIES + 1)]
)
def test_whoever_is_late_asks_a_silent_server_once(step: int | Exception, asked: int) -> None:
    """One that answers is worth another try as ever."""
    api = Scripted(step)

    async def work() -> None:
        api.hurry_after(0)
        await api.get(PODS)

    with pytest.raises(NetauditError):
        jumping(work)
    assert len(api.asked) == asked


@pytest.mark.parametrize(("late", "seconds"), [(float("inf"), ANSWER), (30, 30), (3, HURRIED), (-500, HURRIED)])
def test_an_answer_may_take_a_minute_until_time_is_short(late: float, seconds: float) -> None:
    async def work() -> float:
        return answer_limit(asyncio.get_running_loop().time() + late)

    assert jumping(work) == seconds


def test_retry_after_is_waited_for() -> None:
    """And chance comes on top of it, so that all who were sent away do not come back together."""
    api = Scripted((429, {"Retry-After": "7"}), {}, chance=0.5)
    jumping(lambda: api.get(PODS))

    assert api.moments[1] - api.moments[0] == pytest.approx(7.25)


@pytest.mark.parametrize(
    ("attempt", "retry_after", "least", "most"),
    [
        (0, None, 0, 0.5),
        (3, None, 0, 4),
        (60, None, 0, LONGEST),
        (0, "5", 5, 5.5),
        (0, "999", LONGEST_ASKED, LONGEST_ASKED + 0.5),
        (0, "soon", 0, 0.5),
        (0, "²", 0, 0.5),
        (0, "-1", 0, 0.5),
    ],
)
def test_pauses_have_full_jitter(attempt: int, retry_after: str | None, least: float, most: float) -> None:
    assert pause(attempt, retry_after, 0.0) == least
    assert pause(attempt, retry_after, 1.0) == most


def test_an_internal_error_of_an_exec_is_tried_less_often() -> None:
    """It mostly says that the container is gone."""
    assert [may_pass(500, attempt, executes=True) for attempt in range(4)] == [True, True, False, False]
    assert may_pass(429, RETRIES - 1, executes=True)
    assert not may_pass(429, RETRIES, executes=True)


@pytest.mark.parametrize(
    ("stored", "is_ours"),
    [
        (POD, True),
        ({"metadata": {**POD["metadata"], "ownerReferences": [{"uid": "u2"}]}}, False),
        ({"metadata": {**POD["metadata"], "ownerReferences": None}}, False),
        ({"metadata": {**POD["metadata"], "annotations": {"netaudit/run": "b"}}}, False),
        ({"metadata": {"name": "p"}}, False),
    ],
)
def test_a_creation_that_may_have_come_through(stored: dict[str, Any], is_ours: bool) -> None:
    """What stands there afterwards is ours only with our marks and under our holder."""
    api = Scripted(ConnectionResetError(), 409, stored)

    if is_ours:
        assert jumping(lambda: api.create(PODS, POD)) == stored
    else:
        with pytest.raises(ApiRefused):
            jumping(lambda: api.create(PODS, POD))
    assert api.asked == [f"POST {PODS}", f"POST {PODS}", f"GET {PODS}/p"]


def test_a_name_that_was_taken_before_is_nobodys_answer() -> None:
    """Without a try that may have come through, 409 is a refusal, whatever stands there."""
    api = Scripted(409, POD)

    with pytest.raises(ApiRefused):
        jumping(lambda: api.create(PODS, POD))
    assert len(api.asked) == 1


@pytest.mark.parametrize(("status", "tries"), [(429, RETRIES), (502, RETRIES), (500, FAULTY_EXECS), (403, 0), (404, 0)])
def test_an_exec_that_does_not_open(status: int, tries: int) -> None:
    api = Scripted(status)

    async def work() -> None:
        async with api.exec("shop", "p", "c", ["true"]):
            pytest.fail("it opened")

    with pytest.raises(ApiRefused) as caught:
        jumping(work)
    assert len(api.asked) == tries + 1
    said = {404: "its pod is not there any more", 500: "its container has ended"}
    assert said.get(status, "because") in caught.value.why


Handler = Callable[[web.Request], Any]


@asynccontextmanager
async def served(*handlers: Handler) -> AsyncIterator[tuple[KubeApi, list[float]]]:
    """Serve on loopback; each connection is for the next handler."""
    moments: list[float] = []

    async def handle(request: web.Request) -> Any:
        moments.append(asyncio.get_running_loop().time())
        return await handlers[min(len(moments), len(handlers)) - 1](request)

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    api = KubeApi(Configuration(host=f"http://{host}:{port}"), rate=100, version="t", context="t", chance=lambda: 0.0)
    try:
        yield api, moments
    finally:
        await api.close()
        await runner.cleanup()


async def throttled(request: web.Request) -> web.Response:
    return web.Response(status=429, headers={"Retry-After": "1"})


async def reset(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def stream(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(protocols=("v4.channel.k8s.io",))
    await socket.prepare(request)
    await socket.send_bytes(b"\x01hello")
    await socket.send_bytes(b'\x03{"status":"Success"}')
    await socket.close()
    return socket


@pytest.mark.parametrize(("handlers", "least"), [((throttled, stream), 1.0), ((reset, stream), 0.0), ((stream,), 0.0)])
async def test_an_exec_opens_once_its_server_lets_it(handlers: Sequence[Handler], least: float) -> None:
    """After 429 not before the time that the server asked for; after a reset at once."""
    async with served(*handlers) as (api, moments), api.exec("shop", "p", "c", ["true"]) as channel:
        said = [data async for data in channel.read()]

    assert said == [b"hello"]
    assert channel.exit_code == 0
    assert moments[-1] - moments[0] >= least
    assert len(moments) == len(handlers)


async def test_a_silent_server_does_not_keep_a_command_whose_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "HURRIED", 0.05)
    done = asyncio.Event()

    async def silent(request: web.Request) -> web.Response:
        await done.wait()
        return web.Response()

    async with served(silent) as (api, _):
        api.hurry_after(0)
        with pytest.raises(ClusterUnreachable):
            await api.get(PODS)
        done.set()


async def test_an_annotation_is_merged_whatever_else_is_there() -> None:
    """By a merge patch: neither the whole object nor a list of operations."""
    asked: list[tuple[str, str, Any]] = []

    async def patched(request: web.Request) -> web.Response:
        asked.append((request.method, request.content_type, await request.json()))
        return web.json_response({})

    async with served(patched) as (api, _):
        await api.annotate(f"{PODS}/p", {"netaudit/work": "work\n"})

    body = {"metadata": {"annotations": {"netaudit/work": "work\n"}}}
    assert asked == [("PATCH", "application/merge-patch+json", body)]


@pytest.mark.parametrize("is_cut", [False, True])
async def test_a_log_is_followed_until_it_ends_or_is_cut_off(is_cut: bool) -> None:
    """After 429 again, as any request; what came before a cut was read, and the cut is told."""

    async def log(request: web.Request) -> web.StreamResponse:
        assert dict(request.query) == {"container": "c", "follow": "true"}
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"one\n")
        if is_cut:
            assert request.transport is not None
            request.transport.abort()
        return response

    heard: list[bytes] = []
    async with served(throttled, log) as (api, _), aclosing(api.log("shop", "p", "c", 60)) as said:
        outcome = await asyncio.gather(_all(said, heard), return_exceptions=True)

    assert b"".join(heard) == b"one\n"
    assert isinstance(outcome[0], ConnectionError) == is_cut


async def _all(said: AsyncIterator[bytes], heard: list[bytes]) -> None:
    async for data in said:
        heard.append(data)  # noqa: PERF401 -- what came before a fault is kept

"""A Kubernetes API that exists only in memory.

It knows as much of a cluster as the acting half can notice: conflicts, namespaces that take their time to go, pods that
a kubelet starts later, garbage collection, watches that break, and requests that take effect although nobody waits for
their answer any more.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, TypeVar

from auditor.cluster.api import KubeApi
from auditor.cluster.exec import ExecChannel
from auditor.cluster.resources import CORE
from auditor.errors import ApiRefused, ClusterUnreachable, NetauditError, PermissionMissing
from tests.jumping import clock

Raw = dict[str, Any]
T = TypeVar("T")
Step = bytes | float | Exception
"""What an agent does next: it says something, takes so many seconds, or its connection breaks."""
Agent = Callable[[str, bytes], Iterable[Step]]
"""Of a pod's name and the work that was written to it."""
LATENCY = 0.01
LINGER = 5.0
"""Seconds before the namespace controller begins with a namespace that is to go."""
GRACE = 1.0
"""Seconds that a pod takes to start, and to end."""
LISTS = frozenset({*CORE, "leases", "serviceaccounts"})
_NAMESPACE = re.compile(r"/api/v1/namespaces/([^/]+)")
_INSIDE = re.compile(r"/apis?/.+?/namespaces/([^/]+)/.+")


@dataclass
class Fault:
    """What goes wrong with requests; a status of 0 stands for a server that does not answer."""

    verb: str
    path: re.Pattern[str]
    status: int
    why: str
    times: int = 1_000_000

    def error(self) -> NetauditError:
        if self.status == 0:
            return ClusterUnreachable("the API server does not answer", why=self.why, attempt="later")
        return refusal(self.status, self.why)


def refusal(status: int, why: str) -> ApiRefused:
    kind = PermissionMissing if status in {401, 403} else ApiRefused
    return kind("refused", why=f"it answered {status}: {why}", attempt="", status=status)


class MemoryChannel(ExecChannel):
    """An exec whose other end follows a script once it has its work."""

    def __init__(self, agent: Agent, pod: str) -> None:
        self._agent = agent
        self._pod = pod
        self._work = b""
        self.exit_code = None

    async def write(self, data: bytes) -> None:
        self._work += data

    async def read(self) -> AsyncIterator[bytes]:
        for step in self._agent(self._pod, self._work):
            if isinstance(step, Exception):
                raise step
            if isinstance(step, bytes):
                yield step
            else:
                await asyncio.sleep(step)
        self.exit_code = 1


class MemoryApi(KubeApi):
    """Objects by path; a test reads and writes `objects` as it likes."""

    def __init__(self) -> None:
        self.objects: dict[str, Raw] = {}
        self.faults: list[Fault] = []
        self.finalized: set[str] = set()
        """Namespaces that never go, because a finalizer holds them, and paths of pods whose kubelet is dead."""
        self.admission: Callable[[Raw], None] = lambda pod: None
        """Changes a pod before it is stored."""
        self.holder_admission: Callable[[Raw], None] = lambda deployment: None
        self.kubelet: Callable[[Raw], Raw] = lambda pod: {}
        """Gives the status that a pod has once it was looked at; nothing where it just runs."""
        self.agent: Agent = lambda pod, work: ()
        self.logs: dict[str, bytes] = {}
        """What each pod has said since it began, where nobody execs into it."""
        self._unsaid: dict[str, list[Step]] = {}
        self.slow_posts = 0.0
        self.lodger: Raw = {"running": {}}
        """What becomes of an ephemeral container once the kubelet has looked at it."""
        self.mortal = True
        """Whether an agent in a real pod ends when it is told to."""
        self.told: list[Raw] = []
        """Events, in the order in which they were written."""
        self.watches = 0
        self.version = 0
        self._events: list[tuple[int, str, Raw]] = []
        self._news = asyncio.Event()
        self._cut: tuple[int, NetauditError] | None = None

    def paths(self, part: str = "") -> list[str]:
        return sorted(path for path in self.objects if part in path)

    def fail(self, verb: str, path: str, status: int, why: str = "because", times: int = 1_000_000) -> None:
        """Let requests fail whose path matches a regular expression in full."""
        self.faults.append(Fault(verb, re.compile(path), status, why, times))

    def put(self, path: str, body: Mapping[str, Any]) -> Raw:
        """Store an object as if somebody had created it."""
        self.version += 1
        item = deepcopy(dict(body))
        item["metadata"] |= {"uid": f"uid-{self.version}", "resourceVersion": str(self.version)}
        self.objects[path] = item
        self._tell(path, "ADDED")
        return item

    def change(self, path: str, **parts: Any) -> None:
        """Replace top-level parts of an object, if it is still there."""
        if path in self.objects:
            self.version += 1
            self.objects[path] |= deepcopy(parts)
            self.objects[path]["metadata"]["resourceVersion"] = str(self.version)
            self._tell(path, "MODIFIED")

    def drop(self, path: str) -> None:
        if path in self.objects:
            self._tell(path, "DELETED")
            del self.objects[path]

    def cut_watches(self, error: NetauditError) -> None:
        """End every watch that is open with an error."""
        self._cut = (self.watches, error)
        self._wake()

    def _tell(self, path: str, kind: str) -> None:
        self._events.append((self.version, path, {"type": kind, "object": deepcopy(self.objects[path])}))
        self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def _answer(self, verb: str, path: str, act: Callable[[], T], delay: float = LATENCY) -> T:
        """Act after a moment, also when nobody waits for it any more."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def land() -> None:
            try:
                self._fail_if_told(verb, path)
                result = act()
            except NetauditError as error:
                if not answer.done():
                    answer.set_exception(error)
            else:
                if not answer.done():
                    answer.set_result(result)

        loop.call_later(delay, land)
        return await answer

    def _fail_if_told(self, verb: str, path: str) -> None:
        for fault in self.faults:
            if fault.verb in {verb, "*"} and fault.path.fullmatch(path) and fault.times > 0:
                fault.times -= 1
                raise fault.error()

    def _stored(self, path: str) -> Raw:
        if path not in self.objects:
            raise refusal(404, f"{path} not found")
        return self.objects[path]

    def _listed(self, path: str, selector: str) -> Raw:
        wanted = [tuple(part.split("=")) for part in selector.split(",") if part]
        head, _, plural = path.rpartition("/")
        kinds = re.compile(rf"{re.escape(head)}(/namespaces/[^/]+)?/{plural}/[^/]+")
        items = [
            deepcopy(item)
            for key, item in self.objects.items()
            if kinds.fullmatch(key) and all((item["metadata"].get("labels") or {}).get(k) == v for k, v in wanted)
        ]
        return {"items": items, "metadata": {"resourceVersion": str(self.version)}}

    async def get(self, path: str, **query: str | int) -> Raw:
        is_list = path.rpartition("/")[2] in LISTS
        selector = str(query.get("labelSelector", ""))
        act = (lambda: self._listed(path, selector)) if is_list else (lambda: deepcopy(self._stored(path)))
        return await self._answer("GET", path, act)

    async def list_at(self, path: str) -> tuple[list[Raw], str]:
        answer = await self._answer("GET", path, lambda: self._listed(path, ""))
        return answer["items"], answer["metadata"]["resourceVersion"]

    async def list_all(self, path: str, resource: str = "") -> list[Raw]:
        items: list[Raw] = (await self.get(path))["items"]
        return items

    async def create(self, path: str, body: Mapping[str, Any], *, dry_run: bool = False) -> Raw:
        full = f"{path}/{body['metadata']['name']}"

        def act() -> Raw:
            if path.endswith("/events"):  # they expire by themselves
                self.told.append(deepcopy(dict(body)))
                return deepcopy(dict(body))
            self._check_home(full)
            if full in self.objects:
                raise refusal(409, f"{full} already exists")
            made = deepcopy(dict(body))
            if path.endswith("/pods"):
                self.admission(made)
            if path.endswith("/deployments"):
                self.holder_admission(made)
            if dry_run:
                return made
            stored = self.put(full, made)
            if path.endswith("/pods"):
                asyncio.get_running_loop().call_later(GRACE, self.start, full)
                asyncio.get_running_loop().call_later(2 * GRACE, self._collect)
            return deepcopy(stored)

        return await self._answer("POST", full, act, LATENCY + self.slow_posts)

    def _check_home(self, path: str) -> None:
        home = _INSIDE.fullmatch(path)
        if home is None or home[1] == "shop":  # the user's namespace is always there
            return
        namespace = self._stored(f"/api/v1/namespaces/{home[1]}")
        if "deletionTimestamp" in namespace["metadata"]:
            raise refusal(403, f"namespace {home[1]} is being terminated")

    def start(self, path: str) -> None:
        """Let the kubelet look at a pod."""
        if path in self.objects:
            address = f"10.0.{self.version // 250}.{self.version % 250 + 1}"
            running: Raw = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}
            running["containerStatuses"] = [{"name": "probe", "state": {"running": {}}}]
            self.change(path, status=self.kubelet(self.objects[path]) or running)

    def _collect(self) -> None:
        """Remove pods whose owners are gone."""
        uids = {item["metadata"]["uid"] for item in self.objects.values()}
        for path, item in list(self.objects.items()):
            owners = [owner for owner in item["metadata"].get("ownerReferences") or () if "uid" in owner]
            if owners and not any(owner["uid"] in uids for owner in owners):
                self.drop(path)

    async def replace(self, path: str, body: Mapping[str, Any]) -> Raw:
        def act() -> Raw:
            asked, stored = body["metadata"].get("resourceVersion"), self._stored(path)["metadata"]["resourceVersion"]
            if asked is not None and asked != stored:
                raise refusal(409, "the object has been modified")
            self.change(path, **{key: value for key, value in body.items() if key != "metadata"})
            return deepcopy(self.objects[path])

        return await self._answer("PUT", path, act)

    async def delete(self, path: str, **options: Any) -> bool:
        def act() -> bool:
            if path not in self.objects:
                return False
            asked = (options.get("preconditions") or {}).get("uid")
            if asked not in {None, self.objects[path]["metadata"]["uid"]}:
                raise refusal(409, "the object has been modified")
            self._begin_to_end(path)
            return True

        return await self._answer("DELETE", path, act)

    def _begin_to_end(self, path: str) -> None:
        loop, home = asyncio.get_running_loop(), _NAMESPACE.fullmatch(path)
        if "/pods/" not in path and home is None:
            self.drop(path)
            loop.call_later(GRACE, self._collect)
        elif "deletionTimestamp" not in self.objects[path]["metadata"]:
            self.change(path, metadata={**self.objects[path]["metadata"], "deletionTimestamp": clock().isoformat()})
            loop.call_later(GRACE if home is None else LINGER, self._end, path)

    def _end(self, path: str) -> None:
        home = _NAMESPACE.fullmatch(path)
        inside = (
            [key for key in self.objects if key.startswith("/api") and f"/namespaces/{home[1]}/" in key] if home else []
        )
        for key in inside:
            self.drop(key)
        if (path if home is None else home[1]) not in self.finalized:
            self.drop(path)

    async def watch(
        self, path: str, version: str, seconds: int = 300, on_open: Callable[[], None] = lambda: None
    ) -> AsyncIterator[Raw]:
        await self._answer("WATCH", path, lambda: None)
        on_open()
        self.watches += 1
        mine, seen = self.watches, 0
        while True:
            if self._cut is not None and mine <= self._cut[0]:
                raise self._cut[1]
            for number, where, event in self._events[seen:]:
                if number > int(version) and where.startswith(f"{path}/"):
                    yield deepcopy(event)
            seen = len(self._events)
            await self._news.wait()

    @asynccontextmanager
    async def exec(
        self, namespace: str, pod: str, container: str, command: Sequence[str]
    ) -> AsyncIterator[ExecChannel]:
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}"
        await self._answer("EXEC", path, lambda: None)
        if "stop" in command and self.mortal:
            asyncio.get_running_loop().call_later(GRACE, self.report, path, container, {"terminated": {"exitCode": 0}})
        yield MemoryChannel(self.agent, pod)

    async def annotate(self, path: str, annotations: Mapping[str, str]) -> None:
        pod = path.rpartition("/")[2]

        def act() -> None:
            metadata = self._stored(path)["metadata"]
            self.change(path, metadata={**metadata, "annotations": {**metadata["annotations"], **annotations}})
            self._unsaid[pod] = [b"\n", *self.agent(pod, annotations["netaudit/work"].encode())]

        await self._answer("PATCH", path, act)

    async def add_ephemeral(self, path: str, patch: Mapping[str, Any], *, dry_run: bool = False) -> Raw:
        def act() -> Raw:
            pod = deepcopy(self._stored(path))
            if patch["metadata"]["uid"] != pod["metadata"]["uid"]:
                raise refusal(409, "the UID in the precondition is another one")
            (container,) = deepcopy(patch["spec"]["ephemeralContainers"])
            self.admission(container)
            pod["spec"]["ephemeralContainers"] = [*pod["spec"].get("ephemeralContainers", ()), container]
            if not dry_run:
                self.change(path, spec=pod["spec"])
                asyncio.get_running_loop().call_later(GRACE, self.report, path, container["name"], self.lodger)
            return pod

        return await self._answer("PATCH", f"{path}/ephemeralcontainers", act, LATENCY + self.slow_posts)

    def report(self, path: str, container: str, state: Raw) -> None:
        """Let the kubelet report the state of an ephemeral container."""
        if path in self.objects:
            status = self.objects[path]["status"]
            others = [item for item in status.get("ephemeralContainerStatuses", ()) if item["name"] != container]
            told = [*others, {"name": container, "state": state}]
            self.change(path, status={**status, "ephemeralContainerStatuses": told})

    async def log(self, namespace: str, pod: str, container: str, seconds: float) -> AsyncGenerator[bytes, None]:
        """All that was said, then what the agent's script goes on to say; it ends where that does."""
        await self._answer("LOG", f"/api/v1/namespaces/{namespace}/pods/{pod}", lambda: None)
        yield self.logs.get(pod, b"")
        for step in self._unsaid.pop(pod, []):
            if isinstance(step, Exception):
                raise step
            if isinstance(step, bytes):
                self.logs[pod] = self.logs.get(pod, b"") + step
                yield step
            else:
                await asyncio.sleep(step)

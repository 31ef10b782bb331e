"""A run in a cluster in memory: one stand-in beside the user's workload, one in netaudit's own namespace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from auditor.events import Event, Warned
from auditor.model.probe import Probe, ProbePlan, Role, StandIn
from auditor.plan import CONTROL_NAMESPACE, OWN_LABELS
from auditor.ports import ProbeSession
from probes.backends.kubernetes import KubernetesBackend
from probes.placement import AgentSpec, Marks, holder_manifest, namespace_manifest, pod_manifest
from tests.evidence import V4, WEB
from tests.jumping import clock
from tests.memory_api import MemoryApi, Raw
from tests.speaking import line

CLONE = StandIn("i0", Role.CLONE, "shop", "n1", (("app", "web"),), (WEB,))
CONTROL = StandIn("c0", Role.CONTROL, CONTROL_NAMESPACE, "n1", (), (WEB,))
PLAN = ProbePlan(("netaudit", CONTROL_NAMESPACE), (CLONE, CONTROL), ())
PROBES = tuple(Probe("i0", "c0", V4, 8000 + number, (1.0, 1.0)) for number in range(2))
SPEC = AgentSpec("image", "script", 600)
HOME, CTL = "/api/v1/namespaces/netaudit", f"/api/v1/namespaces/{CONTROL_NAMESPACE}"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/netaudit/leases"
LEASE = f"{LEASES}/netaudit"
PODS, HOLDERS = "/api/v1/namespaces/shop/pods", "/apis/apps/v1/namespaces/shop/deployments"


def backend(api: MemoryApi, run: str = "aaaaaa") -> KubernetesBackend:
    return KubernetesBackend(api, Marks(run, "1", "later"), SPEC, lambda: "nonce", 20.0, clock, lambda: 0.5)


class Heard:
    """What a run told its user."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    @property
    def warnings(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Warned)]


def silent(_: Event) -> None:
    """Hear nothing."""


@asynccontextmanager
async def a_run(api: MemoryApi, run: str = "aaaaaa") -> AsyncIterator[ProbeSession]:
    async with backend(api, run).session(PLAN, silent) as session:
        yield session


def now() -> float:
    return asyncio.get_running_loop().time()


def hold(api: MemoryApi, renewed: str, holder: str = "dddddd") -> None:
    """Store netaudit's namespace and a Lease in it, as another run would leave them."""
    api.put(HOME, namespace_manifest("netaudit", OWN_LABELS, Marks(holder, "1", "x")))
    spec = {"holderIdentity": holder, "leaseDurationSeconds": 30, "renewTime": renewed}
    api.put(LEASE, {"kind": "Lease", "metadata": {"name": "netaudit", "namespace": "netaudit"}, "spec": spec})


def a_namespace() -> Raw:
    return {"kind": "Namespace", "metadata": {"name": "netaudit"}}


def leave_behind(api: MemoryApi, run: str) -> list[str]:
    """Store what a run has in the user's namespace: a holder and its pod."""
    marks = Marks(run, "1", "x")
    holder = f"{HOLDERS}/{marks.holder}"
    uid = api.put(holder, holder_manifest("shop", marks))["metadata"]["uid"]
    pod = f"{PODS}/{marks.pod(CLONE)}"
    api.put(pod, pod_manifest(CLONE, marks, SPEC, "n", uid))
    return [pod, holder]


def speech(work: bytes) -> tuple[bytes, list[bytes], bytes]:
    """What an agent that reaches everything says: header, records, footer."""
    first, *lines, _, _ = work.decode().split("\n")
    _, batch, _, count, _ = first.split(" ")
    words = {"agent": "a", "run": "r", "batch": batch, "nonce": "nonce", "client": "c", "server": "s"}
    records = []
    for asked in lines:
        number, _, port, _ = asked.split(" ")
        records.append({"i": int(number), "rc": 0, "to": 0, "ms": 1, "d": f"netaudit nonce {port}"})
    said = [{"netaudit": 1, **words, "n": int(count)}, *records, {"end": int(count), "batch": batch}]
    header, *middle, footer = map(line, said)
    return header, middle, footer


def answering(work: bytes) -> Iterable[bytes]:
    header, records, footer = speech(work)
    return [header, *records, footer]


async def cancelled(work: Callable[[], Any], after: float) -> None:
    """Cancel a task after so many seconds and wait for its end."""
    task = asyncio.ensure_future(work())
    await asyncio.sleep(after)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()


def reasons(session: ProbeSession, keys: Sequence[str] = ("i0",)) -> list[str]:
    return [getattr(session.placed[key], "reason", "placed") for key in keys]

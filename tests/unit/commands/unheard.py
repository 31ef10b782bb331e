"""`netaudit run` against a cluster in memory, whose terminal or pipe goes while its pods stand.

Run as `python unheard.py HOW FILE`; prints the exit code and what is left in the cluster into FILE.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any

from auditor import cli
from auditor.commands import live
from probes.backends.kubernetes import lease
from tests.builders import deny_all, namespace, node, pod
from tests.jumping import JumpingLoop
from tests.memory_api import MemoryApi

COUNT = {"pods standing": 0}
STAYS = {
    "/api/v1/namespaces/kube-system": namespace("kube-system"),
    "/api/v1/namespaces/shop": namespace("shop"),
    "/api/v1/nodes/n1": node("n1"),
    "/api/v1/namespaces/shop/pods/web": pod("shop/web", app="web"),
    "/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies/deny": deny_all("shop/deny", "Ingress"),
}


def main(how: str, path: str) -> None:
    """Run until the agents are asked for the first time, let go of whoever listens, and go on."""
    hang_up = _deafen(how)
    api = MemoryApi()
    for where, item in STAYS.items():
        api.put(where, item)
    api.objects |= {"/version": {"gitVersion": "v1.35.0"}, "/apis": {"groups": []}}

    def agent(name: str, work: bytes) -> Iterable[float]:
        COUNT["pods standing"] = COUNT["pods standing"] or len(api.paths("pods/netaudit"))
        hang_up()
        yield 1000.0

    api.agent = agent

    async def connect(**_: object) -> MemoryApi:
        return api

    def run(work: Coroutine[Any, Any, int]) -> int:
        with asyncio.Runner(loop_factory=JumpingLoop) as runner:
            return runner.run(work)

    live.connect = connect  # type: ignore[attr-defined]
    lease.monotonic = lambda: asyncio.get_running_loop().time()  # type: ignore[attr-defined]
    asyncio.run = run  # type: ignore[assignment]
    MemoryApi.context = "memory"
    MemoryApi.close = lambda self: asyncio.sleep(0)  # type: ignore[method-assign]
    code = cli.main(["run"])
    left = [where for where in api.objects if "netaudit" in where]
    Path(path).write_text(f"{COUNT['pods standing']} {code} {' '.join(left)}\n")
    sys.exit(code)


def _deafen(how: str) -> Callable[[], None]:
    """Give this process a stderr whose other end is closed when the result is called."""
    if how == "pipe":
        far, near = os.pipe()
        end = signal.SIGINT  # Ctrl-C ends tee before us
    else:
        far, near = os.openpty()
        end = signal.SIGHUP
    os.dup2(near, 2)
    os.close(near)
    there = [far]

    def hang_up() -> None:
        if there:
            os.close(there.pop())
            os.kill(os.getpid(), end)

    return hang_up


if __name__ == "__main__":
    main(*sys.argv[1:])

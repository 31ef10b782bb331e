"""Many objects into an API server, as fast as it takes them: a few dozen connections that stay open.

Nothing is written past the API server, so that what comes of it is what it would store for anybody.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from tests.cluster.api import Api
from tests.cluster.errors import ClusterError

LANES = 24
"""More only make the server's work wait for each other."""
PATIENCE = 60.0
"""Seconds that one answer may take while all lanes are at work."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request that must succeed."""

    method: str
    path: str
    body: Mapping[str, Any]


def send(api: Api, jobs: Iterable[Sequence[Request]], lanes: int = LANES) -> int:
    """Send all requests, those of one job in their order, and give their number; raises ClusterError or OSError."""
    waiting: queue.SimpleQueue[Sequence[Request]] = queue.SimpleQueue()
    for job in jobs:
        waiting.put(job)
    faults: list[BaseException] = []
    sent = [0] * lanes

    def work(lane: int) -> None:
        try:
            sent[lane] = _lane(api, waiting, faults)
        except (OSError, ClusterError) as error:
            faults.append(error)

    threads = [threading.Thread(target=work, args=(lane,), daemon=True) for lane in range(lanes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]
    return sum(sent)


def _lane(api: Api, waiting: queue.SimpleQueue[Sequence[Request]], faults: Sequence[BaseException]) -> int:
    connection, sent = api.connect(PATIENCE), 0
    try:
        while not faults:
            try:
                job = waiting.get_nowait()
            except queue.Empty:
                return sent
            for request in job:
                data = msgspec.json.encode(request.body)
                connection.request(request.method, request.path, data, {"Content-Type": "application/json"})
                answer = connection.getresponse()
                text = answer.read()
                if answer.status >= 300:
                    what = f"{request.method} {request.path} failed"
                    raise ClusterError(what, f"{answer.status}: {text[:500]!r}", "read the API server's log")
                sent += 1
        return sent
    finally:
        connection.close()

"""How fast one source pod makes attempts, by agent: pods are network namespaces of this machine.

Rates are wanted high and times low, so what stands in the table is seconds for a fixed number of attempts.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from probes.wire import Attempt
from tests.bench.figures import Figure
from tests.sandbox.shellpod import Network, Pod, busybox_image, network, pod, python_image

BUSYBOX = Path("/usr/bin/busybox")
OPEN, CLOSED, DROPPED = 8080, 1000, 1001
RULES = f"table inet t {{\nchain c {{\ntype filter hook input priority 0\ntcp dport {DROPPED} drop\n}}\n}}\n"
AGENTS = {"python": (2000, 1000), "shell": (300, 64)}
"""By agent: open or refused flows a second, and blocked ones at once (design.md, section 7)."""
LIMIT = 2.0
REPEATS = 3
NONCE = "0123456789abcdef"


def why_not() -> str:
    """What keeps the bench from running here; empty when nothing does."""
    if os.geteuid():
        return "it needs root"
    return "" if BUSYBOX.exists() else "there is no /usr/bin/busybox"


def figures() -> Iterator[Figure]:
    """Open, refused and blocked flows of one source."""
    for agent, (rate, window) in AGENTS.items():
        with ExitStack() as stack:
            image = stack.enter_context(image_of(agent))
            net = stack.enter_context(network())
            net.run(net.far, "nft", "-f", "-", given=RULES)
            near = stack.enter_context(pod(image, net.near, [OPEN], NONCE))
            stack.enter_context(pod(image, net.far, [OPEN], NONCE))
            for name, port in (("open", OPEN), ("refused", CLOSED)):
                yield Figure(f"{agent}: {rate:,} {name} flows", best(near, work(port, rate), window), "s", target=1.0)
            blocked = best(near, work(DROPPED, window), window)
            yield Figure(f"{agent}: {window:,} blocked flows, {LIMIT:g} s each", blocked, "s", target=LIMIT)


def image_of(agent: str) -> AbstractContextManager[Path]:
    return python_image() if agent == "python" else busybox_image(BUSYBOX)


def work(port: int, number: int) -> list[Attempt]:
    return [Attempt(turn, Network.FAR[turn % 2], port, LIMIT) for turn in range(number)]


def best(source: Pod, attempts: Sequence[Attempt], window: int) -> float:
    """Seconds from the start of an exec to its footer, at best."""
    found = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        reader = source.probe(attempts, window)
        if not reader.complete:
            raise RuntimeError(f"the batch is not whole: {reader.shortfall}")
        found.append(time.perf_counter() - started)
    return min(found)

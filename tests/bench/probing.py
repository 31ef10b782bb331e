"""How fast one source pod makes attempts, by agent: pods are network namespaces of this machine.

Rates are wanted high and times low, so what stands in the table is seconds for a fixed number of attempts.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

from probes.wire import Attempt, BatchReader, encode_batch
from tests.bench.figures import Figure
from tests.sandbox.shellpod import Network, Pod, busybox_image, network, pod, python_image, wait_until

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
            far = stack.enter_context(pod(image, net.far, [OPEN], NONCE))
            for name, port in (("open", OPEN), ("refused", CLOSED)):
                seconds, cpu = best(near, far, work(port, rate), window)
                yield Figure(f"{agent}: {rate:,} {name} flows", seconds, "s", target=1.0, cpu=cpu)
            seconds, cpu = best(near, far, work(DROPPED, window), window)
            yield Figure(f"{agent}: {window:,} blocked flows, {LIMIT:g} s each", seconds, "s", target=LIMIT, cpu=cpu)


def image_of(agent: str) -> AbstractContextManager[Path]:
    return python_image() if agent == "python" else busybox_image(BUSYBOX)


def work(port: int, number: int) -> list[Attempt]:
    return [Attempt(turn, Network.FAR[turn % 2], port, LIMIT) for turn in range(number)]


def best(source: Pod, target: Pod, attempts: Sequence[Attempt], window: int) -> tuple[float, float]:
    """Seconds from the start of an exec to its footer, by the clock and of the processor, at best."""
    found = []
    for _ in range(REPEATS):
        wait_until(source.alone, "the last batch's processes are gone")
        before, started = processor(source, target), time.perf_counter()
        reader = BatchReader("b1", [attempt.id for attempt in attempts])
        for line in source.talk(encode_batch("b1", window, attempts)):
            reader.feed(line)
            if reader.ended:  # the agent is still there to be asked what it took
                found.append((time.perf_counter() - started, processor(source, target) - before))
        if not reader.complete:
            raise RuntimeError(f"the batch is not whole: {reader.shortfall}")
    return min(found)


def processor(*pods: Pod) -> float:
    """Seconds of the processor that all processes of these pods, and those they waited for, have had."""
    ticks = 0
    for pid in [pid for place in pods for pid in place.processes()]:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(int(field) for field in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")

"""The shell agent over UDP with the tools of real images, against real packets; and what it cannot speak."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from auditor.model.flow import Protocol
from auditor.model.probe import Outcome
from probes.outcome import classify
from probes.wire import Attempt, BatchReader
from tests.cluster.artifacts import ensure
from tests.sandbox.shellpod import Network, Pod, busybox_image, debian_image, network, pod, wait_until

pytestmark = pytest.mark.sandbox
UDP, SCTP = Protocol.UDP, Protocol.SCTP
REACHED, REFUSED, SILENT, UNTESTED = Outcome.REACHED, Outcome.REFUSED, Outcome.SILENT, Outcome.UNTESTED
NEAR_NONCE, FAR_NONCE = "near0123456789abcdef", "far00123456789abcdef"
IMAGES = ("busybox-glibc", "busybox-musl", "dash+socat+dd", "bash+socat+dd", "dash+nc+socat+dd")
RULES = """
table inet t {
chain c {
type filter hook input priority 0
udp dport 1001 drop
udp dport 1002 reject with icmpx type port-unreachable
udp dport 1003 reject with icmpx type admin-prohibited
udp dport 1005 numgen inc mod 2 0 drop
}
}
"""
SITUATIONS = {
    "open": (53, 20.0, REACHED),
    "open by TCP only": (80, 2.0, REFUSED),
    "closed": (1000, 2.0, REFUSED),
    "dropped": (1001, 1.0, SILENT),
    "rejected": (1002, 2.0, REFUSED),
    "prohibited": (1003, 2.0, REFUSED),
    "every other datagram is lost": (1005, 20.0, REACHED),
}


@dataclass(frozen=True)
class Stage:
    near: Pod
    far: Pod

    def sent(self, port: int, number: int, seconds: float = 20.0) -> list[Outcome]:
        """The outcomes of as many attempts on one port, in both families in turn."""
        attempts = [Attempt(turn, Network.FAR[turn % 2], port, seconds, UDP) for turn in range(number)]
        return outcomes(self.near.probe(attempts, window=20), attempts)


def outcomes(reader: BatchReader, attempts: list[Attempt], nonce: str = FAR_NONCE) -> list[Outcome]:
    assert reader.complete, reader.shortfall
    return [classify(reader.records[one.id], nonce, one.port, one.protocol)[0] for one in attempts]


@pytest.fixture(scope="module", params=IMAGES)
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    with ExitStack() as stack:
        name, *tools = request.param.split("+")
        built = name.startswith("busybox")
        image = stack.enter_context(busybox_image(ensure(name)) if built else debian_image(name, *tools))
        net = stack.enter_context(network())
        net.run(net.far, "nft", "-f", "-", given=RULES)
        near = stack.enter_context(pod(image, net.near, [80, "53/udp"], NEAR_NONCE))
        far = stack.enter_context(pod(image, net.far, [80, "53/udp", "1005/udp"], FAR_NONCE))
        yield Stage(near, far)


def test_each_situation_has_its_outcome_in_both_families(stage: Stage) -> None:
    attempts = [
        Attempt(2 * number + family, Network.FAR[family], port, seconds, UDP)
        for number, (port, seconds, _) in enumerate(SITUATIONS.values())
        for family in (0, 1)
    ]
    found = outcomes(stage.near.probe(attempts), attempts)

    assert dict(zip(SITUATIONS, zip(found[::2], found[1::2], strict=True), strict=True)) == {
        name: (outcome, outcome) for name, (_, _, outcome) in SITUATIONS.items()
    }


def test_many_at_once_are_all_answered_and_nothing_stays_behind(stage: Stage) -> None:
    assert set(stage.sent(53, 80)) == {REACHED}
    assert set(stage.sent(1001, 40, 1)) == {SILENT}
    clients = ("dd bs", "nc -u", "socat UDP4:", "socat UDP6:")
    wait_until(lambda: not [line for line in stage.near.processes().values() if line.startswith(clients)], "no client")


def test_an_answer_of_another_pod_or_port_is_not_taken_for_ours(stage: Stage) -> None:
    attempts = [Attempt(1, Network.FAR[0], 53, 20, UDP)]
    [record] = stage.near.probe(attempts).records.values()

    assert record.connected is None
    assert [classify(record, *expected, UDP)[0] for expected in ((NEAR_NONCE, 53), (FAR_NONCE, 54))] == [
        Outcome.FAULT
    ] * 2


@pytest.mark.skipif(Path("/proc/net/sctp").exists(), reason="this kernel has SCTP")
def test_what_the_kernel_lacks_is_untested(stage: Stage) -> None:
    attempts = [Attempt(1, Network.FAR[0], 53, 1, SCTP), Attempt(2, Network.FAR[0], 80, 20)]

    assert outcomes(stage.near.probe(attempts), attempts) == [UNTESTED, REACHED]


@pytest.mark.parametrize("tools", ["busybox", "dash+socat", "dash+nc+dd", "bash+dd"])
def test_an_image_that_cannot_speak_udp_says_so_and_speaks_tcp(tools: str) -> None:
    """Debian's busybox has no server for datagrams, without dd none is read whole, nc cannot serve two peers."""
    shell, *more = tools.split("+")
    made = busybox_image(Path("/usr/bin/busybox")) if shell == "busybox" else debian_image(shell, *more)
    with made as image, network() as net, pod(image, net.near, ["53/udp"], NEAR_NONCE) as started:
        attempts = [Attempt(1, Network.NEAR[0], 53, 1, UDP), Attempt(2, Network.FAR[0], 80, 1)]
        found = outcomes(started.probe(attempts), attempts)

    assert found[0] is UNTESTED
    assert found[1] is not UNTESTED

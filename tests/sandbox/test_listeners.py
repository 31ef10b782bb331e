"""The agents' listeners: how they live and how they end."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from auditor.model.probe import Outcome
from probes.outcome import classify
from probes.wire import Attempt
from tests.sandbox.shellpod import Network, busybox_image, debian_image, end, network, pod, python_image, wait_until

pytestmark = pytest.mark.sandbox
NONCE = "0123456789abcdef"
IMAGES = ["busybox", "dash", "bash", "python"]


@pytest.fixture(scope="module")
def net() -> Iterator[Network]:
    with network() as made:
        made.run(made.far, "nft", "-f", "-", given=BLACK_HOLE)
        yield made


BLACK_HOLE = "table inet t {\nchain c {\ntype filter hook input priority 0\ntcp dport 1001 drop\n}\n}\n"


@pytest.fixture(scope="module", params=IMAGES)
def image(request: pytest.FixtureRequest) -> Iterator[Path]:
    made = {"busybox": lambda: busybox_image(Path("/usr/bin/busybox")), "python": python_image}
    with made.get(request.param, lambda: debian_image(request.param, "socat"))() as folder:
        yield folder


def gone(pid: int) -> bool:
    return not Path(f"/proc/{pid}/exe").exists()


def test_the_first_process_ends_on_term_although_it_is_the_first(net: Network, image: Path) -> None:
    with pod(image, net.near, [80, 81], NONCE) as started:
        end(started.init, signal.SIGTERM)
        wait_until(lambda: gone(started.init), "the end of the pod")


def test_the_pod_ends_by_itself_after_its_deadline(net: Network, image: Path) -> None:
    with pod(image, net.near, [80, 81], NONCE, deadline=3) as started:
        wait_until(lambda: gone(started.init), "the end of the pod")


@pytest.mark.parametrize("image", ["busybox", "dash", "bash"], indirect=True)
def test_a_listener_that_died_stays_dead_and_the_others_live(net: Network, image: Path) -> None:
    with pod(image, net.near, [80, 81], NONCE) as started:
        [listener] = [pid for pid, line in started.processes().items() if " 81" in line or "LISTEN:81" in line]
        end(listener)
        wait_until(lambda: started.listeners() == {80}, "one listener less")
        reader = started.probe([Attempt(port, "127.0.0.1", port, 20) for port in (80, 81, 80 + 1000)])
        assert started.listeners() == {80}
    outcomes = [classify(reader.records.get(port), NONCE, port)[0] for port in (80, 81)]
    assert outcomes == [Outcome.REACHED, Outcome.REFUSED]


def test_where_there_is_no_ipv6_the_listeners_do_without(net: Network, image: Path) -> None:
    net.run(net.near, "sh", "-c", "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6")
    try:
        with pod(image, net.near, [80], NONCE) as started:
            reader = started.probe([Attempt(1, "127.0.0.1", 80, 20), Attempt(2, Network.NEAR[0], 80, 20)])
    finally:
        net.run(net.near, "sh", "-c", "echo 0 >/proc/sys/net/ipv6/conf/all/disable_ipv6")
    assert [classify(record, NONCE, 80)[0] for record in reader.records.values()] == [Outcome.REACHED] * 2


def test_an_image_without_tools_says_so_and_measures_nothing(net: Network) -> None:
    with debian_image("dash") as bare, pod(bare, net.near, [], NONCE) as started:
        reader = started.probe([Attempt(1, Network.FAR[0], 1001, 1)])
    assert reader.header is not None
    assert (reader.header.client, reader.header.server) == ("none", "none")
    assert classify(reader.records.get(1), NONCE, 1001)[0] is Outcome.FAULT


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP])
def test_a_client_that_is_killed_or_starved_is_a_fault_and_no_silence(net: Network, blow: signal.Signals) -> None:
    with debian_image("dash", "nc", "socat") as tools, pod(tools, net.near, [80], NONCE) as started:
        # Time enough to be found and met by a machine that is busy.
        said = started.talk(b"netaudit/1 b1 1 1\n1 192.0.2.2 1001 6.0\nend 1\n")
        lines = [next(said)]
        # The check of itself comes first and has no place here: its client may end between two looks.
        client, *_ = wait_until(lambda: started.clients("192.0.2.2"), "the client")
        end(client, blow)
        lines += said
    [record] = [line for line in lines if line.startswith(b'{"i":1')]
    assert b'"to":0' in record
    assert any(f'"rc":{rc}'.encode() in record for rc in (137, 143))

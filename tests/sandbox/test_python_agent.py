"""What only the Python agent does: a thousand attempts at once, exact time limits, datagrams, SCTP."""

from __future__ import annotations

import json
import resource
import signal
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from auditor.model.flow import Protocol
from auditor.model.probe import Outcome
from probes.outcome import classify
from probes.wire import Attempt
from tests.sandbox.shellpod import Network, Pod, end, network, pod, python_image
from tests.sandbox.strangers import floods, strangers

pytestmark = pytest.mark.sandbox
NEAR_NONCE, FAR_NONCE = "near0123456789abcdef", "far00123456789abcdef"
DROPPED, REJECTED, PROHIBITED = 1001, 1002, 1003
SCTP = "SCTP" in Path("/proc/net/protocols").read_text()
SLOWLY = 8.0
"""Seconds that a busy machine may take for what is over at once on an idle one."""
RULES = f"""
table inet t {{
chain c {{
type filter hook input priority 0
meta l4proto {{ tcp, udp }} th dport {DROPPED} drop
meta l4proto {{ tcp, udp }} th dport {REJECTED} reject with icmpx type port-unreachable
meta l4proto {{ tcp, udp }} th dport {PROHIBITED} reject with icmpx type admin-prohibited
}}
}}
"""


@dataclass(frozen=True)
class Stage:
    net: Network
    near: Pod
    far: Pod


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with ExitStack() as stack:
        image = stack.enter_context(python_image())
        net = stack.enter_context(network())
        net.run(net.far, "nft", "-f", "-", given=RULES)
        # The far pod's own system must not hold its refusals back.
        net.run(net.far, "sh", "-c", "echo 0 >/proc/sys/net/ipv4/icmp_ratelimit")
        near = stack.enter_context(pod(image, net.near, [80], NEAR_NONCE))
        far = stack.enter_context(pod(image, net.far, [80, "53/udp", "132/sctp", "x/udp", "0"], FAR_NONCE))
        yield Stage(net, near, far)


def tried(stage: Stage, lines: Sequence[str], window: int = 64) -> list[dict[str, Any]]:
    """Say these work lines, and give the records in their order."""
    text = "\n".join([f"netaudit/1 b1 {window} {len(lines)}", *lines, f"end {len(lines)}", ""])
    said = [json.loads(line) for line in stage.near.talk(text.encode())]
    return sorted((item for item in said if "i" in item), key=lambda item: int(item["i"]))


def late(peer: socket.socket, over: threading.Event) -> None:
    """Answer within every time limit, but not at once."""
    over.wait(0.5)
    peer.sendall(b"late\n")


# --- TCP ---


def test_a_time_limit_is_kept_and_never_cut_short(stage: Stage) -> None:
    limits = [0.1, 0.3, 0.5, 1.0, 1.7]
    records = tried(stage, [f"{i} {Network.FAR[i % 2]} {DROPPED} {limit}" for i, limit in enumerate(limits)])
    for record, limit in zip(records, limits, strict=True):
        assert record["to"] == 1
        assert limit * 1000 <= record["ms"] <= limit * 1000 + SLOWLY * 1000


@pytest.mark.parametrize(
    ("port", "names"),
    [
        (1000, {"ECONNREFUSED"}),
        (REJECTED, {"ECONNREFUSED"}),
        (PROHIBITED, {"EHOSTUNREACH", "EACCES"}),
    ],
)
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_refusal_is_known_at_once_and_by_name(stage: Stage, protocol: str, port: int, names: set[str]) -> None:
    records = tried(stage, [f"{i} {address} {port} 60 {protocol}" for i, address in enumerate(Network.FAR)])
    assert len(records) == 2
    for record in records:
        assert (record["to"], record["d"]) == (0, "")
        assert record["e"] in names
        assert 0 < record["rc"] < 126
        assert record["ms"] < SLOWLY * 1000


def test_a_thousand_that_nobody_answers_cost_one_time_limit(stage: Stage) -> None:
    started = time.monotonic()
    records = tried(stage, [f"{i} {Network.FAR[i % 2]} {DROPPED} 4" for i in range(1000)], window=1024)
    assert time.monotonic() - started < 4 + 2 * SLOWLY  # by 64 at once it would be a minute
    assert [record["to"] for record in records] == [1] * 1000


def test_a_thousand_at_once_are_all_answered(stage: Stage) -> None:
    reader = stage.near.probe([Attempt(i, Network.FAR[i % 2], 80, 20) for i in range(3000)], window=1024)
    assert reader.complete, reader.shortfall
    assert {classify(record, FAR_NONCE, 80)[0] for record in reader.records.values()} == {Outcome.REACHED}


def test_a_limit_of_open_files_is_raised_as_far_as_is_needed(stage: Stage) -> None:
    lines = [f"{i} {Network.FAR[0]} 80 20" for i in range(200)]
    text = "\n".join(["netaudit/1 b1 1024 200", *lines, "end 200", ""])
    soft_and_hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, soft_and_hard[1]))
    try:
        said = [json.loads(line) for line in stage.near.talk(text.encode())]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, soft_and_hard)
    assert said[0]["window"] == 1024
    assert {item["d"] for item in said if "i" in item} == {f"netaudit {FAR_NONCE} 80"}


def test_what_arrived_while_the_machine_stood_still_is_no_silence(stage: Stage) -> None:
    with strangers(stage.net.far, {3000: late}):
        said = stage.near.talk(f"netaudit/1 b1 8 1\n1 {Network.FAR[0]} 3000 2\nend 1\n".encode())
        lines = [next(said)]
        time.sleep(0.1)
        [agent] = [pid for pid, line in stage.near.processes().items() if line.endswith(" probe")]
        end(agent, signal.SIGSTOP)
        time.sleep(3)
        end(agent, signal.SIGCONT)
        lines += said
    [record] = [json.loads(line) for line in lines if line.startswith(b'{"i"')]
    assert (record["to"], record["d"]) == (0, "late")


def test_floods_from_all_sides_fit_into_the_memory_of_a_pod(stage: Stage) -> None:
    with strangers(stage.net.far, {3001: floods(b"x" * 65536)}):
        records = tried(stage, [f"{i} {Network.FAR[0]} 3001 20" for i in range(300)], window=300)
    assert {record["d"] for record in records} == {"x" * 256}
    memory = [line for line in Path(f"/proc/{stage.far.init}/status").read_text().splitlines() if "VmHWM" in line]
    assert int(memory[0].split()[1]) < 32 * 1024


# --- UDP and SCTP ---


def test_each_datagram_is_answered_in_both_families(stage: Stage) -> None:
    records = tried(stage, [f"{i} {Network.FAR[i % 2]} 53 20 udp" for i in range(500)], window=500)
    assert {record["d"] for record in records} == {f"netaudit {FAR_NONCE} 53"}
    assert {(record["rc"], record["to"]) for record in records} == {(0, 0)}


def test_datagrams_without_an_answer_are_repeated_to_the_end(stage: Stage) -> None:
    count = ("nft", "add", "rule", "inet", "t", "c", "udp", "dport", "1005", "counter", "drop")
    stage.net.run(stage.net.far, *count)
    [record] = tried(stage, [f"1 {Network.FAR[0]} 1005 2 udp"])
    assert (record["to"], record["d"], "c" in record) == (1, "", False)
    stage.net.run(stage.net.far, "sh", "-c", "nft list ruleset | grep -Eq 'packets ([5-9]|10) bytes .* drop'")


@pytest.mark.parametrize(
    ("protocol", "port", "outcome"),
    [
        (Protocol.UDP, 53, Outcome.REACHED),
        (Protocol.UDP, 80, Outcome.REFUSED),
        (Protocol.UDP, REJECTED, Outcome.REFUSED),
        (Protocol.UDP, DROPPED, Outcome.SILENT),
        (Protocol.TCP, 53, Outcome.REFUSED),
        (Protocol.SCTP, 132, Outcome.REACHED if SCTP else Outcome.UNTESTED),
    ],
)
def test_each_protocol_has_its_outcomes(stage: Stage, protocol: Protocol, port: int, outcome: Outcome) -> None:
    reader = stage.near.probe([Attempt(i, address, port, 2, protocol) for i, address in enumerate(Network.FAR)])
    assert reader.complete, reader.shortfall
    assert [classify(record, FAR_NONCE, port, protocol)[0] for record in reader.records.values()] == [outcome] * 2


def test_a_closed_port_and_an_open_one_of_the_other_protocol_are_refused(stage: Stage) -> None:
    records = tried(stage, [f"1 {Network.FAR[0]} 80 20 udp", f"2 {Network.FAR[0]} 53 20 tcp"])
    assert [record["e"] for record in records] == ["ECONNREFUSED", "ECONNREFUSED"]


def test_where_the_kernel_has_no_sctp_nothing_is_measured_and_that_is_said(stage: Stage) -> None:
    if SCTP:
        pytest.skip("this kernel has SCTP")
    [record] = tried(stage, [f"1 {Network.FAR[0]} 132 2 sctp"])
    assert (record["rc"], record["to"], record["d"]) == (127, 0, "")


def test_an_address_without_a_route_is_the_pods_own_fault(stage: Stage) -> None:
    records = tried(stage, ["1 203.0.113.9 80 2", "2 203.0.113.9 53 2 udp"])
    assert [record["e"] for record in records] == ["ENETUNREACH"] * 2
    assert all(record["rc"] < 0 for record in records)

"""Both agents, the shell one with the tools of real images, against real packets."""

from __future__ import annotations

import signal
import socket
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from probes.outcome import classify, classify_handshake
from probes.wire import Attempt, BatchReader, encode_batch
from tests.sandbox.agentstage import (
    FAR_NONCE,
    FAULT,
    IMAGES,
    NEAR_NONCE,
    OPEN,
    REACHED,
    REFUSED,
    SILENT,
    SITUATIONS,
    Stage,
)
from tests.sandbox.shellpod import Network, end, parents, wait_until
from tests.sandbox.strangers import hesitates, overhears, socket_in, speaks, strangers

ATTEMPTS = [
    (situation, Attempt(2 * turn + family, Network.FAR[family], situation.port, situation.seconds))
    for turn, situation in enumerate(SITUATIONS.values())
    for family in (0, 1)
]

pytestmark = pytest.mark.sandbox


@pytest.fixture(scope="module")
def matrix(stage: Stage) -> BatchReader:
    """All situations at once, each in both families: the even ids are IPv4.

    Where somebody answers, though never with a greeting, the limit is short, and on a busy machine even the handshake
    may not fit into it: such an attempt is made again, alone and with all the time it may need.
    """
    reader = stage.near.probe([attempt for _, attempt in ATTEMPTS])
    for situation, attempt in ATTEMPTS:
        record = reader.records.get(attempt.id)
        if classify(record, FAR_NONCE, situation.port)[0] is SILENT and SILENT not in situation.outcomes:
            reader.records |= stage.near.probe([replace(attempt, timeout=20)]).records
    return reader


# --- what is measured ---


@pytest.mark.parametrize("family", [0, 1], ids=["IPv4", "IPv6"])
@pytest.mark.parametrize("name", SITUATIONS)
def test_each_situation_has_its_outcome(matrix: BatchReader, name: str, family: int) -> None:
    situation = SITUATIONS[name]
    record = matrix.records.get(2 * list(SITUATIONS).index(name) + family)
    outcome, sentence = classify(record, FAR_NONCE, situation.port)
    assert outcome in situation.outcomes, (sentence, record, matrix.shortfall)


def test_the_header_says_what_the_image_had(matrix: BatchReader, stage: Stage, request: pytest.FixtureRequest) -> None:
    assert matrix.complete, matrix.shortfall
    assert matrix.header is not None
    expected = IMAGES[request.node.callspec.params["stage"]]
    assert (matrix.header.client, matrix.header.server) == expected
    assert (matrix.header.nonce, matrix.header.run) == (NEAR_NONCE, "r1")


def test_the_agent_checks_its_client_on_its_own_listener(matrix: BatchReader) -> None:
    assert matrix.self_check is not None
    assert classify(matrix.self_check.record, NEAR_NONCE, OPEN)[0] is REACHED


def test_many_at_once_are_all_answered(stage: Stage) -> None:
    reader = stage.near.probe(stage.attempts(OPEN, 300), window=100)
    assert reader.complete, reader.shortfall
    assert {classify(record, FAR_NONCE, OPEN)[0] for record in reader.records.values()} == {REACHED}


def test_clients_that_never_read_nor_leave_keep_nobody_out(stage: Stage) -> None:
    with ExitStack() as stack:
        for _ in range(200):
            idler = stack.enter_context(socket_in(stage.net.near, socket.AF_INET))
            idler.connect((Network.FAR[0], OPEN))
        reader = stage.near.probe(stage.attempts(OPEN, 4))
    assert [classify(record, FAR_NONCE, OPEN)[0] for record in reader.records.values()] == [REACHED] * 4


def test_no_more_attempts_at_once_than_the_window(stage: Stage) -> None:
    with strangers(stage.net.far, {3000: hesitates}) as started:
        reader = stage.near.probe(stage.attempts(3000, 12), window=3)
    assert reader.complete, reader.shortfall
    assert 1 <= started[3000].most <= 3


def test_a_listener_that_plants_answers_does_not_spoil_the_next_attempt(stage: Stage) -> None:
    planted = b"x\n" + b"".join(b"+\nnetaudit %s 1000\n" % FAR_NONCE.encode() for _ in range(300))
    with strangers(stage.net.far, {3001: speaks(planted)}):
        ports = (3001, 1000, 3001, 1000)
        reader = stage.near.probe([Attempt(i, Network.FAR[0], port, 20) for i, port in enumerate(ports)], window=1)
    outcomes = [classify(reader.records.get(i), FAR_NONCE, port)[0] for i, port in enumerate(ports)]
    assert outcomes == [FAULT, REFUSED, FAULT, REFUSED]


# --- handshakes with strangers ---


def test_handshake_is_reached_wherever_a_connection_stands_and_as_ever_where_none_does(stage: Stage) -> None:
    """What the stranger says, and whether it says anything, makes no difference."""
    wanted = {
        name: {REACHED} if situation.manner or outcomes == {REACHED} else outcomes
        for name, situation in SITUATIONS.items()
        for outcomes in [situation.outcomes]
    }
    # A connection that is reset at once may be gone before the client has looked at it.
    wanted["accepts and resets"] = {REACHED, REFUSED}
    asked = [
        Attempt(2 * turn + family, Network.FAR[family], one.port, 20 if one.manner else one.seconds, handshake=True)
        for turn, one in enumerate(SITUATIONS.values())
        for family in (0, 1)
    ]

    reader = stage.near.probe(asked)

    assert reader.complete, reader.shortfall
    for number, record in sorted(reader.records.items()):
        name = list(SITUATIONS)[number // 2]
        outcome, sentence = classify_handshake(record)
        assert outcome in wanted[name], (name, sentence, record)


def test_handshake_sends_nothing_and_leaves(stage: Stage) -> None:
    heard: list[bytes] = []
    with strangers(stage.net.far, {3002: overhears(heard)}):
        reader = stage.near.probe([Attempt(i, Network.FAR[i % 2], 3002, 20, handshake=True) for i in range(4)])
        wait_until(lambda: len(heard) == 4, "the ends of four connections")

    assert reader.complete, reader.shortfall
    assert [b""] * 4 == heard


def test_handshake_beside_a_nonce_takes_nothing_from_it(stage: Stage) -> None:
    asked = [Attempt(i, Network.FAR[0], OPEN, 20, handshake=i % 2 == 0) for i in range(6)]

    reader = stage.near.probe(asked, window=1)

    assert reader.complete, reader.shortfall
    for number, record in reader.records.items():
        seen = classify(record, FAR_NONCE, OPEN) if number % 2 else classify_handshake(record)
        assert seen[0] is REACHED, seen


# --- how a batch ends ---


def test_a_batch_ends_when_its_caller_goes_away(stage: Stage) -> None:
    with stage.near.exec() as process:
        assert process.stdin is not None
        process.stdin.write(encode_batch("b1", 64, stage.closed_network(1001, 20)))
        process.stdin.flush()
        wait_until(lambda: not stage.near.alone(), "a batch under way")
        process.stdin.close()
        process.wait(30)
    wait_until(stage.near.alone, "the pod at rest")


def test_a_batch_may_end_while_a_client_is_being_started(stage: Stage) -> None:
    """A watcher that is told to end before it knows its client would leave it to the time limits of TCP: minutes."""
    if "connect &" not in stage.near.agent.script:
        pytest.skip("the Python agent starts no clients")
    slow = stage.near.agent.script.replace("connect &", "connect & $pause; $pause; $pause; $pause")
    near = replace(stage.near, environment=stage.near.environment | {"NETAUDIT_AGENT": slow})
    with near.exec() as process:
        assert process.stdin is not None
        process.stdin.write(encode_batch("b1", 64, stage.closed_network(1001, 20)))
        process.stdin.flush()
        wait_until(lambda: len(near.processes()) > 50, "clients that nobody knows yet")  # 21 lanes, each with two
        process.stdin.close()
        process.wait(30)
    wait_until(stage.near.alone, "the pod at rest")


def test_a_batch_whose_lines_stop_half_way_is_no_batch(stage: Stage) -> None:
    text = encode_batch("b1", 64, stage.closed_network(1001, 20))
    reader = BatchReader("b1", range(20))
    with stage.near.exec() as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(text[: len(text) // 2])
        process.stdin.close()
        for line in process.stdout:
            reader.feed(line)
        process.wait(30)
    assert not reader.complete
    assert any("expected 20 lines" in complaint for complaint in reader.complaints)
    wait_until(stage.near.alone, "the pod at rest")


def test_a_batch_that_takes_too_long_is_broken_off(stage: Stage) -> None:
    text = encode_batch("b1", 64, stage.closed_network(1001, 2)).split(b"\n", 1)
    reader = BatchReader("b1", range(2))
    for line in stage.near.talk(b"netaudit/1 b1 64 2 1\n" + text[1]):
        reader.feed(line)
    assert reader.shortfall == "no record of 2 of 2 attempts; the agent says: the batch took too long"
    wait_until(stage.near.alone, "the pod at rest")


@pytest.mark.parametrize("watched", [True, False])
def test_when_the_agent_is_killed_its_attempts_end_and_the_rest_is_unanswered(stage: Stage, *, watched: bool) -> None:
    """Also on a machine so busy that whoever watches over a client, which tries on for minutes, is not let run."""
    reader = BatchReader("b1", range(20))
    with stage.near.exec() as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(encode_batch("b1", 64, stage.closed_network(1001, 20)))
        process.stdin.flush()
        reader.feed(process.stdout.readline())
        wait_until(lambda: not stage.near.alone(), "a batch under way")
        for watching in () if watched else parents(stage.near.clients()):
            end(watching, signal.SIGSTOP)
        [agent] = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        end(int(agent))
        process.stdin.close()
        reader.feed(process.stdout.read())
    assert reader.shortfall.startswith("footer missing")
    assert {classify(reader.records.get(i), FAR_NONCE, 1001)[0] for i in range(20)} == {FAULT}
    wait_until(stage.near.alone, "the pod at rest")

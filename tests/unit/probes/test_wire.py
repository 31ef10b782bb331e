"""What an agent is told and what it says back, without an agent."""

import ipaddress
import itertools
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.model.flow import Protocol
from probes.wire import (
    MAX_LINE,
    Attempt,
    BatchReader,
    Event,
    Footer,
    Header,
    Malformed,
    Record,
    SelfCheck,
    encode_batch,
    listener_word,
)
from tests.speaking import line, whole

HEADER: dict[str, Any] = {
    "netaudit": 1,
    "agent": "shell",
    "run": "r1",
    "batch": "b1",
    "nonce": "abc",
    "client": "nc-busybox",
    "server": "tcpsvd",
    "window": 64,
    "n": 2,
}


def header(**changes: Any) -> dict[str, Any]:
    return {**HEADER, **changes}


def record(i: int, **changes: Any) -> dict[str, Any]:
    return whole({"i": i, "rc": 0, "to": 0, "c": 1, "ms": 3, "d": f"netaudit n {i}", **changes})


def footer(**changes: Any) -> dict[str, Any]:
    return {"end": 2, "batch": "b1", **changes}


def said(*lines: dict[str, Any] | bytes) -> bytes:
    return b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)


def read(*lines: dict[str, Any] | bytes, asked: Sequence[int] = (1, 2)) -> tuple[BatchReader, list[Event]]:
    reader = BatchReader("b1", asked)
    return reader, reader.feed(said(*lines))


# --- what is written ---


def test_a_batch_is_written_line_by_line() -> None:
    attempts = (Attempt(0, "192.0.2.1", 80, 1), Attempt(7, "2001:db8::1", 5432, 2.5))
    first, *rest = encode_batch("r1-a", 64, attempts).decode().split("\n")
    assert first.split()[:4] == ["netaudit/1", "r1-a", "64", "2"]
    assert rest == ["0 192.0.2.1 80 1.0", "7 2001:db8::1 5432 2.5", "end 2", ""]


def test_a_protocol_is_named_where_it_is_not_tcp() -> None:
    attempts = [Attempt(number, "192.0.2.1", 53, 1, protocol) for number, protocol in enumerate(Protocol)]
    lines = encode_batch("r1-a", 64, attempts).decode().split("\n")[1:4]
    assert lines == ["0 192.0.2.1 53 1.0", "1 192.0.2.1 53 1.0 udp", "2 192.0.2.1 53 1.0 sctp"]
    assert [listener_word((protocol, 53)) for protocol in Protocol] == ["53", "53/udp", "53/sctp"]


def test_a_handshake_is_named_and_is_of_tcp_alone() -> None:
    assert b"0 192.0.2.1 80 1.0 handshake\n" in encode_batch("b", 1, [Attempt(0, "192.0.2.1", 80, 1.0, handshake=True)])
    with pytest.raises(ValueError, match="UDP has no handshake"):
        encode_batch("b", 1, [Attempt(0, "192.0.2.1", 80, 1.0, Protocol.UDP, handshake=True)])


def test_the_agent_is_told_when_to_give_up_at_the_latest() -> None:
    few = encode_batch("b", 64, [Attempt(0, "192.0.2.1", 80, 1)])
    many = encode_batch("b", 64, [Attempt(i, "192.0.2.1", 80, 5) for i in range(640)])
    assert 30 < int(few.split()[4]) < 120
    assert int(many.split()[4]) > 640 / 64 * 5


@pytest.mark.parametrize(
    ("seconds", "written"), [(1, "1.0"), (2.5, "2.5"), (0.01, "0.1"), (1e-9, "0.1"), (1.01, "1.1"), (1.1, "1.1")]
)
def test_a_time_limit_is_rounded_up_to_tenths(seconds: float, written: str) -> None:
    assert encode_batch("b", 1, [Attempt(0, "::1", 1, seconds)]).split()[8].decode() == written


@pytest.mark.parametrize(
    "attempt",
    [
        Attempt(-1, "192.0.2.1", 80, 1),
        Attempt(10**9, "192.0.2.1", 80, 1),
        Attempt(1, "localhost", 80, 1),
        Attempt(1, "", 80, 1),
        Attempt(1, "192.0.2.1; id", 80, 1),
        Attempt(1, "192.0.2.01", 80, 1),
        Attempt(1, "fe80::1%eth0", 80, 1),
        Attempt(1, "::ffff:192.0.2.1", 80, 1),
        Attempt(1, "192.0.2.1", 0, 1),
        Attempt(1, "192.0.2.1", 65536, 1),
        Attempt(1, "192.0.2.1", 80, 0),
        Attempt(1, "192.0.2.1", 80, 60.5),
        Attempt(1, "192.0.2.1", 80, float("nan")),
    ],
)
def test_an_attempt_that_the_agent_would_refuse_is_never_sent(attempt: Attempt) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        encode_batch("b1", 64, [attempt])


@pytest.mark.parametrize(("batch", "window"), [("", 1), ("a b", 1), ("a\n", 1), ("x" * 65, 1), ("b", 0), ("b", 1025)])
def test_a_header_that_the_agent_would_refuse_is_never_sent(batch: str, window: int) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        encode_batch(batch, window, [])


def test_two_attempts_never_share_an_id() -> None:
    with pytest.raises(ValueError, match="share an id"):
        encode_batch("b1", 1, [Attempt(1, "::1", 1, 1), Attempt(1, "::1", 2, 1)])


# --- what is read ---


def test_a_whole_batch() -> None:
    reader, events = read(header(), record(2, rc=137, to=1, c=0, d=""), record(1), footer())
    assert events == [
        Header("shell", "r1", "b1", "abc", "nc-busybox", "tcpsvd", 2),
        Record(2, 137, True, False, 3, ""),
        Record(1, 0, False, True, 3, "netaudit n 1"),
        Footer(2, "b1"),
    ]
    assert reader.ended
    assert reader.complete
    assert reader.unanswered() == {}
    assert sorted(reader.records) == [1, 2]


def test_a_check_of_itself_is_no_record() -> None:
    own = whole({"self": 80, "rc": 0, "to": 0, "c": 1, "ms": 1, "d": "netaudit abc 80"})
    reader, events = read(header(), own, record(1), record(2), footer())
    assert events[1] == SelfCheck(80, Record(80, 0, False, True, 1, "netaudit abc 80"))
    assert reader.self_check == events[1]
    assert reader.complete


@pytest.mark.parametrize(("said_age", "age"), [({"age": 730}, 730), ({"age": -1}, -1), ({}, -1)])
def test_how_long_a_pod_has_run_is_said_or_not(said_age: dict[str, int], age: int) -> None:
    reader, _ = read(header(**said_age))
    assert reader.header is not None
    assert reader.header.age == age


def test_fields_from_the_future_are_left_alone_and_missing_knowledge_is_said() -> None:
    reader, events = read(header(colour="red"), whole({"i": 1, "rc": 1, "to": 0, "d": "", "x": [1, {}]}), asked=[1])
    assert events[1] == Record(1, 1, False, None, -1, "")
    assert not reader.complete


@pytest.mark.parametrize(
    ("lines", "shortfall", "unanswered"),
    [
        ([], "header missing: the exec ended without a word from the agent", {1, 2}),
        ([record(1), record(2), footer()], "header missing: the exec ended without a word from the agent", {1, 2}),
        ([header(batch="b0"), record(1)], "header missing: the exec ended without a word from the agent", {1, 2}),
        ([header(), record(1)], "footer missing: the exec ended after 1 of 2 records", {2}),
        ([header(), record(1), record(2), footer(batch="b0")], "footer missing: the exec ended after 2 of 2", set()),
        ([header(), record(1), footer(end=1)], "no record of 1 of 2 attempts", {2}),
        ([header(), record(1), footer(), record(2)], "no record of 1 of 2 attempts", {2}),
        ([header(), record(1), record(2), record(2), footer(end=3)], "1 of 2 attempts were answered twice", {2}),
        ([header(), record(1), record(2), record(2, d=""), footer()], "1 of 2 attempts were answered twice", {2}),
        ([header(n=1), record(1), record(2), footer()], "the header speaks of 1 attempts, asked were 2", set()),
        ([header(), record(1), record(2), record(3), footer(end=3)], "the footer counts 3 records, read were 2", set()),
        ([header(), {"error": "line 2: the port is none"}, record(1), footer(end=1)], "the agent says: line 2", {2}),
    ],
)
def test_what_makes_a_batch_incomplete(lines: list[dict[str, Any]], shortfall: str, unanswered: set[int]) -> None:
    reader, _ = read(*lines)
    assert not reader.complete
    assert shortfall in reader.shortfall
    assert set(reader.unanswered()) == unanswered
    assert all(reader.unanswered().values())


def test_of_two_records_that_differ_neither_counts() -> None:
    reader, events = read(header(), record(1), record(1, d=""), record(1), record(2), footer(end=4))
    assert events[2] == events[3] == Malformed("a second record of attempt 1")
    assert sorted(reader.records) == [2]
    assert reader.unanswered() == {1: "the agent answered this attempt twice"}


@pytest.mark.parametrize(
    "line",
    [
        b"sh: nc: not found",
        b"\xff\xfe\x00",
        b'{"i":1,"rc":0,"to":0,"d":"\xc3\xa9"}',
        b"[" * 4000,
        b'{"i":' + b"9" * 4000 + b"}",
        b"null",
        b'"i"',
        b"[1]",
        b"{}",
        b'{"i":1}',
        b'{"i":true,"rc":0,"to":0,"d":""}',
        b'{"i":1.0,"rc":0,"to":0,"d":""}',
        b'{"i":-1,"rc":0,"to":0,"d":""}',
        b'{"i":1,"rc":1e9,"to":0,"d":""}',
        b'{"i":1,"rc":NaN,"to":0,"d":""}',
        b'{"i":1,"rc":0,"to":2,"d":""}',
        b'{"i":1,"rc":0,"to":0,"c":7,"d":""}',
        b'{"i":1,"rc":0,"to":0,"d":"\\u001b[31m"}',
        b'{"i":1,"rc":0,"to":0,"d":"<b>"}',
        b'{"i":1,"rc":0,"to":0,"d":"' + b"x" * 257 + b'"}',
        b'{"i":1,"rc":0,"to":0,"d":["x"]}',
        b'{"i":3,"rc":0,"to":0,"d":""}',
        b'{"i":1,"rc":0,"to":0,"d":"","s":1}',
        b'{"i":1,"rc":0,"to":0,"d":"","s":-1}',
        b'{"end":"2","batch":"b1"}',
        b'{"self":0,"rc":0,"to":0,"d":""}',
        b'{"error":"<script>"}',
        json.dumps(HEADER).encode(),
        json.dumps(header(nonce="<x>")).encode(),
    ],
)
def test_a_line_that_is_not_right_is_named_and_spoils_nothing(line: bytes) -> None:
    reader, events = read(header(), line, record(1), record(2), footer())
    assert isinstance(events[1], Malformed)
    assert events[1].reason
    assert reader.complete


def test_an_endless_line_takes_no_room() -> None:
    reader = BatchReader("b1", [1])
    events = reader.feed(said(header(n=1)))
    for _ in range(1000):
        events += reader.feed(b"x" * 10_000)
        assert len(reader._rest) <= MAX_LINE
    events += reader.feed(b"\n" + said(record(1), footer(end=1)))
    assert [type(event) for event in events] == [Header, Malformed, Record, Footer]
    assert reader.complete


def test_complaints_are_kept_but_not_without_end() -> None:
    reader, _ = read(header(), *({"error": f"line {i}: odd"} for i in range(1000)))
    assert reader.complaints[0] == "line 0: odd"
    assert len(reader.complaints) < 100


# --- laws ---

ADDRESSES = st.ip_addresses().filter(lambda a: not (a.version == 6 and a.ipv4_mapped)).map(str)
ATTEMPTS = st.lists(
    st.builds(
        Attempt,
        st.integers(0, 999_999_999),
        ADDRESSES,
        st.integers(1, 65535),
        st.floats(0, 60, exclude_min=True),
        st.sampled_from(Protocol),
    ),
    unique_by=lambda attempt: attempt.id,
)
LINES = st.one_of(
    st.binary(max_size=64),
    st.sampled_from([header(), footer(), record(1), record(2), record(3), {"error": "odd"}, {}]).map(
        lambda line: json.dumps(line).encode()
    ),
    st.integers(MAX_LINE - 2, MAX_LINE + 2).map(lambda size: b" " * size),
)
STREAMS = st.lists(LINES, max_size=12).map(b"\n".join)


@given(STREAMS, st.lists(st.integers(0, 10_000), max_size=12))
def test_how_the_stream_is_cut_makes_no_difference(stream: bytes, cuts: list[int]) -> None:
    whole, pieces = BatchReader("b1", [1, 2]), BatchReader("b1", [1, 2])
    expected = whole.feed(stream)
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    events = [event for start, end in itertools.pairwise(edges) for event in pieces.feed(stream[start:end])]
    assert events == expected
    assert (pieces.shortfall, pieces.records, pieces.complaints) == (whole.shortfall, whole.records, whole.complaints)


@given(STREAMS)
def test_no_stream_raises_and_nothing_unasked_is_believed(stream: bytes) -> None:
    reader = BatchReader("b1", [1])
    reader.feed(stream)
    assert reader.records.keys() <= {1}
    assert reader.complete == (reader.shortfall == "")
    assert not (reader.complete and reader.unanswered())


@given(ATTEMPTS, st.integers(1, 256))
def test_what_is_written_can_be_read_by_its_grammar(attempts: list[Attempt], window: int) -> None:
    first, *work, last, nothing = encode_batch("b1", window, attempts).decode("ascii").split("\n")
    assert first.startswith(f"netaudit/1 b1 {window} {len(attempts)} ")
    assert (last, nothing) == (f"end {len(attempts)}", "")
    for asked, attempt in zip(work, attempts, strict=True):
        number, address, port, seconds, *protocol = asked.split(" ")
        assert protocol == [attempt.protocol.value.lower()] * (attempt.protocol is not Protocol.TCP)
        assert (int(number), int(port)) == (attempt.id, attempt.port)
        assert ipaddress.ip_address(address) == ipaddress.ip_address(attempt.address)
        assert -1e-6 < float(seconds) - attempt.timeout <= 0.1
        assert float(seconds) >= 0.1


@given(ATTEMPTS, st.randoms(use_true_random=False))
def test_a_batch_that_is_answered_in_any_order_is_complete(attempts: list[Attempt], chance: Any) -> None:
    answers = [record(attempt.id) for attempt in attempts]
    chance.shuffle(answers)
    size = len(attempts)
    reader = BatchReader("b1", [attempt.id for attempt in attempts])
    reader.feed(said(header(n=size), *answers, footer(end=size)))
    assert reader.complete
    assert set(reader.records) == {attempt.id for attempt in attempts}


@given(st.integers(0, 10**9 - 1), st.integers(-256, 256), st.booleans(), st.integers(-1, 9_000), st.data())
def test_a_digit_that_was_changed_or_lost_on_the_way_is_noticed(
    number: int, code: int, timed_out: bool, took: int, data: st.DataObject
) -> None:
    """A record that is not what the agent said is missing, and so asked for again."""
    sent = line({"i": number, "rc": code, "to": int(timed_out), "c": 0, "ms": took, "d": "netaudit abc 80"})
    digits = [place for place, byte in enumerate(sent) if chr(byte).isdigit() and place < sent.index(b'"d"')]
    place = data.draw(st.sampled_from(digits))
    instead = data.draw(st.sampled_from([b"", *(b"%d" % digit for digit in range(10))]))
    arrived = sent[:place] + instead + sent[place + 1 :]
    reader, _ = read(header(n=1), arrived, footer(end=1), asked=[number])

    assert reader.complete == (arrived == sent)

"""What one attempt says about the network, case by case."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.model.flow import Protocol
from auditor.model.probe import Outcome
from probes.outcome import classify, classify_handshake
from probes.wire import NO_MEANS, Record

REACHED, REFUSED, SILENT, FAULT = Outcome.REACHED, Outcome.REFUSED, Outcome.SILENT, Outcome.FAULT
NONCE = "0123456789abcdef"
OURS = f"netaudit {NONCE} 80"


def seen(**what: Any) -> Record:
    return Record(**{"id": 1, "rc": 1, "timed_out": False, "connected": False, "milliseconds": 5, "data": "", **what})


@pytest.mark.parametrize(
    ("record", "outcome", "detail"),
    [
        (seen(rc=0, connected=True, data=OURS), REACHED, "the intended listener answered"),
        # The answer counts, whatever became of the client afterwards.
        (seen(rc=137, timed_out=True, connected=True, data=OURS), REACHED, "the intended listener answered"),
        (seen(rc=1, connected=None, data=OURS), REACHED, "the intended listener answered"),
        (seen(rc=0, connected=True, data="netaudit 0000000000000000 80"), FAULT, "another listener answered"),
        (seen(rc=0, connected=True, data=f"netaudit {NONCE} 8080"), FAULT, "another listener answered"),
        (seen(rc=0, connected=True, data=OURS + " "), FAULT, "another listener answered"),
        (seen(rc=0, connected=True, data="HTTP_1.1 400"), FAULT, "another listener answered: HTTP_1.1 400"),
        (seen(rc=137, timed_out=True, data="x"), FAULT, "another listener answered: x"),
        (seen(rc=137, timed_out=True), SILENT, "no answer within the time limit"),
        (seen(rc=143, timed_out=True, connected=None), SILENT, "no answer within the time limit"),
        (seen(rc=137, timed_out=True, connected=True), FAULT, "connected, but the listener said nothing"),
        (seen(rc=0, connected=True), FAULT, "connected, but it ended without a word"),
        (seen(rc=0), FAULT, "connected, but it ended without a word"),
        (seen(rc=1, connected=True), FAULT, "connected, but it ended without a word"),
        (seen(rc=1), REFUSED, "refused (exit 1)"),
        (seen(rc=1, connected=None), REFUSED, "refused (exit 1)"),
        (seen(rc=125), REFUSED, "refused (exit 125)"),
        (seen(rc=126), FAULT, "the client could not run to its end (exit 126)"),
        (seen(rc=127), FAULT, "the client could not run to its end (exit 127)"),
        (seen(rc=137), FAULT, "the client could not run to its end (exit 137)"),
        (seen(rc=-1), FAULT, "the client could not run to its end (exit -1)"),
        (None, FAULT, "no record"),
    ],
)
def test_each_row_of_the_table(record: Record | None, outcome: Outcome, detail: str) -> None:
    said, sentence = classify(record, NONCE, 80)
    assert said is outcome
    assert detail in sentence


@pytest.mark.parametrize("protocol", [Protocol.UDP, Protocol.SCTP])
def test_what_the_pod_cannot_speak_was_not_tested(protocol: Protocol) -> None:
    for rc in (93, 94, NO_MEANS):
        said, sentence = classify(seen(rc=rc, connected=None), NONCE, 80, protocol)
        assert said is Outcome.UNTESTED
        assert protocol.value in sentence
    # Without tools nothing can be listened to either, so an answer or a timer that fired is another matter.
    assert classify(seen(rc=NO_MEANS, timed_out=True, connected=None), NONCE, 80, protocol)[0] is SILENT
    assert classify(seen(rc=NO_MEANS, connected=None, data=OURS), NONCE, 80, protocol)[0] is REACHED
    assert classify(seen(rc=111, connected=None), NONCE, 80, protocol)[0] is REFUSED


RECORDS = st.builds(
    Record,
    id=st.just(1),
    rc=st.integers(-256, 256),
    timed_out=st.booleans(),
    connected=st.sampled_from([True, False, None]),
    milliseconds=st.integers(-1, 10_000),
    data=st.sampled_from(["", OURS, "netaudit x 80", "{data}"]),
)


@given(RECORDS)
def test_only_the_nonce_proves_that_the_listener_was_reached(record: Record) -> None:
    assert (classify(record, NONCE, 80)[0] is REACHED) == (record.data == OURS)


@given(RECORDS)
def test_whatever_was_connected_or_failed_is_never_taken_for_a_policy(record: Record) -> None:
    broken = not record.timed_out and not 0 < record.rc < 126
    if record.data or record.connected or broken:
        assert classify(record, NONCE, 80)[0] in (REACHED, FAULT)


@given(RECORDS)
def test_silence_is_only_what_the_agents_own_timer_ended(record: Record) -> None:
    outcome, sentence = classify(record, NONCE, 80)
    assert outcome is not SILENT or record.timed_out
    assert sentence.isprintable()
    assert len(sentence) < 400


@pytest.mark.parametrize(
    ("record", "outcome", "detail"),
    [
        (seen(rc=0, connected=True), REACHED, "the handshake was done; nothing was sent"),
        # Linux's ECONNRESET: whoever answered hung up as soon as it had.
        (seen(rc=104, connected=True), REACHED, "the handshake was done"),
        (seen(rc=1, connected=True, data="SSH-2.0"), FAULT, "the client read something"),
        (seen(rc=0, connected=True, data=OURS), FAULT, "the client read something"),
        (seen(rc=137, timed_out=True, connected=True), FAULT, "the client did not end with its handshake"),
        (seen(rc=137, timed_out=True), SILENT, "no answer within the time limit"),
        (seen(rc=110, timed_out=True, connected=None), SILENT, "no answer within the time limit"),
        (seen(rc=0), FAULT, "the client ended without a handshake"),
        (seen(rc=0, connected=None), FAULT, "the client ended without a handshake"),
        (seen(rc=126), FAULT, "the client could not run to its end (exit 126)"),
        (seen(rc=NO_MEANS), FAULT, "the client could not run to its end (exit 127)"),
        (seen(rc=-101), FAULT, "the client could not run to its end (exit -101)"),
        (seen(rc=111), REFUSED, "refused (exit 111)"),
        (None, FAULT, "no record"),
    ],
)
def test_each_row_of_handshakes(record: Record | None, outcome: Outcome, detail: str) -> None:
    said, sentence = classify_handshake(record)
    assert said is outcome
    assert detail in sentence

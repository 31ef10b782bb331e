"""Echoes to ask for as lines, and what the records of them mean: a row of the table for each test case."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from auditor.model.ping import Echo
from probes.agents import echoer_of
from probes.echoes import ANSWER, MOST, NO_RIGHT, Request, classify_echo, encode_requests
from probes.wire import NO_MEANS, Record


def record(code: int, said: str = "", *, timed: bool = False) -> Record:
    return Record(1, code, timed, None, 7, said)


def test_a_batch_is_its_header_its_lines_and_its_end() -> None:
    said = encode_requests("b1", [Request(0, "192.0.2.7", 2), Request(1, "2001:DB8::0:7", 2)])
    assert said == b"netaudit/1 b1 16 2 30\n0 192.0.2.7 2\n1 2001:db8::7 2\nend 2\n"


@pytest.mark.parametrize(
    "request_",
    [
        Request(0, "example.org", 2),
        Request(0, "", 2),
        Request(0, "fe80::1%eth0", 2),
        Request(0, "::ffff:192.0.2.1", 2),
        Request(0, "192.0.2.7", 0),
        Request(0, "192.0.2.7", 61),
        Request(-1, "192.0.2.7", 1),
    ],
)
def test_what_the_programs_would_refuse_is_not_sent(request_: Request) -> None:
    with pytest.raises(ValueError, match=r".+"):
        encode_requests("b1", [request_])


def test_no_more_than_the_programs_read() -> None:
    with pytest.raises(ValueError, match="more than"):
        encode_requests("b1", [Request(number, "192.0.2.7", 1) for number in range(MOST + 1)])


@pytest.mark.parametrize(
    ("found", "echo"),
    [
        (record(0, ANSWER), Echo.ANSWERED),
        (record(0, "netaudit nonce 80"), Echo.FAULT),
        (record(1, ANSWER), Echo.FAULT),
        (record(0), Echo.FAULT),
        (record(110, timed=True), Echo.SILENT),
        (record(1, timed=True), Echo.SILENT),
        (record(NO_MEANS), Echo.NOT_POSSIBLE),
        (record(NO_RIGHT), Echo.NOT_POSSIBLE),
        (record(-101), Echo.FAULT),
        (record(137), Echo.FAULT),
        (record(113), Echo.REFUSED),
        (record(1), Echo.REFUSED),
    ],
)
def test_what_a_record_says(found: Record, echo: Echo) -> None:
    """Nothing but the echo itself is an answer, and nothing but time that went by is silence."""
    assert classify_echo(found)[0] is echo
    assert classify_echo(found)[1]


def test_the_shell_program_is_plain_posix() -> None:
    if not shutil.which("shellcheck"):
        pytest.skip("shellcheck is not installed")
    subprocess.run(["shellcheck", "--shell=sh", "-"], input=echoer_of("shell"), text=True, check=True)

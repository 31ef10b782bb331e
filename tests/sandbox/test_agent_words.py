"""Hostile and spoilt words in the work of both agents."""

from __future__ import annotations

import pytest

from probes.wire import BatchReader
from tests.sandbox.agentstage import Stage

pytestmark = pytest.mark.sandbox

EVIL = [
    "$(sleep 98765)",
    "`sleep 98765`",
    ";sleep 98765",
    "&sleep 98765",
    "|sleep 98765",
    "';sleep 98765;'",
    '";sleep 98765;"',
    "a[$(sleep 98765)]",
    "-e",
    "*",
    "~",
    "\\",
    "$PATH",
    "\x07\x1b[31m",
    "",
]
GOOD = ("1", "192.0.2.2", "8080", "1.0")


def spoilt_lines() -> list[str]:
    """Each evil word in each field; with spaces in it or without."""
    lines = [" ".join((*GOOD[:i], evil, *GOOD[i + 1 :])) for i in range(4) for evil in EVIL]
    lines += [line.replace("sleep 98765", "sleep\t98765") for line in lines if "sleep" in line]
    lines += [
        f"1 {address} 80 1" for address in ("localhost", "dead.beef", "1.2.3", "1.2.3.256", "01.2.3.4", "1.2.3.4.")
    ]
    lines += [f"1 {address} 80 1" for address in (":", ":::", "1::2::3", "12345::", "1:2:3", "fe80::1%lo", ":1", "1:")]
    lines += [f"1 192.0.2.2 {port} 1" for port in ("0", "65536", "080", "-1", "+80", "1e3", "99999999999999999999")]
    lines += [f"1 192.0.2.2 80 {limit}" for limit in ("0", "0.0", "61", "1.", ".1", "1.11", "1,5", "-1")]
    return [*lines, "1 192.0.2.2 80", "1", "1 192.0.2.2 80 1 1", "1 192.0.2.2 80 1 $(sleep 98765)"]


def test_no_word_of_a_line_is_ever_run_and_no_spoilt_line_is_carried_out(stage: Stage) -> None:
    lines = spoilt_lines()
    text = "".join(f"{line}\n" for line in [f"netaudit/1 b1 8 {len(lines)}", *lines, f"end {len(lines)}"])
    said = []
    for line in stage.near.talk(text.encode()):
        said.append(line)
        assert not any("98765" in command for command in stage.near.processes().values())
    assert b"".join(said).count(b'"i":') == 0
    assert b"".join(said).count(b'{"error":"line ') == len(lines)
    assert said[-1] == b'{"end":0,"batch":"b1"}\n'


@pytest.mark.parametrize(
    "line",
    [
        "",
        "netaudit/2 b1 8 0",
        "netaudit/1 $(sleep) 8 0",
        "netaudit/1 b1 0 0",
        "netaudit/1 b1 8 x",
        "netaudit/1 b 8 0 1 1",
    ],
)
def test_a_spoilt_header_ends_the_batch(stage: Stage, line: str) -> None:
    assert next(stage.near.talk(f"{line}\nend 0\n".encode())) == b'{"error":"the header is malformed"}\n'


def test_a_wrong_number_of_lines_is_said(stage: Stage) -> None:
    reader = BatchReader("b1", [1, 2])
    for line in stage.near.talk(b"netaudit/1 b1 8 2\n1 192.0.2.2 8080 20\nend 1\n"):
        reader.feed(line)
    assert reader.shortfall == "no record of 1 of 2 attempts; the agent says: expected 2 lines, read 1"


def test_an_empty_batch_is_complete(stage: Stage) -> None:
    assert stage.near.probe([]).complete

"""The Python agent's own reading of hostile text, and that it can get into any pod."""

from __future__ import annotations

import ast
import errno
import json
import os
import resource
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import SO_LINGER, SOCK_DGRAM, SOL_SOCKET, create_server, socket
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.agents import agent
from probes.placement import AgentSpec
from probes.wire import BatchReader, Record, encode_batch
from tests.speaking import line

PATH = Path(agent.__file__)
TEXT = PATH.read_text()
SPEC = AgentSpec("image", TEXT, 60, "python")
GOOD = "1 192.0.2.1 80 1.0"


# --- the text ---


def test_the_text_is_what_old_pythons_understand_small_and_plain() -> None:
    assert ast.parse(TEXT, feature_version=(3, 9)).body
    assert TEXT.isascii()
    assert len(TEXT) < 32_768
    assert "$" not in TEXT  # which the kubelet would read its own meaning into


def test_it_needs_the_standard_library_alone() -> None:
    imported = {name.name for node in ast.walk(ast.parse(TEXT)) if isinstance(node, ast.Import) for name in node.names}
    assert imported <= set(sys.stdlib_module_names)
    assert "asyncio" not in imported  # which takes longer to load than all the rest


# --- lines ---


@pytest.mark.parametrize(
    ("line", "protocol", "seconds"),
    [
        (GOOD, "tcp", 1.0),
        ("1 192.0.2.1 80 60 tcp", "tcp", 60.0),
        ("999999999 2001:db8::1 65535 0.1 udp", "udp", 0.1),
        ("0\t192.0.2.1  1 10.5 sctp", "sctp", 10.5),
    ],
)
def test_a_line_of_work_is_read(line: str, protocol: str, seconds: float) -> None:
    read = agent.read_work(line.encode())
    assert (read.protocol, read.seconds) == (protocol, seconds)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (f"{GOOD} tcp x", "too many fields"),
        (f"{GOOD} TCP", "the protocol is none"),
        (f"{GOOD} icmp", "the protocol is none"),
        ("", "the id is no number"),
        ("-1 192.0.2.1 80 1", "the id is no number"),
        ("1000000000 192.0.2.1 80 1", "the id is no number"),
        ("\u0661 192.0.2.1 80 1", "the id is no number"),
        ("1 localhost 80 1", "the address is none"),
        ("1 ::ffff:192.0.2.1 80 1", "the address is none"),
        ("1 fe80::1%lo 80 1", "the address is none"),
        ("1 192.0.2.1\x00 80 1", "the address is none"),
        ("1 192.0.2.1 0 1", "the port is none"),
        ("1 192.0.2.1 080 1", "the port is none"),
        ("1 192.0.2.1 65536 1", "the port is none"),
        ("1 192.0.2.1 80", "the time limit is not 0.1 to 60"),
        ("1 192.0.2.1 80 0.0", "the time limit is not 0.1 to 60"),
        ("1 192.0.2.1 80 60.1", "the time limit is not 0.1 to 60"),
        ("1 192.0.2.1 80 nan", "the time limit is not 0.1 to 60"),
        ("1 192.0.2.1 80 1e1", "the time limit is not 0.1 to 60"),
        ("1 192.0.2.1 80 1\r", "the time limit is not 0.1 to 60"),
    ],
)
def test_a_spoilt_line_is_named_in_plain_words(line: str, why: str) -> None:
    with pytest.raises(ValueError, match=f"^{why}$"):
        agent.read_work(line.encode())


@given(st.binary(max_size=80))
def test_no_line_does_more_than_be_refused(line: bytes) -> None:
    for read in (agent.read_work, agent.read_header):
        try:
            read(line)
        except ValueError:
            continue


@pytest.mark.parametrize(
    ("line", "read"),
    [
        (b"netaudit/1 b1 1024 7", ("b1", 1024, 7, 600)),
        (b"netaudit/1 r1-c0.a_b 1 0 86400", ("r1-c0.a_b", 1, 0, 86400)),
    ],
)
def test_a_header_is_read(line: bytes, read: tuple[str, int, int, int]) -> None:
    assert agent.read_header(line) == read


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"netaudit/2 b 1 0",
        b"netaudit/1 b 1025 0",
        b"netaudit/1 b 0 0",
        b"netaudit/1 b 1 -1",
        b"netaudit/1 b 1 0 0",
        b"netaudit/1 b 1 0 1 1",
        b"netaudit/1 $(b) 1 0",
        b"netaudit/1 \xff 1 0",
    ],
)
def test_a_spoilt_header_is_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        agent.read_header(line)


def test_the_ports_to_listen_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETAUDIT_PORTS", "80 53/udp\t132/sctp 0 65536 080 x 53/icmp 53/ /udp $(x) 443/tcp")
    assert agent.listened() == [(80, "tcp"), (53, "udp"), (132, "sctp"), (443, "tcp")]


@given(st.binary(max_size=600))
def test_what_a_stranger_says_becomes_harmless(said: bytes) -> None:
    text = agent.plain(said)
    reader = BatchReader("b", [1])
    reader.feed(b'{"netaudit":1,"agent":"a","run":"r","batch":"b","nonce":"n","client":"c","server":"s","n":1}\n')
    [record] = reader.feed(line({"i": 1, "rc": 0, "to": 0, "c": 1, "ms": 1, "e": "", "d": text}))
    assert isinstance(record, Record)
    assert record.data == text


def test_two_listeners_do_not_answer_each_other() -> None:
    with socket(type=SOCK_DGRAM) as ours, socket(type=SOCK_DGRAM) as other:
        for end in (ours, other):
            end.bind(("127.0.0.1", 0))
            end.settimeout(10)
        for said in (b"netaudit 0123abcd 53\n", b"netaudit n 53", b"hello"):
            other.sendto(said, ours.getsockname())
            agent.answer(ours, b"netaudit n 53\n" if said == b"hello" else b"never\n")
        assert other.recv(99) == b"netaudit n 53\n"


@pytest.mark.parametrize(
    ("limits", "wanted", "fits", "raised"),
    [
        ((1024, 4096), 64, 64, None),
        ((1024, 4096), 1024, 1024, (1056, 4096)),
        ((64, 64), 1024, 32, (64, 64)),
        ((16, 16), 1024, 1, (16, 16)),
        ((256, -1), 1024, 1024, (1056, -1)),
        ((-1, -1), 1024, 1024, None),
    ],
)
def test_the_window_fits_into_the_open_files(
    monkeypatch: pytest.MonkeyPatch, limits: tuple[int, int], wanted: int, fits: int, raised: tuple[int, int] | None
) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda _, new: asked.append(new))
    assert agent.within_files(wanted) == fits
    assert asked == ([] if raised is None else [raised])


# --- a batch ---

Manner = Callable[[socket], None]


def floods(peer: socket) -> None:
    """Say a hundred megabytes without one end of a line."""
    for _ in range(1600):
        peer.sendall(b"\x1b[31m<script>" * 5041)


def resets(peer: socket) -> None:
    """Hang up with a reset."""
    peer.setsockopt(SOL_SOCKET, SO_LINGER, b"\1\0\0\0\0\0\0\0")


MANNERS: dict[str, tuple[Manner, str, int]] = {
    "another nonce": (lambda peer: peer.sendall(b"netaudit other 80\n"), "netaudit other 80", 0),
    "JSON": (lambda peer: peer.sendall(b'"}\n{"i":2,"rc":0}\n'), "__", 0),
    "escapes": (lambda peer: peer.sendall(b"\x1b]0;x\x07\\u0000\n"), "__0_x__u0000", 0),
    "nothing": (lambda peer: None, "", 0),
    "a hundred megabytes": (floods, ("__31m_script_" * 30)[:256], 0),
}


@contextmanager
def stranger(manner: Manner) -> Iterator[int]:
    """Let somebody listen who is not ours; gives the port."""

    def meet() -> None:
        try:
            with server.accept()[0] as peer:
                manner(peer)
        except OSError:
            return  # the agent has heard enough

    with create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=meet)
        thread.start()
        yield server.getsockname()[1]
        thread.join()


def converse(work: bytes, *, stay: bool = True) -> list[dict[str, object]]:
    """Give the agent a batch as an exec does, and all that it says."""
    command = [sys.executable, *SPEC.command("probe")[1:]]
    environment = {"NETAUDIT_AGENT": TEXT, "NETAUDIT_NONCE": "n", "NETAUDIT_RUN": "r"}
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(work)
        process.stdin.flush()
        said = []
        if not stay:
            process.stdin.close()
        for line in process.stdout:
            said.append(json.loads(line))
            if "end" in said[-1]:
                break
        process.stdin.close()
    assert process.returncode == 0
    return said


@pytest.mark.parametrize("name", MANNERS)
def test_a_hostile_listener_is_heard_bounded_and_harmless(name: str) -> None:
    manner, heard, code = MANNERS[name]
    with stranger(manner) as port:
        said = converse(f"netaudit/1 b 8 1\n7 127.0.0.1 {port} 20\nend 1\n".encode())
    assert [(item["i"], item["rc"], item["to"], item["d"]) for item in said if "i" in item] == [(7, code, 0, heard)]
    assert said[-1] == {"end": 1, "batch": "b"}


def test_garbage_without_end_is_bounded_and_named() -> None:
    work = b"netaudit/1 b 8 3\n" + b"\xff" * 300_000 + b"\n\nend 3\n"
    said = converse(work)
    reasons = {str(item["error"]).partition(": ")[2] for item in said if str(item.get("error", "")).startswith("line")}
    assert reasons == {"the id is no number"}
    assert any(str(item.get("error", "")).startswith("expected 3 lines, read ") for item in said)
    assert said[-1] == {"end": 0, "batch": "b"}


def test_a_caller_who_leaves_ends_the_batch() -> None:
    said = converse(encode_batch("b", 8, [])[:-6], stay=False)
    assert [item["error"] for item in said if "error" in item] == ["expected 0 lines, read 0", "stdin was closed"]


@pytest.mark.parametrize("words", [(), ("probe", "x"), ("serve;probe",)])
def test_another_word_is_refused(words: tuple[str, ...]) -> None:
    done = subprocess.run([sys.executable, "-I", str(PATH), *words], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "netaudit agent: serve or probe\n")


def test_without_a_pipe_it_says_what_it_needs() -> None:
    command = [sys.executable, "-I", str(PATH), "probe"]
    done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert "must be pipes" in done.stderr


# --- codes ---


def test_what_was_never_sent_is_no_silence() -> None:
    with select.epoll() as poll, socket(type=SOCK_DGRAM) as made:
        client = agent.Client(poll)
        attempt = agent.Attempt("1", "192.0.2.1", 53, 1.0, "udp")
        attempt.socket, attempt.problem = made, errno.ENOBUFS
        client.live[made.fileno()] = attempt
        client.timers.append((0.0, 1, attempt))
        client.expire(os.times().elapsed)
    [record] = [json.loads(line) for line in client.said]
    assert (record["rc"], record["to"], record["e"]) == (-errno.ENOBUFS, 0, "ENOBUFS")

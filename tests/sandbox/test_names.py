"""Names looked up by both agents with the tools of real images, from a DNS server that answers as it is told to."""

from __future__ import annotations

import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from auditor.model.flow import Family
from auditor.model.service_path import Resolving
from probes.agents import resolver_of
from probes.outcome import classify_lookup
from probes.placement import AgentSpec
from probes.questions import Question, encode_questions
from probes.wire import BatchReader
from tests.cluster.artifacts import ensure
from tests.sandbox.shellpod import _NOBODY, Network, _tool, busybox_image, debian_image, network, python_image
from tests.sandbox.strangers import socket_in

pytestmark = pytest.mark.sandbox
V4, V6 = Family.IPV4, Family.IPV6
NONCE = "near0123456789abcdef"
ZONE = ".svc.cluster.example"
KNOWN = {
    "web.shop": {1: ["10.1.2.3", "10.1.2.4"], 28: ["2001:db8::7"]},
    "old.shop": {1: ["10.9.9.9"]},
}
IMAGES = {
    "busybox-debian": "nslookup",
    "busybox-glibc": "nslookup",
    "busybox-musl": "nslookup",
    "dash+getent": "getent",
    "dash": "none",
    "python": "python",
}
TYPES = {1: (socket.AF_INET, 4), 28: (socket.AF_INET6, 16)}
SERVFAIL, NXDOMAIN = 2, 3


def reply(question: bytes) -> bytes | None:
    """What a DNS server says (RFC 1035); nothing to whoever asks for `silent`."""
    labels, at = [], 12
    while question[at]:
        labels.append(question[at + 1 : at + 1 + question[at]].decode())
        at += 1 + question[at]
    kind = struct.unpack(">H", question[at + 1 : at + 3])[0]
    name = ".".join(labels)
    asked = name.removesuffix(ZONE).lower() if name.endswith(ZONE) else ""
    if asked == "silent.shop":
        return None
    code = SERVFAIL if asked == "broken.shop" else 0 if asked in KNOWN else NXDOMAIN
    found = KNOWN.get(asked, {}).get(kind, [])
    head = question[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, len(found), 0, 0)
    records = [
        b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 5, TYPES[kind][1]) + socket.inet_pton(TYPES[kind][0], text)
        for text in found
    ]
    return head + question[12 : at + 5] + b"".join(records)


@contextmanager
def dns(holder: int) -> Iterator[None]:
    """Answer on the far end's address until the test is over."""
    with socket_in(holder, socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((Network.FAR[0], 53))
        server.settimeout(0.2)
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                try:
                    said, peer = server.recvfrom(512)
                except TimeoutError:
                    continue
                told = reply(said)
                if told is not None:
                    server.sendto(told, peer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


@dataclass(frozen=True)
class Stage:
    """Where names are looked up, and with which image."""

    image: Path
    tool: str
    near: int
    resolv: Path

    def look_up(self, questions: list[Question]) -> BatchReader:
        """Carry out a batch as an exec in the pod does."""
        spec = AgentSpec("image", "", 60, "python" if self.tool == "python" else "shell")
        program, *words = spec.reading
        command = [str(self.image / program), *words]
        inside = f'mount --bind {self.resolv} /etc/resolv.conf && exec "$@"'
        fence = [
            _tool("nsenter"),
            f"--net=/proc/{self.near}/ns/net",
            _tool("unshare"),
            "--mount",
            _tool("sh"),
            "-c",
            inside,
        ]
        environment = {"PATH": str(self.image), "NETAUDIT_NONCE": NONCE, "NETAUDIT_RUN": "r1"}
        reader = BatchReader("b1", [question.id for question in questions])
        entered = [
            *fence,
            "sh",
            _tool("setpriv"),
            *_NOBODY,
            "/usr/bin/env",
            "-i",
            *(f"{k}={v}" for k, v in environment.items()),
        ]
        with subprocess.Popen([*entered, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(spec.first_line(resolver_of(spec.name)) + encode_questions("b1", questions))
            process.stdin.flush()
            for line in process.stdout:
                reader.feed(line)
                if reader.ended:
                    break
            process.stdin.close()
        return reader


@pytest.fixture(scope="module", params=IMAGES)
def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with ExitStack() as stack:
        built, *tools = str(request.param).split("+")
        if built == "python":
            image = stack.enter_context(python_image())
        elif built == "dash":
            image = stack.enter_context(debian_image("dash", "timeout", *tools))
        else:
            where = Path("/usr/bin/busybox") if built == "busybox-debian" else ensure(built)
            image = stack.enter_context(busybox_image(where))
        net = stack.enter_context(network())
        stack.enter_context(dns(net.far))
        resolv = tmp_path_factory.mktemp("etc") / "resolv.conf"
        resolv.write_text(
            f"search here{ZONE} {ZONE.lstrip('.')} cluster.example\nnameserver {Network.FAR[0]}\noptions ndots:5\n"
        )
        yield Stage(image, IMAGES[str(request.param)], net.near, resolv)


def test_a_name_has_its_addresses_of_each_family_and_what_has_none_says_so(stage: Stage) -> None:
    questions = [
        Question(1, "web.shop", V4, 20),
        Question(2, "web.shop", V6, 20),
        Question(3, "nobody.shop", V4, 20),
        Question(4, "broken.shop", V4, 20),
        Question(5, "old.shop", V4, 20),
    ]
    reader = stage.look_up(questions)
    assert reader.complete, reader.shortfall
    assert reader.header is not None
    assert (reader.header.client, reader.header.nonce) == (stage.tool, NONCE)
    found = {number: classify_lookup(record) for number, record in reader.records.items()}
    if stage.tool == "none":
        assert {item.outcome for item in found.values()} == {Resolving.UNTESTED}
        return
    assert (found[1].outcome, sorted(found[1].addresses)) == (Resolving.RESOLVED, KNOWN["web.shop"][1])
    assert (found[2].outcome, list(found[2].addresses)) == (Resolving.RESOLVED, KNOWN["web.shop"][28])
    assert (found[3].outcome, found[3].addresses) == (Resolving.NOT_RESOLVED, ())
    assert found[4].outcome in {Resolving.NOT_RESOLVED, Resolving.SILENT}
    assert found[5].addresses == ("10.9.9.9",)
    assert all(reader.records[number].milliseconds >= 0 for number in (1, 2, 3, 5))


def test_a_server_that_is_silent_is_no_answer_within_the_time_limit(stage: Stage) -> None:
    reader = stage.look_up([Question(1, "silent.shop", V4, 2)])
    found = classify_lookup(reader.records[1])
    if stage.tool != "none":
        assert (found.outcome, found.addresses) == (Resolving.SILENT, ())
        assert reader.records[1].milliseconds >= 1900

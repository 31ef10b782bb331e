"""ICMP echoes asked for by both agents' programs with real packets: answered, dropped, rejected, and not possible."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from auditor.model.ping import Echo
from probes.agents import echoer_of
from probes.echoes import Request, classify_echo, encode_requests
from probes.placement import AgentSpec
from probes.wire import BatchReader
from tests.cluster.artifacts import ensure
from tests.sandbox.shellpod import _NOBODY, Network, _tool, busybox_image, debian_image, network, python_image

pytestmark = pytest.mark.sandbox
NONCE = "near0123456789abcdef"
EVERYBODY, NOBODY = "0 2147483647", "1 0"
"""What net.ipv4.ping_group_range holds: containerd 2's own default, and the kernel's."""
RAW = ["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=+net_raw", "--ambient-caps=+net_raw"]
"""With the one capability that a ping of raw sockets needs; a pod has it where nobody asked for restricted ones."""
DROPPED, REJECTED, ELSEWHERE = (
    ("192.0.2.3", "2001:db8::3"),
    ("192.0.2.4", "2001:db8::4"),
    ("198.51.100.1", "2001:db8:1::1"),
)
RULES = """
table inet t {
  chain c {
    type filter hook input priority 0;
    ip daddr 192.0.2.3 icmp type echo-request drop
    ip6 daddr 2001:db8::3 icmpv6 type echo-request drop
    ip daddr 192.0.2.4 icmp type echo-request reject with icmpx type admin-prohibited
    ip6 daddr 2001:db8::4 icmpv6 type echo-request reject with icmpx type admin-prohibited
  }
}
"""
IMAGES = {
    "busybox-debian": True,
    "busybox-glibc": True,
    "busybox-musl": True,
    "dash": False,
    "dash+iputils": True,
    "python": True,
}
"""With whether there is something that can ping, given the right."""
UNPRIVILEGED = frozenset({"dash+iputils", "python"})
"""Those that ask by a datagram socket."""


@dataclass(frozen=True)
class Stage:
    """A pod that may ping, or may not, and others that it may ask."""

    name: str
    image: Path
    net: Network

    @property
    def spec(self) -> AgentSpec:
        return AgentSpec("image", "", 60, "python" if self.name == "python" else "shell")

    def allow(self, groups: str) -> None:
        """Say whose groups may have datagram sockets of ICMP; it is both families' setting."""
        self.net.run(self.net.near, "sh", "-c", f"echo '{groups}' >/proc/sys/net/ipv4/ping_group_range")

    def exec(self, work: bytes, user: Sequence[str], asked: int) -> BatchReader:
        """Carry out a batch as an exec in the pod does, its input open to the footer."""
        program, *words = self.spec.reading
        environment = [f"PATH={self.image}", f"NETAUDIT_NONCE={NONCE}", "NETAUDIT_RUN=r1"]
        command = [
            _tool("nsenter"),
            f"--net=/proc/{self.net.near}/ns/net",
            _tool("setpriv"),
            *user,
            "/usr/bin/env",
            "-i",
        ]
        reader = BatchReader("b1", range(asked))
        with subprocess.Popen(
            [*command, *environment, str(self.image / program), *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(self.spec.first_line(echoer_of(self.spec.name)) + work)
            process.stdin.flush()
            for line in process.stdout:
                reader.feed(line)
                if reader.ended:
                    break
            process.stdin.close()
        return reader

    def ask(self, addresses: Sequence[str], user: Sequence[str], seconds: int = 1) -> list[tuple[Echo, str]]:
        """What came of each address, every record of it whole."""
        requests = [Request(number, address, seconds) for number, address in enumerate(addresses)]
        reader = self.exec(encode_requests("b1", requests), user, len(requests))
        assert reader.complete, reader.shortfall
        assert reader.header is not None
        assert reader.header.nonce == NONCE
        return [classify_echo(reader.records[number]) for number in range(len(requests))]

    def able(self) -> Sequence[str]:
        """The user as whom this image can ping: with no right but its group's, or that of raw sockets."""
        self.allow(EVERYBODY)
        return _NOBODY if self.name in UNPRIVILEGED else RAW


@contextmanager
def image_of(name: str) -> Iterator[Path]:
    if name == "python":
        with python_image() as image:
            yield image
    elif name.startswith("dash"):
        with debian_image("dash") as image:
            if name == "dash+iputils":
                shutil.copy(ensure("iputils-ping"), image / "ping")  # the cache is nobody's but its owner's
            yield image
    else:
        with busybox_image(Path(shutil.which("busybox") or "") if name == "busybox-debian" else ensure(name)) as image:
            yield image


@pytest.fixture(scope="module", params=IMAGES)
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    with ExitStack() as stack:
        image = stack.enter_context(image_of(str(request.param)))
        net = stack.enter_context(network())
        for four, six in (DROPPED, REJECTED):
            net.run(net.far, "ip", "address", "add", f"{four}/24", "dev", "cable")
            net.run(net.far, "ip", "address", "add", f"{six}/64", "dev", "cable", "nodad")
        net.run(net.far, "nft", "-f", "-", given=RULES)
        yield Stage(str(request.param), image, net)


def echoes(found: Sequence[tuple[Echo, str]]) -> list[Echo]:
    return [echo for echo, _ in found]


def test_who_is_there_answers_and_who_is_cut_off_does_not(stage: Stage) -> None:
    """Both families at once; a refusal is no answer, whether or not the image can tell it from silence."""
    found = stage.ask([*Network.FAR, *DROPPED, *REJECTED], stage.able())

    if not IMAGES[stage.name]:
        assert set(echoes(found)) == {Echo.NOT_POSSIBLE}
        return
    assert echoes(found[:4]) == [Echo.ANSWERED, Echo.ANSWERED, Echo.SILENT, Echo.SILENT]
    if stage.name == "python":
        assert echoes(found[4:]) == [Echo.REFUSED, Echo.REFUSED]
    assert set(echoes(found[4:])) <= {Echo.REFUSED, Echo.SILENT}


def test_a_pod_without_the_right_says_so_of_each(stage: Stage) -> None:
    """Restricted as probe pods are, where the kernel gives nobody such sockets; never silence, which would be a lie."""
    stage.allow(NOBODY)

    found = stage.ask([*Network.FAR, *DROPPED], _NOBODY)

    assert set(echoes(found)) == {Echo.NOT_POSSIBLE}
    assert all(reason for _, reason in found)


def test_only_datagram_sockets_do_with_the_right_of_the_group(stage: Stage) -> None:
    """Busybox's ping ends as if nobody answered; the pod's own loopback tells that it has no right."""
    stage.allow(EVERYBODY)

    found = set(echoes(stage.ask(Network.FAR, _NOBODY)))

    assert found == ({Echo.ANSWERED} if stage.name in UNPRIVILEGED else {Echo.NOT_POSSIBLE})


def test_no_way_there_is_no_silence_of_the_other_end(stage: Stage) -> None:
    """The pod has no route: nothing was sent."""
    found = echoes(stage.ask(ELSEWHERE, stage.able()))

    assert not {Echo.ANSWERED, Echo.SILENT} & set(found)


def test_many_at_once_are_all_told_apart(stage: Stage) -> None:
    """More than go at once: each has its own answer."""
    addresses = [(Network.FAR, DROPPED)[number % 3 == 0][number % 2] for number in range(40)]

    found = echoes(stage.ask(addresses, stage.able()))

    if IMAGES[stage.name]:
        assert found == [Echo.SILENT if number % 3 == 0 else Echo.ANSWERED for number in range(40)]


@pytest.mark.parametrize(
    "line", ["0 example.org 1", "0 192.0.2.2 0", "0 192.0.2.2 1 1", "x 192.0.2.2 1", "0 -c 1", "0 dead.beef.c0.de 1"]
)
def test_a_line_that_is_none_is_refused(stage: Stage, line: str) -> None:
    """No name is ever looked up, and nothing else becomes a word of a command."""
    reader = stage.exec(f"netaudit/1 b1 4 1 30\n{line}\nend 1\n".encode(), stage.able(), 1)

    assert reader.records == {}
    assert "malformed" in " ".join(reader.complaints)


def test_header_that_is_none_ends_it(stage: Stage) -> None:
    reader = stage.exec(b"netaudit/1 b$1 4 1 30\n0 192.0.2.2 1\nend 1\n", stage.able(), 1)

    assert (reader.header, reader.records) == (None, {})

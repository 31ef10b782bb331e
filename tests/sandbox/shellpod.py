"""A probe pod without Kubernetes: namespaces, an unprivileged user, and only the tools of one kind of image.

Everything hangs on processes that this file starts: when they end, the kernel takes the namespaces away, and nothing
has a name that could be left behind.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from probes.agents import text_of
from probes.placement import AgentSpec
from probes.wire import Attempt, BatchReader, encode_batch

PATIENCE = 60.0
"""Seconds after which something that must happen counts as never happening."""
_NOBODY = (
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
    "--bounding-set=-all",
    "--inh-caps=-all",
    "--no-new-privs",
)


T = TypeVar("T")


def wait_until(holds: Callable[[], T], what: str) -> T:
    """Wait for a condition, on a machine of any speed; what it was when it held."""
    deadline = time.monotonic() + PATIENCE
    while not (found := holds()):
        assert time.monotonic() < deadline, f"waited {PATIENCE:.0f} s for this: {what}"
        time.sleep(0.01)
    return found


def _tool(name: str) -> str:
    found = shutil.which(name)
    assert found, f"{name} is not installed"
    return found


# --- images ---


@contextmanager
def busybox_image(binary: Path) -> Iterator[Path]:
    """A folder of programs with one busybox under all its names."""
    with _folder() as folder:
        shutil.copy(binary, folder / "busybox")
        (folder / "busybox").chmod(0o755)
        listed = subprocess.run([folder / "busybox", "--list"], capture_output=True, text=True, check=True)
        for applet in set(listed.stdout.split()) - {"busybox"}:
            (folder / applet).symlink_to("busybox")
        yield folder


@contextmanager
def debian_image(shell: str, *tools: str) -> Iterator[Path]:
    """A folder of programs with that shell, a few of coreutils and those tools; `nc` is OpenBSD's."""
    with _folder() as folder:
        (folder / "sh").symlink_to(_tool(shell))
        for name in ("sleep", "echo", "cat", "head", "od", "tr", *tools):
            (folder / name).symlink_to(_tool("nc.openbsd" if name == "nc" else name))
        yield folder


@contextmanager
def python_image() -> Iterator[Path]:
    """A folder with the system's Python and nothing else, not even a shell."""
    with _folder() as folder:
        (folder / "python3").symlink_to("/usr/bin/python3")
        yield folder


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="netaudit-image-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the pod's user must get in
        yield folder


# --- network ---


@dataclass(frozen=True)
class Network:
    """Two network namespaces joined by a cable."""

    near: int
    far: int
    """Pids of the processes that hold them."""

    NEAR = ("192.0.2.1", "2001:db8::1")
    FAR = ("192.0.2.2", "2001:db8::2")

    def run(self, holder: int, *command: str, given: str | None = None) -> None:
        """Run a command in one of the namespaces."""
        subprocess.run([_tool("nsenter"), f"--net=/proc/{holder}/ns/net", *command], check=True, input=given, text=True)


@contextmanager
def network() -> Iterator[Network]:
    """Make a network, with addresses of both families on each end."""
    with _holder() as near, _holder() as far:
        net = Network(near, far)
        net.run(near, "ip", "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", str(far))
        for holder, addresses in ((near, Network.NEAR), (far, Network.FAR)):
            net.run(holder, "sh", "-c", "echo 0 >/proc/sys/net/ipv4/ip_unprivileged_port_start")
            net.run(holder, "ip", "link", "set", "lo", "up")
            net.run(holder, "ip", "address", "add", f"{addresses[0]}/24", "dev", "cable")
            net.run(holder, "ip", "address", "add", f"{addresses[1]}/64", "dev", "cable", "nodad")
            net.run(holder, "ip", "link", "set", "cable", "up")
        yield net


@contextmanager
def _holder() -> Iterator[int]:
    # It ends with its standard input, so also when the tests are killed.
    command = [_tool("unshare"), "--net", _tool("cat")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        own = Path("/proc/self/ns/net").readlink()
        wait_until(lambda: Path(f"/proc/{process.pid}/ns/net").readlink() != own, "a network namespace")
        try:
            yield process.pid
        finally:
            process.kill()


# --- pods ---


@dataclass(frozen=True)
class Pod:
    """A running probe pod."""

    agent: AgentSpec
    init: int
    """Pid of its first process, as seen from here."""
    environment: dict[str, str]

    def processes(self) -> dict[int, str]:
        """All processes in the pod with their command lines."""
        mine = _namespace(self.init)
        found = {int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()}
        lines = {pid: _command_line(pid) for pid in found if mine and _namespace(pid) == mine}
        return {pid: line for pid, line in lines.items() if line}

    def listeners(self) -> set[int]:
        """The ports on which the pod's network namespace listens."""
        rows: list[str] = []
        for table in ("tcp", "tcp6"):
            rows += Path(f"/proc/{self.init}/net/{table}").read_text().splitlines()[1:]
        return {int(row.split()[1].rsplit(":", 1)[1], 16) for row in rows if row.split()[3] == "0A"}

    def alone(self) -> bool:
        """Whether no batch runs: only the first process, its timer and its listeners are left."""
        return not any(line.endswith(" probe") for line in self.processes().values()) and not self.clients()

    def clients(self, to: str = "") -> list[int]:
        """Pids of attempts under way (to that address) by a client that is a program of its own."""
        started = ("nc -n", "nc 192", "socat TCP4:")
        return [pid for pid, line in self.processes().items() if line.startswith(started) and to in line]

    def entering(self) -> tuple[list[str], dict[str, str]]:
        """The words and the environment that start the agent's other half."""
        enter = [_tool("nsenter"), f"--target={self.init}", "--net", "--pid", "--mount"]
        words = _words(self.agent, self.environment["PATH"], "probe")
        return [*enter, _tool("setpriv"), *_NOBODY, *words], self.environment

    @contextmanager
    def exec(self) -> Iterator[subprocess.Popen[bytes]]:
        """Start the agent's other half, as an exec does."""
        command, environment = self.entering()
        with subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            try:
                yield process
            finally:
                for pipe in (process.stdin, process.stdout):
                    if pipe is not None and not pipe.closed:
                        pipe.close()
                process.kill()

    def probe(self, attempts: Sequence[Attempt], window: int = 64) -> BatchReader:
        """Carry out a batch to its footer, the way the real caller does."""
        reader = BatchReader("b1", [attempt.id for attempt in attempts])
        for line in self.talk(encode_batch("b1", window, attempts)):
            reader.feed(line)
        return reader

    def talk(self, said: bytes) -> Iterator[bytes]:
        """Say something to an exec and give its answer, line by line, to the footer; its input stays open."""
        with self.exec() as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(said)
            process.stdin.flush()
            for line in process.stdout:
                yield line
                if line.startswith(b'{"end"'):
                    break


@contextmanager
def pod(image: Path, holder: int, ports: Sequence[int | str], nonce: str, deadline: int = 600) -> Iterator[Pod]:
    """Start a probe pod in the network namespace of that holder, with its image's agent; wait until it listens."""
    name = "python" if (image / "python3").is_symlink() else "shell"
    agent = AgentSpec(image.name, text_of(name), deadline, name)
    environment = {
        "PATH": str(image),
        "NETAUDIT_AGENT": agent.script,
        "NETAUDIT_NONCE": nonce,
        "NETAUDIT_RUN": "r1",
        "NETAUDIT_PORTS": " ".join(map(str, ports)),
        "NETAUDIT_DEADLINE": str(deadline),
    }
    enter = [_tool("nsenter"), f"--net=/proc/{holder}/ns/net"]
    fence = [_tool("unshare"), "--pid", "--mount-proc", "--fork", "--kill-child"]
    command = [*enter, *fence, _tool("setpriv"), *_NOBODY, *_words(agent, str(image), "serve")]
    with subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        try:
            assert process.stdout is not None
            assert b'"serve"' in process.stdout.readline()
            started = Pod(agent, int(children.read_text()), environment)
            streams = {port for port in ports if isinstance(port, int)}
            wait_until(lambda: streams <= started.listeners(), "all listeners")
            yield started
        finally:
            # The first process takes all others with it, and its parent ends after it.
            for init in children.read_text().split():
                end(int(init))
            process.wait(PATIENCE)


def _words(agent: AgentSpec, folder: str, half: str) -> list[str]:
    # busybox and bash look at the name by which they are called.
    program, *words = agent.command(half)
    return [f"{folder}/{program}", *words]


def _namespace(pid: int) -> str:
    try:
        return str(Path(f"/proc/{pid}/ns/pid").readlink())
    except OSError:
        return ""


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def bearing(text: str) -> list[int]:
    """Processes in whose environment that stands."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            said = (entry / "environ").read_bytes() if entry.name.isdecimal() else b""
        except OSError:
            continue
        if text.encode() in said:
            found.append(int(entry.name))
    return found


def parents(pids: Iterable[int]) -> set[int]:
    """The processes that started those of them which still run."""
    found = set()
    for pid in pids:
        with suppress(OSError):
            found |= {int(line.split()[1]) for line in _status(pid) if line.startswith("PPid:")}
    return found


def _status(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/status").read_text().splitlines()


def end(pid: int, number: signal.Signals = signal.SIGKILL) -> None:
    """Send a signal to a process that may be gone."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return

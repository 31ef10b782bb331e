"""Realms: what is in them is apart from everything, and gone with them, whoever ends them and how."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import secrets
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from probes.backends.netns.faults import FAULTS
from probes.backends.netns.realm import RealmError, realm
from probes.backends.netns.sandbox import sandbox as made_sandbox
from probes.backends.netns.wires import SETTINGS
from tests.sandbox.shellpod import bearing, end, wait_until

ROOT = Path(__file__).parents[2]
MARK = "NETAUDIT_TEST_REALM"
PEOPLED = """
import asyncio
from probes.backends.netns.sandbox import sandbox

async def main():
    async with sandbox() as box:
        await box.add_nodes(["n1", "n2"])
        pods = [({"metadata": {"name": f"p{turn}"}}, f"n{1 + turn % 2}") for turn in range(6)]
        await box.add_pods(pods)
        await box.enforce()
        for turn in range(6):
            await box.start(("default", f"p{turn}"), ["sleep", "1000"], {"PATH": "/usr/bin:/bin"})
        print("up", flush=True)
        await asyncio.sleep(1000)

asyncio.run(main())
"""

CLOSED = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "closed", "namespace": "default"},
    "spec": {"podSelector": {}},
}


def marked(mark: str) -> list[int]:
    """Processes that were started by whoever bore that mark, and theirs."""
    return bearing(f"{MARK}={mark}")


def sleepers() -> set[int]:
    """Pods' processes, which have no environment but their own."""
    return {
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdecimal() and _line(entry) == b"sleep\x001000\x00"
    }


def _line(entry: Path) -> bytes:
    try:
        return (entry / "cmdline").read_bytes()
    except OSError:
        return b""


def peopled(mark: str, *before: str) -> subprocess.Popen[str]:
    """A program that makes a sandbox with six pods and waits."""
    return subprocess.Popen(
        [*before, sys.executable, "-c", PEOPLED],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", MARK: mark},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_a_pod_sees_nobody_else_and_may_do_nothing() -> None:
    look = (
        "import os; print(os.getpid(), sorted(filter(str.isdigit, os.listdir('/proc'))), os.listdir('/sys/class/net'),"
        " [line for line in open('/proc/self/status') if line.startswith(('CapEff', 'CapBnd', 'NoNewPrivs'))])"
    )

    async def work() -> tuple[str, int]:
        async with realm() as made:
            [space] = await made.spaces(1, SETTINGS)
            pod = await made.start(space, [sys.executable, "-c", look], {}, pod=True)
            return (await pod.output.read()).decode(), await pod.ended

    said, code = asyncio.run(work())
    assert code == 0, said
    assert said.startswith("1 ['1'] ")
    assert said.count("0000000000000000") == 2
    assert "NoNewPrivs:\\t1" in said


def test_what_fails_is_told() -> None:
    async def work() -> None:
        async with realm() as made:
            await made.run(0, ["ip", "link", "set", "nothing", "up"])

    with pytest.raises(Exception, match='Cannot find device "nothing"'):
        asyncio.run(work())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=lambda item: item.name)
def test_nothing_stays_of_a_sandbox_whose_program_was_ended(number: signal.Signals) -> None:
    mark, before = secrets.token_hex(8), sleepers()
    with peopled(mark) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "up\n"
        assert len(marked(mark)) >= 2
        assert len(sleepers() - before) == 6
        end(program.pid, number)
        wait_until(lambda: not marked(mark) and not sleepers() - before, "the end of everything")


@pytest.mark.parametrize("milliseconds", [10, 50, 100, 200, 300, 450, 600, 800, 1000, 1300])
def test_nothing_stays_whenever_it_is_killed(milliseconds: int) -> None:
    """Whatever it was about: the moments are those of an idle machine, and on a busy one they fall earlier."""
    mark, before = secrets.token_hex(8), sleepers()
    with peopled(mark) as program:
        with pytest.raises(subprocess.TimeoutExpired):
            program.wait(milliseconds / 1000)
        end(program.pid)
        wait_until(lambda: not marked(mark) and not sleepers() - before, "the end of everything")


def test_an_ordinary_user_may_make_one() -> None:
    before = sleepers()
    with peopled(secrets.token_hex(8), "unshare", "--user", "--map-user=1000", "--map-group=1000") as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "up\n"
        assert len(sleepers() - before) == 6
        end(program.pid)
    wait_until(lambda: not sleepers() - before, "the end of everything")


def test_a_low_limit_of_open_files_is_raised() -> None:
    """Shells allow 1,024 as a rule, and each namespace is one."""
    before = sleepers()
    with peopled(secrets.token_hex(8), "prlimit", "--nofile=32:4096") as program:
        assert program.stdout is not None
        assert program.stdout.readline() == "up\n"
        end(program.pid)
    wait_until(lambda: not sleepers() - before, "the end of everything")


def test_a_program_that_has_many_files_open_may_make_one() -> None:
    """The number of a realm's socket is then beyond what select(2) can take."""

    async def work() -> str:
        async with realm() as made:
            return await made.run(0, ["echo", "here"])

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2048), hard))
    with ExitStack() as stack:
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        for _ in range(1100):
            stack.enter_context(Path(os.devnull).open())
        assert asyncio.run(work()) == "here\n"


def test_rules_that_could_not_be_changed_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault changes them by itself, while nobody waits for it."""

    async def work() -> None:
        async with made_sandbox(FAULTS["restart-loses-rules"]) as box:
            await box.add_nodes(["n1"])
            await box.add_pods([({"metadata": {"name": "p"}}, "n1")])
            box.govern({"default": {}}, [CLOSED])
            await box.enforce()
            monkeypatch.setattr(sys.modules[type(box).__module__], "FILTER", ("false",))
            await asyncio.wait(asyncio.all_tasks() - {asyncio.current_task()}, return_when=asyncio.FIRST_COMPLETED)

    with pytest.raises(RealmError, match="false"):
        asyncio.run(work())


ASKED = b'{"do": "place", "space": 0, "id": 1}'


@pytest.mark.parametrize(
    ("users", "asked", "code"),
    [("users", [], 0), ("users", [ASKED] * 8, 0), ("none", [], 1)],
    ids=["before its first word", "unheard answers", "what it may not"],
)
def test_a_keeper_that_nobody_hears_any_more_ends_quietly(users: str, asked: list[bytes], code: int) -> None:
    """As after Ctrl-C: it has things to say, and the other end is closed."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    started = [sys.executable, "-IS", str(ROOT / "probes/backends/netns/keeper.py"), str(theirs.fileno()), users]
    # Without rights it cannot make what it was asked for, and says so.
    fenced = [] if users == "users" else ["unshare", "--user"]
    with theirs, subprocess.Popen([*fenced, *started], pass_fds=(theirs.fileno(),), stderr=subprocess.PIPE) as keeper:
        theirs.close()
        if asked:
            assert json.loads(ours.recv(1 << 12)) == {"id": 0}
        for packet in asked:
            ours.send(packet)
        ours.close()
        _, said = keeper.communicate()
    assert said.decode() == ""
    assert keeper.returncode == code


def test_where_nothing_is_allowed_that_is_said() -> None:
    """As in a container: no rights, and a kernel that gives no user namespaces."""
    fenced = "echo 0 >/proc/sys/user/max_user_namespaces && exec setpriv --bounding-set=-all --inh-caps=-all"
    program = subprocess.run(
        ["unshare", "--user", "--map-root-user", "sh", "-c", f'{fenced} {sys.executable} -c "$PEOPLED"'],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PEOPLED": PEOPLED},
        capture_output=True,
        text=True,
        check=False,
    )
    assert program.returncode == 1
    assert "no sandbox can be made on this machine" in program.stderr
    assert "namespaces: Operation not permitted" in program.stderr

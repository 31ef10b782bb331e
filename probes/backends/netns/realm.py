"""A realm of network namespaces and the processes in them: the outer end of `keeper`.

Everything ends with the realm, also when this process is killed: the keeper then finds its socket closed.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from auditor.errors import NetauditError
from probes.backends.netns.allowed import SEARCHED, forbidden

FABRIC = 0
"""The namespace that the keeper itself is in."""
HANDED = 3
"""The number of the file of the first namespace that a process is handed; others follow in their order."""
PACKET = 1 << 20
CHUNK = 1 << 16
ENVIRONMENT = {"PATH": SEARCHED, "LC_ALL": "C"}
_KEEPER = Path(__file__).with_name("keeper.py")


class RealmError(NetauditError):
    """Something could not be done in a realm."""

    def __init__(self, why: str) -> None:
        """Say why."""
        attempt = "run it again; where it stays so, report it: it is a fault of netaudit, or a limit of this machine"
        super().__init__("the sandbox failed", why=why, attempt=attempt)

    def __str__(self) -> str:
        """Why."""
        return self.why


async def writable(file: int | socket.socket) -> None:
    """Wait until something can be written again."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_writer(file, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_writer(file)


@dataclass(slots=True)
class Process:
    """A process in a realm, with the outer ends of its pipes."""

    number: int
    ended: asyncio.Future[int]
    """Its exit code; negative for a signal."""
    output: asyncio.StreamReader
    _input: int
    _outlet: asyncio.ReadTransport

    async def write(self, data: bytes) -> None:
        """Say something; raises OSError when it does not listen any more."""
        left = memoryview(data)
        while left:
            try:
                left = left[os.write(self._input, left) :]
            except BlockingIOError:
                await writable(self._input)

    def hush(self) -> None:
        """Have nothing more to say."""
        if self._input >= 0:
            os.close(self._input)
            self._input = -1

    def close(self) -> None:
        """Let go of the pipes."""
        self.hush()
        self._outlet.close()


@dataclass(slots=True)
class Realm:
    """The namespaces of one sandbox."""

    _control: socket.socket
    _parent: int
    """Pid of the keeper's parent."""
    _users: bool
    """Whether it is in a user namespace of its own."""
    _answers: dict[int, asyncio.Future[dict[str, Any]]] = field(default_factory=dict)
    _ends: dict[int, asyncio.Future[int]] = field(default_factory=dict)
    _numbers: count[int] = field(default_factory=lambda: count(1))
    _turns: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def spaces(self, number: int, settings: Mapping[str, str]) -> range:
        """Make so many network namespaces with these settings, by path below /proc/sys."""
        answer = await self._ask({"do": "spaces", "count": number, "settings": dict(settings)})
        return range(answer["first"], answer["first"] + number)

    async def entrance(self, space: int) -> list[str]:
        """The words that lead a command of this machine into a network namespace; nsenter(1)."""
        answer = await self._ask({"do": "place", "space": space})
        keeper = await asyncio.to_thread(_only_child, self._parent)
        users = ["--target", keeper, "--user", "--preserve-credentials"] if self._users else []
        return ["nsenter", *users, f"--net=/proc/{keeper}/fd/{answer['file']}"]

    async def close(self, space: int) -> None:
        """Let go of a network namespace: it ends with the last process in it."""
        await self._ask({"do": "close", "space": space})

    async def signal(self, process: Process, what: signal.Signals) -> None:
        """Send a signal to a process that was started, if it still runs."""
        await self._ask({"do": "signal", "process": process.number, "signal": int(what)})

    async def run(self, space: int, words: Sequence[str], said: str = "", spaces: Sequence[int] = ()) -> str:
        """Run a program to its end, with all rights, and give its output; raises RealmError where it fails.

        `spaces` are handed to it as open files, from `HANDED` on.
        """
        process = await self.start(space, words, ENVIRONMENT, rights=True, spaces=spaces)
        try:
            with suppress(BrokenPipeError):
                await process.write(said.encode())
            process.hush()
            output = (await process.output.read()).decode(errors="replace")
            code = await process.ended
        finally:
            process.close()
        if code:
            raise RealmError(f"{' '.join(words)}: {output.strip()[-500:] or f'exit code {code}'}")
        return output

    async def start(
        self,
        space: int,
        words: Sequence[str],
        environment: Mapping[str, str],
        *,
        pod: bool = False,
        beside: Process | None = None,
        rights: bool = False,
        spaces: Sequence[int] = (),
    ) -> Process:
        """Start a process: as a pod's first, beside it in the same pod, or alone; raises RealmError."""
        number = next(self._numbers)
        theirs, write = os.pipe()
        read, said = os.pipe()
        os.set_blocking(write, False)
        ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._ends[number] = ended
        asked = {
            "do": "start",
            "space": space,
            "words": list(words),
            "env": dict(environment),
            "pod": pod,
            "beside": beside.number if beside else None,
            "drop": not rights,
            "spaces": list(spaces),
        }
        try:
            await self._ask(asked, number, (theirs, said, said))
        except BaseException:
            os.close(write)
            os.close(read)
            raise
        finally:
            os.close(theirs)
            os.close(said)
        output = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        outlet, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(output), os.fdopen(read, "rb", buffering=0)
        )
        return Process(number, ended, output, write, outlet)

    async def _ask(self, asked: dict[str, Any], number: int = 0, fds: Sequence[int] = ()) -> dict[str, Any]:
        number = number or next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        try:
            await self._send(json.dumps({**asked, "id": number}).encode(), fds)
        except OSError as error:
            del self._answers[number]
            raise RealmError(f"the sandbox is gone: {error}") from error
        found: dict[str, Any] = await answer
        if "fault" in found:
            raise RealmError(found["fault"])
        return found

    async def _send(self, packet: bytes, fds: Sequence[int]) -> None:
        """Send one packet, once there is room for it."""
        async with self._turns:
            while True:
                try:
                    socket.send_fds(self._control, [packet], list(fds))
                except BlockingIOError:
                    await writable(self._control)
                else:
                    return

    def hear(self) -> None:
        """Take what the keeper says."""
        try:
            packet = self._control.recv(PACKET)
        except BlockingIOError:
            return
        except OSError:
            packet = b""
        if not packet:
            self._lost()
            return
        said = json.loads(packet)
        if "ended" in said:
            waiting = self._ends.pop(said["ended"], None)
            if waiting is not None and not waiting.done():
                waiting.set_result(said["code"])
            return
        answer = self._answers.pop(said["id"], None)
        if answer is not None and not answer.done():
            answer.set_result(said)

    def _lost(self) -> None:
        """Nobody answers any more."""
        asyncio.get_running_loop().remove_reader(self._control)
        for answer in self._answers.values():
            if not answer.done():
                answer.set_result({"fault": "the sandbox is gone"})
        for end in self._ends.values():
            if not end.done():
                end.set_result(-int(signal.SIGKILL))


def _only_child(process: int) -> str:
    return Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii").strip()


@asynccontextmanager
async def realm() -> AsyncIterator[Realm]:
    """Make a realm; on leaving, everything in it is gone.

    Raises NetauditError where this machine allows none, with the setting that forbids it.
    """
    control, keeper, users = await _begin()
    loop = asyncio.get_running_loop()
    it = Realm(control, keeper.pid, users)
    loop.add_reader(control, it.hear)
    try:
        yield it
    finally:
        loop.remove_reader(control)
        control.close()
        # The keeper ends by that, and its parent after it: then the kernel has taken away all of its processes.
        await asyncio.shield(keeper.wait())


async def _begin() -> tuple[socket.socket, asyncio.subprocess.Process, bool]:
    """A keeper that runs, and whether in a user namespace: as root without one where that works."""
    faults: list[str] = []
    for users in ("none", "users") if os.geteuid() == 0 else ("users",):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            keeper = await asyncio.create_subprocess_exec(
                *(sys.executable, "-IS", str(_KEEPER), str(theirs.fileno()), users),
                pass_fds=(theirs.fileno(),),
                stdin=asyncio.subprocess.DEVNULL,
                # Ctrl-C in a terminal is for us, who then end the realm in order.
                start_new_session=True,
            )
        ours.settimeout(0)
        try:
            packet = await asyncio.get_running_loop().sock_recv(ours, PACKET)
        except BaseException:
            ours.close()
            await asyncio.shield(keeper.wait())
            raise
        said = json.loads(packet) if packet else {"fault": "it ended at once"}
        if "fault" not in said:
            return ours, keeper, users == "users"
        faults.append(said["fault"])
        ours.close()
        await keeper.wait()
    raise NetauditError("no sandbox can be made on this machine", why="; ".join(faults), attempt=forbidden())

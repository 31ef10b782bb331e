"""The program inside a realm: holds its network namespaces and starts processes in them.

Stands alone, for it is started as a file.  It hears of its work through a socket whose number is its only argument, a
JSON object in each packet with the ends of pipes beside it, and it ends as soon as nobody holds the other end.  As the
first process of its own process namespace it takes all others with it, and the kernel takes away whatever only they
held: nothing has a name that could be left behind.  namespaces(7), user_namespaces(7), pid_namespaces(7).
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import resource
import select
import signal
import socket
import sys
from pathlib import Path
from typing import Any

NEW_MOUNTS, NEW_USER, NEW_PROCESSES, NEW_NETWORK = 0x00020000, 0x10000000, 0x20000000, 0x40000000
PRIVATE, RECURSIVE = 1 << 18, 1 << 14
DROP_BOUNDING, NO_NEW_PRIVILEGES, AMBIENT, AMBIENT_CLEAR = 24, 38, 47, 4
CAPABILITIES = 64
PACKET = 1 << 20
NOT_FOUND = 127
HANDED = 3
"""The number of the first namespace's file in a process that is handed some."""
Message = dict[str, Any]

_libc = ctypes.CDLL(None, use_errno=True)


def checked(result: int, what: str) -> None:
    """Raise OSError where a call of the C library failed."""
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(flags: int, what: str) -> None:
    """Leave namespaces for new ones of one's own."""
    checked(_libc.unshare(ctypes.c_int(flags)), f"making {what}")


def enter(fd: int, what: str) -> None:
    """Go into the namespace that a file stands for."""
    checked(_libc.setns(ctypes.c_int(fd), ctypes.c_int(0)), f"entering {what}")


def own_users() -> None:
    """Become root of a user namespace of one's own, which is nobody more than before outside."""
    user, group = os.geteuid(), os.getegid()
    unshare(NEW_USER, "a user namespace")
    write("/proc/self/setgroups", "deny")
    write("/proc/self/uid_map", f"0 {user} 1")
    write("/proc/self/gid_map", f"0 {group} 1")


def write(path: str, text: str) -> None:
    """Write a file of the kernel's."""
    Path(path).write_text(text, encoding="ascii")


def mount_processes() -> None:
    """Have /proc show the processes of this namespace; where that is forbidden, those outside stay to be seen."""
    private = _libc.mount(b"none", b"/", None, ctypes.c_ulong(PRIVATE | RECURSIVE), None)
    if private == 0:
        _libc.mount(b"proc", b"/proc", b"proc", ctypes.c_ulong(0), None)


def drop_rights() -> None:
    """Give up every capability, for oneself and whatever one starts."""
    _libc.prctl(AMBIENT, AMBIENT_CLEAR, 0, 0, 0)
    for number in range(CAPABILITIES):
        _libc.prctl(DROP_BOUNDING, number, 0, 0, 0)
    checked(_libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0), "giving up privileges")


def tell(control: socket.socket, message: Message) -> None:
    """Tell the other end; that it is gone is how a realm ends, and no error."""
    with contextlib.suppress(ConnectionError):
        control.send(json.dumps(message).encode())


class Keeper:
    """The namespaces and processes of one realm."""

    def __init__(self, control: socket.socket) -> None:
        """Begin with the namespace that this process is in, the fabric, as number 0."""
        self.control = control
        self.spaces: dict[int, int] = {0: os.open("/proc/self/ns/net", os.O_RDONLY)}
        self.running: dict[int, int] = {}
        """By process, the number under which it was asked for."""
        self.inits: dict[int, int] = {}
        """By that number, the process."""

    def serve(self) -> None:
        """Do what is asked until the other end is closed."""
        wake, woken = socket.socketpair()
        wake.settimeout(0)
        woken.settimeout(0)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        # The number of our own end may be any: select(2) knows those below 1,024 only.
        poll = select.poll()
        for end in (self.control, woken):
            poll.register(end, select.POLLIN)
        while True:
            ready = [fd for fd, _ in poll.poll()]
            if woken.fileno() in ready:
                with contextlib.suppress(BlockingIOError):
                    woken.recv(PACKET)
                self.reap()
            if self.control.fileno() in ready and not self.hear():
                return

    def hear(self) -> bool:
        """Do one thing that is asked; whether there may be more."""
        try:
            packet, fds, _, _ = socket.recv_fds(self.control, PACKET, 3)
        except ConnectionError:
            # Gone without having read all that was said.
            return False
        if not packet:
            return False
        for fd in fds:
            os.set_inheritable(fd, False)  # noqa: FBT003  # it takes no keyword
        asked = json.loads(packet)
        try:
            answer = getattr(self, f"do_{asked['do']}")(asked, fds)
        except OSError as error:
            answer = {"fault": str(error), "errno": error.errno}
        finally:
            for fd in fds:
                os.close(fd)
        self.say({"id": asked["id"], **answer})
        return True

    def say(self, message: Message) -> None:
        """Tell the other end."""
        tell(self.control, message)

    def do_spaces(self, asked: Message, _: list[int]) -> Message:
        """Make network namespaces, each with these settings."""
        first = max(self.spaces) + 1
        try:
            for number in range(first, first + asked["count"]):
                unshare(NEW_NETWORK, "a network namespace")
                self.spaces[number] = os.open("/proc/self/ns/net", os.O_RDONLY)
                self.set_all(asked["settings"])
        finally:
            enter(self.spaces[0], "the fabric")
        return {"first": first}

    @staticmethod
    def set_all(settings: dict[str, str]) -> None:
        """Write settings; one that this kernel does not have is left."""
        for path, value in settings.items():
            with contextlib.suppress(FileNotFoundError):
                write(f"/proc/sys/{path}", value)

    def do_place(self, asked: Message, _: list[int]) -> Message:
        """Tell which open file of this process a namespace is."""
        return {"file": self.spaces[asked["space"]]}

    def do_close(self, asked: Message, _: list[int]) -> Message:
        """Let go of a namespace; it ends with the last process in it."""
        os.close(self.spaces.pop(asked["space"]))
        return {}

    def do_signal(self, asked: Message, _: list[int]) -> Message:
        """Send a signal to a process that was started, if it still runs."""
        process = self.inits.get(asked["process"])
        if process is not None:
            os.kill(process, asked["signal"])
        return {}

    def do_start(self, asked: Message, fds: list[int]) -> Message:
        """Start a process in a namespace, with these three files; `pod` is true for one with processes of its own."""
        process = self.fork(asked, fds)
        self.running[process] = asked["id"]
        self.inits[asked["id"]] = process
        return {}

    def fork(self, asked: Message, fds: list[int]) -> int:
        """The process that is started, as this one sees it."""
        beside = self.inits.get(asked["beside"]) if asked.get("beside") is not None else None
        if asked.get("beside") is not None and beside is None:
            raise ProcessLookupError(3, "the pod has ended")
        if not asked["pod"] and beside is None:
            return os.fork() or self.become(asked, fds)
        # Who enters a process namespace is not in it, only whoever it starts: so there is one in between.
        near, far = os.pipe()
        between = os.fork()
        if not between:
            self.between(asked, fds, far, beside)
        os.close(far)
        with os.fdopen(near, encoding="ascii") as said:
            word = said.read()
        os.waitpid(between, 0)
        if not word.isdecimal():
            raise OSError(0, word or "no process could be started")
        return int(word)

    def between(self, asked: Message, fds: list[int], far: int, beside: int | None) -> None:
        """Start the process in other namespaces, say which it is, and end."""
        try:
            if beside is None:
                unshare(NEW_PROCESSES | NEW_MOUNTS, "a process namespace")
            else:
                kinds = [os.open(f"/proc/{beside}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC) for kind in ("mnt", "pid")]
                for fd in kinds:
                    enter(fd, "a pod")
            process = os.fork()
            if not process:
                if beside is None:
                    mount_processes()
                self.become(asked, fds)
            os.write(far, str(process).encode())
        except OSError as error:
            os.write(far, str(error).encode())
        finally:
            os._exit(0)

    def become(self, asked: Message, fds: list[int]) -> int:
        """Turn into the program that is asked for; never returns."""
        try:
            enter(self.spaces[asked["space"]], "a network namespace")
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            for target, fd in enumerate([os.dup(fd) for fd in fds]):
                os.dup2(fd, target)
            os.setsid()
            if asked["drop"]:
                drop_rights()
            # Handed on in their order, so that the words can name them; first out of the way of each other.
            handed = [
                fcntl.fcntl(self.spaces[number], fcntl.F_DUPFD, HANDED + len(asked["spaces"]))
                for number in asked["spaces"]
            ]
            for turn, fd in enumerate(handed):
                os.dup2(fd, HANDED + turn)
                os.close(fd)
            os.execvpe(asked["words"][0], asked["words"], asked["env"])  # noqa: S606  # words, not a line for a shell
        except OSError as error:
            os.write(2, f"{asked['words'][0]}: {error}".encode(errors="replace"))
        finally:
            os._exit(NOT_FOUND)

    def reap(self) -> None:
        """Tell of processes that have ended."""
        while True:
            try:
                process, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not process:
                return
            number = self.running.pop(process, None)
            if number is not None:
                self.inits.pop(number, None)
                self.say({"ended": number, "code": os.waitstatus_to_exitcode(status)})


def main() -> int:
    """Make the namespaces of a realm and keep them."""
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    users = sys.argv[2] == "users"
    # Each namespace is an open file.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        if users:
            own_users()
        unshare(NEW_PROCESSES | NEW_NETWORK | NEW_MOUNTS, "namespaces")
        child = os.fork()
    except OSError as error:
        tell(control, {"fault": str(error), "errno": error.errno})
        return 1
    if child:
        control.close()
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    mount_processes()
    keeper = Keeper(control)
    keeper.say({"id": 0})
    keeper.serve()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())

"""What runs in a probe pod whose image has Python: the standard library alone, in one file that is given as text.

    serve   answers whatever reaches NETAUDIT_PORTS with "netaudit <nonce> <port>", until TERM or the deadline
    probe   reads one batch of work from stdin, makes the attempts, prints one JSON line for each (see wire.py)

Reads NETAUDIT_NONCE, NETAUDIT_RUN, NETAUDIT_PORTS, NETAUDIT_DEADLINE; writes no file. It reports what happened and
decides nothing: outcome.py says what an attempt means. Images may be old, so nothing newer than Python 3.9.
"""

from __future__ import annotations

import collections
import contextlib
import errno
import heapq
import itertools
import os
import re
import resource
import select
import signal
import socket
import sys
import time

MAX_WINDOW, MAX_LINE, MAX_SAID, MAX_PORT = 1024, 4096, 256, 65535
LEAST, MOST, RESEND, LINGER = 0.1, 60.0, 0.2, 3.0  # seconds: bounds of a time limit, and two waits
# A full backlog drops SYNs, which would look like a policy; so many peers are answered before the next listener's turn.
BACKLOG, AT_ONCE = 4096, 64
SPARE, CHOKED = 32, 65536  # files that are not for attempts; bytes not taken yet, from which on nothing new is begun
PROTOCOLS = {"tcp": (socket.SOCK_STREAM, 0), "handshake": (socket.SOCK_STREAM, 0)}
PROTOCOLS |= {"udp": (socket.SOCK_DGRAM, 0), "sctp": (socket.SOCK_STREAM, 132)}
EVERYWHERE = ((socket.AF_INET6, "::"), (socket.AF_INET, "0.0.0.0"))  # noqa: S104  # all addresses of the pod's own
# Refusals even before anything was sent; of the others it then means that this pod has no route at all.
OWN_REFUSALS = (errno.ECONNREFUSED, errno.EACCES, errno.EPERM)
# What Linux makes of resets and of the ICMP messages of both families that say unreachable.
REFUSALS = (*OWN_REFUSALS, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENOPROTOOPT, errno.EHOSTDOWN, errno.ENONET)
NO_MEANS = 127  # how an attempt ends whose protocol this kernel does not have
MISSING, LATER = (errno.EPROTONOSUPPORT, errno.ESOCKTNOSUPPORT), (errno.EAGAIN, errno.ENOBUFS)

NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")
SECONDS = re.compile(r"(0|[1-9][0-9]?)(\.[0-9])?")
WORD = re.compile(r"[A-Za-z0-9._-]{1,64}")
PORT_WORD = re.compile(r"([0-9]+)(?:/(tcp|udp|sctp))?")
ANSWER = re.compile(rb"netaudit [a-z0-9]+ [0-9]+\s*")
HARMLESS = bytes(byte if re.match(rb"[A-Za-z0-9 ._:-]", bytes([byte])) else ord("_") for byte in range(256))


def between(text: str, low: int, high: int) -> bool:
    """Whether this is a plain decimal number between the two."""
    return bool(NUMBER.fullmatch(text)) and low <= int(text) <= high


def plain(said: bytes) -> str:
    """Give the first line of what a stranger said, bounded, with every odd byte as _."""
    return said.split(b"\n", 1)[0][:MAX_SAID].translate(HARMLESS).decode("ascii")


def own(name: str) -> str:
    """Give a word of the environment; "none" for what is no plain word."""
    word = os.environ.get("NETAUDIT_" + name, "")
    return word if WORD.fullmatch(word) else "none"


def listened() -> list[tuple[int, str]]:
    """Read the words of NETAUDIT_PORTS, as `80`, `53/udp`, `132/sctp`; what is none is left out."""
    found = map(PORT_WORD.fullmatch, os.environ.get("NETAUDIT_PORTS", "").split())
    return [(int(word[1]), word[2] or "tcp") for word in found if word and between(word[1], 1, MAX_PORT)]


def is_address(text: str) -> bool:
    """Whether this is an address of one family alone; a name never is, so nothing is ever looked up."""
    with contextlib.suppress(OSError, ValueError):
        socket.inet_pton(socket.AF_INET6 if ":" in text else socket.AF_INET, text)
        return not (":" in text and "." in text)
    return False


def read_header(line: bytes) -> tuple[str, int, int, int]:
    """Read `netaudit/1 BATCH WINDOW COUNT [SECONDS]`; raises ValueError."""
    magic, batch, window, count, *rest = line.decode("ascii").split(" ")
    [limit] = rest or ["600"]
    numbers = between(window, 1, MAX_WINDOW) and between(count, 0, 999_999) and between(limit, 1, 86400)
    if magic != "netaudit/1" or not WORD.fullmatch(batch) or not numbers:
        raise ValueError(line)
    return batch, int(window), int(count), int(limit)


def age() -> int:
    """Give the milliseconds since the pod's first process started; -1 where nothing tells."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        ticks = int(os.read(os.open("/proc/1/stat", os.O_RDONLY), MAX_LINE).rsplit(b")", 1)[1].split()[19])
        return round(1000 * (time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")))
    return -1


def within_files(wanted: int) -> int:
    """Raise the limit of open files where that is needed and possible; give how many of those wanted then fit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 <= soft < wanted + SPARE:
        soft = wanted + SPARE if hard < 0 else min(hard, wanted + SPARE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft < 0 else max(1, min(wanted, soft - SPARE))


class Attempt:
    """One attempt: what was asked, and how far it is."""

    socket: socket.socket

    def __init__(self, identifier: str, address: str, port: int, seconds: float, protocol: str) -> None:
        self.id, self.address, self.port, self.seconds, self.protocol = identifier, address, port, seconds, protocol
        self.said, self.problem, self.started, self.deadline, self.connected, self.over = b"", 0, 0.0, 0.0, False, False


def read_work(line: bytes) -> Attempt:
    """Read `ID ADDRESS PORT SECONDS [PROTOCOL]`; raises ValueError with what is wrong, in plain words."""
    words = [word for word in line.decode("ascii", "replace").replace("\t", " ").split(" ") if word]
    identifier, address, port, seconds, protocol, *extra = [*words, *[""] * (5 - len(words))]
    protocol = protocol or "tcp"
    wrong = {
        "too many fields": extra,
        "the id is no number": not between(identifier, 0, 999_999_999),
        "the address is none": not is_address(address),
        "the port is none": not between(port, 1, MAX_PORT),
        "the time limit is not 0.1 to 60": not SECONDS.fullmatch(seconds) or not LEAST <= float(seconds) <= MOST,
        "the protocol is none": protocol not in PROTOCOLS,
    }
    for why, holds in wrong.items():
        if holds:
            raise ValueError(why)
    return Attempt(identifier, address, int(port), float(seconds), protocol)


class Client:
    """Attempts side by side; `said` takes the record of each that ends."""

    def __init__(self, poll: select.epoll) -> None:
        self.poll = poll
        self.live: dict[int, Attempt] = {}
        self.timers: list[tuple[float, int, Attempt]] = []
        self.said: list[str] = []
        self.done = self._turns = 0

    def begin(self, attempt: Attempt) -> None:
        """Make an attempt; what fails before anything was sent is the pod's own fault and no refusal."""
        kind, protocol = PROTOCOLS[attempt.protocol]
        attempt.started = time.monotonic()
        try:
            family = socket.AF_INET6 if ":" in attempt.address else socket.AF_INET
            made = socket.socket(family, kind | socket.SOCK_NONBLOCK, protocol)
        except OSError as error:
            self._say(attempt, NO_MEANS if error.errno in MISSING else -(error.errno or errno.EIO))
            return
        attempt.socket = made
        self.live[made.fileno()] = attempt
        # Whoever floods us may fill a thousand of these at once, and they count as this pod's memory.
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, MAX_LINE)
        problem = made.connect_ex((attempt.address, attempt.port))
        if problem not in (0, errno.EINPROGRESS):
            self._end(attempt, problem, OWN_REFUSALS)
            return
        self.poll.register(made.fileno(), select.EPOLLIN | (select.EPOLLOUT if kind == socket.SOCK_STREAM else 0))
        # The time limit starts when the attempt is on its way: no time of the machine's own counts as silence.
        now = time.monotonic()
        attempt.deadline = now + attempt.seconds
        self._wait(attempt, now)

    def on_event(self, attempt: Attempt, events: int) -> None:
        """Go on with the attempt that something happened to."""
        if not attempt.connected and events & ~select.EPOLLIN:
            problem = attempt.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            # Only what stood can be reset: without a connection it would be a refusal.
            attempt.connected = attempt.protocol != "udp" and problem in (0, errno.ECONNRESET)
            if problem or attempt.protocol == "handshake":
                self._end(attempt, problem)
                return
            if attempt.connected:
                self.poll.modify(attempt.socket.fileno(), select.EPOLLIN)
        if not events & ~select.EPOLLOUT:
            return
        try:
            heard = attempt.socket.recv(2 * MAX_SAID)
        except OSError as error:
            if error.errno not in LATER:
                self._end(attempt, error.errno or errno.EIO)
            return
        attempt.connected = True
        attempt.said += heard
        if not heard or b"\n" in heard or len(attempt.said) >= MAX_SAID or attempt.protocol == "udp":
            self._end(attempt, 0)

    def expire(self, now: float) -> None:
        """End the attempts whose time was over by then, and repeat the datagrams that are due."""
        while self.timers and self.timers[0][0] <= now:
            attempt = heapq.heappop(self.timers)[2]
            if not attempt.over and attempt.deadline > now:
                self._wait(attempt, now)
            elif not attempt.over:
                self._end(attempt, attempt.problem or errno.ETIMEDOUT)

    def _wait(self, attempt: Attempt, now: float) -> None:
        """Wait for an answer, with one more datagram where it is datagrams; its words were in none before."""
        due = attempt.deadline
        if attempt.protocol == "udp":
            due = min(due, now + RESEND)
            try:
                attempt.socket.send(b"netaudit? %s\n" % os.urandom(8).hex().encode())
                attempt.problem = errno.ETIMEDOUT
            except OSError as error:
                if error.errno not in LATER:
                    self._end(attempt, error.errno or errno.EIO)
                    return
                # Where not one datagram got out, its end is no silence.
                attempt.problem = attempt.problem or error.errno or errno.EIO
        self._turns += 1
        heapq.heappush(self.timers, (due, self._turns, attempt))

    def _end(self, attempt: Attempt, problem: int, refusals: tuple[int, ...] = REFUSALS) -> None:
        del self.live[attempt.socket.fileno()]
        attempt.socket.close()  # which takes it from the poll as well
        self._say(attempt, problem if attempt.connected or problem in (0, errno.ETIMEDOUT, *refusals) else -problem)

    def _say(self, attempt: Attempt, code: int) -> None:
        attempt.over = True
        self.done += attempt.id != "self"
        key, number = ("i", int(attempt.id)) if attempt.id != "self" else ("self", attempt.port)
        took, said = round((time.monotonic() - attempt.started) * 1000), plain(attempt.said)
        timed, name = int(code == errno.ETIMEDOUT), errno.errorcode.get(abs(code), "") if code != NO_MEANS else ""
        total, stood = 0, "" if attempt.protocol == "udp" else f'"c":{int(attempt.connected)},'  # of connections alone
        for figure in (number, code + 256, 3 * timed + (int(attempt.connected) if stood else 2), took + 1, len(said)):
            total = (total * 31 + figure) % 9973
        self.said.append(
            f'{{"{key}":{number},"rc":{code},"to":{timed},{stood}"ms":{took},"e":"{name}","d":"{said}","s":{total}}}\n'
        )


class Batch:
    """One batch between whoever gave it, who keeps our stdin open as long as it cares, and the client."""

    def __init__(self) -> None:
        self.poll = select.epoll()
        self.client = Client(self.poll)
        self.queue: collections.deque[tuple[int, bytes]] = collections.deque()
        self.lines, self.gone = -1, False  # lines after the header
        self.header = self.end = self._rest = self._out = b""
        try:
            self.poll.register(1, 0)
            self.poll.register(0, select.EPOLLIN)
        except PermissionError:
            sys.exit("netaudit agent: standard input and output must be pipes")
        os.set_blocking(1, False)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)

    def run(self) -> int:
        """Carry the batch to its footer; the exit code."""
        while self.lines < 0 and not self.gone:
            self._turn(LINGER)
        try:
            batch, window, count, limit = read_header(self.header)
        except ValueError:
            self._complain("the header is malformed")
            self._linger()
            return 2
        window = within_files(window)
        self.client.said.append(
            f'{{"netaudit":1,"agent":"python","run":"{own("RUN")}","batch":"{batch}","nonce":"{own("NONCE")}",'
            f'"client":"python","server":"python","window":{window},"age":{age()},"n":{count}}}\n'
        )
        for port, protocol in listened()[:1]:
            self.client.begin(Attempt("self", "127.0.0.1", port, 2.0, protocol))
        why = self._work(window, time.monotonic() + limit)
        if self.end != b"end %d" % self.lines or self.lines != count:
            self._complain(f"expected {count} lines, read {self.lines}")
        if why:
            self._complain(why)
        self.client.said.append(f'{{"end":{self.client.done},"batch":"{batch}"}}\n')
        self._linger()
        return 0

    def _work(self, window: int, over: float) -> str:
        """Make the attempts; why it was broken off, if it was."""
        while True:
            while self.queue and len(self.client.live) < window and len(self._out) < CHOKED:
                number, line = self.queue.popleft()
                try:
                    self.client.begin(read_work(line))
                except ValueError as error:
                    self._complain(f"line {number}: {error}")
            if self.end and not self.queue and not self.client.live:
                return ""
            if self.gone or time.monotonic() >= over:
                return "stdin was closed" if self.gone else "the batch took too long"
            self._turn(min(over, self.client.timers[0][0] if self.client.timers else over) - time.monotonic())

    def _turn(self, seconds: float) -> None:
        """Wait for what happens next, and give up what was over before: what the machine kept from us comes first."""
        self._flush()
        now = time.monotonic()
        for descriptor, events in self.poll.poll(max(0.0, seconds), 2 * MAX_WINDOW):
            if descriptor in self.client.live:
                self.client.on_event(self.client.live[descriptor], events)
            elif descriptor == 0:
                self._read()
            elif events & ~select.EPOLLOUT:
                self.gone = True
        self.client.expire(now)

    def _read(self) -> None:
        said = os.read(0, CHOKED)
        *lines, self._rest = (self._rest + said).split(b"\n")
        if len(self._rest) > MAX_LINE:
            lines, self._rest = [*lines, self._rest[:MAX_LINE]], b""
        self.gone = self.gone or not said
        for line in lines:
            if self.lines < 0:
                self.header = line
            elif line.split(b" ", 1)[0] == b"end":
                self.end = self.end or line
            if self.end:
                return
            self.lines += 1
            if self.lines:
                self.queue.append((self.lines, line))

    def _complain(self, why: str) -> None:
        self.client.said.append(f'{{"error":"{why}"}}\n')

    def _flush(self) -> None:
        self._out += "".join(self.client.said).encode("ascii")
        self.client.said.clear()
        with contextlib.suppress(BlockingIOError):
            while self._out:
                self._out = self._out[os.write(1, self._out) :]
        self.poll.modify(1, select.EPOLLOUT if self._out else 0)

    def _linger(self) -> None:
        """Let the caller leave first: an exec that ends by itself may lose what was not read yet."""
        self.client.live, self.client.timers = {}, []  # a socket that nobody holds is closed
        over = time.monotonic() + LINGER
        self._flush()
        while not self.gone and time.monotonic() < over and (self._out or own("LINGER") != "no"):
            self._turn(over - time.monotonic())


def listen(family: int, address: str, port: int, protocol: str) -> socket.socket:
    """Listen on all addresses of a family; raises OSError."""
    kind, number = PROTOCOLS[protocol]
    made = socket.socket(family, kind | socket.SOCK_NONBLOCK, number)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    made.bind((address, port))
    if kind == socket.SOCK_STREAM:
        made.listen(BACKLOG)
    return made


def answer(made: socket.socket, line: bytes) -> None:
    """Answer whoever waits and hang up, so that nobody who stays keeps others out; OSError when nobody waits."""
    if made.type == socket.SOCK_STREAM:
        with made.accept()[0] as peer:
            peer.send(line, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        return
    said, sender = made.recvfrom(MAX_SAID)
    if not ANSWER.fullmatch(said):  # two listeners that answer each other would never stop
        made.sendto(line, sender)


def serve() -> int:
    """Listen until TERM or the deadline."""
    until = time.monotonic() + (int(own("DEADLINE")) if between(own("DEADLINE"), 1, 999_999) else 900)
    # The first process of a pod is sent no signal that it does not ask for.
    for wanted in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(wanted, lambda *_: os._exit(0))
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    who = f'"run":"{own("RUN")}","nonce":"{own("NONCE")}"'
    print(f'{{"netaudit":1,"agent":"python","role":"serve",{who},"server":"python"}}', flush=True)
    poll, sockets = select.epoll(), {}
    for (port, protocol), (family, address) in itertools.product(sorted(set(listened())), EVERYWHERE):
        try:
            made = listen(family, address, port, protocol)
        except OSError as error:
            why = errno.errorcode.get(error.errno or errno.EIO, "an error")
            print(f'{{"error":"cannot listen on {address} port {port} {protocol}: {why}"}}', flush=True)
            continue
        sockets[made.fileno()] = (made, f"netaudit {own('NONCE')} {port}\n".encode())
        poll.register(made.fileno(), select.EPOLLIN)
    while time.monotonic() < until:
        for descriptor, _ in poll.poll(max(0.0, until - time.monotonic())):
            with contextlib.suppress(OSError):
                for _ in range(AT_ONCE):
                    answer(*sockets[descriptor])
    return 0


if __name__ == "__main__":
    if sys.argv[1:] not in (["serve"], ["probe"]):
        sys.exit("netaudit agent: serve or probe")
    sys.exit(serve() if sys.argv[1] == "serve" else Batch().run())

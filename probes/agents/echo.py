"""What sends ICMP echo requests from a probe pod whose image has Python: a diagnostic beside the agent.

The caller's lines are `netaudit/1 BATCH WINDOW COUNT SECONDS`, then `ID ADDRESS SECONDS`, then `end COUNT`; what is
said back is a batch as agent.py says it, whose text is `echo` where the very bytes that were sent came back.  A
datagram socket of ICMP needs no capability where net.ipv4.ping_group_range holds the pod's group.  Python 3.9 or newer.
"""

from __future__ import annotations

import errno
import os
import re
import select
import socket
import struct
import sys
import time

MAX_WINDOW, MAX_COUNT, RESEND = 64, 999, 0.5
NO_MEANS, NO_RIGHT = 127, 126  # this kernel has no such socket; it has, and not for this pod's group
WORD = re.compile(r"[A-Za-z0-9._-]{1,64}")
NUMBER = re.compile(r"0|[1-9][0-9]{0,8}")
# By family: protocol, echo request, echo reply, and the level and name of the option that tells of ICMP errors.
KINDS = {
    socket.AF_INET: (socket.IPPROTO_ICMP, 8, 0, socket.IPPROTO_IP, 11),
    socket.AF_INET6: (socket.IPPROTO_ICMPV6, 128, 129, socket.IPPROTO_IPV6, 25),
}
LACKING = (errno.EPROTONOSUPPORT, errno.ESOCKTNOSUPPORT, errno.EAFNOSUPPORT)
FORBIDDEN = (errno.EACCES, errno.EPERM)
# Before anything was sent the first two mean that this pod has no way there; afterwards somebody has said so.
REFUSALS = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ECONNREFUSED, errno.EHOSTDOWN, errno.ENOPROTOOPT, *FORBIDDEN)
LATER = (errno.EAGAIN, errno.ENOBUFS)


def own(name: str) -> str:
    """Give a word of the environment; "none" for what is no plain word."""
    word = os.environ.get("NETAUDIT_" + name, "")
    return word if WORD.fullmatch(word) else "none"


def number(text: str, low: int, high: int) -> int:
    """Read a plain decimal number between the two; raises ValueError."""
    if not NUMBER.fullmatch(text) or not low <= int(text) <= high:
        raise ValueError(text)
    return int(text)


def record(identifier: int, code: int, timed: int, took: int, said: str) -> str:
    """Write the record of one attempt with its checksum, as agent.py does for what has no connections."""
    total = 0
    for figure in (identifier, code + 256, 3 * timed + 2, took + 1, len(said)):
        total = (total * 31 + figure) % 9973
    return f'{{"i":{identifier},"rc":{code},"to":{timed},"ms":{took},"d":"{said}","s":{total}}}'


class Echo:
    """One address that is asked for an echo until it gives one, or the time is over."""

    def __init__(self, line: str) -> None:
        identifier, address, seconds = line.split(" ")
        self.id, self.address, self.seconds = number(identifier, 0, 999_999_999), address, number(seconds, 1, 60)
        self.family = socket.AF_INET6 if ":" in address else socket.AF_INET
        try:
            socket.inet_pton(self.family, address)
        except OSError as error:
            raise ValueError(line) from error
        self.socket: socket.socket | None = None
        self.secret, self.turn, self.sent, self.started, self.due = os.urandom(16), 0, False, 0.0, 0.0

    def begin(self) -> int | None:
        """Send the first request; the code where that is the end."""
        protocol, _, _, level, errors = KINDS[self.family]
        self.started = time.monotonic()
        try:
            made = socket.socket(self.family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, protocol)
        except OSError as error:
            lacking = NO_MEANS if error.errno in LACKING else -(error.errno or errno.EIO)
            return NO_RIGHT if error.errno in FORBIDDEN else lacking
        self.socket = made
        try:
            made.setsockopt(level, errors, 1)
            made.connect((self.address, 0))
        except OSError as error:
            return -(error.errno or errno.EIO)
        return self.send()

    def send(self) -> int | None:
        """Send a request; the code where that is the end."""
        assert self.socket is not None  # noqa: S101
        self.turn += 1
        self.due = time.monotonic() + RESEND
        try:
            self.socket.send(struct.pack(">BBHHH", KINDS[self.family][1], 0, 0, 0, self.turn) + self.secret)
        except OSError as error:
            code = error.errno or errno.EIO
            return None if code in LATER else self.refused(code)
        self.sent = True
        return None

    def refused(self, code: int) -> int:
        """Give the code for an error: negative where it is this pod's own fault."""
        return code if code in REFUSALS and (self.sent or code in FORBIDDEN) else -code

    def hear(self) -> int | None:
        """Read what came; 0 for the echo, the code of an error, None where it was neither."""
        assert self.socket is not None  # noqa: S101
        try:
            said = self.socket.recv(512)
        except OSError as error:
            return None if error.errno in LATER else self.refused(error.errno or errno.EIO)
        return 0 if said[:2] == bytes((KINDS[self.family][2], 0)) and said[8:] == self.secret else None

    def on_time(self, now: float) -> int | None:
        """Repeat the request where that is due; the code where the time is over."""
        if now - self.started >= self.seconds:
            return errno.ETIMEDOUT if self.sent else -errno.ENOBUFS
        return self.send() if now >= self.due else None

    def end(self, code: int) -> None:
        """Say what came of it."""
        if self.socket is not None:
            self.socket.close()
        took = round((time.monotonic() - self.started) * 1000)
        print(record(self.id, code, int(code == errno.ETIMEDOUT), took, "" if code else "echo"), flush=True)


def carry_out(echoes: list[Echo]) -> None:
    """Ask all of these at once, until each has its end or the caller is gone."""
    poll, live = select.poll(), dict[int, Echo]()
    poll.register(0, 0)
    for echo in echoes:
        code = echo.begin()
        if code is not None or echo.socket is None:
            echo.end(-errno.EIO if code is None else code)
        else:
            live[echo.socket.fileno()] = echo
            poll.register(echo.socket.fileno(), select.POLLIN)
    while live:
        # What came before this moment is read before anything is given up.
        now = time.monotonic()
        ends = {file: live[file].hear() for file, _ in poll.poll(50) if file}
        ends |= {file: echo.on_time(now) for file, echo in live.items() if ends.get(file) is None}
        for file, code in ends.items():
            if code is not None:
                poll.unregister(file)
                live.pop(file).end(code)
        if any(file == 0 for file, _ in poll.poll(0)):
            sys.exit(1)


def main() -> int:
    """Carry out one batch; the exit code."""
    magic, batch, window, count, *_ = (sys.stdin.readline() + " - - - -").split()
    numbers = [word for word in (window, count) if NUMBER.fullmatch(word)]
    if magic != "netaudit/1" or not WORD.fullmatch(batch) or numbers != [window, count] or int(count) > MAX_COUNT:
        print('{"error":"the header is malformed"}', flush=True)
        return 2
    wide, asked = max(1, min(int(window), MAX_WINDOW)), int(count)
    who = f'"run":"{own("RUN")}","batch":"{batch}","nonce":"{own("NONCE")}","client":"python","server":"none"'
    print(f'{{"netaudit":1,"agent":"python",{who},"n":{asked}}}', flush=True)
    echoes: list[Echo] = []
    while (line := sys.stdin.readline().rstrip("\n")) and not line.startswith("end ") and len(echoes) < MAX_COUNT:
        try:
            echoes.append(Echo(line))
        except ValueError:
            print('{"error":"a line is malformed"}', flush=True)
    for start in range(0, len(echoes), wide):
        carry_out(echoes[start : start + wide])
    print(f'{{"end":{len(echoes)},"batch":"{batch}"}}', flush=True)
    # The caller leaves first: an exec that ends by itself may lose what was not read yet.
    sys.stdin.readline()
    return 0


if __name__ == "__main__":
    sys.exit(main())

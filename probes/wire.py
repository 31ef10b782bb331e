"""What is said to an agent and what it says back: one batch of attempts, as lines of text.

Sans-I/O: bytes in, values out. The agent stands in a pod beside strangers, so all that it says is hostile text until it
has passed through here: bounded, plain, and about what was asked. What an attempt *means* is said in `outcome`.

The caller keeps the agent's standard input open until the footer: when it closes, the agent ends the batch.

A work line is `ID ADDRESS PORT SECONDS [PROTOCOL]`; PROTOCOL is `tcp` (where it is absent), `udp`, `sctp` or
`handshake`: TCP with a stranger, where the client connects, sends nothing, reads nothing and closes.  A word of
NETAUDIT_PORTS is `PORT` or `PORT/PROTOCOL`.  Over UDP the client sends datagrams until its time limit or the first
answer, and the listener answers each with the line that TCP gets; ICMP port unreachable is a refusal, as a reset is.
A record has `c` only where the protocol has connections.  Where the pod cannot speak a protocol at all, for want of a
tool or of the kernel's support, its attempts are not made and their records have the code `NO_MEANS`.

Each record ends with a checksum `s` over its numbers and the length of its text, so that one whose digits were lost or
changed on the way is missing, and not another answer.  The text needs none: only the one line that is expected counts.
"""

from __future__ import annotations

import functools
import ipaddress
import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from auditor.model.flow import Protocol
from auditor.model.matrix import Query

MAX_LINE = 4096
"""An agent writes each line at once, and a pipe keeps writes of this size whole."""
MAX_WINDOW = 1024
"""Of the agents, the Python one takes most; the shell one takes 256."""
MAX_TIMEOUT = 60.0
NO_MEANS = 127
"""How an attempt ends that the pod has no means for, be it the tool or the kernel: a shell's "no such program"."""
_MAX_ID = 999_999_999
_MODULUS = 9973
"""Prime, and small enough for a shell that reckons in 32 bits."""
_MAX_COMPLAINTS = 16
_PLAIN = re.compile(r"[A-Za-z0-9 ._:-]{0,256}")
_WORDS = re.compile(r"[A-Za-z0-9 .,_:-]{1,256}")
_BATCH_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One connection to try."""

    id: int
    address: str
    port: int
    timeout: float
    """Seconds; tenths count, the rest is rounded up."""
    protocol: Protocol = Protocol.TCP
    handshake: bool = False
    """Whether to connect and say nothing, because the listener is none of ours; TCP only."""


@dataclass(frozen=True, slots=True)
class Header:
    """The agent's first line: who it is and what it understood."""

    agent: str
    run: str
    batch: str
    nonce: str
    """That of the pod where the agent runs."""
    client: str
    server: str
    """The programs that the agent uses to connect and to listen; "none" where the image has none."""
    count: int
    age: int = -1
    """Milliseconds since the pod's first process started, by the node's own clock; -1 where nothing tells."""


@dataclass(frozen=True, slots=True)
class Record:
    """What the agent saw of one attempt."""

    id: int
    rc: int
    """How the client ended."""
    timed_out: bool
    """The agent's own timer ended the client."""
    connected: bool | None
    """Whether a connection stood; None where the agent cannot tell, or the protocol has none."""
    milliseconds: int
    """-1 where the image has no clock."""
    data: str


@dataclass(frozen=True, slots=True)
class SelfCheck:
    """An attempt on the agent's own listener by loopback: it shows that the client works in this pod."""

    port: int
    record: Record


@dataclass(frozen=True, slots=True)
class Footer:
    """The agent's last line."""

    count: int
    batch: str


@dataclass(frozen=True, slots=True)
class Malformed:
    """A line that is not used, with the reason in our own words; or a complaint of the agent's."""

    reason: str


Event = Header | Record | SelfCheck | Footer | Malformed


def encode_batch(batch_id: str, window: int, attempts: Sequence[Attempt]) -> bytes:
    """Write a batch as the agent reads it; raise ValueError for one that the agent would refuse."""
    if len({attempt.id for attempt in attempts}) != len(attempts):
        raise ValueError("two attempts share an id")
    lines = [opening_line(batch_id, window, len(attempts), _time_limit(window, attempts))]
    lines += [work_line(attempt) for attempt in attempts]
    lines += [f"end {len(attempts)}", ""]
    return "\n".join(lines).encode("ascii")


def opening_line(batch_id: str, window: int, count: int, seconds: int) -> str:
    """Write the first line of a batch of `count` attempts that the agent ends after so many seconds, without its end.

    Work lines may follow as time goes on: an agent begins each attempt as soon as it has read its line.
    """
    if not _BATCH_ID.fullmatch(batch_id):
        raise ValueError(f"batch id {batch_id!r} is not plain")
    if not 1 <= window <= MAX_WINDOW:
        raise ValueError(f"window {window} is not within 1 to {MAX_WINDOW}")
    return f"netaudit/1 {batch_id} {window} {count} {seconds}"


def work_line(attempt: Attempt) -> str:
    """Write one attempt, without the line's end; raise ValueError for one that the agent would refuse."""
    address = ipaddress.ip_address(attempt.address)
    if isinstance(address, ipaddress.IPv6Address) and (address.scope_id or address.ipv4_mapped):
        raise ValueError(f"address {attempt.address} has a zone or hides an IPv4 address")
    if not 0 <= attempt.id <= _MAX_ID:
        raise ValueError(f"id {attempt.id} is not within 0 to {_MAX_ID}")
    if not 1 <= attempt.port <= 65535:  # noqa: PLR2004
        raise ValueError(f"port {attempt.port} is none")
    if not 0 < attempt.timeout <= MAX_TIMEOUT:
        raise ValueError(f"time limit {attempt.timeout} is not within 0 to {MAX_TIMEOUT}")
    if attempt.handshake and attempt.protocol is not Protocol.TCP:
        raise ValueError(f"{attempt.protocol.value} has no handshake that is tried")
    tenths = max(1, math.ceil(round(attempt.timeout * 10, 6)))
    return f"{attempt.id} {address} {attempt.port} {tenths // 10}.{tenths % 10}{_manner(attempt)}"


def _manner(attempt: Attempt) -> str:
    if attempt.handshake:
        return " handshake"
    return "" if attempt.protocol is Protocol.TCP else f" {attempt.protocol.value.lower()}"


def listener_word(query: Query) -> str:
    """Write one port that an agent is to listen on, as in `80` and `53/udp`."""
    protocol, port = query
    return str(port) if protocol is Protocol.TCP else f"{port}/{protocol.value.lower()}"


def _time_limit(window: int, attempts: Sequence[Attempt]) -> int:
    """Seconds after which a batch that still runs must be broken: all attempts time out, on a slow machine."""
    waits = [3 * attempt.timeout + 5 for attempt in attempts]
    # Agents with big tools make fewer attempts at once than they are allowed.
    return math.ceil(30 + sum(waits) / max(1, min(window, 16)) + max(waits, default=0) + len(attempts) / 20)


class BatchReader:
    """Reads what the agent says to one batch, in pieces of any size, in bounded memory; never raises."""

    def __init__(self, batch_id: str, asked: Iterable[int]) -> None:
        self.batch_id = batch_id
        self.asked = frozenset(asked)
        self.header: Header | None = None
        self.footer: Footer | None = None
        self.self_check: SelfCheck | None = None
        self.records: dict[int, Record] = {}
        """By id; an id that was answered twice is not in it."""
        self.complaints: list[str] = []
        """What the agent itself found wrong, at most the first few."""
        self._twice: set[int] = set()
        self._rest = b""
        self._skipping = False

    def feed(self, data: bytes) -> list[Event]:
        """Take the next piece and give the events that it completes."""
        events: list[Event] = []
        *lines, rest = (self._rest + data).split(b"\n")
        for line in lines:
            if not self._skipping:
                events += self._take(line)
            self._skipping = False
        if len(rest) > MAX_LINE:
            if not self._skipping:
                events.append(_too_long())
            self._skipping = True
        # What is skipped need not be kept.
        self._rest = b"" if self._skipping else rest
        return events

    @property
    def ended(self) -> bool:
        """Whether the footer was read: the agent has nothing more to say."""
        return self.footer is not None

    @property
    def complete(self) -> bool:
        """Whether header and footer agree and each asked id has exactly one record."""
        return not self.shortfall

    def unanswered(self) -> dict[int, str]:
        """The ids that were asked and have no single record, each with the reason in words."""
        reason = self.shortfall
        return {
            asked: "the agent answered this attempt twice" if asked in self._twice else reason
            for asked in sorted(self.asked - self.records.keys())
        }

    @property
    def shortfall(self) -> str:
        """Why the batch is not complete, in words; empty when it is."""
        reason = self._missing()
        if reason and self.complaints:
            return f"{reason}; the agent says: {self.complaints[0]}"
        return reason

    def _missing(self) -> str:
        asked, read = len(self.asked), len(self.records)
        if self.header is None:
            return "header missing: the exec ended without a word from the agent"
        if self.footer is None:
            return f"footer missing: the exec ended after {read} of {asked} records"
        doubts = {
            f"{len(self._twice)} of {asked} attempts were answered twice": bool(self._twice),
            f"no record of {asked - read} of {asked} attempts": read < asked,
            f"the header speaks of {self.header.count} attempts, asked were {asked}": self.header.count != asked,
            f"the footer counts {self.footer.count} records, read were {read}": self.footer.count != read,
        }
        return next((reason for reason, holds in doubts.items() if holds), "")

    def _take(self, line: bytes) -> list[Event]:
        if len(line) > MAX_LINE:
            return [_too_long()]
        if not line.strip():
            return []
        event = _parse(line)
        refusal = self._refuse(event)
        if refusal:
            return [Malformed(refusal)]
        self._keep(event)
        return [event]

    def _refuse(self, event: Event) -> str:
        """Say why a well-formed line has no place here; empty when it has."""
        if isinstance(event, Malformed):
            return ""
        if isinstance(event, Header):
            return self._refuse_header(event)
        if self.header is None:
            return "a line before the header"
        if self.footer is not None:
            return "a line after the footer"
        if isinstance(event, Record):
            return self._refuse_record(event)
        return self._refuse_single(event)

    def _refuse_header(self, header: Header) -> str:
        if self.header is not None:
            return "a second header"
        return "" if header.batch == self.batch_id else "a header of another batch"

    def _refuse_single(self, event: SelfCheck | Footer) -> str:
        if isinstance(event, SelfCheck):
            return "" if self.self_check is None else "a second check of itself"
        return "" if event.batch == self.batch_id else "a footer of another batch"

    def _refuse_record(self, record: Record) -> str:
        if record.id not in self.asked:
            return "a record of something never asked"
        if record.id in self.records or record.id in self._twice:
            # Which of the two is true cannot be known, so neither counts.
            self.records.pop(record.id, None)
            self._twice.add(record.id)
            return f"a second record of attempt {record.id}"
        return ""

    def _keep(self, event: Event) -> None:
        match event:
            case Header():
                self.header = event
            case Footer():
                self.footer = event
            case SelfCheck():
                self.self_check = event
            case Record():
                self.records[event.id] = event
            case Malformed():
                if event.reason.startswith(_COMPLAINT) and len(self.complaints) < _MAX_COMPLAINTS:
                    self.complaints.append(event.reason.removeprefix(_COMPLAINT))


_COMPLAINT = "the agent says: "


def _too_long() -> Malformed:
    return Malformed(f"a line longer than {MAX_LINE} bytes")


def _parse(line: bytes) -> Event:
    try:
        # An agent speaks ASCII, so that no escape and no odd character has to be thought about later.
        said = json.loads(line.decode("ascii"))
    except (ValueError, RecursionError):
        return Malformed("a line that is not JSON in ASCII")
    if not isinstance(said, dict):
        return Malformed("a line that is no JSON object")
    try:
        return _read(said)
    except _OddFieldError as odd:
        return Malformed(f"a line whose {odd} is missing or wrong")


def _read(said: dict[str, Any]) -> Event:
    """Tell the kinds of line apart by the field that only one kind has; fields that are not known are left alone."""
    if "netaudit" in said:
        _integer(said, "netaudit", 1, 1)
        words = {name: _text(said, name) for name in ("agent", "run", "batch", "nonce", "client", "server")}
        age = _integer(said, "age", -1, _MAX_ID) if "age" in said else -1
        return Header(count=_integer(said, "n", 0, _MAX_ID), age=age, **words)
    if "error" in said:
        return Malformed(_COMPLAINT + _text(said, "error", _WORDS))
    if "end" in said:
        return Footer(_integer(said, "end", 0, _MAX_ID), _text(said, "batch"))
    if "self" in said:
        port = _integer(said, "self", 1, 65535)
        return SelfCheck(port, _record(said, port))
    return _record(said, _integer(said, "i", 0, _MAX_ID))


def _record(said: dict[str, Any], record_id: int) -> Record:
    record = Record(
        id=record_id,
        rc=_integer(said, "rc", -256, 256),
        timed_out=_integer(said, "to", 0, 1) == 1,
        connected=_integer(said, "c", 0, 1) == 1 if "c" in said else None,
        milliseconds=_integer(said, "ms", -1, _MAX_ID) if "ms" in said else -1,
        data=_text(said, "d"),
    )
    if _integer(said, "s", 0, _MODULUS - 1) != _checksum(record):
        raise _OddFieldError("checksum")
    return record


def _checksum(record: Record) -> int:
    """The agents' `checksum`: what they said, in the order of the line, as one number."""
    stood = 2 if record.connected is None else int(record.connected)
    said = record.id, record.rc + 256, 3 * record.timed_out + stood, record.milliseconds + 1, len(record.data)
    return functools.reduce(lambda total, number: (total * 31 + number) % _MODULUS, said, 0)


class _OddFieldError(Exception):
    """Names a field that is missing, of another type, out of bounds, or not what the others add up to."""


def _integer(said: dict[str, Any], name: str, low: int, high: int) -> int:
    value = said.get(name)
    if type(value) is int and low <= value <= high:
        return value
    raise _OddFieldError(name)


def _text(said: dict[str, Any], name: str, allowed: re.Pattern[str] = _PLAIN) -> str:
    value = said.get(name)
    if isinstance(value, str) and allowed.fullmatch(value):
        return value
    raise _OddFieldError(name)

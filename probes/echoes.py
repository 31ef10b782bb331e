"""ICMP echoes to ask for, as lines for the programs `agents/echo.*`, and what their records mean; `wire` reads these.

Sans-I/O.  A work line is `ID ADDRESS SECONDS`.  A record has no `c`; its text is `echo`, or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from auditor.model.ping import Echo
from probes.wire import MAX_TIMEOUT, NO_MEANS, Record, opening_line

SPARE = 30
"""Seconds that a batch may take beside the time limits of its requests."""
WINDOW = 16
"""Requests at once: with a shell each is a process."""
TRIES, SECONDS = 2, 2
"""Of each ping, and of each try."""
MOST = 999
"""Requests in one batch, which the programs read no more of."""
NO_RIGHT = 126
"""How a request ends that the pod may not send."""
_TOOL_FAILURE = 126
ANSWER = "echo"


@dataclass(frozen=True, slots=True)
class Request:
    """One echo to ask for."""

    id: int
    address: str
    seconds: int


def encode_requests(batch_id: str, requests: Sequence[Request]) -> bytes:
    """Write a batch of echoes to ask for; raise ValueError for what the program would refuse."""
    if len(requests) > MOST:
        raise ValueError(f"{len(requests)} requests are more than {MOST}")
    total = sum(request.seconds for request in requests) // WINDOW
    lines = [opening_line(batch_id, WINDOW, len(requests), total + SPARE), *map(_line, requests)]
    return "\n".join([*lines, f"end {len(requests)}", ""]).encode("ascii")


def _line(request: Request) -> str:
    address = ip_address(request.address)
    if request.id < 0 or not 1 <= request.seconds <= MAX_TIMEOUT:
        raise ValueError(f"request {request.id} is out of bounds")
    if getattr(address, "scope_id", None) or getattr(address, "ipv4_mapped", None):
        raise ValueError(f"address {request.address} has a zone or hides an IPv4 address")
    return f"{request.id} {address} {request.seconds}"


@dataclass(frozen=True, slots=True)
class _Row:
    when: Callable[[Record], bool]
    echo: Echo
    detail: str


# Read from the top.  What is not plainly one of the answers is a fault, as with flows.
_TABLE = (
    _Row(lambda r: r.rc == 0 and r.data == ANSWER, Echo.ANSWERED, "an echo came back"),
    _Row(lambda r: bool(r.data), Echo.FAULT, "the program said {data} where it was to say {answer}"),
    _Row(lambda r: r.timed_out, Echo.SILENT, "no echo within the time limit"),
    _Row(
        lambda r: r.rc == NO_MEANS,
        Echo.NOT_POSSIBLE,
        "the probe image has no ping, or the node's kernel no such socket",
    ),
    _Row(
        lambda r: r.rc == NO_RIGHT,
        Echo.NOT_POSSIBLE,
        "the pod may not send ICMP: net.ipv4.ping_group_range leaves its group out, or the image's ping needs a "
        "capability",
    ),
    _Row(lambda r: not 0 < r.rc < _TOOL_FAILURE, Echo.FAULT, "the request could not be sent (exit {rc})"),
    _Row(lambda _: True, Echo.REFUSED, "said to be unreachable or prohibited (exit {rc})"),
)


def classify_echo(record: Record) -> tuple[Echo, str]:
    """Say what came of asking for an echo, and in a sentence what was seen."""
    row = next(row for row in _TABLE if row.when(record))
    return row.echo, row.detail.format(data=record.data, rc=record.rc, answer=ANSWER)

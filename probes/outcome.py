"""What one attempt says about the network: a table, read from the top.

Pure. It knows nothing of policies, tries or time: silence is an outcome like any other, and whether it proves anything
is for others to say. Whatever is not plainly one of the three answers is a FAULT, so that no broken tool, stranger's
listener or starved machine is ever taken for a policy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address

from auditor.model.flow import Protocol
from auditor.model.probe import Outcome
from auditor.model.service_path import Answer, Resolving
from probes.wire import NO_MEANS, Record

_TOOL_FAILURE = 126
"""From here on an exit code is the shell's word for a program that could not run or was killed."""


@dataclass(frozen=True, slots=True)
class _Row:
    when: Callable[[Record, str], bool]
    """Of the record and the line that the intended listener says."""
    outcome: Outcome
    detail: str


_TABLE = (
    _Row(lambda r, line: r.data == line, Outcome.REACHED, "the intended listener answered"),
    _Row(lambda r, _: r.data != "", Outcome.FAULT, "another listener answered: {data}"),
    # A policy that drops lets no connection stand. One that stands and is silent may be a listener that is
    # overwhelmed, or a proxy on the way: not a fact about policy.
    _Row(lambda r, _: r.timed_out and r.connected is True, Outcome.FAULT, "connected, but the listener said nothing"),
    _Row(lambda r, _: r.timed_out, Outcome.SILENT, "no answer within the time limit"),
    _Row(lambda r, _: not 0 <= r.rc < _TOOL_FAILURE, Outcome.FAULT, "the client could not run to its end (exit {rc})"),
    _Row(lambda r, _: r.rc == 0 or r.connected is True, Outcome.FAULT, "connected, but it ended without a word"),
    _Row(lambda _, __: True, Outcome.REFUSED, "refused (exit {rc})"),
)


_LACKING = frozenset({NO_MEANS, 93, 94})
"""Exit codes of a pod that cannot speak a protocol; 93 and 94 are Linux's EPROTONOSUPPORT and ESOCKTNOSUPPORT."""
# Every image that can carry an agent at all speaks TCP: there such a code is a broken tool.
_BESIDE_TCP = (
    _Row(
        lambda r, _: r.rc in _LACKING and not r.data and not r.timed_out,
        Outcome.UNTESTED,
        "{protocol} was not tried: the probe image lacks a tool for it, or the node's kernel the protocol",
    ),
    *_TABLE,
)


# Whoever answers a handshake is a stranger, so what it says is never read, and that a connection stood is all there is.
_HANDSHAKE = (
    _Row(lambda r, _: r.data != "", Outcome.FAULT, "the client read something where it was to read nothing: {data}"),
    _Row(lambda r, _: r.timed_out and r.connected is True, Outcome.FAULT, "the client did not end with its handshake"),
    _Row(lambda r, _: r.connected is True, Outcome.REACHED, "the handshake was done; nothing was sent"),
    _Row(lambda r, _: r.timed_out, Outcome.SILENT, "no answer within the time limit"),
    _Row(lambda r, _: not 0 <= r.rc < _TOOL_FAILURE, Outcome.FAULT, "the client could not run to its end (exit {rc})"),
    _Row(lambda r, _: r.rc == 0, Outcome.FAULT, "the client ended without a handshake"),
    _Row(lambda _, __: True, Outcome.REFUSED, "refused (exit {rc})"),
)


def classify_lookup(record: Record | None) -> Answer:
    """Say what looking up a name gave; a name that has no address was never denied, whoever is to blame."""
    if record is None:
        return Answer(Resolving.FAULT, (), "no record")
    words = record.data.split(" ") if record.data else []
    found = tuple(text for word in words if (text := _address(word)) is not None)
    if record.rc == 0 and found and len(found) == len(words):
        return Answer(Resolving.RESOLVED, found, "it has an address", record.milliseconds)
    if record.timed_out:
        return Answer(Resolving.SILENT, (), "DNS gave no answer within the time limit", record.milliseconds)
    if record.rc == NO_MEANS:
        return Answer(Resolving.UNTESTED, (), "the probe image has no tool that looks names up")
    if not 0 <= record.rc < _TOOL_FAILURE:
        return Answer(Resolving.FAULT, (), f"the tool could not run to its end (exit {record.rc})")
    return Answer(Resolving.NOT_RESOLVED, (), f"DNS says: {record.data or 'no address'}", record.milliseconds)


def _address(word: str) -> str | None:
    try:
        return str(ip_address(word))
    except ValueError:
        return None


def classify_handshake(record: Record | None) -> tuple[Outcome, str]:
    """Say what a handshake with a stranger measured, and in a sentence what was seen; REACHED is the handshake done."""
    if record is None:
        return Outcome.FAULT, "no record"
    row = next(row for row in _HANDSHAKE if row.when(record, ""))
    return row.outcome, row.detail.format(data=record.data, rc=record.rc)


def classify(
    record: Record | None, expected_nonce: str, port: int, protocol: Protocol = Protocol.TCP
) -> tuple[Outcome, str]:
    """Say what an attempt on the listener with that nonce measured, and in a sentence what was seen."""
    if record is None:
        return Outcome.FAULT, "no record"
    expected = f"netaudit {expected_nonce} {port}"
    table = _TABLE if protocol is Protocol.TCP else _BESIDE_TCP
    row = next(row for row in table if row.when(record, expected))
    return row.outcome, row.detail.format(data=record.data, rc=record.rc, protocol=protocol.value)

"""What goes wrong in a fake cluster: each changes the outcome of attempts."""

from __future__ import annotations

from collections.abc import Iterable

from auditor.model.flow import Protocol
from auditor.model.probe import (
    Outcome,
)
from tests.fakes import Attempt, Twist


def nothing_enforces(attempt: Attempt, outcome: Outcome) -> Outcome:
    """No engine at all: whatever is denied gets through."""
    return Outcome.REACHED if attempt.deniers else outcome


def node_does_not_enforce(name: str) -> Twist:
    """One node lets everything pass that it alone would have to deny."""

    def twist(attempt: Attempt, outcome: Outcome) -> Outcome:
        open_here = bool(attempt.deniers) and all(attempt.node(direction) == name for direction in attempt.deniers)
        return Outcome.REACHED if open_here else outcome

    return twist


def flipped(source: str, destination: str, port: int, protocol: Protocol = Protocol.TCP) -> Twist:
    """One flow comes out the other way."""

    def twist(attempt: Attempt, outcome: Outcome) -> Outcome:
        probe = attempt.probe
        if (probe.source, probe.destination, probe.protocol, probe.port) != (source, destination, protocol, port):
            return outcome
        return Outcome.SILENT if outcome is Outcome.REACHED else Outcome.REACHED

    return twist


def exec_fails(rounds: Iterable[int], source: str | None = None) -> Twist:
    """In some rounds the exec into one pod, or into all, fails."""
    when = frozenset(rounds)

    def twist(attempt: Attempt, outcome: Outcome) -> Outcome:
        hit = attempt.round in when and source in {None, attempt.probe.source}
        return Outcome.FAULT if hit else outcome

    return twist


def listener_dies(key: str, after: int) -> Twist:
    """One pod's listeners answer nobody after a round."""

    def twist(attempt: Attempt, outcome: Outcome) -> Outcome:
        dead = attempt.probe.destination == key and attempt.round > after
        return Outcome.REFUSED if dead and outcome is Outcome.REACHED else outcome

    return twist


def listener_comes_late(key: str) -> Twist:
    """One pod's listeners are not up yet when they are tried for the first time."""
    tried: set[int] = set()

    def twist(attempt: Attempt, outcome: Outcome) -> Outcome:
        if attempt.probe.destination != key or attempt.probe.port in tried:
            return outcome
        tried.add(attempt.probe.port)
        return Outcome.REFUSED

    return twist


def twins_blocked(attempt: Attempt, outcome: Outcome) -> Outcome:
    """Something that nobody reads, such as an admin tier, stands between the controls."""
    return Outcome.SILENT if attempt.is_twin else outcome


def lossy(attempt: Attempt, outcome: Outcome) -> Outcome:
    """Every path between two pods loses the second of three tries."""
    return Outcome.SILENT if attempt.turn == 1 and not attempt.is_listener_check else outcome


def late(until: int) -> Twist:
    """Denials are enforced only from a round on."""
    return lambda attempt, outcome: nothing_enforces(attempt, outcome) if attempt.round < until else outcome


def one_try_of_three(attempt: Attempt, outcome: Outcome) -> Outcome:
    """What is denied gets through once in three tries, in every round."""
    return nothing_enforces(attempt, outcome) if attempt.turn == 2 else outcome


def rejects(attempt: Attempt, outcome: Outcome) -> Outcome:
    """The engine answers denied connections with a reset instead of silence."""
    return Outcome.REFUSED if outcome is Outcome.SILENT else outcome

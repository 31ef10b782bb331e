"""What a run notes down while it is at work, so that a later one of the same cluster can go on from it.

Flows are told by identity and node, never by a pod's name or address.  The keys of stand-ins hold a journal together
and mean nothing beyond it.  Later versions of schema 1 add fields and never rename or remove one.
"""

from __future__ import annotations

import msgspec

from auditor.model.flow import Family, Protocol, Verdict
from auditor.model.probe import Role

SCHEMA = 1


class Marks(msgspec.Struct, frozen=True):
    """Fingerprints of all that bears on flows: equal ones are of things that nobody touched in between."""

    wide: str
    """Of what bears on every flow: policy kinds of the whole cluster, the engine and its settings."""
    namespaces: dict[str, str]
    """Of each namespace's labels and NetworkPolicies, by name."""
    nodes: dict[str, str]


class Header(msgspec.Struct, frozen=True, tag="header"):
    """The first line: whose journal it is."""

    schema: int
    version: str
    """netaudit's own."""
    run: str
    cluster: str
    """UID of the cluster; empty where it could not be read."""
    started: str
    """RFC 3339 in UTC."""
    options: dict[str, str]
    """Those that decide what is measured, and how."""
    marks: Marks


class Seat(msgspec.Struct, frozen=True, array_like=True):
    """One stand-in that runs, as it was stored."""

    key: str
    identity: str
    """Empty for controls."""
    role: Role
    namespace: str
    node: str
    families: list[Family]
    plain: bool
    """Whether it wears just what was planned for it; if not, it bears witness in its own run and to no other."""


class Way(msgspec.Struct, frozen=True, array_like=True):
    """One planned flow between two stand-ins."""

    id: int
    source: str
    destination: str
    """Keys of stand-ins."""
    family: Family
    protocol: Protocol
    port: int
    verdict: Verdict
    decision: str
    """Fingerprint of the verdict and of the rules that it rests on."""


class Seen(msgspec.Struct, frozen=True, array_like=True):
    """One observation."""

    round: int
    source: str
    destination: str
    family: Family
    protocol: Protocol
    port: int
    timeouts: list[float]
    outcomes: str
    """A letter for each try."""
    at: float
    milliseconds: int


class Stage(msgspec.Struct, frozen=True, tag="stage"):
    """Some of the stand-ins and flows of the run; both come before anything that was seen."""

    seats: list[Seat] = []
    ways: list[Way] = []


class Round(msgspec.Struct, frozen=True, tag="round"):
    """Some of what one round gave."""

    ended: str
    """RFC 3339 in UTC."""
    seen: list[Seen] = []
    moved: list[str] = []
    """Keys of stand-ins that are not any more what they were when their verdicts were made."""


class Reaction(msgspec.Struct, frozen=True, tag="reaction"):
    """The run was withdrawn, because something reacted to its probe pods."""

    what: str


Entry = Header | Stage | Round | Reaction

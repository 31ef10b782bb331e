"""ICMP beside an audit: what is asked for an echo, and what came of it.

A diagnostic.  NetworkPolicy says nothing about ICMP, so nothing here is a verdict, evidence, or part of any number.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from auditor.model.flow import Family


class Echo(enum.Enum):
    """What came of asking for an echo."""

    ANSWERED = "answered"
    REFUSED = "refused"
    """Somebody said that it is unreachable, or prohibited."""
    SILENT = "silent"
    FAULT = "fault"
    """Asking failed by itself."""
    NOT_POSSIBLE = "not possible"
    """The pod has no means, or not the right."""


class Between(enum.Enum):
    """What kind of pair it is."""

    TWINS = "unpoliced twins"
    PODS = "probe pods"


@dataclass(frozen=True, slots=True)
class Ping:
    """One pod that is to ask another for an echo."""

    id: int
    between: Between
    source: str
    destination: str
    """Keys of stand-ins, none of them a real pod."""
    family: Family


@dataclass(frozen=True, slots=True)
class Pinged:
    """What came of all its tries."""

    ping: Ping
    echo: Echo
    detail: str
    tries: int = 0
    milliseconds: int = -1
    """Of the quickest answer; -1 where there was none."""


@dataclass(frozen=True, slots=True)
class PingEntry:
    """One pair of probe pods, one of which asked the other for an ICMP echo; a diagnostic, and never a verdict."""

    id: int
    between: str
    """unpoliced twins: two controls, one on each of the nodes; probe pods: a pair that flows were tried between."""
    source: str
    destination: str
    """Keys of stand-ins."""
    source_identity: str
    destination_identity: str
    source_node: str
    destination_node: str
    family: str
    outcome: str
    """answered, refused, silent, fault, not possible."""
    reason: str
    meaning: str
    """What it tells beside what came of the ports that were tried; empty where it adds nothing."""
    tries: int
    milliseconds: int = -1

"""The ends of a flow that are not pods."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Address:
    """An IP address, in the form that `ipaddress` prints; whether a pod or a node has it is for the model to find."""

    ip: str

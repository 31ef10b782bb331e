"""How an engine answers what the NetworkPolicy API leaves open: a closed list, and nothing else.

A dialect never excuses a violation: what the API settles, it cannot change.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from auditor.model.rules import Match


class HostNetwork(enum.Enum):
    """The two readings that the API permits for pods on the host's network."""

    OPEN = "open"
    """Both: where they differ, the verdict is UNDEFINED."""
    AS_NODE = "node"
    """No selector sees such a pod, and its traffic is its node's."""
    AS_POD = "pod"
    """Such a pod is like any other."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """An engine's answers; OPEN leaves the question open."""

    engine: str = ""
    block_holds_pods: Match = Match.OPEN
    """Whether an ipBlock of NetworkPolicy v1 matches the addresses of pods."""
    reaches_own_node: Match = Match.OPEN
    """Whether a pod's egress to the node it runs on escapes its policies."""
    reaches_itself_by_service: Match = Match.OPEN
    """Whether a pod reaches itself through a Service, whatever its policies say."""
    host_network: HostNetwork = HostNetwork.OPEN


API = Dialect()
"""The API's text alone."""

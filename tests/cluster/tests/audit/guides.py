"""The guides' examples, spread over two nodes, and who may reach whom in them, written down by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

from tests.cluster.tests.audit.command import CONTROL, ROOT
from tests.cluster.tests.audit.site import Object

CASES = ROOT / "auditor" / "guides"
UNNAMED = 8642
"""The port that no policy and no pod of the guides names."""
Path3 = tuple[str, str, int]

NODES = {
    "staging/frontend": "n1",
    "staging/backend": "n2",
    "staging/db": "n1",
    "staging/curl": "n2",
    "admin/curl": "n1",
    "three-tier/frontend": "n2",
    "three-tier/backend": "n1",
    "three-tier/database": "n2",
    "monitoring/prometheus": "n1",
}

PORTS = {
    "staging/frontend": (80, UNNAMED),
    "staging/backend": (80, UNNAMED),
    "staging/db": (5432, UNNAMED),
    "staging/curl": (UNNAMED,),
    "admin/curl": (UNNAMED,),
    "three-tier/frontend": (80, UNNAMED),
    "three-tier/backend": (8080, UNNAMED),
    "three-tier/database": (5432, UNNAMED),
    "monitoring/prometheus": (UNNAMED,),
}
"""Where each is tried: what it listens on, and a port that nobody names."""

ANYBODY = frozenset({*NODES, CONTROL})
STAGING = frozenset({"staging/frontend", "staging/backend", "staging/db", "staging/curl"})

MAY_ENTER: dict[str, dict[int, frozenset[str]]] = {
    "staging/frontend": {80: STAGING | {"admin/curl"}},
    "staging/backend": {80: frozenset({"staging/frontend", "admin/curl"})},
    "staging/db": {5432: frozenset({"staging/backend", "admin/curl"})},
    "staging/curl": {UNNAMED: ANYBODY},
    "admin/curl": {UNNAMED: ANYBODY},
    "three-tier/frontend": {80: ANYBODY},
    "three-tier/backend": {
        8080: frozenset({"three-tier/frontend", "monitoring/prometheus"}),
        UNNAMED: frozenset({"monitoring/prometheus"}),
    },
    "three-tier/database": {5432: frozenset({"three-tier/backend"})},
    "monitoring/prometheus": {UNNAMED: ANYBODY},
}
"""Whom the policies let in, by port; on other ports nobody.  The three-tier frontend's own limits come on top."""

GUARDS = {
    "staging/frontend": {"staging/staging.frontend"},
    "staging/backend": {"staging/staging.backend"},
    "staging/db": {"staging/staging.db"},
    "three-tier/frontend": {"three-tier/default-deny-ingress", "three-tier/frontend-policy"},
    "three-tier/backend": {
        "three-tier/default-deny-ingress",
        "three-tier/backend-policy",
        "three-tier/specific-access",
    },
    "three-tier/database": {"three-tier/default-deny-ingress", "three-tier/database-policy"},
}
"""The policies that turn away whoever may not enter."""

LIMITED, LIMIT = "three-tier/frontend", "three-tier/limit-outbound"
LIMITED_TO = frozenset({("three-tier/backend", 8080)})
"""The one pod with outbound limits, and where it may go besides DNS."""


def objects(*names: str) -> Iterator[Object]:
    """The examples' objects, each pod bound to its node and quick to end."""
    for name in names:
        for item in yaml.safe_load_all((CASES / f"{name}.yaml").read_text()):
            if item["kind"] == "Pod":
                item["spec"]["nodeName"] = NODES[f"{item['metadata']['namespace']}/{item['metadata']['name']}"]
                item["spec"]["terminationGracePeriodSeconds"] = 0
            yield item


def deniers(path: Path3) -> frozenset[str]:
    """The policies that deny a connection between two pods of the guides, or between one and a stranger."""
    source, destination, port = path
    found: set[str] = set()
    if destination in MAY_ENTER and source not in MAY_ENTER[destination].get(port, frozenset()):
        found |= GUARDS[destination]
    if source == LIMITED and (destination, port) not in LIMITED_TO:
        found.add(LIMIT)
    return frozenset(found)


def paths_between_pods() -> set[Path3]:
    """Every connection from one pod of the guides to another on the other's ports."""
    return {
        (source, destination, port)
        for source in NODES
        for destination in NODES
        if source != destination
        for port in PORTS[destination]
    }


def paths_with_strangers() -> set[Path3]:
    """Every connection from an unpoliced pod to one of the guides, and from one of them to an unpoliced pod."""
    inward = {(CONTROL, destination, port) for destination in NODES for port in PORTS[destination]}
    outward = {(source, CONTROL, UNNAMED) for source in NODES}
    # The ports that the frontend's outbound limits name.
    return inward | outward | {(LIMITED, CONTROL, 53), (LIMITED, CONTROL, 8080)}


SCHEMA: Path = ROOT / "reports" / "assets" / "report.schema.json"

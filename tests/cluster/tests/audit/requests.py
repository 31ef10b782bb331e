"""The API requests of netaudit, read from the API server's audit log."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

AGENT = "netaudit/"
VIOLATION = "pod-security.kubernetes.io/audit-violations"
"""What an event is annotated with where a namespace has the audit log tell of pods that are not as they should be."""
READS = frozenset({"get", "list", "watch"})


@dataclass(slots=True)
class Requests:
    """Requests by verb and resource, each counted once however long it lasted."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    violators: set[str] = field(default_factory=set)
    """Programs, netaudit or others, of whose pods or templates the log says that they violate PodSecurity."""

    @property
    def total(self) -> int:
        """All of them."""
        return self.counts.total()

    @property
    def waits(self) -> int:
        """Those whose number is a matter of time: is the object gone yet, is the Lease still ours."""
        looked = sum(self.counts["get", kind] for kind in ("pods", "deployments", "namespaces", "leases"))
        return looked + self.counts["update", "leases"]

    @property
    def work(self) -> int:
        """Those whose number follows from the plan."""
        return self.total - self.waits

    @property
    def writes(self) -> set[tuple[str, str]]:
        """What was not only read; an exec begins as a GET and is none."""
        return {key for key in self.counts if key[0] not in READS or key[1] == "pods/exec"}


@contextmanager
def counting(log: Path | None) -> Iterator[Requests]:
    """Count the requests of the block; they are there when it has ended."""
    assert log is not None, "this cluster's audit log is out of reach"
    start = log.stat().st_size
    found = Requests()
    yield found
    with log.open("rb") as file:
        file.seek(start)
        events = [json.loads(line) for line in file if line.endswith(b"\n")]
    seen = {event["auditID"]: _key(event) for event in events if event.get("userAgent", "").startswith(AGENT)}
    found.counts.update(seen.values())
    found.violators |= {
        event["userAgent"].partition("/")[0] for event in events if VIOLATION in event.get("annotations", {})
    }


def _key(event: dict[str, Any]) -> tuple[str, str]:
    place = event.get("objectRef") or {}
    names = [name for name in (place.get("resource"), place.get("subresource")) if name]
    return event["verb"], "/".join(names) or event["requestURI"].partition("?")[0]

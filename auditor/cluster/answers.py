"""What the API server answers, as errors and as reasons to try again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from auditor.cluster.retry import FAULTY, RETRIES, pause
from auditor.errors import ApiRefused, ClusterUnreachable, PermissionMissing

PATIENCE = 120.0
"""Seconds after which a request is not tried again."""
ANSWER = 60.0
"""Seconds that one answer may take."""
HURRIED = 10.0
"""The same once the time of the whole command is over: a server that is silent would keep it for minutes."""
MISSING = 404
_UNOPENED = {
    MISSING: "its pod is not there any more",
    FAULTY: "its node cannot start a command there, as a rule because its container has ended",
}
"""What statuses mean to whoever opens a stream; their bodies are not read."""
DENIED = frozenset({401, 403})
Raw = Mapping[str, Any]


class Tries:
    """The tries of one request: how many were made and may follow, within a time."""

    def __init__(self, chance: Callable[[], float], late: float) -> None:
        """Begin now; `chance` gives numbers from 0 to 1, `late` is the loop's time when the command's own is over."""
        self._chance = chance
        self._end = asyncio.get_running_loop().time() + PATIENCE
        self._late = late
        self.made = 0

    @property
    def left(self) -> bool:
        """Whether another try may follow."""
        return self.made < RETRIES and asyncio.get_running_loop().time() < self._end

    @property
    def left_unanswered(self) -> bool:
        """The same after no answer at all: whoever is late asks once."""
        return self.left and asyncio.get_running_loop().time() < self._late

    async def wait(self, retry_after: str | None) -> None:
        """Wait before the next try."""
        await asyncio.sleep(pause(self.made, retry_after, self._chance()))
        self.made += 1


def name_of(body: Raw | None) -> str:
    """The name of an object that is to be made."""
    return str(((body or {}).get("metadata") or {}).get("name", ""))


def is_same(body: Raw | None, stored: bytes) -> bool:
    """Whether what is stored is what an earlier try of ours made, and not somebody else's of that name."""
    asked, found = body or {}, msgspec.json.decode(stored)
    ours = (asked.get("metadata") or {}).get("annotations") or {}
    theirs = (found.get("metadata") or {}).get("annotations") or {}
    holders = [(item.get("spec") or {}).get("holderIdentity") for item in (asked, found)]
    owners = [_owners(item) for item in (asked, found)]
    same = holders[0] == holders[1] and owners[0] == owners[1]
    return same and all(theirs.get(key) == value for key, value in ours.items())


def _owners(item: Raw) -> list[object]:
    return [owner.get("uid") for owner in (item.get("metadata") or {}).get("ownerReferences") or ()]


def answer_limit(late: float) -> float:
    """Seconds that an answer may take now; `late` as above."""
    return min(ANSWER, max(HURRIED, late - asyncio.get_running_loop().time()))


def refused(method: str, path: str, status: int, message: str, overlay: str) -> ApiRefused:
    """The error of a request that was answered with no success; `overlay` has the rights of such a command."""
    if status in DENIED:
        return PermissionMissing(
            f"the API server does not allow {method} {path}",
            why=f"it answered {status}: {message}",
            attempt=granted_by(overlay),
            status=status,
        )
    return ApiRefused(
        f"the API server refused {method} {path}",
        why=f"it answered {status}: {message}",
        attempt="look at the API server's state",
        status=status,
    )


def unopened(path: str, status: int, message: str, overlay: str) -> ApiRefused:
    """The error of a stream that was not opened, of whose answer nothing but the status is read."""
    return refused("GET", path, status, _UNOPENED.get(status, message), overlay)


def granted_by(overlay: str) -> str:
    """How somebody gets the rights of a command, by a folder of deploy/kustomize."""
    # Whoever has the rights of sentinels looks at no workload, in a dry run neither.
    less = "" if overlay.startswith("sentinel") else "; --dry-run needs only deploy/kustomize/read-only"
    return f"kubectl apply -k deploy/kustomize/{overlay}{less}"


def unreachable(host: str, error: BaseException) -> ClusterUnreachable:
    """The error of a request that got no answer, or none that can be read."""
    return ClusterUnreachable(
        "the API server does not answer",
        why=f"{host}: {str(error) or type(error).__name__}",
        attempt="kubectl get --raw /readyz with the same kubeconfig and context",
    )

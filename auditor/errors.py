"""The one place for errors: each says what happened, why, and what to try.

Exceptions stop an audit.  A failed probe or an odd manifest is data and never raises one of these.
"""

from __future__ import annotations

INTERRUPTED = 130
"""How a command ends that was asked to end: what shells make of SIGINT."""


class NetauditError(Exception):
    """An audit cannot go on; `what`, `why` and `attempt` are sentences for the user."""

    exit_code = 1

    def __init__(self, what: str, *, why: str, attempt: str) -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.attempt = attempt

    def __str__(self) -> str:
        return f"{self.what}\n  why: {self.why}\n  try: {self.attempt}"


class UsageError(NetauditError):
    """The command line or a configuration value makes no sense."""

    exit_code = 2


class OutputRefused(NetauditError):
    """Nothing can be written to standard output."""

    def __init__(self, why: str) -> None:
        super().__init__(
            "cannot write to standard output",
            why=why,
            attempt="another place: a file with -o FORMAT=FILE, or a redirection of the shell",
        )


class ClusterUnreachable(NetauditError):
    """No answer, or no usable answer, from the API server."""


class ApiRefused(NetauditError):
    """The API server answered a request with an error status."""

    def __init__(self, what: str, *, why: str, attempt: str, status: int) -> None:
        super().__init__(what, why=why, attempt=attempt)
        self.status = status


class PermissionMissing(ApiRefused):
    """The API server does not allow a request that the audit cannot do without."""

    exit_code = 4


class RunInProgress(NetauditError):
    """Another run holds the Lease."""


class Withdrawn(NetauditError):
    """Something real reacted to the run's probe pods, which are removed at once (design.md, law 2)."""

    exit_code = 4

    def __init__(self, reaction: str) -> None:
        super().__init__(
            "the run was withdrawn: something reacted to its probe pods",
            why=reaction,
            attempt="leave that workload out with --namespace or --selector, and report this",
        )


class CleanupIncomplete(NetauditError):
    """Objects of ours could not be removed; the message lists them."""

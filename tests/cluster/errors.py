"""The one error of the test cluster; each says what failed, why, and what to try."""

from __future__ import annotations


class ClusterError(Exception):
    """Something that a person can act on; the command line prints it without a traceback."""

    def __init__(self, what: str, why: str, remedy: str) -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what}\n  why: {self.why}\n  try: {self.remedy}"

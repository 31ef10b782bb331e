"""The one exception of the artifact builds.

Says what could not be built, why, and what to try; nothing here knows how anything is built.
"""

from __future__ import annotations


class ArtifactError(Exception):
    """Something could not be built or found; carries what, why and try."""

    def __init__(self, what: str, why: str, remedy: str) -> None:
        super().__init__(what, why, remedy)
        self.what = what
        self.why = why
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what}\n  why: {self.why}\n  try: {self.remedy}"

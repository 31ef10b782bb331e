"""The kinds of harm that a probe pod could do, by which a user may overrule them.

Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

from auditor.model.options import Kind

__all__ = ["Hazard", "Kind"]


@dataclass(frozen=True, slots=True)
class Hazard:
    """Something real that could react to a probe pod."""

    kind: Kind | None
    """None for what nobody may overrule: it would harm real pods, or the probe pod could prove nothing."""
    reason: str

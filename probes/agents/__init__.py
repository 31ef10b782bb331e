"""What runs in a probe pod: programs that stand alone, carried there as text. They import nothing of ours."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

PARTS: Mapping[str, tuple[str, ...]] = {"shell": ("tools.sh", "shell.sh"), "python": ("agent.py",)}
"""By agent, the files that make its text, in this order."""


def text_of(agent: str) -> str:
    """The whole program of an agent."""
    return "\n".join((files(__name__) / part).read_text(encoding="utf-8") for part in PARTS[agent])

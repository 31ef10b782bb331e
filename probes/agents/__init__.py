"""What runs in a probe pod: programs that stand alone, carried there as text. They import nothing of ours."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

PARTS: Mapping[str, tuple[str, ...]] = {"shell": ("tools.sh", "shell.sh"), "python": ("agent.py",)}
"""By agent, the files that make its text, in this order."""
COURIERS: Mapping[str, str] = {"shell": "courier.sh", "python": "courier.py"}
"""By agent, what hands it its work where nobody may exec."""

STOPPERS: Mapping[str, str] = {"shell": "stop.sh", "python": "stop.py"}
"""By agent, what ends it where its pod stays."""


def text_of(agent: str) -> str:
    """The whole program of an agent."""
    return "\n".join((files(__name__) / part).read_text(encoding="utf-8") for part in PARTS[agent])


def courier_of(agent: str) -> str:
    """The whole program that hands an agent its work from a file."""
    return (files(__name__) / COURIERS[agent]).read_text(encoding="utf-8")


def stopper_of(agent: str) -> str:
    """The whole program that ends an agent in a pod that stays."""
    return (files(__name__) / STOPPERS[agent]).read_text(encoding="utf-8")

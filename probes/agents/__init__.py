"""What runs in a probe pod: programs that stand alone, carried there as text. They import nothing of ours."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

PARTS: Mapping[str, tuple[str, ...]] = {"shell": ("tools.sh", "shell.sh"), "python": ("agent.py",)}
"""By agent, the files that make its text, in this order."""
COURIERS: Mapping[str, str] = {"shell": "courier.sh", "python": "courier.py"}
"""By agent, what hands it its work where nobody may exec."""
RESOLVERS: Mapping[str, str] = {"shell": "names.sh", "python": "names.py"}
"""By agent, what looks names up beside it."""
ECHOERS: Mapping[str, str] = {"shell": "echo.sh", "python": "echo.py"}
"""By agent, what sends ICMP echo requests beside it."""

STOPPERS: Mapping[str, str] = {"shell": "stop.sh", "python": "stop.py"}
"""By agent, what ends it where its pod stays."""


def text_of(agent: str) -> str:
    """The whole program of an agent."""
    return "\n".join(_read(part) for part in PARTS[agent])


def courier_of(agent: str) -> str:
    """The whole program that hands an agent its work from a file."""
    return _read(COURIERS[agent])


def stopper_of(agent: str) -> str:
    """The whole program that ends an agent in a pod that stays."""
    return _read(STOPPERS[agent])


def resolver_of(agent: str) -> str:
    """The whole program that looks names up in a pod of an agent."""
    return _read(RESOLVERS[agent])


def echoer_of(agent: str) -> str:
    """The whole program that sends ICMP echo requests from a pod of an agent."""
    return _read(ECHOERS[agent])


def _read(part: str) -> str:
    return (files(__name__) / part).read_text(encoding="utf-8")

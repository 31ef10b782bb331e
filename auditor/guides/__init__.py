"""The examples of the guides on NetworkPolicy that people learn from, as manifests."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent
BEYOND = FOLDER / "beyond"
"""What no guide shows and engines get wrong: ports by name, ranges of ports, UDP, several peers of a rule."""


def manifests() -> list[str]:
    """The paths of all examples, in the order of their names."""
    return [str(path) for path in sorted(FOLDER.glob("*.yaml"))]

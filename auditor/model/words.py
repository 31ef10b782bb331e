"""Words that agree with numbers.

Pure.
"""

from __future__ import annotations


def plural(number: int, noun: str, several: str = "") -> str:
    """Count in words that agree: `1 flow`, `2 flows`, `2 policies`."""
    return f"{number:,} {noun if number == 1 else several or noun + 's'}"

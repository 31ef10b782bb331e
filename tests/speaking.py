"""What agents say, line by line, as tests that play an agent need it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def whole(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record with its checksum."""
    stood = 3 * record["to"] + record.get("c", 2)
    parts = record.get("i", record.get("self")), record["rc"] + 256, stood, record.get("ms", -1) + 1, len(record["d"])
    powers = 31**4, 31**3, 31**2, 31, 1
    return {**record, "s": sum(part * power for part, power in zip(parts, powers, strict=True)) % 9973}


def line(said: Mapping[str, Any]) -> bytes:
    """A line of an agent's; a record gets its checksum."""
    return json.dumps(whole(said) if "rc" in said else said).encode() + b"\n"

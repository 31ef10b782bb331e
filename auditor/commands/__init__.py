"""The commands: each knows the outsides that it needs, and is imported when it is asked for and not before."""

from __future__ import annotations

COMMANDS = ("run", "predict", "explain", "cleanup")
"""Modules of this folder; each has `execute(flags, words, console) -> exit code`."""

"""What options take: numbers, times and parts, as argparse wants them read; and options that every command has."""

from __future__ import annotations

import argparse
from collections.abc import Callable

ELSEWHERE = """\
Every option may also be a variable (--fail-on: NETAUDIT_FAIL_ON=medium) or stand in netaudit.toml (fail-on = "medium",
for one command under [run]) in the working directory or in --config FILE. A flag wins over the variable, the variable
over the file, the file over the default.
"""
UNITS = {"s": 1, "m": 60, "h": 3600}
LEAST_BUDGET = 90
"""Seconds: below this, cleaning up would leave no time to measure."""


def default(text: str, value: object) -> str:
    """What an option is for, with its default."""
    return f"{text} (default: {value:g})" if isinstance(value, float) else f"{text} (default: {value})"


def at_least(least: int) -> Callable[[str], int]:
    """A number that is not less than another."""

    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"{value} is less than {least}")
        return value

    return number


def seconds(text: str) -> float:
    """A time, in seconds or with its unit."""
    unit = UNITS.get(text[-1:], 0)
    try:
        value = float(text[:-1]) * unit if unit else float(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: write 45, 45s or 10m") from error
    if not 0 <= value <= UNITS["h"]:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1h")
    return value


def budget(text: str) -> int:
    """A time that a run can keep to."""
    value = int(seconds(text))
    if value < LEAST_BUDGET:
        raise argparse.ArgumentTypeError(f"{text} is less than {LEAST_BUDGET} s")
    return value


def fraction(text: str) -> float:
    """A part of a whole."""
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def add_settings(parser: argparse.ArgumentParser) -> None:
    """What every command takes: where its options may stand, and how it speaks."""
    group = parser.add_argument_group("settings", ELSEWHERE)
    group.add_argument("--config", metavar="FILE", help="options, in TOML, instead of those in ./netaudit.toml")
    group = parser.add_argument_group("messages")
    group.add_argument("-q", "--quiet", action="store_true", help="no progress on stderr")
    group.add_argument("--debug", action="store_true", help="a traceback instead of what, why and try")

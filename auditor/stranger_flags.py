"""Flags about listeners that are none of netaudit's.

Pure but for argparse.
"""

from __future__ import annotations

import argparse

from auditor.errors import UsageError

MODE = "clone"
"""The only mode whose probe pods stand for workloads as they are."""


def add_strangers(group: argparse._ArgumentGroup) -> None:
    """The options of `netaudit run` that have probe pods connect to others than each other."""
    group.add_argument(
        "--external",
        action="append",
        default=[],
        metavar="CIDR:PORT=WHAT",
        help="try a TCP handshake, nothing sent, from probe pods with an address outside the cluster; WHAT is allow, "
        "deny, or model for whatever policies say; repeatable",
    )


def check_strangers(flags: argparse.Namespace) -> None:
    """Raise UsageError where they have no meaning."""
    if flags.mode != MODE and flags.external:
        raise UsageError(
            f"--mode {flags.mode} tells nothing of --external",
            why="it is about what workloads may reach, and its probe pods stand for none",
            attempt="--mode clone with --external",
        )

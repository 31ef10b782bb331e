"""Flags about what is connected to beside probe pods' own addresses.

Pure but for argparse.
"""

from __future__ import annotations

import argparse

from auditor.errors import UsageError
from auditor.flag_values import default
from auditor.model.options import NEVER_PORTS, Mode, Options, Targets

DEFAULTS = Options()
MODES = ("clone", "inplace")
"""The modes whose sources are workloads, or stand for them as they are."""
SERVED = (Mode.CLONE.value, Mode.SENTINEL.value)
"""The modes that have controls of netaudit's own, in namespaces that hold no copies of policies."""
LAST_PORT = 65535


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
    group.add_argument(
        "--targets",
        choices=[item.value for item in Targets],
        default=DEFAULTS.targets.value,
        help=default(
            "real: also try a TCP handshake, nothing sent, with one ready pod of each identity on the ports that its "
            "containers name, once from each probe pod and not before the settle time is over; service: also try "
            "Services of netaudit's own over a pod of its own, with and without policies of its own",
            DEFAULTS.targets.value,
        ),
    )
    never = ", ".join(map(str, NEVER_PORTS))
    group.add_argument(
        "--never-port",
        action="append",
        default=[],
        type=_port,
        metavar="PORT",
        help=f"a port of real pods that --targets real leaves alone, besides {never}; repeatable",
    )
    group.add_argument(
        "--ping",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="also have probe pods ask each other for ICMP echoes, never a workload: a diagnostic that NetworkPolicy "
        "says nothing about, and no part of any verdict; by exec alone (default: no)",
    )


def _port(text: str) -> int:
    value = int(text)
    if not 1 <= value <= LAST_PORT:
        raise argparse.ArgumentTypeError(f"{value} is no port")
    return value


def never_ports(flags: argparse.Namespace) -> tuple[int, ...]:
    """All ports that are left alone, sorted."""
    return tuple(sorted({*NEVER_PORTS, *flags.never_port}))


def check_strangers(flags: argparse.Namespace) -> None:
    """Raise UsageError where they have no meaning."""
    if flags.mode not in SERVED and flags.targets == Targets.SERVICE.value:
        raise UsageError(
            f"--mode {flags.mode} does not try Services",
            why="they stand over pods of netaudit's own, under policies of its own, which that mode does not make",
            attempt="--mode sentinel --targets service",
        )
    named = "--external" if flags.external else "--targets real"
    if flags.mode not in MODES and (flags.external or flags.targets == Targets.REAL.value):
        raise UsageError(
            f"--mode {flags.mode} tells nothing of {named}",
            why="it is about what workloads may reach, and its probe pods stand for none",
            attempt=f"--mode clone with {named}",
        )

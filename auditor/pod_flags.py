"""Options about probe pods: their image, what runs in it, and how work gets there."""

from __future__ import annotations

import argparse

from auditor.errors import UsageError
from auditor.flag_values import default
from auditor.model.options import Options, Transport

DEFAULTS = Options()
AGENTS = ("auto", "shell", "python")


def add_probe_pods(group: argparse._ArgumentGroup) -> None:
    """Options about the probe pods themselves."""
    group.add_argument(
        "--image",
        default=DEFAULTS.image,
        help=default("image of the probe pods: busybox, netshoot, netaudit's own or one with Python", DEFAULTS.image),
    )
    group.add_argument(
        "--agent",
        choices=AGENTS,
        default=DEFAULTS.agent,
        help=default("what runs in them; auto: python in netaudit's own image, shell in others", DEFAULTS.agent),
    )
    group.add_argument(
        "--transport",
        choices=[item.value for item in Transport],
        default=DEFAULTS.transport.value,
        help=default("exec; logs: work in their annotations, answers in their logs, no exec", DEFAULTS.transport.value),
    )


def check_transport(flags: argparse.Namespace) -> None:
    """Raise UsageError where `--transport logs` cannot do what is asked for."""
    if Transport(flags.transport) is Transport.LOGS and flags.enforce_time:
        raise UsageError(
            "--transport logs cannot time how soon policies hold",
            why="for that an agent is given its work line by line, and an annotation reaches it late and as a whole",
            attempt="--enforce-time with --transport exec, or --transport logs without it",
        )

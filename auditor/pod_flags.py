"""Options about probe pods: their image, what runs in it, and how work gets there."""

from __future__ import annotations

import argparse

from auditor.errors import UsageError
from auditor.flag_values import default
from auditor.model.options import Mode, Options, Targets, Transport

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
    """Raise UsageError where `--transport logs` cannot do what is asked for, or no role grants it."""
    if Transport(flags.transport) is not Transport.LOGS:
        return
    mode = Mode(flags.mode)
    if mode is not Mode.CLONE:
        raise UsageError(
            f"--mode {mode.value} does not work by --transport logs",
            why="no role of deploy/kustomize lets it patch pods and get their logs",
            attempt=f"--mode {mode.value} with --transport exec, or --mode clone --transport logs",
        )
    if Targets(flags.targets) is Targets.SERVICE:
        raise UsageError(
            "--targets service does not work by --transport logs",
            why="no role of deploy/kustomize grants both, and names are looked up by exec alone",
            attempt="--targets service with --transport exec, or --transport logs without it",
        )
    if flags.enforce_time:
        raise UsageError(
            "--transport logs cannot time how soon policies hold",
            why="for that an agent is given its work line by line, and an annotation reaches it late and as a whole",
            attempt="--enforce-time with --transport exec, or --transport logs without it",
        )
    if flags.ping:
        raise UsageError(
            "--transport logs cannot ping",
            why="ICMP is tried by a program of its own, which goes into a pod by exec alone",
            attempt="--ping with --transport exec, or --transport logs without it",
        )

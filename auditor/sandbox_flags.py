"""`netaudit run --sandbox`: manifests rehearsed on this machine, before any cluster sees them.

Pure but for argparse.
"""

from __future__ import annotations

import argparse

from auditor.errors import UsageError
from auditor.model.options import Mode, Targets, Transport

WHY = "a sandbox runs manifests in network namespaces of this machine, under an engine of its own"


def add_sandbox(parser: argparse.ArgumentParser) -> None:
    """The options that put a sandbox in the place of a cluster."""
    group = parser.add_argument_group("without a cluster")
    group.add_argument(
        "--sandbox",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="run the manifests of -f in network namespaces of this machine, as an ordinary user where the kernel lets "
        "users make them, and audit that: it tests the policies, not any cluster's engine (default: no)",
    )
    group.add_argument(
        "-f",
        "--filename",
        action="append",
        default=[],
        metavar="FILE",
        help="manifests for --sandbox: a file, a folder, or - for standard input; repeatable",
    )
    group.add_argument("--fault", metavar="NAME", help="give the sandbox's engine a fault that real ones have had")


def check_sandbox(flags: argparse.Namespace) -> None:
    """Raise UsageError for options that have no meaning with a sandbox, or none without one."""
    if not flags.sandbox:
        beside = "-f" if flags.filename else "--fault" if flags.fault else ""
        if beside:
            raise UsageError(
                f"{beside} belongs to --sandbox",
                why="netaudit run audits a cluster, which holds its own objects",
                attempt=f"--sandbox -f FILE{' --fault NAME' if flags.fault else ''}, or netaudit predict -f FILE",
            )
        return
    if not flags.filename:
        raise UsageError("--sandbox has nothing to run", why=WHY, attempt="--sandbox -f FILE or FOLDER")
    for name, given in _strange(flags).items():
        if given:
            raise UsageError(f"{name} has no meaning with --sandbox", why=WHY, attempt=f"--sandbox without {name}")


def _strange(flags: argparse.Namespace) -> dict[str, bool]:
    """Options that are about a real cluster, and whether they were given."""
    return {
        f"--mode {flags.mode}": flags.mode != Mode.CLONE.value,
        f"--targets {flags.targets}": flags.targets != Targets.POD.value,
        f"--transport {flags.transport}": flags.transport != Transport.EXEC.value,
        "--external": bool(flags.external),
        "--ping": bool(flags.ping),
        "--enforce-time": bool(flags.enforce_time),
        "--resume": bool(flags.resume),
        "--context": bool(flags.context),
        "--kubeconfig": bool(flags.kubeconfig),
    }

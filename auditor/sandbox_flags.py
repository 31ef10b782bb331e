"""`netaudit run --sandbox`: manifests rehearsed on this machine, before any cluster sees them.

Pure but for argparse.
"""

from __future__ import annotations

import argparse

from auditor.errors import UsageError
from auditor.flag_values import add_settings, seconds
from auditor.model.options import Mode, Options, Targets, Transport

DEMO = """\
Audit the examples of the guides on three clusters made of network namespaces on this machine: one that enforces policy,
a minikube without a plugin, an EKS whose agent is missing on one node. Real packets, the usual reports, no cluster
needed; as root, or as an ordinary user where the kernel lets users make namespaces. Nothing is left afterwards but the
pages.
"""
DEMO_EXAMPLES = """\
examples:
  netaudit demo                            the story, and netaudit-demo/index.html
  netaudit demo --fault ingress-only       what an audit looks like where an engine polices ingress alone
  netaudit demo --manifests k8s/           your own manifests on the same three clusters
  netaudit demo --keep                     look around in the pods afterwards

exit codes: 0 the clusters were told apart as they should be, or the manifests were yours; 1 they were not, or netaudit
failed; 2 usage; 130 asked to end
"""
FOLDER = "netaudit-demo"
DEFAULTS = Options()
SETTLE, LATE_SETTLE = 5.0, 20.0
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


def add_demo(parser: argparse.ArgumentParser) -> None:
    """The options of `netaudit demo`."""
    group = parser.add_argument_group("what is shown")
    group.add_argument(
        "--fault",
        metavar="NAME",
        help="instead of the story: a cluster whose engine has this fault, beside one whose engine has none",
    )
    group.add_argument("--list-faults", action="store_true", help="name the faults and what shows them; make nothing")
    group.add_argument(
        "--manifests",
        action="append",
        default=[],
        metavar="DIR",
        help="your own manifests instead of the guides': a file or a folder; repeatable",
    )
    group.add_argument(
        "--keep",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="let the clusters stand until Ctrl-C, with something that listens in every pod, and say how to get into "
        "them (default: no)",
    )
    group = parser.add_argument_group("pages")
    group.add_argument(
        "--folder", default=FOLDER, metavar="DIR", help=f"where pages and reports are written (default: {FOLDER})"
    )
    group.add_argument(
        "--settle",
        type=seconds,
        metavar="SECONDS",
        help=f"how long a surprise is tried again before it stands; netaudit run takes 45 (default: {SETTLE:g}, and "
        f"{LATE_SETTLE:g} for faults that end by themselves)",
    )
    add_settings(parser)


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
        f"--targets {flags.targets}": flags.targets == Targets.REAL.value,
        f"--transport {flags.transport}": flags.transport != Transport.EXEC.value,
        "--external": bool(flags.external),
        "--ping": bool(flags.ping),
        "--enforce-time": bool(flags.enforce_time),
        "--resume": bool(flags.resume),
        "--context": bool(flags.context),
        "--kubeconfig": bool(flags.kubeconfig),
        f"--image {flags.image}": flags.image != DEFAULTS.image,
        f"--rate {flags.rate}": flags.rate != DEFAULTS.rate,
        "--journal": bool(flags.journal),
    }

"""`--mode`: what each one is, and what it has no use for.

Pure but for argparse.
"""

from __future__ import annotations

import argparse

from auditor.errors import UsageError
from auditor.model.options import Mode, Transport

MODES = (
    "clone: probe pods beside workloads; sentinel: netaudit's own pods and policies in its own namespaces, "
    "which needs no right elsewhere; shadow: pods with the workloads' labels and copies of their policies in "
    "netaudit's own namespaces, where nothing can react; inplace: agents inside real pods, in ephemeral containers "
    "that cannot be removed before the pods are replaced, only with -n or -l"
)


def check_mode(flags: argparse.Namespace, mode: Mode) -> None:
    """Raise UsageError for options that have no meaning in a mode."""
    if mode is Mode.SENTINEL and (flags.namespace or flags.selector):
        raise UsageError(
            "--mode sentinel audits no workloads, so --namespace and --selector choose nothing",
            why="its probe pods stand in netaudit's own namespaces, under netaudit's own policies",
            attempt="--mode sentinel alone, or --mode clone for workloads",
        )
    if mode is Mode.INPLACE:
        _check_inplace(flags)
    elif mode is not Mode.CLONE and flags.expect:
        raise UsageError(
            f"--mode {mode.value} tells nothing of --expect",
            why="expectations are about workloads, and its probe pods stand in netaudit's own namespaces",
            attempt="--mode clone with --expect, or netaudit predict --expect for the policies alone",
        )
    elif mode is not Mode.CLONE and flags.resume:
        raise UsageError(
            f"--mode {mode.value} has nothing to go on from",
            why="each run makes its policies anew, so that nothing measured before is about them",
            attempt=f"--mode {mode.value} alone",
        )


def _check_inplace(flags: argparse.Namespace) -> None:
    """Who marks real pods says which."""
    if not (flags.namespace or flags.selector):
        raise UsageError(
            "--mode inplace marks no pods of a whole cluster",
            why="it puts an ephemeral container into real pods, which cannot be removed before they are replaced",
            attempt="--mode inplace -n NAMESPACE or -l LABELS, with --dry-run first to see which pods",
        )
    if flags.expect:
        raise UsageError(
            "--mode inplace tells nothing of --expect",
            why="expectations name ports of workloads, and an agent in a real pod listens on none that they may use",
            attempt="--mode clone or netaudit predict with --expect; --mode inplace --targets real for handshakes",
        )
    if flags.resume:
        raise UsageError(
            "--mode inplace has nothing to go on from",
            why="what was measured in a real pod holds for that pod at that time, and its agent has ended",
            attempt="--mode inplace alone; it takes pods that are marked already before others",
        )
    if Transport(flags.transport) is Transport.LOGS:
        raise UsageError(
            "--mode inplace cannot work by --transport logs",
            why="work would have to be written into annotations of real pods, and no ephemeral container can read them",
            attempt="--mode inplace with --transport exec, or --mode clone --transport logs",
        )

"""Everything that can be made to go wrong in a running cluster, in the order of the help text."""

from __future__ import annotations

import argparse

from tests.cluster.cluster import Cluster
from tests.cluster.faults import agent_audit, api, drop, fill, policy, reject, signals
from tests.cluster.faults.fault import Fault

FAULTS: tuple[Fault, ...] = (
    *signals.FAULTS,
    *policy.FAULTS,
    *agent_audit.FAULTS,
    *api.FAULTS,
    *fill.FAULTS,
    *reject.FAULTS,
    *drop.FAULTS,
)


def add_to(parser: argparse.ArgumentParser) -> None:
    """Make each fault a subcommand; what is chosen stands in `act`."""
    kinds = parser.add_subparsers(required=True, metavar="FAULT")
    for fault in FAULTS:
        one = kinds.add_parser(fault.name, help=fault.summary, description=fault.summary)
        fault.arguments(one)
        one.set_defaults(act=fault.act)


def inflict(cluster: Cluster, *words: str) -> None:
    """What `python -m tests.cluster fault NAME WORDS...` does, for tests."""
    parser = argparse.ArgumentParser(prog="fault")
    add_to(parser)
    options = parser.parse_args(words)
    options.act(cluster, options)

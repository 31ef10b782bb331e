"""Switch a running agent's enforcement off and on: no object of the API shows it, and its restart undoes it."""

from __future__ import annotations

import argparse

from tests.cluster.cluster import Cluster
from tests.cluster.faults.agents import in_agent
from tests.cluster.faults.fault import Fault


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("node")


def _off(cluster: Cluster, options: argparse.Namespace) -> None:
    in_agent(cluster, options.node, "cilium-dbg", "config", "PolicyEnforcement=never")


def _on(cluster: Cluster, options: argparse.Namespace) -> None:
    in_agent(cluster, options.node, "cilium-dbg", "config", "PolicyEnforcement=default")


FAULTS = (
    Fault("policy-off", "a node's running agent stops enforcing; nothing in the API tells", _arguments, _off),
    Fault("policy-on", "the opposite", _arguments, _on),
)

"""Drop every packet between two nodes, on the wire: neither node's rules show it."""

from __future__ import annotations

import argparse

from tests.cluster.cluster import Cluster
from tests.cluster.errors import ClusterError
from tests.cluster.faults.fault import Fault
from tests.cluster.spec import CONTROL_PLANE


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("first", metavar="NODE")
    parser.add_argument("second", metavar="NODE")
    parser.add_argument("--off", action="store_true")


def _act(cluster: Cluster, options: argparse.Namespace) -> None:
    unknown = {options.first, options.second} - set(cluster.nodes)
    if unknown:
        raise ClusterError(
            f"no such node: {', '.join(sorted(unknown))}", f"there are {', '.join(cluster.nodes)}", "name two"
        )
    machine = cluster.record().machine(CONTROL_PLANE)
    # A table of its own for each pair: adding it twice is one, and deleting it leaves the others.
    table = "_".join(["netaudit", *sorted((options.first, options.second))])
    machine.run("nft", "-f", "-", stdin=f"table bridge {table} {{}}\ndelete table bridge {table}\n")
    if options.off:
        return
    rules = "".join(
        f'iifname "v-{source}" oifname "v-{target}" drop\n'
        for source, target in ((options.first, options.second), (options.second, options.first))
    )
    chain = f"chain wire {{\ntype filter hook forward priority 0; policy accept;\n{rules}}}"
    machine.run("nft", "-f", "-", stdin=f"table bridge {table} {{\n{chain}\n}}\n")


FAULTS = (Fault("drop-between", "no packet passes between two nodes", _arguments, _act),)

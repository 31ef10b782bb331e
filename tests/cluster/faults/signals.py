"""Stop, continue and kill a node's programs.

A stopped program keeps its sockets and its last rules in force, as a hung one does. The kubelet kills a stopped agent
once its liveness probe has failed long enough (Cilium's chart: ten times, half a minute apart).
"""

from __future__ import annotations

import argparse
import json
import signal

from tests.cluster import cgroups
from tests.cluster.cluster import Cluster
from tests.cluster.errors import ClusterError
from tests.cluster.faults.agents import agent_pod
from tests.cluster.faults.fault import Fault
from tests.cluster.processes import Process

PROGRAMS = ("kubelet", "containerd", "agent")


def processes_of(cluster: Cluster, node: str, program: str) -> set[Process]:
    """The processes of one of a node's programs, found by what started them and never by name."""
    if program != "agent":
        return {cluster.record().programs[f"{node}/{program}"]}
    pod = json.loads(cluster.kubectl("get", "pod", "-n", "kube-system", agent_pod(cluster, node), "-o", "json").stdout)
    container = pod["status"]["containerStatuses"][0]["containerID"].rpartition("/")[2]
    places = [
        place
        for root in cluster.record().machine(node).cgroups
        for place in root.rglob(f"*{container}*")
        if place.is_dir()
    ]
    found = cgroups.processes(places)
    if not found:
        raise ClusterError(
            f"no process of the agent of {node}", f"its container {container} is not running", "wait for it"
        )
    return found


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("node")
    parser.add_argument("program", choices=PROGRAMS)


def _kill_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("node")
    parser.add_argument("program", choices=("agent",), help="the kubelet starts it again")


def _send(number: signal.Signals, cluster: Cluster, options: argparse.Namespace) -> None:
    for process in processes_of(cluster, options.node, options.program):
        process.signal(number)


def _stop(cluster: Cluster, options: argparse.Namespace) -> None:
    _send(signal.SIGSTOP, cluster, options)


def _continue(cluster: Cluster, options: argparse.Namespace) -> None:
    _send(signal.SIGCONT, cluster, options)


def _kill(cluster: Cluster, options: argparse.Namespace) -> None:
    _send(signal.SIGKILL, cluster, options)


FAULTS = (
    Fault("stop", "SIGSTOP to a node's kubelet, containerd or policy agent", _arguments, _stop),
    Fault("continue", "SIGCONT to what was stopped", _arguments, _continue),
    Fault("kill", "SIGKILL to a node's policy agent", _kill_arguments, _kill),
)

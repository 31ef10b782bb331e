"""Fill a node: its kubelet takes as many pods as it has, or a few more, until the node is emptied again."""

from __future__ import annotations

import argparse
import json

from tests.cluster import lifecycle, node
from tests.cluster.api import Api, wait_for
from tests.cluster.cluster import Cluster
from tests.cluster.faults.fault import Fault
from tests.cluster.machine import tail

_FINISHED = ("Succeeded", "Failed")


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("node")
    parser.add_argument("--free", type=int, default=0, metavar="N", help="leave room for N pods")
    parser.add_argument("--off", action="store_true")


def _act(cluster: Cluster, options: argparse.Namespace) -> None:
    limit = node.MAX_PODS if options.off else max(1, _pods(cluster, options.node) + options.free)
    record = cluster.record()
    machine = record.machine(options.node)
    configuration = json.dumps(node.kubelet_configuration(limit))
    machine.run("sh", "-c", "cat > /etc/kubernetes/kubelet.yaml", stdin=configuration)
    lifecycle.restart_kubelet(record, options.node)
    api = Api(record.kubeconfig)
    wait_for(
        f"{options.node} takes {limit} pods",
        lambda: api.get(f"/api/v1/nodes/{options.node}")["status"]["allocatable"]["pods"] == str(limit),
        60,
        lambda: tail(machine.log("kubelet")),
    )


def _pods(cluster: Cluster, name: str) -> int:
    query = ("get", "pods", "-A", "--field-selector", f"spec.nodeName={name}", "-o", "json")
    items = json.loads(cluster.kubectl(*query).stdout)["items"]
    return sum(pod["status"].get("phase") not in _FINISHED for pod in items)


FAULTS = (Fault("fill", "a node has no room for another pod", _arguments, _act),)

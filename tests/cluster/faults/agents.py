"""The policy agent of a node, and commands in it.

Not a fault: what several of them need.
"""

from __future__ import annotations

import subprocess

from tests.cluster.cluster import Cluster
from tests.cluster.errors import ClusterError


def agent_pod(cluster: Cluster, node: str) -> str:
    """The name of Cilium's agent pod on a node."""
    query = ("-l", "k8s-app=cilium", "--field-selector", f"spec.nodeName={node},status.phase=Running")
    names = cluster.kubectl("get", "pod", "-n", "kube-system", *query, "-o", "name").stdout.split()
    if not names:
        raise ClusterError(
            f"{node} has no policy agent", "no running pod of Cilium's DaemonSet is there", "choose another node"
        )
    return names[0].removeprefix("pod/")


def in_agent(cluster: Cluster, node: str, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a node's agent, as its administrator would."""
    return cluster.kubectl("exec", "-n", "kube-system", agent_pod(cluster, node), "-c", "cilium-agent", "--", *command)

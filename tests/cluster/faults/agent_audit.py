"""Audit mode on one endpoint: what its policies deny is logged and passes; no object of the API shows it."""

from __future__ import annotations

import argparse
import json

from tests.cluster.cluster import Cluster
from tests.cluster.faults.agents import in_agent
from tests.cluster.faults.fault import Fault


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pod", metavar="NAMESPACE/POD")
    parser.add_argument("state", choices=("on", "off"))


def _act(cluster: Cluster, options: argparse.Namespace) -> None:
    namespace, found, pod = options.pod.partition("/")
    if not found:
        raise ValueError(f"{options.pod!r} is not of the form NAMESPACE/POD")
    node = cluster.kubectl("get", "pod", "-n", namespace, pod, "-o", "jsonpath={.spec.nodeName}").stdout
    endpoint = json.loads(cluster.kubectl("get", "ciliumendpoint", "-n", namespace, pod, "-o", "json").stdout)
    mode = "Enabled" if options.state == "on" else "Disabled"
    in_agent(
        cluster, node, "cilium-dbg", "endpoint", "config", str(endpoint["status"]["id"]), f"PolicyAuditMode={mode}"
    )


FAULTS = (Fault("endpoint-audit", "one pod's policies are logged and not enforced", _arguments, _act),)

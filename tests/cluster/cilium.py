"""Cilium as users install it: helm, Cilium's own chart, and only the values that a cluster made of namespaces needs.

A node with settings of its own and one without an agent carry the label that keeps agents away; the former loses it
once its CiliumNodeConfig exists, so that its agent has those settings from its first start, as on a node that joins.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.cluster import provision, spec
from tests.cluster.api import Api, wait_for
from tests.cluster.errors import ClusterError
from tests.cluster.machine import tail
from tests.cluster.spec import ClusterSpec, NodeSpec
from tests.cluster.state import Record

IMAGE = "cilium.test/cilium:1.19.4"
NO_AGENT = "cilium.io/no-schedule"
"""The label that Cilium's own tests keep nodes free of agents with."""

_CAP_SYS_RESOURCE = 24
_AGENT_CAPABILITIES = (
    "CHOWN KILL NET_ADMIN NET_RAW IPC_LOCK SYS_MODULE SYS_ADMIN SYS_RESOURCE DAC_OVERRIDE FOWNER SETGID SETUID SYSLOG"
)
_DAEMON_SET = "/apis/apps/v1/namespaces/kube-system/daemonsets/cilium"
_NODE_CONFIG_CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/ciliumnodeconfigs.cilium.io"
_NODE_CONFIGS = "/apis/cilium.io/v2/namespaces/kube-system/ciliumnodeconfigs"

_CHART_VALUES = {
    "enable-policy": "policyEnforcementMode",
    "policy-audit-mode": "policyAuditMode",
    "enable-k8s-networkpolicy": "k8sNetworkPolicy.enabled",
    "enable-source-ip-verification": "daemon.enableSourceIPVerification",
    "policy-cidr-match-mode": "policyCIDRMatchMode",
    "policy-default-local-cluster": "clustermesh.policyDefaultLocalCluster",
}
"""cilium-config keys that the chart writes from a value; all other keys go into `extraConfig`."""


def install(record: Record) -> None:
    """Run `helm install`, which returns before the agents are ready."""
    _helm("install", record)


def reconfigure(record: Record, settings: Mapping[str, str]) -> None:
    """Run `helm upgrade` with other settings for all agents, restart them, and wait until they are ready."""
    record.spec = dataclasses.replace(record.spec, settings=dict(settings))
    record.save()
    _helm("upgrade", record)
    restart_agents(record)


def restart_agents(record: Record) -> None:
    """What `kubectl rollout restart ds/cilium` does, to its end."""
    api = Api(record.kubeconfig)
    generation = api.get(_DAEMON_SET)["metadata"]["generation"]
    mark = {"kubectl.kubernetes.io/restartedAt": f"after generation {generation}"}
    api.patch(_DAEMON_SET, {"spec": {"template": {"metadata": {"annotations": mark}}}})
    await_agents(record, api)


def _helm(verb: str, record: Record) -> None:
    values = record.home / "cilium-values.json"
    values.write_text(json.dumps(chart_values(record.spec), indent=1))
    folders = {"HOME": str(record.home / "helm")}  # what it keeps goes with the cluster
    command = [
        str(provision.helm()), verb, "cilium", str(provision.cilium_chart()), "--namespace", "kube-system",
        "--kubeconfig", str(record.kubeconfig), "--values", str(values),
    ]  # fmt: skip
    done = subprocess.run(command, env=folders, text=True, capture_output=True, check=False)
    if done.returncode:
        raise ClusterError(f"helm {verb} cilium failed", done.stderr.strip()[-2000:], f"look at {values}")


def configure_nodes(record: Record, api: Api) -> None:
    """Give nodes with settings of their own a CiliumNodeConfig, then let their agents start."""
    nodes = [node for node in record.spec.nodes if node.settings]
    if not nodes:
        return
    # The operator, not the chart, creates the CRDs.
    wait_for("Cilium's operator has made its CRDs", lambda: _established(api), 90, lambda: _pods(api))
    for node in nodes:
        api.create(_NODE_CONFIGS, node_config(node))
        api.patch(f"/api/v1/nodes/{node.name}", {"metadata": {"labels": {NO_AGENT: None}}})


def await_agents(record: Record, api: Api) -> None:
    """Wait for what a node's Ready condition does not tell: that its agent can connect pods."""
    wanted = sum(not node.bare for node in record.spec.nodes)
    kubelet = record.machine(record.spec.nodes[0].name).log("kubelet")
    wait_for(
        "Cilium's agents are ready",
        lambda: _rolled_out(api.get(_DAEMON_SET), wanted),
        120,
        lambda: f"{_pods(api)}\n{tail(kubelet, 5)}",
    )


def chart_values(cluster: ClusterSpec) -> dict[str, Any]:
    """The chart's values: what differs from its defaults, and the settings that were asked for."""
    image = {"override": IMAGE, "pullPolicy": "Never"}
    values: dict[str, Any] = {
        "image": image,
        "operator": {"image": image, "replicas": 1},
        # There are no service addresses before there is a network: the API server by its own.
        "k8sServiceHost": spec.API_V4,
        "k8sServicePort": spec.API_PORT,
        "kubeProxyReplacement": False,
        "ipam": {"mode": "kubernetes"},
        "routingMode": "native",
        "autoDirectNodeRoutes": True,
        "ipv4NativeRoutingCIDR": spec.PODS_V4,
        "enableIPv4Masquerade": False,  # the outside host sees pods under their own addresses
        # These init containers enter the mount namespace of the host's first process; the node has it all already.
        "cgroup": {"autoMount": {"enabled": False}},
        "bpf": {"autoMount": {"enabled": False}},
        "sysctlfix": {"enabled": False},
        # The image has no Envoy, and nothing here asks Hubble.
        "envoy": {"enabled": False},
        "l7Proxy": False,
        "hubble": {"enabled": False},
        "affinity": {"nodeAffinity": _only_nodes_with_agents()},
        "startupProbe": {"periodSeconds": 1},
        **_capabilities(),
    }
    if cluster.dual_stack:
        values |= {
            "ipv6": {"enabled": True},
            "ipv6NativeRoutingCIDR": spec.PODS_V6,
            "enableIPv6Masquerade": False,
        }
    _add_settings(values, cluster.settings)
    return values


def node_labels(node: NodeSpec) -> dict[str, str]:
    """What a node's labels must say before its kubelet starts."""
    return {NO_AGENT: "true"} if node.bare or node.settings else {}


def node_config(node: NodeSpec) -> dict[str, Any]:
    """The CiliumNodeConfig of one node."""
    return {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumNodeConfig",
        "metadata": {"name": f"for-{node.name}"},
        "spec": {
            "nodeSelector": {"matchLabels": {"kubernetes.io/hostname": node.name}},
            "defaults": dict(node.settings),
        },
    }


def _add_settings(values: dict[str, Any], settings: Mapping[str, str]) -> None:
    for key, text in sorted(settings.items()):
        path = _CHART_VALUES.get(key)
        if path is None:
            values.setdefault("extraConfig", {})[key] = text
            continue
        *folders, last = path.split(".")
        place = values
        for folder in folders:
            place = place.setdefault(folder, {})
        place[last] = {"true": True, "false": False}.get(text, text)


def _only_nodes_with_agents() -> dict[str, Any]:
    term = {"matchExpressions": [{"key": NO_AGENT, "operator": "NotIn", "values": ["true"]}]}
    return {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}


def _capabilities() -> dict[str, Any]:
    """Leave out what root lacks on some machines: no container could be started with it."""
    status = Path("/proc/self/status").read_text()
    bounding = next(line for line in status.splitlines() if line.startswith("CapBnd:")).split()[1]
    if int(bounding, 16) >> _CAP_SYS_RESOURCE & 1:
        return {}
    agent = [name for name in _AGENT_CAPABILITIES.split() if name != "SYS_RESOURCE"]
    cleaner = ["NET_ADMIN", "SYS_MODULE", "SYS_ADMIN"]
    return {"securityContext": {"capabilities": {"ciliumAgent": agent, "cleanCiliumState": cleaner}}}


def _rolled_out(daemon_set: Mapping[str, Any], wanted: int) -> bool:
    status = daemon_set["status"]
    seen = status.get("observedGeneration") == daemon_set["metadata"]["generation"]
    ready = status.get("numberReady", 0) == status.get("desiredNumberScheduled") == wanted
    return bool(seen and ready and status.get("updatedNumberScheduled") == wanted)


def _established(api: Api) -> bool:
    conditions = api.get(_NODE_CONFIG_CRD)["status"]["conditions"]
    return any(condition["type"] == "Established" and condition["status"] == "True" for condition in conditions)


def _pods(api: Api) -> str:
    """What the pods of kube-system say of themselves, for an error message."""
    lines = []
    for pod in api.get("/api/v1/namespaces/kube-system/pods")["items"]:
        status = pod["status"]
        states = [
            f"{container['name']}: {json.dumps(container['state'])[:300]}"
            for container in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ()))
            if not container["ready"]
        ]
        lines.append(f"{pod['metadata']['name']} {status['phase']} {'; '.join(states)}")
    return "\n".join(lines)

"""A node's containerd, kubelet and kube-proxy, and the plain bridge network of a node without an engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.cluster import spec
from tests.cluster.controlplane import INSIDE
from tests.cluster.pki import Pki
from tests.cluster.rootfs import KUBE
from tests.cluster.spec import ClusterSpec, NodeSpec

MAX_PODS = 110
CONTAINERD_SOCKET = "/run/containerd/containerd.sock"
_FILES = "/etc/kubernetes"

# One registry stands for all there are.
_REGISTRIES = f"""\
server = "http://{spec.REGISTRY}"
[host."http://{spec.REGISTRY}"]
  capabilities = ["pull", "resolve"]
"""

_CONTAINERD = """\
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "netaudit.test/pause:1"
  restrict_oom_score_adj = true  # root lacks CAP_SYS_RESOURCE on some machines
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/opt/cni/bin"
    conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "/etc/containerd/certs.d"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
"""


def write_files(home: Path, pki: Pki, cluster: ClusterSpec, node: NodeSpec) -> None:
    """What the node's programs read, into the machine's /etc before it starts."""
    folder = home / "etc" / "kubernetes"
    folder.mkdir(parents=True)
    (folder / "ca.crt").write_bytes(pki.cert("ca").read_bytes())
    (folder / "kubelet.crt").write_bytes(pki.cert(f"kubelet-{node.name}").read_bytes())
    (folder / "kubelet.key").write_bytes(pki.key(f"kubelet-{node.name}").read_bytes())
    (folder / "kubelet.kubeconfig").write_text(pki.kubeconfig(f"kubelet-{node.name}", INSIDE))
    (folder / "proxy.kubeconfig").write_text(pki.kubeconfig("proxy", INSIDE))
    (folder / "kubelet.yaml").write_text(json.dumps(kubelet_configuration(MAX_PODS)))
    registries = home / "etc" / "containerd" / "certs.d" / "_default"
    registries.mkdir(parents=True)
    (registries / "hosts.toml").write_text(_REGISTRIES)
    (home / "etc" / "containerd" / "config.toml").write_text(_CONTAINERD)
    (home / "cni").mkdir()
    if cluster.bridged(node):
        (home / "cni" / "10-bridge.conflist").write_text(json.dumps(bridge_network(cluster, node)))


def containerd() -> list[str]:
    """The command line of containerd."""
    return ["containerd", "--log-level=warn"]


def kubelet(cluster: ClusterSpec, node: NodeSpec) -> list[str]:
    """The command line of the kubelet."""
    return [
        KUBE, "kubelet", f"--config={_FILES}/kubelet.yaml", f"--kubeconfig={_FILES}/kubelet.kubeconfig",
        f"--hostname-override={node.name}",
        f"--node-ip={node.v4},{node.v6}" if cluster.dual_stack else f"--node-ip={node.v4}",
    ]  # fmt: skip


def kube_proxy(cluster: ClusterSpec, node: NodeSpec) -> list[str]:
    """The command line of kube-proxy; it leaves the machine's limits for connections alone."""
    return [
        KUBE, "kube-proxy", f"--kubeconfig={_FILES}/proxy.kubeconfig", f"--hostname-override={node.name}",
        f"--cluster-cidr={spec.PODS_V4},{spec.PODS_V6}" if cluster.dual_stack else f"--cluster-cidr={spec.PODS_V4}",
        "--proxy-mode=iptables", "--conntrack-max-per-core=0", "--conntrack-tcp-timeout-established=0",
        "--conntrack-tcp-timeout-close-wait=0",
    ]  # fmt: skip


def kubelet_configuration(max_pods: int) -> dict[str, Any]:
    """The kubelet's configuration file."""
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{_FILES}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": f"{_FILES}/kubelet.crt",
        "tlsPrivateKeyFile": f"{_FILES}/kubelet.key",
        "containerRuntimeEndpoint": f"unix://{CONTAINERD_SOCKET}",
        "clusterDNS": [spec.DNS_V4],
        "clusterDomain": "cluster.local",
        "resolvConf": "",
        "volumePluginDir": "/var/lib/kubelet/volume-plugins",
        "maxPods": max_pods,
        # Several kubelets share a machine, which may still have cgroups of version 1.
        "cgroupDriver": "cgroupfs",
        "cgroupsPerQOS": False,
        "enforceNodeAllocatable": [],
        "failCgroupV1": False,
        "failSwapOn": False,
        # The disk is the machine's: nothing is evicted and no image removed because it is filling up.
        "evictionHard": {"nodefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "eventRecordQPS": 50,
    }


def bridge_network(cluster: ClusterSpec, node: NodeSpec) -> dict[str, Any]:
    """Plain connectivity, which accepts every policy and enforces none."""
    ranges = [[{"subnet": node.pods_v4}]]
    routes = [{"dst": "0.0.0.0/0"}]
    if cluster.dual_stack:
        ranges.append([{"subnet": node.pods_v6}])
        routes.append({"dst": "::/0"})
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "ipMasq": False,
        "hairpinMode": True,
        "ipam": {"type": "host-local", "ranges": ranges, "routes": routes},
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "0.4.0", "name": "bridge", "plugins": [bridge, ports]}

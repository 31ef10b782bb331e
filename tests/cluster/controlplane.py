"""etcd, the API server, the controller manager and the scheduler: their flags, files and start."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.cluster import cilium, spec
from tests.cluster.pki import KUBELET_CLIENT, Pki
from tests.cluster.rootfs import KUBE
from tests.cluster.spec import ClusterSpec

INSIDE = f"https://{spec.API_V4}:{spec.API_PORT}"
_ETCD = "http://127.0.0.1:2379"
_FILES = "/etc/kubernetes"
_ISSUER = "https://kubernetes.default.svc.cluster.local"

# The usual limits on their own requests make the controllers start seconds later.
_QUICK = ("--kube-api-qps=500", "--kube-api-burst=1000")

_AUDIT_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    # one line per request, written when it is answered; a watch that goes on has its line from the start
    "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}


def write_files(home: Path, pki: Pki) -> None:
    """What the control plane's programs read, into the machine's /etc before it starts."""
    folder = home / "etc" / "kubernetes"
    folder.mkdir(parents=True)
    for name in ("apiserver", "kubelet-client"):
        (folder / f"{name}.crt").write_bytes(pki.cert(name).read_bytes())
        (folder / f"{name}.key").write_bytes(pki.key(name).read_bytes())
    (folder / "ca.crt").write_bytes(pki.cert("ca").read_bytes())
    (folder / "ca.key").write_bytes(pki.key("ca").read_bytes())
    (folder / "sa.key").write_bytes(pki.key("sa").read_bytes())
    (folder / "audit-policy.yaml").write_text(json.dumps(_AUDIT_POLICY))
    for client in ("controller-manager", "scheduler"):
        (folder / f"{client}.kubeconfig").write_text(pki.kubeconfig(client, INSIDE))


def environment(cluster: ClusterSpec) -> dict[str, str]:
    """What Kubernetes' own programs are started with."""
    return {"NETAUDIT_SERVER_VERSION": cluster.server_version} if cluster.server_version else {}


def etcd() -> list[str]:
    """The command line of etcd; a cluster that lives for a test needs no fsync."""
    return [
        "etcd", "--data-dir=/var/lib/etcd", f"--listen-client-urls={_ETCD}", f"--advertise-client-urls={_ETCD}",
        "--listen-peer-urls=http://127.0.0.1:2380", "--unsafe-no-fsync", "--log-level=error",
    ]  # fmt: skip


def api_server(cluster: ClusterSpec) -> list[str]:
    """The command line of the API server."""
    return [
        KUBE, "kube-apiserver",
        f"--etcd-servers={_ETCD}",
        f"--bind-address={'::' if cluster.dual_stack else spec.ANY_V4}",
        f"--advertise-address={spec.API_V4}",
        f"--secure-port={spec.API_PORT}",
        f"--service-cluster-ip-range={_both(cluster, spec.SERVICES_V4, spec.SERVICES_V6)}",
        f"--client-ca-file={_FILES}/ca.crt",
        f"--tls-cert-file={_FILES}/apiserver.crt",
        f"--tls-private-key-file={_FILES}/apiserver.key",
        f"--service-account-issuer={_ISSUER}",
        f"--service-account-key-file={_FILES}/sa.key",
        f"--service-account-signing-key-file={_FILES}/sa.key",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        f"--kubelet-client-certificate={_FILES}/kubelet-client.crt",
        f"--kubelet-client-key={_FILES}/kubelet-client.key",
        f"--kubelet-certificate-authority={_FILES}/ca.crt",
        "--kubelet-preferred-address-types=InternalIP",  # there is no DNS for node names
        "--allow-privileged=true",
        f"--audit-policy-file={_FILES}/audit-policy.yaml",
        "--audit-log-path=/var/log/machine/audit.log",
        "--audit-log-mode=blocking",  # a test that counts finds what was answered
    ]  # fmt: skip


def controller_manager(cluster: ClusterSpec) -> list[str]:
    """The command line of the controller manager."""
    kubeconfig = f"{_FILES}/controller-manager.kubeconfig"
    return [
        KUBE, "kube-controller-manager",
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--use-service-account-credentials",
        f"--service-account-private-key-file={_FILES}/sa.key",
        f"--root-ca-file={_FILES}/ca.crt",
        f"--cluster-signing-cert-file={_FILES}/ca.crt",
        f"--cluster-signing-key-file={_FILES}/ca.key",
        f"--cluster-cidr={_both(cluster, spec.PODS_V4, spec.PODS_V6)}",
        f"--service-cluster-ip-range={_both(cluster, spec.SERVICES_V4, spec.SERVICES_V6)}",
        *_QUICK,
        "--allocate-node-cidrs=false",  # the Node objects are made with their ranges
        "--leader-elect=false",
    ]  # fmt: skip


def scheduler() -> list[str]:
    """The command line of the scheduler."""
    kubeconfig = f"{_FILES}/scheduler.kubeconfig"
    return [
        KUBE, "kube-scheduler", f"--kubeconfig={kubeconfig}", f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}", *_QUICK, "--leader-elect=false",
    ]  # fmt: skip


def first_objects(cluster: ClusterSpec) -> list[tuple[str, dict[str, Any]]]:
    """What exists before the first kubelet starts: path and object."""
    subject = {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": KUBELET_CLIENT}
    role = {"kind": "ClusterRole", "apiGroup": "rbac.authorization.k8s.io", "name": "system:kubelet-api-admin"}
    binding = {"metadata": {"name": "kube-apiserver-kubelet-admin"}, "subjects": [subject], "roleRef": role}
    bindings = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
    return [(bindings, binding), *(("/api/v1/nodes", _node(cluster, node)) for node in cluster.nodes)]


def _node(cluster: ClusterSpec, node: spec.NodeSpec) -> dict[str, Any]:
    labels = {**cilium.node_labels(node), **node.labels}
    ranges = [node.pods_v4, node.pods_v6] if cluster.dual_stack else [node.pods_v4]
    body: dict[str, Any] = {"podCIDR": ranges[0], "podCIDRs": ranges}
    if node.provider_id:
        body["providerID"] = node.provider_id
    return {"kind": "Node", "metadata": {"name": node.name, "labels": labels}, "spec": body}


def _both(cluster: ClusterSpec, v4: str, v6: str) -> str:
    return f"{v4},{v6}" if cluster.dual_stack else v4

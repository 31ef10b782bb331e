"""CoreDNS as clusters have it: Deployment, Service `kube-dns`, and the rights to watch Services and EndpointSlices."""

from __future__ import annotations

from typing import Any

from tests.cluster import spec
from tests.cluster.spec import ClusterSpec

IMAGE = "netaudit.test/coredns:1"
NAMESPACE = "/api/v1/namespaces/kube-system"
DEPLOYMENT = "/apis/apps/v1/namespaces/kube-system/deployments"
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_LABELS = {"k8s-app": "kube-dns"}

_COREFILE = """\
.:53 {
    errors
    health
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        pods insecure
        ttl 30
    }
    cache 30
}
"""


def objects(cluster: ClusterSpec) -> list[tuple[str, dict[str, Any]]]:
    """Path and object, in order."""
    account = {"kind": "ServiceAccount", "namespace": "kube-system", "name": "coredns"}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:coredns"}
    rules = [
        {"apiGroups": [""], "resources": ["services", "pods", "namespaces"], "verbs": ["list", "watch"]},
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
    ]
    name = {"name": "system:coredns"}
    return [
        (f"{NAMESPACE}/serviceaccounts", {"metadata": {"name": "coredns"}}),
        (f"{_RBAC}/clusterroles", {"metadata": name, "rules": rules}),
        (f"{_RBAC}/clusterrolebindings", {"metadata": name, "subjects": [account], "roleRef": role}),
        (f"{NAMESPACE}/configmaps", {"metadata": {"name": "coredns"}, "data": {"Corefile": _COREFILE}}),
        (f"{NAMESPACE}/services", _service(cluster)),
        (DEPLOYMENT, _deployment()),
    ]


def _service(cluster: ClusterSpec) -> dict[str, Any]:
    ports = [
        {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53},
        {"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": 53},
    ]
    body: dict[str, Any] = {"selector": _LABELS, "clusterIP": spec.DNS_V4, "ports": ports}
    if cluster.dual_stack:
        body |= {
            "ipFamilyPolicy": "RequireDualStack",
            "ipFamilies": ["IPv4", "IPv6"],
            "clusterIPs": [spec.DNS_V4, spec.DNS_V6],
        }
    return {"metadata": {"name": "kube-dns", "labels": {**_LABELS, "kubernetes.io/name": "CoreDNS"}}, "spec": body}


def _deployment() -> dict[str, Any]:
    container = {
        "name": "coredns",
        "image": IMAGE,
        "imagePullPolicy": "Never",
        "args": ["-conf", "/etc/coredns/Corefile"],
        "ports": [
            {"name": "dns", "containerPort": 53, "protocol": "UDP"},
            {"name": "dns-tcp", "containerPort": 53, "protocol": "TCP"},
        ],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "10m", "memory": "30Mi"}, "limits": {"memory": "170Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"add": ["NET_BIND_SERVICE"], "drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns", "readOnly": True}],
    }
    pod = {
        "serviceAccountName": "coredns",
        "priorityClassName": "system-cluster-critical",
        "dnsPolicy": "Default",
        "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": "coredns"}}],
        "terminationGracePeriodSeconds": 0,
    }
    template = {"metadata": {"labels": _LABELS}, "spec": pod}
    body = {"replicas": 1, "selector": {"matchLabels": _LABELS}, "template": template}
    return {"metadata": {"name": "coredns", "labels": _LABELS}, "spec": body}

"""Workloads in a test cluster: applied, awaited, and taken away so that the next test finds nothing to audit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tests.cluster.api import Api
from tests.cluster.cluster import Cluster
from tests.cluster.tests.audit.command import LOOK, until

Object = dict[str, Any]
BUSYBOX = "busybox:1.37"
STANDING = frozenset({"default", "kube-system", "kube-public", "kube-node-lease"})
MISSING = 404
_LEVEL = "pod-security.kubernetes.io"
RESTRICTED = {f"{_LEVEL}/{part}": "restricted" for part in ("enforce", "warn", "audit")}
"""Labels of a namespace that takes no pod but restricted ones, and says what else is not so."""


class Site:
    """The objects that tests put into a cluster."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.api = Api(cluster.kubeconfig)
        self._global: list[tuple[str, str]] = []

    def apply(self, *objects: Object) -> None:
        """Create objects, namespaces first; those of the whole cluster go again with `clear`."""
        ordered = sorted(objects, key=lambda item: item["kind"] != "Namespace")
        for item in ordered:
            if item["kind"] == "Namespace":
                self._await_absence(item["metadata"]["name"])
            elif "namespace" not in item["metadata"]:
                self._global.append((item["kind"], item["metadata"]["name"]))
        listed = {"apiVersion": "v1", "kind": "List", "items": ordered}
        self.cluster.kubectl("apply", "-f", "-", stdin=json.dumps(listed))

    def await_ready(self, but: str = "") -> None:
        """Wait until every pod is Ready, save for one of this name, and every Deployment has all its replicas."""
        until(lambda: self._all_ready(but), "every pod is Ready", every=LOOK)

    def clear(self) -> None:
        """Take away everything that audits could see."""
        for kind, name in reversed(self._global):
            self.cluster.kubectl("delete", kind, name, "--ignore-not-found", "--wait=false")
        self._global.clear()
        names = [item["metadata"]["name"] for item in self.items("/api/v1/namespaces")]
        doomed = [name for name in names if name not in STANDING]
        if doomed:
            self.cluster.kubectl("delete", "namespace", *doomed, "--ignore-not-found", "--wait=false")
        until(lambda: not self._strange_pods(), "the pods of the last test are gone", every=LOOK)

    def items(self, path: str) -> list[Object]:
        """The items of a list."""
        items: list[Object] = self.api.get(path)["items"]
        return items

    def probe_pods(self, phase: str = "") -> list[Object]:
        """The probe pods of whatever run, of one phase where that is given."""
        return [
            pod
            for pod in self.items("/api/v1/pods")
            if pod["metadata"]["name"].startswith("netaudit-") and phase in {"", pod["status"].get("phase")}
        ]

    def traces(self) -> list[str]:
        """What is left of runs: pods, holders and namespaces."""
        pods = [f"pod {_name(pod)}" for pod in self.probe_pods()]
        holders = [
            f"deployment {_name(item)}"
            for item in self.items("/apis/apps/v1/deployments")
            if item["metadata"]["name"].startswith("netaudit")
        ]
        namespaces = [
            f"namespace {item['metadata']['name']}"
            for item in self.items("/api/v1/namespaces")
            if item["metadata"]["name"].startswith("netaudit")
        ]
        return [*pods, *holders, *namespaces]

    def _await_absence(self, namespace: str) -> None:
        def free() -> bool:
            status, found = self.api.request("GET", f"/api/v1/namespaces/{namespace}")
            return status == MISSING or "deletionTimestamp" not in found["metadata"]

        until(free, f"the old namespace {namespace} is gone", every=LOOK)

    def _all_ready(self, but: str) -> bool:
        replicas = [
            item["status"].get("readyReplicas", 0) == item["spec"]["replicas"]
            for item in self.items("/apis/apps/v1/deployments")
        ]
        pods = [pod for pod in self._strange_pods() if pod["metadata"]["name"] != but]
        return all(replicas) and all(_is_ready(pod) for pod in pods)

    def _strange_pods(self) -> list[Object]:
        return [pod for pod in self.items("/api/v1/pods") if pod["metadata"]["namespace"] not in STANDING]


def _name(item: Object) -> str:
    return f"{item['metadata']['namespace']}/{item['metadata']['name']}"


def _is_ready(pod: Object) -> bool:
    conditions = pod["status"].get("conditions") or []
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def namespace(name: str, **labels: str) -> Object:
    """A namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def pod(home: str, name: str, node: str, labels: Mapping[str, str] | None = None, ports: Sequence[int] = ()) -> Object:
    """A pod that waits, bound to a node."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": home, "labels": dict(labels or {})},
        "spec": {"nodeName": node, **pod_spec(ports)},
    }


def pod_spec(ports: Sequence[int] = ()) -> Object:
    """The spec of a pod that waits and dies when it is told to."""
    container: Object = {
        "name": "wait",
        "image": BUSYBOX,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sleep", "36000"],
        "ports": [{"containerPort": port} for port in ports],
    }
    return {"terminationGracePeriodSeconds": 0, "containers": [container]}


def secured(spec: Object) -> Object:
    """The spec of a pod as restricted namespaces take it."""
    account = {"runAsNonRoot": True, "runAsUser": 65534, "seccompProfile": {"type": "RuntimeDefault"}}
    least = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    return {
        **spec,
        "securityContext": account,
        "containers": [{**item, "securityContext": least} for item in spec["containers"]],
    }


def policy(home: str, name: str, selected: Mapping[str, str], **rules: Any) -> Object:
    """A NetworkPolicy; `ingress` or `egress` isolate in their direction, and `ingress=[]` lets nobody in."""
    types = [direction.capitalize() for direction in rules]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": home},
        "spec": {"podSelector": {"matchLabels": dict(selected)}, "policyTypes": types, **rules},
    }

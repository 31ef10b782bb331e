"""Objects at their full size, and folders of them as `kubectl get -A -o json` writes them.

A running pod's 6.3 kB are for the most part what no policy looks at: managed fields, volumes, environment, conditions.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from auditor.ports import RawSnapshot
from tests.bench.objects import Raw

CREATED = "2026-11-02T08:15:00Z"
API_VERSIONS = {"networkpolicies": ("NetworkPolicy", "networking.k8s.io/v1")}
KINDS = {"pods": "Pod", "namespaces": "Namespace", "nodes": "Node"}
FIELDS = ("image", "imagePullPolicy", "name", "resources", "terminationMessagePath", "terminationMessagePolicy")
SETTINGS = ("LOG_LEVEL", "REGION", "DATABASE_URL", "CACHE_URL", "FEATURES", "TRACING", "POOL_SIZE")


def write_folder(raw: RawSnapshot, folder: Path) -> int:
    """Write pods at full size, namespaces and policies, a list each; give the bytes of the pods' file."""
    for resource in ("pods", "namespaces", "networkpolicies"):
        items = [typed(resource, full_pod(item) if resource == "pods" else item) for item in raw.objects[resource]]
        whole = {"apiVersion": "v1", "items": items, "kind": "List", "metadata": {"resourceVersion": ""}}
        (folder / f"{resource}.json").write_bytes(msgspec.json.encode(whole))
    return (folder / "pods.json").stat().st_size


def typed(resource: str, item: Any) -> Raw:
    """The object as kubectl prints it, which lists do not do: with its kind and API version."""
    kind, version = API_VERSIONS.get(resource) or (KINDS[resource], "v1")
    return {"apiVersion": version, "kind": kind, **item}


def full_pod(pod: Any) -> Raw:
    """A pod as the API server stores it once a kubelet runs it."""
    name, wears = pod["metadata"]["name"], pod["metadata"]["labels"]
    return {
        "metadata": {
            **planned_metadata(pod),
            "uid": pod["metadata"]["uid"],
            "resourceVersion": "4711",
            "creationTimestamp": CREATED,
            "managedFields": managed_fields(wears),
        },
        "spec": planned_spec(pod)
        | {"tolerations": [tolerate("not-ready"), tolerate("unreachable")], "priority": 0, "enableServiceLinks": True},
        "status": full_status(pod, name),
    }


def planned_metadata(pod: Any) -> Raw:
    """What whoever creates the pod says of it."""
    metadata = pod["metadata"]
    owner = metadata["name"].rpartition("-")[0]
    return {
        "name": metadata["name"],
        "generateName": f"{owner}-",
        "namespace": metadata["namespace"],
        "labels": metadata["labels"],
        "annotations": {
            "checksum/config": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "prometheus.io/port": "metrics",
            "prometheus.io/scrape": "true",
            "kubectl.kubernetes.io/restartedAt": CREATED,
        },
        "ownerReferences": [
            {
                "apiVersion": "apps/v1",
                "blockOwnerDeletion": True,
                "controller": True,
                "kind": "ReplicaSet",
                "name": owner,
                "uid": "6d1f9b1e-3e0c-4c39-9a53-0a2b7c1f0d11",
            }
        ],
    }


def planned_spec(pod: Any) -> Raw:
    """What it is to run, where."""
    (container,) = pod["spec"]["containers"]
    probe = {
        "failureThreshold": 3,
        "httpGet": {"path": "/healthz", "port": 8080, "scheme": "HTTP"},
        "periodSeconds": 10,
    }
    return {
        "nodeName": pod["spec"]["nodeName"],
        "serviceAccountName": "default",
        "serviceAccount": "default",
        "dnsPolicy": "ClusterFirst",
        "restartPolicy": "Always",
        "schedulerName": "default-scheduler",
        "securityContext": {"fsGroup": 2000, "runAsNonRoot": True, "runAsUser": 1000},
        "terminationGracePeriodSeconds": 30,
        "volumes": [{"name": "config", "configMap": {"name": "config", "defaultMode": 420}}, *SCRATCH],
        "containers": [
            container
            | {
                "args": [
                    "--config=/etc/app/config.yaml",
                    "--listen=:8080",
                    "--metrics=:9090",
                    "--graceful-shutdown=20s",
                ],
                "env": [*({"name": name, "value": f"{name.lower()} of main"} for name in SETTINGS), POD_ADDRESS],
                "imagePullPolicy": "IfNotPresent",
                "livenessProbe": probe,
                "readinessProbe": probe,
                "resources": {"limits": {"memory": "512Mi"}, "requests": {"cpu": "100m", "memory": "256Mi"}},
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
                "volumeMounts": [
                    {"mountPath": "/etc/app", "name": "config", "readOnly": True},
                    {"mountPath": "/tmp", "name": "scratch"},  # noqa: S108  # inside the container
                ],
            }
        ],
    }


SCRATCH = ({"name": "scratch", "emptyDir": {}},)
POD_ADDRESS = {"name": "POD_IP", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "status.podIP"}}}


def tolerate(condition: str) -> Raw:
    key = f"node.kubernetes.io/{condition}"
    return {"effect": "NoExecute", "key": key, "operator": "Exists", "tolerationSeconds": 300}


def full_status(pod: Any, name: str) -> Raw:
    """What the kubelet says of it."""
    kinds = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
    number = int(pod["metadata"]["uid"].rpartition("-")[2])
    digest = f"{number:064x}"
    return {
        **pod["status"],
        "conditions": [
            {
                "lastProbeTime": None,
                "lastTransitionTime": CREATED,
                "observedGeneration": 1,
                "status": "True",
                "type": kind,
            }
            for kind in kinds
        ],
        "containerStatuses": [
            {
                "containerID": f"containerd://{digest}",
                "image": pod["spec"]["containers"][0]["image"],
                "imageID": f"registry.test/main@sha256:{digest}",
                "lastState": {},
                "name": "main",
                "ready": True,
                "restartCount": 0,
                "started": True,
                "state": {"running": {"startedAt": CREATED}},
            }
        ],
        "hostIP": "192.0.2.1",
        "hostIPs": [{"ip": "192.0.2.1"}],
        "qosClass": "Burstable",
        "startTime": CREATED,
    }


def managed_fields(wears: Raw) -> list[Raw]:
    """Who set which field: the controller that made the pod, and its kubelet."""
    nothing: Raw = {}
    container = {f"f:{name}": nothing for name in FIELDS}
    container |= {"f:env": {".": nothing, **{f'k:{{"name":"{name}"}}': SET for name in (*SETTINGS, "POD_IP")}}}
    container |= {f"f:{name}": {".": nothing, **PROBED} for name in ("livenessProbe", "readinessProbe")}
    container |= {"f:volumeMounts": {".": nothing, **{f'k:{{"mountPath":"{path}"}}': MOUNTED for path in MOUNTS}}}
    made = {
        "f:metadata": {
            "f:annotations": {".": nothing, "f:checksum/config": nothing, "f:prometheus.io/port": nothing},
            "f:generateName": nothing,
            "f:labels": {".": nothing, **{f"f:{key}": nothing for key in wears}},
            "f:ownerReferences": {".": nothing, 'k:{"uid":"6d1f9b1e-3e0c-4c39-9a53-0a2b7c1f0d11"}': nothing},
        },
        "f:spec": {
            "f:containers": {'k:{"name":"main"}': {".": nothing, **container}},
            "f:dnsPolicy": nothing,
            "f:restartPolicy": nothing,
            "f:schedulerName": nothing,
            "f:securityContext": {".": nothing, "f:fsGroup": nothing, "f:runAsNonRoot": nothing},
            "f:terminationGracePeriodSeconds": nothing,
            "f:volumes": {".": nothing, 'k:{"name":"config"}': nothing, 'k:{"name":"scratch"}': nothing},
        },
    }
    condition = {".": nothing, "f:lastTransitionTime": nothing, "f:status": nothing, "f:type": nothing}
    conditions = {f'k:{{"type":"{kind}"}}': condition for kind in ("ContainersReady", "Initialized", "Ready")}
    ran = {
        "f:status": {
            "f:conditions": conditions,
            "f:containerStatuses": nothing,
            "f:phase": nothing,
            "f:podIPs": nothing,
        }
    }
    return [managed("kube-controller-manager", made), managed("kubelet", ran) | {"subresource": "status"}]


SET: Raw = {".": {}, "f:name": {}, "f:value": {}}
PROBED: Raw = {"f:failureThreshold": {}, "f:httpGet": {".": {}, "f:path": {}, "f:port": {}}, "f:periodSeconds": {}}
MOUNTS = ("/etc/app", "/var/run/secrets/kubernetes.io/serviceaccount")
MOUNTED: Raw = {".": {}, "f:mountPath": {}, "f:name": {}, "f:readOnly": {}}


def managed(manager: str, fields: Raw) -> Raw:
    found = {"apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": fields, "manager": manager}
    return {**found, "operation": "Update", "time": CREATED}

"""Manifests for tests, so that a test shows only what matters: `pod("shop/web", app="web")`.

Each builder gives a raw object as the API server would send it; `snapshot(...)` decodes what it is given and adds the
namespaces and nodes that nobody spelled out.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from auditor.cluster.decode import decode
from auditor.cluster.decode_pod import decode_pod
from auditor.cluster.decode_policy import decode_network_policy
from auditor.model.cluster import Pod, Snapshot
from auditor.model.policy import NetworkPolicy
from auditor.ports import RawSnapshot

Raw = dict[str, Any]
CLUSTER_UID = "cluster-uid"
RESOURCES = {
    "Namespace": "namespaces",
    "Node": "nodes",
    "Pod": "pods",
    "Service": "services",
    "EndpointSlice": "endpointslices",
    "NetworkPolicy": "networkpolicies",
    "Deployment": "deployments",
    "StatefulSet": "statefulsets",
    "ReplicaSet": "replicasets",
    "ReplicationController": "replicationcontrollers",
    "HorizontalPodAutoscaler": "horizontalpodautoscalers",
    "ResourceQuota": "resourcequotas",
    "LimitRange": "limitranges",
    "DaemonSet": "daemonsets",
    "Job": "jobs",
    "CronJob": "cronjobs",
    "Scale": "scales",
    "VerticalPodAutoscaler": "verticalpodautoscalers.autoscaling.k8s.io",
    "PodMonitor": "podmonitors.monitoring.coreos.com",
    "CiliumNetworkPolicy": "ciliumnetworkpolicies.cilium.io",
    "EgressFirewall": "egressfirewalls.k8s.ovn.org",
    "ClusterNetworkPolicy (Antrea)": "clusternetworkpolicies.crd.antrea.io",
    "CiliumClusterwideNetworkPolicy": "ciliumclusterwidenetworkpolicies.cilium.io",
    "CiliumCIDRGroup": "ciliumcidrgroups.cilium.io",
    "ConfigMap": "configmaps",
    "AdminNetworkPolicy": "adminnetworkpolicies.policy.networking.k8s.io",
    "BaselineAdminNetworkPolicy": "baselineadminnetworkpolicies.policy.networking.k8s.io",
    "ClusterNetworkPolicy": "clusternetworkpolicies.policy.networking.k8s.io",
}


def named(kind: str, where: str, **more: Any) -> Raw:
    """Any object; `where` is `namespace/name`, or a name alone for what has no namespace."""
    namespace, _, name = where.rpartition("/")
    metadata: Raw = {"name": name, "uid": f"uid-{where}", "resourceVersion": "1", **more}
    return {"kind": kind, "metadata": {"namespace": namespace, **metadata} if namespace else metadata}


def namespace(name: str, **labels: str) -> Raw:
    uid = CLUSTER_UID if name == "kube-system" else f"uid-{name}"
    return named("Namespace", name, labels={"kubernetes.io/metadata.name": name, **labels}, uid=uid)


def node(name: str, *, ready: bool = True, **labels: str) -> Raw:
    status = {"conditions": [{"type": "Ready", "status": "True" if ready else "False"}]}
    return {**named("Node", name, labels=labels), "spec": {}, "status": status}


def address_of(where: str) -> str:
    """An address that depends on the name alone."""
    number = zlib.crc32(where.encode())
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def pod(
    where: str,
    *,
    on: str = "n1",
    at: Sequence[str] | None = None,
    ports: Sequence[Raw] = (),
    owner: str | None = None,
    phase: str = "Running",
    spec: Mapping[str, Any] | None = None,
    hashed: str | None = None,
    **labels: str,
) -> Raw:
    """A pod on a node, with addresses; `owner` as `StatefulSet/db`, else a StatefulSet of the pod's own name.

    `hashed` is the pod template's hash, which a ReplicaSet's pods wear as a label.
    """
    name = where.rpartition("/")[2]
    kind, _, owned_by = (owner or f"StatefulSet/{name}").partition("/")
    addresses = [address_of(where)] if at is None else list(at)
    labels |= {} if hashed is None else {"pod-template-hash": hashed}
    return {
        **named("Pod", where, labels=labels, ownerReferences=[{"kind": kind, "name": owned_by, "controller": True}]),
        "spec": {"nodeName": on, "containers": [{"name": "c", "ports": list(ports)}], **(spec or {})},
        "status": {"phase": phase, "podIPs": [{"ip": text} for text in addresses]},
    }


def port(number: int, name: str | None = None, protocol: str | None = None) -> Raw:
    """A container port, as far as it is said."""
    said = {"containerPort": number, "name": name, "protocol": protocol}
    return {key: value for key, value in said.items() if value is not None}


def selector(*expressions: tuple[str, str] | tuple[str, str, Sequence[str]], **labels: str) -> Raw:
    """A label selector: `selector(("tier", "NotIn", ["test"]), app="web")`."""
    made: Raw = {"matchLabels": labels} if labels else {}
    if expressions:
        parts = [dict(zip(("key", "operator", "values"), item, strict=False)) for item in expressions]
        made["matchExpressions"] = parts
    return made


def pods(*expressions: tuple[str, str] | tuple[str, str, Sequence[str]], **labels: str) -> Raw:
    """A peer's podSelector."""
    return {"podSelector": selector(*expressions, **labels)}


def namespaces(*expressions: tuple[str, str] | tuple[str, str, Sequence[str]], **labels: str) -> Raw:
    """A peer's namespaceSelector; `namespaces(...) | pods(...)` is both in one peer."""
    return {"namespaceSelector": selector(*expressions, **labels)}


def block(cidr: str, *holes: str) -> Raw:
    """A peer's ipBlock."""
    return {"ipBlock": {"cidr": cidr, "except": list(holes)} if holes else {"cidr": cidr}}


def tcp(number: int | str | None = None, to: int | None = None, *, protocol: str | None = "TCP") -> Raw:
    """A port of a rule."""
    said = {"protocol": protocol, "port": number, "endPort": to}
    return {key: value for key, value in said.items() if value is not None}


def udp(number: int | str | None = None, to: int | None = None) -> Raw:
    return tcp(number, to, protocol="UDP")


def allow(*peers: Raw, ports: Sequence[Raw] = ()) -> Raw:
    """A rule for either direction; no peers are any, no ports are all."""
    rule: Raw = {"peers": list(peers)} if peers else {}
    return rule | ({"ports": list(ports)} if ports else {})


def policy(
    where: str,
    selects: Raw | None = None,
    *,
    ingress: Sequence[Raw] | None = None,
    egress: Sequence[Raw] | None = None,
    types: Sequence[str] | None = None,
) -> Raw:
    """A NetworkPolicy of `allow(...)` rules; what is None is absent from the manifest."""
    spec: Raw = {"podSelector": selects or {}}
    for key, peers, rules in (("ingress", "from", ingress), ("egress", "to", egress)):
        if rules is not None:
            spec[key] = [{peers if part == "peers" else part: value for part, value in rule.items()} for rule in rules]
    if types is not None:
        spec["policyTypes"] = list(types)
    return {**named("NetworkPolicy", where), "spec": spec}


def deny_all(where: str, *types: str, **labels: str) -> Raw:
    """A policy that isolates and allows nothing: ingress and egress, or the types that are named."""
    return policy(where, selector(**labels), types=types or ("Ingress", "Egress"))


def service(where: str, *, publishes: bool = False, **selects: str) -> Raw:
    return {**named("Service", where), "spec": {"selector": selects, "publishNotReadyAddresses": publishes}}


def workload(kind: str, where: str, **selects: str) -> Raw:
    wanted: Raw = dict(selects) if kind == "ReplicationController" else selector(**selects)
    return {**named(kind, where), "spec": {"selector": wanted}}


def autoscaler(where: str, target: str) -> Raw:
    kind, _, name = target.partition("/")
    return {**named("HorizontalPodAutoscaler", where), "spec": {"scaleTargetRef": {"kind": kind, "name": name}}}


def raw(*objects: Raw, unreadable: Mapping[str, str] | None = None) -> RawSnapshot:
    """What a source would have collected; namespaces and nodes that are used and not given are added."""
    found: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for item in objects:
        found[RESOURCES[item["kind"]]].append(item)
    for resource, make, used in (("namespaces", namespace, _homes(objects)), ("nodes", node, _nodes(objects))):
        known = {item["metadata"]["name"] for item in found[resource]}
        found[resource] += [make(name) for name in sorted(used - known)]
    return RawSnapshot(found, unreadable or {}, "v1.35.0")


def _homes(objects: Sequence[Raw]) -> set[str]:
    return {item["metadata"]["namespace"] for item in objects if "namespace" in item["metadata"]} | {"kube-system"}


def _nodes(objects: Sequence[Raw]) -> set[str]:
    used = {item["spec"].get("nodeName") for item in objects if item["kind"] == "Pod"}
    return {name for name in used if isinstance(name, str) and name}


def snapshot(*objects: Raw, unreadable: Mapping[str, str] | None = None) -> Snapshot:
    """The Snapshot of these objects."""
    return decode(raw(*objects, unreadable=unreadable))


def a_pod(where: str, **more: Any) -> Pod:
    """A decoded pod, with the parameters of `pod`."""
    return decode_pod(pod(where, **more))


def a_policy(where: str, selects: Raw | None = None, **more: Any) -> NetworkPolicy:
    """A decoded policy, with the parameters of `policy`."""
    return decode_network_policy(policy(where, selects, **more))

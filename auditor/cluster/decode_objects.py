"""Raw objects of every kind but pods and NetworkPolicies into values.

Pure.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from ipaddress import ip_network

from auditor.cluster import fields
from auditor.cluster.decode_pod import maker_of
from auditor.cluster.decode_policy import LAST_PORT, decode_selector
from auditor.cluster.decode_quota import quantity
from auditor.cluster.fields import FieldError, Raw
from auditor.cluster.resources import OWNING_SERVICE, ForeignPolicy
from auditor.model.cluster import (
    EndpointPort,
    EndpointSlice,
    Namespace,
    Node,
    PolicyObject,
    Service,
    ServiceAccount,
    ServicePort,
    Workload,
    family_of,
)
from auditor.model.flow import Family, Protocol
from auditor.model.labels import equals

TELLING_ANNOTATIONS = frozenset(
    {"net.beta.kubernetes.io/network-policy", "linkerd.io/inject", "kuma.io/sidecar-injection", "kuma.io/mesh"}
)
"""What once meant something for policies, and what tells a mesh to take the namespace's pods."""
LEAVING = {
    "ToBeDeletedByClusterAutoscaler": "it is about to be removed",
    "karpenter.sh/disrupted": "it is about to be removed",
    "karpenter.sh/disruption": "it is about to be removed",
    "node.kubernetes.io/out-of-service": "it is out of service",
    "node.cloudprovider.kubernetes.io/shutdown": "it is shut down",
}
"""Taints of nodes that go, whatever their effect."""
OF_CONDITIONS = "node.kubernetes.io/"
"""Taints by which Kubernetes itself keeps pods from a node in trouble, or sends them away."""
FARGATE = "eks.amazonaws.com/compute-type"
HOSTS = "FQDN"
ADDRESS_TYPES = frozenset({"IPv4", "IPv6", HOSTS})


def decode_namespace(raw: Raw) -> Namespace:
    """A `corev1.Namespace`."""
    metadata = fields.mapping(raw, "metadata")
    name = fields.text(metadata, "name")
    labels = fields.strings(metadata, "labels")
    # The API server sets this label on every namespace; manifests in files lack it.
    labels.setdefault("kubernetes.io/metadata.name", name)
    return Namespace(
        name=name,
        labels=labels,
        terminating=metadata.get("deletionTimestamp") is not None,
        version=fields.text(metadata, "resourceVersion"),
        annotations={key: text for key, text in _annotations(metadata).items() if key in TELLING_ANNOTATIONS},
    )


def _annotations(metadata: Raw) -> dict[str, str]:
    found = metadata.get("annotations")
    # Whatever else is wrong with annotations, policies do not look at them.
    known = found.items() if isinstance(found, Mapping) else ()
    return {key: text for key, text in known if isinstance(key, str) and isinstance(text, str)}


def decode_service(raw: Raw) -> Service:
    """A `corev1.Service`."""
    metadata, spec = fields.mapping(raw, "metadata"), fields.mapping(raw, "spec")
    selector = fields.strings(spec, "selector")
    listed = fields.words(spec, "clusterIPs") or (fields.text(spec, "clusterIP"),)
    return Service(
        namespace=fields.text(metadata, "namespace", "default"),
        name=fields.text(metadata, "name"),
        selector=equals(selector) if selector else None,
        publishes_not_ready=fields.flag(spec, "publishNotReadyAddresses"),
        ports=tuple(_service_ports(spec)),
        addresses=tuple(found for text in listed if (found := fields.address(text)) is not None),
        type=fields.text(spec, "type", "ClusterIP"),
        headless="None" in listed,
        families=tuple(_service_families(spec)),
        outer_addresses=tuple(dict.fromkeys(_outer_addresses(spec, fields.mapping(raw, "status")))),
    )


def _outer_addresses(spec: Raw, status: Raw) -> Iterable[str]:
    balancers = fields.objects(fields.mapping(status, "loadBalancer"), "ingress")
    for text in (*fields.words(spec, "externalIPs"), *(fields.text(item, "ip") for item in balancers)):
        # A balancer may have a name in place of an address.
        found = fields.address(text)
        if found is not None:
            yield found


def _service_families(spec: Raw) -> Iterable[Family]:
    said = fields.words(spec, "ipFamilies")
    if not said and fields.text(spec, "ipFamilyPolicy") in {"PreferDualStack", "RequireDualStack"}:
        return Family
    return (family for family in Family if family.value in said)


def _service_ports(spec: Raw) -> Iterable[ServicePort]:
    for port in fields.objects(spec, "ports"):
        number, protocol = fields.number(port, "port"), fields.text(port, "protocol", "TCP")
        if number is not None and 1 <= number <= LAST_PORT and protocol in Protocol.__members__:
            yield ServicePort(number, _target(port, number), Protocol(protocol), fields.text(port, "name"))


def _target(port: Raw, number: int) -> int | str:
    target = port.get("targetPort")
    if isinstance(target, bool) or not isinstance(target, int | str | None):
        raise FieldError(f"targetPort: expected a number or a name, found {type(target).__name__}")
    return target or number


def decode_slice(raw: Raw, wanted: Container[tuple[str, str]] | None = None) -> EndpointSlice | None:
    """A `discoveryv1.EndpointSlice`; None where it is of none of the `wanted` Services, `(namespace, name)`."""
    metadata = fields.mapping(raw, "metadata")
    namespace = fields.text(metadata, "namespace", "default")
    service = fields.strings(metadata, "labels").get(OWNING_SERVICE, "")
    if wanted is not None and (namespace, service) not in wanted:
        return None
    kind = fields.text(raw, "addressType")
    if kind not in ADDRESS_TYPES:
        raise FieldError("expected IPv4, IPv6 or FQDN", raw, "addressType")
    ready: list[str] = []
    leaving: list[str] = []
    of_pods: list[str] = []
    for endpoint in fields.objects(raw, "endpoints") if kind != HOSTS else ():
        text, conditions = _endpoint_address(endpoint, kind), fields.mapping(endpoint, "conditions")
        # As kube-proxy has it: what is not said is ready and serves.
        if _unless(conditions, "ready"):
            ready.append(text)
        elif _unless(conditions, "serving") and fields.flag(conditions, "terminating"):
            leaving.append(text)
        if fields.text(fields.mapping(endpoint, "targetRef"), "kind") == "Pod":
            of_pods.append(text)
    return EndpointSlice(
        namespace=namespace,
        name=fields.text(metadata, "name"),
        service=service,
        ports=tuple(_endpoint_ports(raw)),
        ready=tuple(ready),
        leaving=tuple(leaving),
        of_pods=tuple(of_pods),
        names_hosts=kind == HOSTS,
    )


def _endpoint_address(endpoint: Raw, kind: str) -> str:
    """The first address: of more the API says that they mean nothing."""
    listed = fields.words(endpoint, "addresses")
    if not listed:
        raise FieldError("an endpoint needs an address", endpoint, "addresses")
    found = fields.address(listed[0])
    if found is None or family_of(found).value != kind:
        raise FieldError(f"not an {kind} address: {listed[0]!r}", endpoint, "addresses", 0)
    return found


def _unless(conditions: Raw, key: str) -> bool:
    """A condition that holds unless it is said not to."""
    return conditions.get(key) is None or fields.flag(conditions, key)


def _endpoint_ports(raw: Raw) -> Iterable[EndpointPort]:
    for port in fields.objects(raw, "ports"):
        number, protocol = fields.number(port, "port"), fields.text(port, "protocol", "TCP")
        if (number is None or 1 <= number <= LAST_PORT) and protocol in Protocol.__members__:
            yield EndpointPort(fields.text(port, "name"), number, Protocol(protocol))


def decode_node(raw: Raw) -> Node:
    """A `corev1.Node`."""
    metadata, spec, status = (fields.mapping(raw, key) for key in ("metadata", "spec", "status"))
    labels = fields.strings(metadata, "labels")
    ready = any(
        item.get("type") == "Ready" and item.get("status") == "True" for item in fields.objects(status, "conditions")
    )
    return Node(
        name=fields.text(metadata, "name"),
        labels=labels,
        ready=ready,
        unfit=_unfit(labels, spec, status),
        provider_id=fields.text(spec, "providerID"),
        addresses=tuple(dict.fromkeys(_node_addresses(status))),
        slots=_allocatable(status, "pods"),
        cpu=_allocatable(status, "cpu", 1000),
        memory=_allocatable(status, "memory"),
        pod_addresses=_pod_addresses(spec),
        pod_ranges=tuple(str(ip_network(text, strict=False)) for text in _pod_ranges(spec)),
    )


def _unfit(labels: Mapping[str, str], spec: Raw, status: Raw) -> str:
    """Why a node is no place for a probe pod."""
    system = labels.get("kubernetes.io/os", labels.get("beta.kubernetes.io/os", "linux"))
    taints = [(fields.text(item, "key"), fields.text(item, "effect")) for item in fields.objects(spec, "taints")]
    if system != "linux":
        return f"it runs {system[:20]}"
    if labels.get("type") == "virtual-kubelet" or any(key.startswith("virtual-kubelet.io/") for key, _ in taints):
        return "it is a virtual node"
    if labels.get(FARGATE) == "fargate":
        return "it is a Fargate node, which runs one pod"
    leaving = [LEAVING[key] for key, _ in taints if key in LEAVING]
    if fields.flag(spec, "unschedulable"):
        leaving.append("it is cordoned")
    leaving += [f"its taint {key} {_EFFECTS.get(effect, 'keeps')} pods away" for key, effect in taints if _is_bad(key)]
    leaving += [f"its condition {name} is true" for name in _troubles(status)]
    return leaving[0] if leaving else ""


_EFFECTS = {"NoExecute": "sends"}


def _is_bad(key: str) -> bool:
    return key.startswith(OF_CONDITIONS)


def _troubles(status: Raw) -> list[str]:
    """What a node says of itself that makes it no place for pods (`v1.NodeConditionType`), taint or not."""
    conditions = [item for item in fields.objects(status, "conditions") if item.get("status") == "True"]
    names = [fields.text(item, "type") for item in conditions]
    return [name for name in names if name.endswith("Pressure") or name == "NetworkUnavailable"]


def _allocatable(status: Raw, name: str, unit: int = 1) -> int | None:
    found = quantity(fields.mapping(status, "allocatable").get(name))
    return None if found is None else int(found * unit)


def _pod_addresses(spec: Raw) -> int | None:
    """How many pods the node's own ranges hold, without the network's address, its gateway's and the broadcast."""
    sizes = [ip_network(text, strict=False).num_addresses - 3 for text in _pod_ranges(spec)]
    return max(0, min(sizes)) if sizes else None


def _pod_ranges(spec: Raw) -> Iterable[str]:
    return fields.words(spec, "podCIDRs") or [text for text in [fields.text(spec, "podCIDR")] if text]


def _node_addresses(status: Raw) -> Iterable[str]:
    for item in fields.objects(status, "addresses"):
        # Host names stand in the same list.
        found = fields.address(fields.text(item, "address"))
        if found is not None:
            yield found


def decode_workload(raw: Raw, kind: str) -> Workload:
    """A controller of `apps/v1`, or a `corev1.ReplicationController`, whose selector is a plain map."""
    metadata, spec = fields.mapping(raw, "metadata"), fields.mapping(raw, "spec")
    if kind == "ReplicationController":
        selector = equals(fields.strings(spec, "selector"))
    else:
        selector = decode_selector(fields.mapping(spec, "selector"))
    home, name = fields.text(metadata, "namespace", "default"), fields.text(metadata, "name")
    return Workload(kind, home, name, selector, maker_of(metadata))


def decode_account(raw: Raw) -> ServiceAccount:
    """A `corev1.ServiceAccount`."""
    metadata = fields.mapping(raw, "metadata")
    return ServiceAccount(
        namespace=fields.text(metadata, "namespace", "default"),
        name=fields.text(metadata, "name"),
        labels=fields.strings(metadata, "labels"),
    )


def decode_settings(raw: Raw) -> tuple[str, dict[str, str]]:
    """A `corev1.ConfigMap`: `namespace/name` and its data."""
    metadata = fields.mapping(raw, "metadata")
    name = f"{fields.text(metadata, 'namespace', 'default')}/{fields.text(metadata, 'name')}"
    return name, fields.strings(raw, "data")


def decode_policy_object(raw: Raw, resource: str, kind: ForeignPolicy) -> PolicyObject:
    """An object of a policy API other than NetworkPolicy v1, named and otherwise unread."""
    metadata = fields.mapping(raw, "metadata")
    return PolicyObject(
        resource=resource,
        kind=kind.kind,
        namespace=fields.text(metadata, "namespace", "default") if kind.namespaced else "",
        name=fields.text(metadata, "name"),
        raw=raw,
        version=fields.text(raw, "apiVersion") or f"{kind.group}/{kind.versions[0]}",
    )

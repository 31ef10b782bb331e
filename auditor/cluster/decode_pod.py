"""Raw pods into values.

Pure.  A snapshot holds more pods than anything else, and most of them have replicas: what is equal is made once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from auditor.cluster import fields
from auditor.cluster.decode_policy import LAST_PORT
from auditor.cluster.decode_requests import requested
from auditor.cluster.decode_scheduling import repelled_by
from auditor.cluster.fields import FieldError, Raw
from auditor.model.cluster import ContainerPort, Owner, Pod, port_order
from auditor.model.flow import Protocol

OWN_GROUPS = frozenset({"", "apps", "batch", "apps.openshift.io", "operators.coreos.com"})
"""Groups whose controllers find their pods by owner, or look at none: Kubernetes' own, OpenShift's DeploymentConfig and
the Operator Lifecycle Manager, which makes operators and has no pods of its own."""
SHARED = 50_000
"""Sets of labels, ports and owners of which one is kept for all pods that have it."""


def decode_pod(raw: Raw) -> Pod:
    """A `corev1.Pod`, with ports of containers and sidecars and its addresses."""
    metadata, spec, status = fields.mapping(raw, "metadata"), fields.mapping(raw, "spec"), fields.mapping(raw, "status")
    labels = _shared_labels(tuple(fields.strings(metadata, "labels").items()))
    phase = fields.text(status, "phase")
    cpu, memory = requested(spec)
    return Pod(
        namespace=fields.text(metadata, "namespace", "default"),
        name=fields.text(metadata, "name"),
        labels=labels,
        node=fields.text(spec, "nodeName"),
        addresses=_addresses(status),
        ports=_shared_ports(tuple(_container_ports(spec))),
        owner=owner_of(metadata, labels),
        phase=phase or "Pending",
        host_network=fields.flag(spec, "hostNetwork"),
        terminating=metadata.get("deletionTimestamp") is not None,
        uid=fields.text(metadata, "uid"),
        repelled_by=tuple(repelled_by(spec, labels)),
        service_account=fields.text(spec, "serviceAccountName") or fields.text(spec, "serviceAccount") or "default",
        maker=maker_of(metadata),
        cpu=cpu,
        memory=memory,
        # A server gives every pod a phase.
        planned=not phase,
    )


@lru_cache(SHARED)
def _shared_labels(labels: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
    return dict(labels)


def _addresses(status: Raw) -> tuple[str, ...]:
    listed = [fields.text(item, "ip") for item in fields.objects(status, "podIPs")]
    return tuple([_address(text) for text in listed or (fields.text(status, "podIP"),) if text])


def _address(text: str) -> str:
    found = fields.address(text)
    if found is None:
        raise FieldError(f"podIPs: not an address: {text!r}")
    return found


def _container_ports(spec: Raw) -> Iterable[tuple[str, int, str]]:
    sidecars = [item for item in fields.objects(spec, "initContainers") if item.get("restartPolicy") == "Always"]
    for container in (*fields.objects(spec, "containers"), *sidecars):
        for port in fields.objects(container, "ports"):
            value, protocol = fields.number(port, "containerPort"), fields.text(port, "protocol", "TCP")
            # A protocol of some future API is no reason to lose the pod, nor is a number that no port has.
            if value is not None and 1 <= value <= LAST_PORT and protocol in _PROTOCOLS:
                yield fields.text(port, "name"), value, protocol


_PROTOCOLS = frozenset(Protocol.__members__)


@lru_cache(SHARED)
def _shared_ports(ports: tuple[tuple[str, int, str], ...]) -> tuple[ContainerPort, ...]:
    found = (ContainerPort(name, number, Protocol(protocol)) for name, number, protocol in ports)
    return tuple(sorted(found, key=port_order))


def maker_of(metadata: Raw) -> str:
    """The controller of an object as `Kind name of group`; empty where one of Kubernetes' own, or nobody, made it."""
    controller = _controller(metadata)
    group, _, _ = fields.text(controller or {}, "apiVersion").rpartition("/")
    if controller is None or group in OWN_GROUPS:
        return ""
    return f"{fields.text(controller, 'kind')} {fields.text(controller, 'name')} of {group}"


def _controller(metadata: Raw) -> Raw | None:
    return next((item for item in fields.objects(metadata, "ownerReferences") if fields.flag(item, "controller")), None)


def owner_of(metadata: Raw, labels: Mapping[str, str]) -> Owner | None:
    """The workload that controls a pod."""
    controller = _controller(metadata)
    if controller is None:
        return None
    kind, name = fields.text(controller, "kind"), fields.text(controller, "name")
    hashed = labels.get("pod-template-hash")
    if kind == "ReplicaSet" and hashed and name.endswith(f"-{hashed}"):
        # A Deployment names its ReplicaSets after itself and the hash of the pod template.
        return _shared_owner("Deployment", name.removesuffix(f"-{hashed}"))
    return _shared_owner(kind, name)


@lru_cache(SHARED)
def _shared_owner(kind: str, name: str) -> Owner:
    return Owner(kind, name)

"""Services of netaudit's own into manifests, and what was stored into what is connected to.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from auditor.cluster import fields
from auditor.cluster.decode_objects import decode_service
from auditor.cluster.fields import FieldError
from auditor.model.probe import OwnService, ServicePlan, StandIn, Way
from auditor.model.service_path import LaidService
from probes.placement import MANAGED_BY, Marks


def pods_of(plan: ServicePlan) -> tuple[StandIn, ...]:
    """The pods that are made for the Services: the server and the gated callers."""
    return (plan.server, *(caller.gated for caller in plan.callers))


def service_manifest(service: OwnService, marks: Marks) -> dict[str, Any]:
    """One of netaudit's own Services, over pods that are never ready."""
    kind = {"type": "NodePort"} if service.way is Way.NODE_PORT else {"type": "ClusterIP"}
    headless = {"clusterIP": "None"} if service.way is Way.HEADLESS else {}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": service.name,
            "namespace": service.namespace,
            "labels": MANAGED_BY,
            "annotations": marks.annotations(),
        },
        "spec": {
            **kind,
            **headless,
            "selector": dict(service.selector),
            "publishNotReadyAddresses": True,
            "ipFamilyPolicy": "PreferDualStack",
            "ports": [
                {"name": port.name, "port": port.number, "targetPort": port.target, "protocol": port.protocol.value}
                for port in service.ports
            ],
        },
    }


def as_laid(service: OwnService, stored: Mapping[str, Any]) -> LaidService:
    """What to connect to, by the Service as it was stored."""
    try:
        found = decode_service(stored)
        ports = {port.target: port.number for port in found.ports if isinstance(port.target, int)}
        if service.way is Way.NODE_PORT:
            ports = _node_ports(stored)
    except (FieldError, ValueError) as error:
        return LaidService(fault=f"the {service.way.value} Service as it was stored cannot be read: {error}")
    return LaidService(found.addresses, ports)


def _node_ports(stored: fields.Raw) -> dict[int, int]:
    """Ports of every node, by the pod's own; one that was not given is left out."""
    ports = fields.objects(fields.mapping(stored, "spec"), "ports")
    found = [(fields.number(port, "targetPort"), fields.number(port, "nodePort")) for port in ports]
    return {target: number for target, number in found if target and number}

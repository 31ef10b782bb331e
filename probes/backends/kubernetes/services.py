"""Services of netaudit's own over a pod of its own, and the pods that try them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from auditor.cluster import fields
from auditor.cluster.api import KubeApi
from auditor.cluster.decode_objects import decode_service
from auditor.cluster.fields import FieldError
from auditor.errors import NetauditError
from auditor.model.policy import NetworkPolicy
from auditor.model.probe import NotPlaced, OwnService, Placed, ServicePlan, Way
from auditor.model.service_path import Laid, LaidService
from probes.backends.kubernetes.stopwatch import Workshop
from probes.placement import MANAGED_BY, POLICED, Marks, policies_path, policy_manifest


def services_path(namespace: str) -> str:
    """Where the Services of one of netaudit's own namespaces stand; raises NetauditError for any other.

    Every request that makes or removes a Service gets its path here.
    """
    if not POLICED.fullmatch(namespace):
        raise NetauditError(
            f"netaudit makes and removes no Service in {namespace}",
            why="it does so only in its own namespaces, which hold nobody's workloads",
            attempt="report this: it is a fault of netaudit",
        )
    return f"/api/v1/namespaces/{namespace}/services"


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


async def lay(shop: Workshop, plan: ServicePlan) -> Laid:
    """Make the pods and then the Services over them; what is refused has its reason and takes nothing else with it."""
    fault = await _unfindable(shop.api, plan.server.namespace)
    if fault:
        return not_laid(plan, fault)
    stand_ins = [plan.server, *(caller.gated for caller in plan.callers)]
    made = await asyncio.gather(*map(shop.make, stand_ins))
    placed: dict[str, Placed | NotPlaced] = {item.key: found for item, found in zip(stand_ins, made, strict=True)}
    laid = await asyncio.gather(*(_service(shop.api, shop.marks, item) for item in plan.services))
    return Laid(placed, {item.way: found for item, found in zip(plan.services, laid, strict=True)})


def not_laid(plan: ServicePlan, reason: str) -> Laid:
    """Nothing was made, and why."""
    stand_ins = [plan.server, *(caller.gated for caller in plan.callers)]
    lost = {item.key: NotPlaced(item, reason) for item in stand_ins}
    return Laid(lost, {item.way: LaidService(fault=reason) for item in plan.services})


async def _unfindable(api: KubeApi, namespace: str) -> str:
    """Why Services that were made could not be found again; empty where they could."""
    try:
        await api.get(services_path(namespace), limit=1)
    except NetauditError as error:
        return f"no Service is made, for none could be found again and removed: {error.why}"
    return ""


async def _service(api: KubeApi, marks: Marks, service: OwnService) -> LaidService:
    try:
        stored = await api.create(services_path(service.namespace), service_manifest(service, marks))
        found = decode_service(stored)
        ports = {port.target: port.number for port in found.ports if isinstance(port.target, int)}
        if service.way is Way.NODE_PORT:
            ports = _node_ports(stored)
    except NetauditError as error:
        return LaidService(fault=f"the {service.way.value} Service was not accepted: {error.why}")
    except (FieldError, ValueError) as error:
        return LaidService(fault=f"the {service.way.value} Service as it was stored cannot be read: {error}")
    return LaidService(found.addresses, ports)


def _node_ports(stored: fields.Raw) -> dict[int, int]:
    """Ports of every node, by the pod's own; one that was not given is left out."""
    ports = fields.objects(fields.mapping(stored, "spec"), "ports")
    found = [(fields.number(port, "targetPort"), fields.number(port, "nodePort")) for port in ports]
    return {target: number for target, number in found if target and number}


async def make_policies(api: KubeApi, marks: Marks, policies: Iterable[NetworkPolicy]) -> str:
    """Make policies in own namespaces; the reason where one was not accepted."""
    try:
        for policy in policies:
            await make_policy(api, marks, policy)
    except NetauditError as error:
        return f"a policy was not accepted: {error.why}"
    return ""


async def make_policy(api: KubeApi, marks: Marks, policy: NetworkPolicy) -> None:
    """Make a policy; raises NetauditError where it is not accepted."""
    await api.create(policies_path(policy.namespace), policy_manifest(policy, marks))

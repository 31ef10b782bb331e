"""Services of netaudit's own over a pod of its own, and the pods that try them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from auditor.cluster.api import KubeApi
from auditor.errors import NetauditError
from auditor.model.policy import NetworkPolicy
from auditor.model.probe import NotPlaced, OwnService, Placed, ServicePlan
from auditor.model.service_path import Laid, LaidService
from probes.backends.kubernetes.stopwatch import Workshop
from probes.laying import as_laid, pods_of, service_manifest
from probes.placement import POLICED, Marks, policies_path, policy_manifest


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


async def lay(shop: Workshop, plan: ServicePlan) -> Laid:
    """Make the pods and then the Services over them; what is refused has its reason and takes nothing else with it."""
    fault = await _unfindable(shop.api, plan.server.namespace)
    if fault:
        return not_laid(plan, fault)
    stand_ins = pods_of(plan)
    made = await asyncio.gather(*map(shop.make, stand_ins))
    placed: dict[str, Placed | NotPlaced] = {item.key: found for item, found in zip(stand_ins, made, strict=True)}
    laid = await asyncio.gather(*(_service(shop.api, shop.marks, item) for item in plan.services))
    return Laid(placed, {item.way: found for item, found in zip(plan.services, laid, strict=True)})


def not_laid(plan: ServicePlan, reason: str) -> Laid:
    """Nothing was made, and why."""
    lost = {item.key: NotPlaced(item, reason) for item in pods_of(plan)}
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
    except NetauditError as error:
        return LaidService(fault=f"the {service.way.value} Service was not accepted: {error.why}")
    return as_laid(service, stored)


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

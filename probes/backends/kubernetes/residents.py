"""What stands in netaudit's own namespaces beside its own things, and keeps them from being removed.

A run makes its namespaces and takes them with it.  Somebody may have moved in since: whoever applies
`deploy/kustomize` after a run was killed has the ServiceAccount, the CronJob and the reports in a namespace that bears
that run's marks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from auditor.cluster.api import KubeApi
from auditor.errors import PermissionMissing

Raw = dict[str, Any]
APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
ACCOUNT = "netaudit"
"""The ServiceAccount of deploy/kustomize."""
UNSEEN = "whether it holds something of somebody else's cannot be seen"
"""Begins the reason of a namespace that stays for want of a right, and not because somebody lives there."""


async def sort_out(api: KubeApi, namespaces: Sequence[Raw]) -> tuple[list[str], list[tuple[str, str]]]:
    """Of namespaces that bear a run's marks the names of those that may go, and those that stay with the reason."""
    reasons = await asyncio.gather(*(_why_it_stays(api, item) for item in namespaces))
    found = sorted((str(item["metadata"]["name"]), reason) for item, reason in zip(namespaces, reasons, strict=True))
    return [name for name, reason in found if not reason], [item for item in found if item[1]]


async def _why_it_stays(api: KubeApi, namespace: Raw) -> str:
    metadata = namespace["metadata"]
    if APPLIED in (metadata.get("annotations") or {}):
        return "it was applied with kubectl"
    name = metadata["name"]
    paths = [f"/api/v1/namespaces/{name}/serviceaccounts", f"/api/v1/namespaces/{name}/pods"]
    paths.append(f"/apis/apps/v1/namespaces/{name}/deployments")
    try:
        accounts, *others = await asyncio.gather(*(api.list_all(path) for path in paths))
    except PermissionMissing as error:
        return f"{UNSEEN}: {error.why}"
    if any(item["metadata"]["name"] == ACCOUNT for item in accounts):
        return f"it holds the ServiceAccount {ACCOUNT}"
    for kind, items in zip(("pod", "Deployment"), others, strict=True):
        for other in _not_ours(items):
            return f"it holds the {kind} {other}"
    return ""


def _not_ours(items: Iterable[Raw]) -> list[str]:
    return sorted(
        str(item["metadata"]["name"])
        for item in items
        if "netaudit/run" not in (item["metadata"].get("annotations") or {})
    )

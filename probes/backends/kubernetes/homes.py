"""netaudit's own namespaces: made by a run, or used as somebody made them for it; and the holders of its pods."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from auditor.cluster.api import KubeApi
from auditor.errors import ApiRefused, NetauditError
from auditor.plan import OWN_LABELS
from probes.admitted import holder_fault
from probes.backends.kubernetes import sweep
from probes.placement import Marks, holder_manifest, namespace_manifest

CONFLICT, FORBIDDEN = 409, 403
HOME = "netaudit"
"""The namespace of the Lease."""


async def ensure_namespaces(
    api: KubeApi, marks: Marks, names: Sequence[str], more: Mapping[str, Mapping[str, str]] | None = None
) -> None:
    """Make the namespaces that are not there; one that is being deleted is waited for and made again.

    `more` holds labels by namespace, for those that wear more than all do.
    """
    for name in names:
        labels = {**(more or {}).get(name, {}), **OWN_LABELS}
        try:
            await api.create("/api/v1/namespaces", namespace_manifest(name, labels, marks))
        except ApiRefused as error:
            # Who may not make namespaces may have been given them: then this one is there.
            if error.status not in {CONFLICT, FORBIDDEN}:
                raise
            await _wait_usable(api, name, labels, marks)


async def _wait_usable(api: KubeApi, name: str, labels: dict[str, str], marks: Marks) -> None:
    """Wait out a namespace that is being deleted and make it again; one that stands is used as it is."""
    path = f"/api/v1/namespaces/{name}"
    try:
        async with asyncio.timeout(sweep.GONE_SECONDS):
            found = await api.get(path)
            while (found.get("metadata") or {}).get("deletionTimestamp"):
                await asyncio.sleep(sweep.POLL)
                found = await api.get(path)
    except TimeoutError as error:
        raise NetauditError(
            f"the namespace {name} of an earlier run is still being deleted",
            why=f"it has been so for more than {sweep.GONE_SECONDS:.0f} s; a finalizer may hold it",
            attempt=f"kubectl get namespace {name} -o yaml",
        ) from error
    except ApiRefused as error:
        if error.status != sweep.MISSING:
            raise
        await api.create("/api/v1/namespaces", namespace_manifest(name, labels, marks))


@dataclass(frozen=True, slots=True)
class NotMade:
    """A holder that the API server did not accept, and why."""

    reason: str


async def make_holder(api: KubeApi, marks: Marks, namespace: str) -> str | NotMade:
    """Make the run's holder in a namespace; gives its UID."""
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    manifest = holder_manifest(namespace, marks)
    try:
        stored = await api.create(path, manifest)
        uid, fault = str(stored["metadata"]["uid"]), holder_fault(manifest, stored)
        if fault:
            await api.delete(f"{path}/{marks.holder}", preconditions={"uid": uid})
            return NotMade(f"no holder can be made in {namespace}: {fault}")
    except NetauditError as error:
        return NotMade(f"no holder can be made in {namespace}: {error.why}")
    return uid

"""Dry runs: what admission would make of probe pods, before there is any."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from auditor.cluster.api import KubeApi
from auditor.errors import ApiRefused
from auditor.model.probe import ProbePlan, Rehearsal, StandIn
from probes.admitted import LONGEST, rehearsal
from probes.placement import AgentSpec, Marks, pod_manifest

OWNER = "00000000-0000-4000-8000-000000000000"
"""The holder is not there yet, and nobody looks for it in a dry run."""
NO_DRY_RUN = "does not support dry run"
"""In what the API server answers where a webhook cannot say what it would do."""
NO_RIGHT = "cannot create resource"
"""In what it answers where no role gives the right, whatever admission would say."""
BUSY, BROKEN = frozenset({408, 429}), 500


async def rehearse(api: KubeApi, plan: ProbePlan, marks: Marks, agent: AgentSpec) -> Mapping[str, Rehearsal]:
    """One pod for each namespace of the user's, sorted by namespace.

    Raises what the connection raises, and ApiRefused where no namespace at all gives the right to create pods.
    """
    first = {item.namespace: item for item in reversed(plan.stand_ins) if item.namespace not in plan.own_namespaces}
    tried = await asyncio.gather(*(_try(api, first[name], marks, agent) for name in sorted(first)))
    found = dict(zip(sorted(first), tried, strict=True))
    refused = [item for item in found.values() if isinstance(item, ApiRefused)]
    if refused and len(refused) == len(found):
        raise refused[0]
    return {name: _refusal(first[name], item) if isinstance(item, ApiRefused) else item for name, item in found.items()}


def _refusal(stand_in: StandIn, error: ApiRefused) -> Rehearsal:
    return Rehearsal(stand_in.key, f"its pod would not be accepted: {error.why[:LONGEST]}")


async def _try(api: KubeApi, stand_in: StandIn, marks: Marks, agent: AgentSpec) -> Rehearsal | ApiRefused:
    sent = pod_manifest(stand_in, marks, agent, "", OWNER)
    try:
        stored = await api.create(f"/api/v1/namespaces/{stand_in.namespace}/pods", sent, dry_run=True)
    except ApiRefused as error:
        if NO_RIGHT in error.why:
            return error
        if NO_DRY_RUN in error.why or error.status in BUSY or error.status >= BROKEN:
            # The pod itself may get through; it is looked at again once it is stored.
            return Rehearsal(
                stand_in.key, "", notes=(f"something that a dry run does not show: {error.why[:LONGEST]}",)
            )
        return _refusal(stand_in, error)
    return rehearsal(stand_in, sent, stored)

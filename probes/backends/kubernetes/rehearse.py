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
BUSY, BROKEN = frozenset({408, 429}), 500


async def rehearse(api: KubeApi, plan: ProbePlan, marks: Marks, agent: AgentSpec) -> Mapping[str, Rehearsal]:
    """One pod for each namespace of the user's, sorted by namespace; raises what the connection raises."""
    first = {item.namespace: item for item in reversed(plan.stand_ins) if item.namespace not in plan.own_namespaces}
    tried = await asyncio.gather(*(_try(api, first[name], marks, agent) for name in sorted(first)))
    return dict(zip(sorted(first), tried, strict=True))


async def _try(api: KubeApi, stand_in: StandIn, marks: Marks, agent: AgentSpec) -> Rehearsal:
    sent = pod_manifest(stand_in, marks, agent, "", OWNER)
    try:
        stored = await api.create(f"/api/v1/namespaces/{stand_in.namespace}/pods", sent, dry_run=True)
    except ApiRefused as error:
        why = error.why[:LONGEST]
        if NO_DRY_RUN in error.why or error.status in BUSY or error.status >= BROKEN:
            # The pod itself may get through; it is looked at again once it is stored.
            return Rehearsal(stand_in.key, "", notes=(f"something that a dry run does not show: {why}",))
        return Rehearsal(stand_in.key, f"its pod would not be accepted: {why}")
    return rehearsal(stand_in, sent, stored)

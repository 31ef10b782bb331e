"""Dry runs: what admission would make of probe pods, before there is any."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from auditor.cluster.api import KubeApi
from auditor.errors import ApiRefused
from auditor.model.probe import ProbePlan, Rehearsal, StandIn
from probes.admitted import LONGEST, look_of, rehearsal
from probes.placement import AgentSpec, Marks, pod_manifest

OWNER = "00000000-0000-4000-8000-000000000000"
"""The holder is not there yet, and nobody looks for it in a dry run."""
NO_DRY_RUN = "does not support dry run"
"""In what the API server answers where a webhook cannot say what it would do."""
NO_RIGHT = "cannot create resource"
"""In what it answers where no role gives the right, whatever admission would say."""
MOST = 50
"""Dry runs for one plan at most, but for one in each namespace."""
BUSY, BROKEN = frozenset({408, 429}), 500


async def rehearse(
    api: KubeApi, plan: ProbePlan, marks: Marks, agent: AgentSpec, known: Mapping[str, Rehearsal]
) -> Mapping[str, Rehearsal]:
    """One pod for each of the user's namespaces, under its name, and for each look, under the name of that.

    Webhooks choose pods by labels, so one pod speaks for those with its labels and account alone; above MOST the first
    one of a namespace has to speak for the rest, each of which is looked at again once it is stored.  What is `known`
    is not asked again, and is part of the answer.

    Raises what the connection raises, and ApiRefused where no namespace at all gives the right to create pods.
    """
    first = _chosen(plan, known)
    tried = await asyncio.gather(*(_try(api, item, marks, agent) for item in first.values()))
    refused = [item for item in tried if isinstance(item, ApiRefused)]
    if refused and len(refused) == len(first) and not known:
        raise refused[0]
    found: dict[str, Rehearsal] = {}
    for (look, item), answer in zip(first.items(), tried, strict=True):
        found[look] = _refusal(item, answer) if isinstance(answer, ApiRefused) else answer
        spoken = found.get(item.namespace) or known.get(item.namespace)
        # Whoever may stand speaks for others sooner than who may not: each is looked at again once it is stored.
        if spoken is None or (spoken.refusal and not found[look].refusal):
            found[item.namespace] = found[look]
    return {**known, **found}


def _chosen(plan: ProbePlan, known: Mapping[str, Rehearsal]) -> dict[str, StandIn]:
    """The stand-ins to try, by what webhooks see of them."""
    first: dict[str, StandIn] = {}
    homes: set[str] = set()
    ours = [item for item in plan.stand_ins if item.namespace not in plan.own_namespaces and not item.pod]
    for item in sorted(ours, key=lambda item: item.namespace):
        spoken_for = item.namespace in homes or item.namespace in known
        if look_of(item) not in known and (not spoken_for or len(first) < MOST):
            first.setdefault(look_of(item), item)
            homes.add(item.namespace)
    return first


def is_passing(error: ApiRefused) -> bool:
    """Whether what was asked may be granted all the same, later on or without a dry run."""
    return error.status in BUSY or error.status >= BROKEN


def _refusal(stand_in: StandIn, error: ApiRefused) -> Rehearsal:
    return Rehearsal(stand_in.key, f"its pod would not be accepted: {error.why[:LONGEST]}")


async def _try(api: KubeApi, stand_in: StandIn, marks: Marks, agent: AgentSpec) -> Rehearsal | ApiRefused:
    sent = pod_manifest(stand_in, marks, agent, "", OWNER)
    try:
        stored = await api.create(f"/api/v1/namespaces/{stand_in.namespace}/pods", sent, dry_run=True)
    except ApiRefused as error:
        if NO_RIGHT in error.why:
            return error
        if NO_DRY_RUN in error.why or is_passing(error):
            # The pod itself may get through; it is looked at again once it is stored.
            return Rehearsal(
                stand_in.key, "", notes=(f"something that a dry run does not show: {error.why[:LONGEST]}",)
            )
        return _refusal(stand_in, error)
    return rehearsal(stand_in, sent, stored)

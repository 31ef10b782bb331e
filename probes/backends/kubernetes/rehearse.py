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
MOST = 50
"""Dry runs at most, but for one in each namespace."""
Look = tuple[str, tuple[tuple[str, str], ...], str]
"""Namespace, labels and account of a probe pod."""
BUSY, BROKEN = frozenset({408, 429}), 500


async def rehearse(api: KubeApi, plan: ProbePlan, marks: Marks, agent: AgentSpec) -> Mapping[str, Rehearsal]:
    """One pod for each namespace of the user's, under its name; under `namespace/key` those that wear something else.

    Webhooks choose pods by labels, so one pod speaks for those with its labels and account alone; above MOST the first
    one of a namespace has to speak for the rest, each of which is looked at again once it is stored.

    Raises what the connection raises, and ApiRefused where no namespace at all gives the right to create pods.
    """
    first, named = _chosen(plan)
    tried = await asyncio.gather(*(_try(api, first[look], marks, agent) for look in first))
    refused = [item for item in tried if isinstance(item, ApiRefused)]
    if refused and len(refused) == len(first):
        raise refused[0]
    found = {
        look: _refusal(first[look], item) if isinstance(item, ApiRefused) else item
        for look, item in zip(first, tried, strict=True)
    }
    return {name: found[look] for name, look in named.items()}


def _chosen(plan: ProbePlan) -> tuple[dict[Look, StandIn], dict[str, Look]]:
    """The stand-ins to try by what webhooks see of them, and for which names their answers hold."""
    first: dict[Look, StandIn] = {}
    named: dict[str, Look] = {}
    ours = [item for item in plan.stand_ins if item.namespace not in plan.own_namespaces and not item.pod]
    for item in sorted(ours, key=lambda item: item.namespace):
        look = item.namespace, item.labels, item.account
        if item.namespace in named and look not in first and len(first) >= MOST:
            continue
        first.setdefault(look, item)
        if named.setdefault(item.namespace, look) != look:
            named[f"{item.namespace}/{item.key}"] = look
    return first, named


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

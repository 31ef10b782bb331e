"""Removing what all earlier runs left, with no run at work beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from auditor.cluster.api import KubeApi
from auditor.errors import ApiRefused
from probes.backends.kubernetes import sweep
from probes.backends.kubernetes.homes import HOME, ensure_namespaces
from probes.backends.kubernetes.lease import NAME, PATH, Clock, HeldLease
from probes.placement import Marks

Done = tuple[sweep.Leftovers, Sequence[str]]
"""What was found, and of it what stays with the reason."""


async def clean_up(
    api: KubeApi, marks: Marks, clock: Clock, say: Callable[[str], None], within: Sequence[str] | None
) -> Done:
    """Hold the Lease and remove what is there by then; raises RunInProgress where a run is alive.

    Without the Lease a run could begin after we looked, and lose all that it makes.
    """
    before = await sweep.find(api, within=within)
    if not before.names() and not await _is_there(api):
        return before, ()
    await ensure_namespaces(api, marks, (HOME,))
    lease = HeldLease(api, marks.run, clock)
    await lease.take(say)
    try:
        found = await sweep.find(api, within=within)
        others = replace(found, namespaces=tuple(name for name in found.namespaces if name != HOME))
        trouble = [*await sweep.remove(api, others, _quiet)]
        if HOME in found.namespaces:
            lease.stop_renewing()
            trouble += await sweep.remove(api, sweep.Leftovers((), (), (HOME,)), _quiet)
    finally:
        await lease.give_back()
    # The one that was made for the Lease alone is nobody's leftover.
    return (found if HOME in before.namespaces else others), trouble


async def clean_up_by_force(api: KubeApi, within: Sequence[str] | None) -> Done:
    """Remove everything, also under a run that is alive."""
    found = await sweep.find(api, within=within)
    trouble = await sweep.remove(api, found, _quiet)
    # A Lease in a namespace that is not ours stays behind its run.
    await api.delete(f"{PATH}/{NAME}")
    return found, trouble


async def _is_there(api: KubeApi) -> bool:
    try:
        await api.get(f"{PATH}/{NAME}")
    except ApiRefused as error:
        if error.status == sweep.MISSING:
            return False
        raise
    return True


def _quiet(_: str) -> None:
    """Say nothing: what was removed is said at the end."""

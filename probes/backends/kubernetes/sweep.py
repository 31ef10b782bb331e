"""Removing what runs left: netaudit's own namespaces, and elsewhere pods first, then holders, policies and Services.

Only what bears the marks of a run is touched: a holder by its label, name, annotation and selector together, a pod by
that holder's UID, a namespace by its name, label and annotation, a policy or Service by these and by standing in such a
namespace.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from auditor.cluster.api import KubeApi
from auditor.errors import ApiRefused, NetauditError, PermissionMissing
from probes.backends.kubernetes.residents import sort_out
from probes.backends.kubernetes.services import services_path
from probes.placement import MANAGED_BY, POLICED, holder_labels, policies_path

HOLDER = re.compile(r"netaudit-([a-z0-9]+)")
OWN_NAMESPACE = re.compile(r"netaudit(-(ctl|conf)-[0-9]+)?")
SELECTOR = ",".join(f"{key}={value}" for key, value in MANAGED_BY.items())
GONE_SECONDS = 60.0
POLL = 0.5
MISSING = 404
DELETERS = 16
"""Deletions under way at once."""


@dataclass(frozen=True, slots=True)
class Leftovers:
    """Objects of one or more runs that are still there."""

    pods: tuple[tuple[str, str], ...]
    holders: tuple[tuple[str, str], ...]
    namespaces: tuple[str, ...]
    policies: tuple[tuple[str, str], ...] = ()
    """In namespaces of netaudit's own that stay."""
    kept: tuple[tuple[str, str], ...] = ()
    """Namespaces that bear the marks of a run and stay, because somebody else's things are there, with the reason."""
    services: tuple[tuple[str, str], ...] = ()
    """As policies: in namespaces of netaudit's own that stay."""

    def names(self) -> list[str]:
        """Each object as a user would name it."""
        pods = [f"pod {namespace}/{name}" for namespace, name in self.pods]
        holders = [f"deployment {namespace}/{name}" for namespace, name in self.holders]
        policies = [f"networkpolicy {namespace}/{name}" for namespace, name in self.policies]
        services = [f"service {namespace}/{name}" for namespace, name in self.services]
        return [*pods, *holders, *policies, *services, *(f"namespace {name}" for name in self.namespaces)]


async def find(api: KubeApi, run: str | None = None, within: Sequence[str] | None = None) -> Leftovers:
    """Look for every object that a run made: that one, or whichever it was; only `within` some namespaces, if given."""
    holders = [item for item in await _holders(api, within) if _is_holder(item)]
    homes = await _homes(api, within)
    marked = [item for item in homes if _is_own_namespace(item) and run in {None, _run(item)}]
    going, kept = await sort_out(api, marked)
    staying = [home for home in homes if home["metadata"]["name"] not in going]
    policies = [item for home in staying for item in await _policies(api, home)]
    services = [item for home in staying for item in await _services(api, home)]
    if run is not None:
        holders, policies, services = (
            [item for item in found if _run(item) == run] for found in (holders, policies, services)
        )
    pods: list[tuple[str, str]] = []
    for holder in holders:
        uid, namespace = holder["metadata"]["uid"], holder["metadata"]["namespace"]
        listed = await api.list_all(f"/api/v1/namespaces/{namespace}/pods")
        pods += [(namespace, pod["metadata"]["name"]) for pod in listed if _is_owned(pod, uid)]
    return Leftovers(
        pods=tuple(sorted(pods)),
        holders=_keys(holders),
        namespaces=tuple(going),
        policies=_keys(policies),
        kept=tuple(kept),
        services=_keys(services),
    )


def _keys(items: Iterable[dict[str, Any]]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((item["metadata"]["namespace"], item["metadata"]["name"]) for item in items))


async def _holders(api: KubeApi, within: Sequence[str] | None) -> list[dict[str, Any]]:
    if within is None:
        return await _labelled(api, "/apis/apps/v1/deployments")
    # No run puts pods into the namespace of the Lease.
    paths = [f"/apis/apps/v1/namespaces/{name}/deployments" for name in within if POLICED.fullmatch(name)]
    return [item for path in paths for item in await _labelled(api, path)]


async def _homes(api: KubeApi, within: Sequence[str] | None) -> list[dict[str, Any]]:
    """The namespaces of netaudit's own that exist: made by a run, or by somebody for it."""
    if within is None:
        return await _labelled(api, "/api/v1/namespaces")
    return [found for name in within if (found := await _get(api, f"/api/v1/namespaces/{name}")) is not None]


async def _policies(api: KubeApi, home: dict[str, Any]) -> list[dict[str, Any]]:
    """The policies of runs in a namespace that stays; what a namespace holds that a run made goes with it."""
    name = str(home["metadata"]["name"])
    if not POLICED.fullmatch(name):
        return []
    return [item for item in await _labelled(api, policies_path(name)) if _run(item)]


async def _services(api: KubeApi, home: dict[str, Any]) -> list[dict[str, Any]]:
    """The Services of runs in a namespace that stays.

    Whoever may not list them there has made none: a run asks before it makes any.
    """
    name = str(home["metadata"]["name"])
    if not POLICED.fullmatch(name):
        return []
    try:
        return [item for item in await _labelled(api, services_path(name)) if _run(item)]
    except PermissionMissing:
        return []


async def with_namespace(api: KubeApi, found: Leftovers, name: str) -> Leftovers:
    """What was found, and a namespace whichever run made it; without it where it is the user's."""
    home = await _get(api, f"/api/v1/namespaces/{name}")
    if home is None or name in {*found.namespaces, *dict(found.kept)}:
        return found
    labels = (home.get("metadata") or {}).get("labels") or {}
    if not _is_own_namespace(home) or any(labels.get(key) != value for key, value in MANAGED_BY.items()):
        return found
    going, kept = await sort_out(api, [home])
    return replace(
        found, namespaces=tuple(sorted({*found.namespaces, *going})), kept=tuple(sorted({*found.kept, *kept}))
    )


async def _labelled(api: KubeApi, path: str) -> list[dict[str, Any]]:
    answer = await api.get(path, labelSelector=SELECTOR)
    items: list[dict[str, Any]] = answer.get("items") or []
    return items


def _run(item: dict[str, Any]) -> str:
    return str(((item.get("metadata") or {}).get("annotations") or {}).get("netaudit/run", ""))


def _is_holder(item: dict[str, Any]) -> bool:
    """Whether a Deployment was made by a run; how many replicas it has may have been changed since."""
    match = HOLDER.fullmatch(str((item.get("metadata") or {}).get("name")))
    # A selector never changes (`ValidateDeploymentUpdate`), and nobody else's is like this one.
    selector = (item.get("spec") or {}).get("selector") or {}
    return match is not None and _run(item) == match[1] and selector.get("matchLabels") == holder_labels(match[1])


def _is_own_namespace(item: dict[str, Any]) -> bool:
    metadata = item.get("metadata") or {}
    return _run(item) != "" and OWN_NAMESPACE.fullmatch(str(metadata.get("name"))) is not None


def _is_owned(pod: dict[str, Any], uid: str) -> bool:
    owners = (pod.get("metadata") or {}).get("ownerReferences") or ()
    return any(owner.get("uid") == uid and owner.get("controller") for owner in owners)


async def remove(
    api: KubeApi, found: Leftovers, say: Callable[[str], None], patience: float = GONE_SECONDS
) -> Sequence[str]:
    """Remove objects in an order that never leaves a pod without its owner; name those that stay and why.

    Own namespaces are told to go first, because the namespace controller begins only five seconds later; what stands
    in them goes with them.  Objects have `patience` seconds to go.
    """
    namespaces = [f"/api/v1/namespaces/{name}" for name in found.namespaces]
    pods = [key for key in found.pods if key[0] not in found.namespaces]
    holders = [key for key in found.holders if key[0] not in found.namespaces]
    policies = [f"{policies_path(home)}/{name}" for home, name in found.policies if home not in found.namespaces]
    services = [f"{services_path(home)}/{name}" for home, name in found.services if home not in found.namespaces]
    trouble = await _delete_all(api, namespaces)
    trouble += (left := await _delete_and_wait(api, [_pod_path(*key) for key in pods], say, patience))
    outlived = {text.partition(": ")[0] for text in left}
    standing = [key for key in pods if _pod_path(*key) in outlived]
    needed = [key for key in holders if any(_is_named_after(pod, key) for pod in standing)]
    # Without it a budget that selects such a pod could not be computed, and would allow no eviction of anybody.
    trouble += [f"{_holder_path(*key)}: kept as long as its pods are there, for the sake of budgets" for key in needed]
    trouble += await _delete_and_wait(api, [_holder_path(*key) for key in holders if key not in needed], say, patience)
    trouble += await _delete_and_wait(api, [*policies, *services], say, patience)
    trouble += await _wait_gone(api, namespaces, say, patience)
    return sorted(set(trouble))


def _is_named_after(pod: tuple[str, str], holder: tuple[str, str]) -> bool:
    return pod[0] == holder[0] and pod[1].startswith(f"{holder[1]}-")


async def _delete_and_wait(
    api: KubeApi, paths: Sequence[str], say: Callable[[str], None], patience: float
) -> list[str]:
    return await _delete_all(api, paths) + await _wait_gone(api, paths, say, patience)


def _pod_path(namespace: str, name: str) -> str:
    return f"/api/v1/namespaces/{namespace}/pods/{name}"


def _holder_path(namespace: str, name: str) -> str:
    return f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}"


async def _delete_all(api: KubeApi, paths: Iterable[str]) -> list[str]:
    room = asyncio.Semaphore(DELETERS)

    async def one(path: str) -> str:
        try:
            async with room:
                await api.delete(path, propagationPolicy="Background")
        except NetauditError as error:
            return f"{path}: {error.why}"
        return ""

    return [text for text in await asyncio.gather(*(one(path) for path in paths)) if text]


async def _wait_gone(api: KubeApi, paths: Sequence[str], say: Callable[[str], None], patience: float) -> list[str]:
    """Wait until none of the objects exists; name those that outlive the wait."""
    left = list(paths)
    try:
        async with asyncio.timeout(patience):
            while left:
                # One at a time: they end at about the same time, and each look costs a request.
                if await _is_gone(api, left[-1]):
                    left.pop()
                else:
                    say(f"waiting for {len(left)} objects to go")
                    await asyncio.sleep(POLL)
    except TimeoutError:
        return [f"{path}: still there after {patience:.0f} s" for path in left]
    except NetauditError as error:
        return [f"{path}: {error.why}" for path in left]
    return []


async def _is_gone(api: KubeApi, path: str) -> bool:
    """Whether an object that was deleted is gone; one that is not on its way out is new, or could not be deleted."""
    found = await _get(api, path)
    return found is None or not (found.get("metadata") or {}).get("deletionTimestamp")


async def still_there(api: KubeApi, trouble: Sequence[str]) -> list[str]:
    """Of what `remove` named, keep what exists now."""
    return [text for text in trouble if await _get(api, text.partition(": ")[0]) is not None]


async def _get(api: KubeApi, path: str) -> dict[str, Any] | None:
    try:
        return await api.get(path)
    except ApiRefused as error:
        if error.status == MISSING:
            return None
        raise

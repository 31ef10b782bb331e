"""An agent inside a real pod: the ephemeral container, what became of it, and what the pod makes of it.

Pure.  Such a container stays in the pod's object as long as there is a pod, so there is one for each run at most; it is
as restricted as PodSecurity can ask, has no port and no target, and ends by itself at a time that is set beforehand,
whenever it starts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from auditor.cluster.decode_pod import decode_pod
from auditor.cluster.fields import FieldError
from auditor.hosts import PREFIX
from auditor.model.probe import NotPlaced, Placed, Rehearsal, StandIn
from probes.placement import AgentSpec, Manifest, Marks, agent_env, container_security, escaped

Raw = Mapping[str, Any]
LONGEST = 300
BOUNDED: Mapping[str, tuple[str, ...]] = {
    "shell": (
        "sh",
        "-c",
        """
        left=$((NETAUDIT_UNTIL - $(date +%s)))
        [ "$left" -gt 0 ] || exit 0
        [ "$left" -ge "$NETAUDIT_DEADLINE" ] || NETAUDIT_DEADLINE=$left
        eval "$NETAUDIT_AGENT"
        """,
        "netaudit",
    ),
    "python": (
        "python3",
        "-IS",
        "-c",
        """if True:
        import os, time
        left = int(os.environ["NETAUDIT_UNTIL"]) - int(time.time())
        os.environ["NETAUDIT_DEADLINE"] = str(min(left, int(os.environ["NETAUDIT_DEADLINE"])))
        if left > 0: exec(os.environ["NETAUDIT_AGENT"])
        """,
    ),
}
"""By agent, what runs its text until a time of the day at the latest: an image may be pulled for longer than a run."""
SECURITY = {"runAsNonRoot": True, "runAsUser": 65534, "runAsGroup": 65534, "seccompProfile": {"type": "RuntimeDefault"}}
"""What a probe pod says of itself as a whole, said of the one container."""


STATES = {
    "terminated": "its agent has ended",
    "running": "its agent is still at work, and ends by itself when the time of its run is over",
    "waiting": "it has not started, and ends at once if it does so after its run",
}
"""What the states of an ephemeral container mean."""


def container_name(stand_in: StandIn, marks: Marks) -> str:
    """The name of the container in a pod."""
    return f"{marks.holder}-{stand_in.key}"


def ephemeral_container(stand_in: StandIn, marks: Marks, agent: AgentSpec, nonce: str, until: int) -> Manifest:
    """The container; `until` is when its agent ends at the latest, in seconds since 1970."""
    return {
        "name": container_name(stand_in, marks),
        "image": agent.image,
        "imagePullPolicy": "IfNotPresent",
        "command": [*map(escaped, BOUNDED[agent.name]), "serve"],
        "env": [*agent_env(stand_in, marks, agent, nonce), {"name": "NETAUDIT_UNTIL", "value": str(until)}],
        "securityContext": container_security() | SECURITY,
        "stdin": False,
        "tty": False,
    }


def patch_of(stand_in: StandIn, container: Manifest) -> Manifest:
    """The strategic merge patch that adds it; the UID keeps it from a pod that took the name since."""
    return {"metadata": {"uid": stand_in.uid}, "spec": {"ephemeralContainers": [container]}}


def path_of(stand_in: StandIn) -> str:
    """Where the pod stands."""
    return f"/api/v1/namespaces/{stand_in.namespace}/pods/{stand_in.pod}"


def is_marked(raw: Raw, name: str) -> bool:
    """Whether a pod holds the container."""
    return _named(raw.get("spec"), "ephemeralContainers", name) is not None


def altered(sent: Manifest, stored: Raw) -> str:
    """Why the container as it was stored is not what was sent; empty where it is."""
    found = _named(stored.get("spec"), "ephemeralContainers", sent["name"])
    if found is None:
        return "admission took the container away"
    if found.get("command") != sent["command"]:
        return "admission changed its command"
    # A value that is empty is not stored.  What comes on top of ours is no harm.
    told = {item.get("name"): item.get("value") or "" for item in found.get("env") or ()}
    if any(told.get(item["name"]) != item["value"] for item in sent["env"]):
        return "admission changed its env"
    context = found.get("securityContext") or {}
    if any(context.get(key) != value for key, value in sent["securityContext"].items()) or context.get("privileged"):
        return "admission changed its securityContext"
    if found.get("resources") or found.get("ports") or found.get("volumeMounts"):
        return "admission gave it resources, ports or volumes"
    return ""


def rehearsal(stand_in: StandIn, sent: Manifest, stored: Raw) -> Rehearsal:
    """What a dry run says about a container in one pod."""
    found = _named(stored.get("spec"), "ephemeralContainers", sent["name"]) or {}
    image = str(found.get("image"))
    notes = () if image == sent["image"] else (f"its image to {image[:LONGEST]}",)
    return Rehearsal(stand_in.key, altered(sent, stored), notes=notes)


def state_in(raw: Raw, name: str) -> Raw:
    """The container's state as the kubelet reports it; empty where it does not yet."""
    found = _named(raw.get("status"), "ephemeralContainerStatuses", name) or {}
    state = found.get("state")
    return state if isinstance(state, Mapping) else {}


def gone(stand_in: StandIn, raw: Raw | None) -> str:
    """Why a pod is no more what it was when it was chosen; empty where it is."""
    metadata = (raw or {}).get("metadata") or {}
    if raw is None or metadata.get("uid") != stand_in.uid:
        return "the pod was removed or replaced"
    if metadata.get("deletionTimestamp"):
        return "the pod is being deleted"
    if (metadata.get("labels") or {}) != dict(stand_in.labels):
        return "its labels were changed"
    return ""


def settled(
    stand_in: StandIn, raw: Raw | None, name: str, nonce: str, hopeless: frozenset[str]
) -> Placed | NotPlaced | None:
    """Say whether an agent runs in a pod, never will, or None while that is open."""
    reason = gone(stand_in, raw)
    if reason or raw is None:
        return NotPlaced(stand_in, reason)
    state = state_in(raw, name)
    ended, waiting = state.get("terminated"), state.get("waiting") or {}
    if ended is not None:
        said = f"{ended.get('reason') or ''} {ended.get('message') or ''}".strip()
        return NotPlaced(
            stand_in, f"its container ended with exit code {ended.get('exitCode')} {said}".strip()[:LONGEST]
        )
    if waiting.get("reason") in hopeless:
        return NotPlaced(stand_in, f"{waiting.get('reason')}: {waiting.get('message') or 'no message'}"[:LONGEST])
    if "running" not in state:
        return None
    try:
        return Placed(stand_in, decode_pod(raw), nonce, name)
    except (FieldError, ValueError) as error:
        return NotPlaced(stand_in, f"the stored pod cannot be read: {error}"[:LONGEST])


def unsettled_reason(raw: Raw | None, name: str) -> str:
    """Say what a container that does not run yet is waiting for."""
    waiting = state_in(raw or {}, name).get("waiting") or {}
    text = waiting.get("message") or waiting.get("reason") or "the kubelet has not begun with it"
    return f"its container does not run in time: {text}"[:LONGEST]


def lost(placed: Placed, raw: Raw | None) -> str:
    """Why nothing can be said any more of an agent that ran; empty where it runs on."""
    reason = gone(placed.stand_in, raw)
    if reason or raw is None:
        return reason
    if "running" not in state_in(raw, placed.container):
        return "its container has ended"
    addresses = [item.get("ip") for item in (raw.get("status") or {}).get("podIPs") or ()]
    return "" if addresses == [*placed.pod.addresses] else "its addresses were changed"


def reaction(before: Raw, now: Raw) -> str:
    """Say what befell a pod since an agent was put into it; empty where it fares as it did, or is being replaced."""
    then, metadata, status = before.get("metadata") or {}, now.get("metadata") or {}, now.get("status") or {}
    if metadata.get("uid") != then.get("uid") or metadata.get("deletionTimestamp"):
        return ""
    title = f"the marked pod {metadata.get('namespace')}/{metadata.get('name')}"
    if status.get("phase") == "Failed":
        return f"{title} was ended: {status.get('reason') or ''} {status.get('message') or ''}".strip()[:LONGEST]
    known = {name: count for name, count, _ in _restarts(before)}
    for name, count, why in _restarts(now):
        if count > known.get(name, 0):
            return f"container {name} of {title} restarted{f' ({why})' if why else ''}"[:LONGEST]
    return f"{title} is not ready any more" if _is_ready(before) and not _is_ready(now) else ""


def _restarts(raw: Raw) -> Iterable[tuple[str, int, str]]:
    status = raw.get("status") or {}
    for item in (*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())):
        ended = (item.get("lastState") or {}).get("terminated") or {}
        yield str(item.get("name")), int(item.get("restartCount") or 0), str(ended.get("reason") or "")


def _is_ready(raw: Raw) -> bool:
    conditions = (raw.get("status") or {}).get("conditions") or ()
    return any(item.get("type") == "Ready" and item.get("status") == "True" for item in conditions)


def _named(part: Any, key: str, name: str) -> Raw | None:
    items = part.get(key) if isinstance(part, Mapping) else None
    return next((item for item in items or () if isinstance(item, Mapping) and item.get("name") == name), None)


def marks_in(pods: Iterable[Raw]) -> list[tuple[str, str, str, str]]:
    """The containers of whatever run that stand in pods: namespace, pod, container, and what became of it; sorted."""
    found = []
    for raw in pods:
        metadata = raw.get("metadata") or {}
        for item in (raw.get("spec") or {}).get("ephemeralContainers") or ():
            name = str(item.get("name") if isinstance(item, Mapping) else "")
            if name.startswith(PREFIX):
                state = " and ".join(state_in(raw, name)) or "waiting"
                found.append(
                    (str(metadata.get("namespace")), str(metadata.get("name")), name, STATES.get(state, state))
                )
    return sorted(found)

"""What real objects must not do while probe pods stand beside them, told from how they were before.

Pure.  Law 2: everything that can be foreseen is in `probes.safety`; this is for what could not be.  Each rule names a
change that our pods alone explain, so that a rollout beside us does not end a run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from auditor.cluster.decode_policy import decode_selector
from auditor.cluster.fields import FieldError
from auditor.model.labels import Labels

Raw = Mapping[str, Any]
BUDGETS, SLICES, AUTOSCALERS = "poddisruptionbudgets", "endpointslices", "horizontalpodautoscalers"
PATHS: dict[str, str] = {
    BUDGETS: "/apis/policy/v1",
    SLICES: "/apis/discovery.k8s.io/v1",
    AUTOSCALERS: "/apis/autoscaling/v2",
    "replicasets": "/apis/apps/v1",
    "statefulsets": "/apis/apps/v1",
    "replicationcontrollers": "/api/v1",
}
"""What is watched, and where the API serves it."""


@dataclass(frozen=True, slots=True)
class Worn:
    """A probe pod, or a real pod with an agent in it, as others see it."""

    namespace: str
    name: str
    labels: Labels
    real: bool = False
    """Whether it is a real one, which counts and is ready by right."""


@dataclass(frozen=True, slots=True)
class Now:
    """One object as it was before and as it is."""

    title: str
    before: Raw | None
    """None for an object that was made since."""
    after: Raw
    ours: Sequence[Worn]
    """Our pods in its namespace."""


class Guard:
    """Remembers how things were, and says what reacts to our pods."""

    def __init__(self, ours: Iterable[Worn]) -> None:
        """Watch over what surrounds these pods."""
        self._ours: dict[str, list[Worn]] = {}
        for pod in ours:
            self._ours.setdefault(pod.namespace, []).append(pod)
        self._before: dict[tuple[str, str, str], Raw] = {}

    @property
    def namespaces(self) -> list[str]:
        """Where our pods are, sorted."""
        return sorted(self._ours)

    def note(self, resource: str, raw: Raw) -> None:
        """Remember how an object was before there was any pod of ours."""
        self._before[_key(resource, raw)] = raw

    def concerns(self, resource: str) -> list[str]:
        """Namespaces in which some object that is noted could react, sorted."""
        found = {
            namespace
            for (kind, namespace, _), raw in self._before.items()
            if kind == resource and any(_CONCERNS[resource](raw, pod) for pod in self._ours.get(namespace, ()))
        }
        return sorted(found)

    def reaction(self, resource: str, raw: Raw) -> str:
        """Say how an object reacts to our pods; empty when it does not."""
        _, namespace, name = key = _key(resource, raw)
        ours = self._ours.get(namespace, ())
        if not ours:
            return ""
        title = f"{_KINDS[resource]} {namespace}/{name}"
        return _RULES[resource](Now(title, self._before.get(key), raw, ours))


def own_reaction(raw: Raw, holder: str) -> str:
    """Say what was done to a probe pod of ours that must not be: it was made ready, or adopted."""
    metadata, status = _part(raw, "metadata"), _part(raw, "status")
    name = f"{metadata.get('namespace')}/{metadata.get('name')}"
    controllers = [item for item in metadata.get("ownerReferences") or () if item.get("controller")]
    foreign = [item for item in controllers if item.get("name") != holder]
    if foreign:
        return f"{foreign[0].get('kind')} {foreign[0].get('name')} adopted the probe pod {name}"
    if any(item.get("type") == "Ready" and item.get("status") == "True" for item in status.get("conditions") or ()):
        return f"the probe pod {name} was reported ready, so that Services would send it traffic"
    return ""


def _key(resource: str, raw: Raw) -> tuple[str, str, str]:
    metadata = _part(raw, "metadata")
    return resource, str(metadata.get("namespace", "")), str(metadata.get("name", ""))


def _part(raw: Raw | None, *path: str) -> Raw:
    found: Any = raw
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _number(raw: Raw | None, *path: str) -> int:
    found = _part(raw, *path[:-1]).get(path[-1])
    return found if isinstance(found, int) else 0


def _selects(raw: Raw, pod: Worn) -> bool:
    """Whether `spec.selector` selects a pod; one that cannot be read may."""
    selector = _part(raw, "spec").get("selector")
    if selector is None:
        return False
    if "matchLabels" not in selector and "matchExpressions" not in selector and _is_words(selector):
        selector = {"matchLabels": selector}  # a ReplicationController's is a plain map
    try:
        return decode_selector(selector).matches(pod.labels)
    except (FieldError, ValueError, TypeError):
        return True


def _is_words(selector: Any) -> bool:
    return isinstance(selector, Mapping) and all(isinstance(item, str) for item in selector.values())


def _budget(now: Now) -> str:
    """A budget's controller fails on pods whose owner it cannot scale, and then allows no disruption at all."""
    if not any(_selects(now.after, pod) for pod in now.ours):
        return ""
    fault = _failing(now.after)
    if fault and not _failing(now.before):
        return f"{now.title} cannot be computed any more, so that no eviction is allowed: {fault}"
    counted = sum(_selects(now.after, pod) for pod in now.ours if not pod.real)
    same = now.before is not None and _number(now.before, "metadata", "generation") == _number(
        now.after, "metadata", "generation"
    )
    wanted, was = _number(now.after, "status", "desiredHealthy"), _number(now.before, "status", "desiredHealthy")
    expected = _number(now.after, "status", "expectedPods") - _number(now.before, "status", "expectedPods")
    # A real pod more raises both; our pods can raise what an integer budget expects, which nothing depends on.
    if same and wanted > was and 0 < expected <= counted:
        return f"{now.title} wants {wanted} healthy pods instead of {was}: it counts probe pods"
    return ""


def _failing(raw: Raw | None) -> str:
    for item in _part(raw, "status").get("conditions") or ():
        if item.get("reason") == "SyncFailed":
            return str(item.get("message") or "SyncFailed")
    return ""


def _slice(now: Now) -> str:
    """An endpoint that is ready, or serving, gets traffic."""
    names = {pod.name for pod in now.ours if not pod.real}
    for endpoint in now.after.get("endpoints") or ():
        name = _part(endpoint, "targetRef").get("name")
        conditions = _part(endpoint, "conditions")
        # Absent means ready (`EndpointConditions.ready`).
        if name in names and (conditions.get("ready") is not False or conditions.get("serving")):
            service = (_part(now.after, "metadata", "labels")).get("kubernetes.io/service-name", "?")
            return f"{now.title} lists the probe pod {name} as ready: Service {service} would send it traffic"
    return ""


def _autoscaler(now: Now) -> str:
    """An autoscaler that fails because of our pods says their names."""
    names = {pod.name for pod in now.ours}
    for item in _part(now.after, "status").get("conditions") or ():
        text = str(item.get("message") or "")
        if item.get("status") == "False" and any(name in text for name in names):
            return f"{now.title} stopped: {text}"
    return ""


def _workload(now: Now) -> str:
    """A controller that counts more pods than it should have, though nobody asked it for more, counts ours."""
    if now.before is None or not any(_selects(now.after, pod) for pod in now.ours if not pod.real):
        return ""
    if _number(now.before, "metadata", "generation") != _number(now.after, "metadata", "generation"):
        return ""
    counted, was = _number(now.after, "status", "replicas"), _number(now.before, "status", "replicas")
    wanted = _part(now.after, "spec").get("replicas", 1)
    if counted > was and isinstance(wanted, int) and counted > wanted:
        return f"{now.title} counts {counted} pods and should have {wanted}: it counts probe pods"
    return ""


def _any_slice(raw: Raw, pod: Worn) -> bool:
    """Whether a slice could list a pod: its selector stands in its Service, so every slice of a Service could."""
    return bool(_part(raw, "metadata", "labels").get("kubernetes.io/service-name")) and bool(pod.labels)


_KINDS = {
    BUDGETS: "PodDisruptionBudget",
    SLICES: "EndpointSlice",
    AUTOSCALERS: "HorizontalPodAutoscaler",
    "replicasets": "ReplicaSet",
    "statefulsets": "StatefulSet",
    "replicationcontrollers": "ReplicationController",
}
_RULES: dict[str, Callable[[Now], str]] = {
    BUDGETS: _budget,
    SLICES: _slice,
    AUTOSCALERS: _autoscaler,
    **dict.fromkeys(("replicasets", "statefulsets", "replicationcontrollers"), _workload),
}
_CONCERNS: dict[str, Callable[[Raw, Worn], bool]] = {
    BUDGETS: _selects,
    SLICES: _any_slice,
    AUTOSCALERS: lambda *_: True,
    **dict.fromkeys(("replicasets", "statefulsets", "replicationcontrollers"), _selects),
}

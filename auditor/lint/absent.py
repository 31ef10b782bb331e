"""What has labels and is no pod that policies apply to: pods that come and go, and pods on the host's network.

Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from auditor.lint.hints import listed
from auditor.model.cluster import Pod, Snapshot, Workload
from auditor.model.labels import Labels, LabelSelector, Operator

TEMPLATE_HASH = "pod-template-hash"


class Absent:
    """The pods and workloads of a snapshot that a selector may be meant for, though it selects nothing now."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Sort them by namespace."""
        self._hosted: dict[str, list[Pod]] = defaultdict(list)
        self._idle: dict[str, list[Pod]] = defaultdict(list)
        for pod in snapshot.pods:
            if not pod.talks:
                (self._hosted if pod.host_network and not pod.finished else self._idle)[pod.namespace].append(pod)
        self._workloads: dict[str, list[tuple[Workload, Labels]]] = defaultdict(list)
        for item in snapshot.workloads:
            # What a Deployment leaves behind of its past is no sign that such pods will come again.
            if TEMPLATE_HASH not in item.selector.keys:
                self._workloads[item.namespace].append((item, fixed(item.selector)))

    def on_host(self, namespace: str) -> list[Pod]:
        """Running pods on the host's network."""
        return self._hosted.get(namespace, [])

    def hosted_in(self, namespaces: Iterable[str], selector: LabelSelector) -> list[Pod]:
        """Running pods on the host's network of some namespaces that a selector meets."""
        return [pod for name in namespaces for pod in self.on_host(name) if selector.matches(pod.labels)]

    def explain(self, namespace: str, selector: LabelSelector) -> str:
        """Name the pods or workloads for which a selector waits; empty where there are none."""
        hosted = [pod.name for pod in self.on_host(namespace) if selector.matches(pod.labels)]
        if hosted:
            return f"pods on the host's network ({listed(hosted)})"
        idle = [pod.name for pod in self._idle.get(namespace, ()) if selector.matches(pod.labels)]
        if idle:
            return f"pods that are finished or have no address yet ({listed(idle)})"
        return next(
            (
                f"{item.kind.lower()}/{item.name}, which has no pod now"
                for item, labels in self._workloads.get(namespace, ())
                if selector.matches(labels)
            ),
            "",
        )


def fixed(selector: LabelSelector) -> Labels:
    """The labels that everything has that a selector meets."""
    return {
        item.key: next(iter(item.values))
        for item in selector.requirements
        if item.operator is Operator.IN and len(item.values) == 1
    }

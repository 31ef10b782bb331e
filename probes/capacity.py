"""How many probe pods nodes and namespaces have room for, with a margin that is left to their owners.

Pure.  A probe pod takes a pod slot, an address, CPU and memory of its node, without asking the scheduler, and counts
against the quotas of its namespace; a real pod that finds the last of it taken does not start.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction

from auditor.model.cluster import Node, Pod, Quota, Snapshot
from auditor.model.probe import Resources
from probes.limits import fitting

NODE_MARGIN = Fraction(1, 10)
"""Part of a node's slots that stays free, and part of the CPU and memory that nobody asked for: pods are packed until
little of these is left, so that a part of the whole would leave most nodes of many clusters untested."""
QUOTA_MARGIN = Fraction(1, 2)
"""Part of what is free in a quota that stays so."""
HOLDERS = "count/deployments.apps"


def costs(one: Resources) -> dict[str, Fraction]:
    """What one probe pod counts for in quotas, by resource."""
    cpu, memory, storage = Fraction(one.cpu, 1000), Fraction(one.memory), Fraction(one.storage)
    found = {
        "pods": Fraction(1),
        "count/pods": Fraction(1),
        "cpu": cpu,
        "requests.cpu": cpu,
        "limits.cpu": Fraction(one.cpu_limit, 1000),
        "memory": memory,
        "requests.memory": memory,
        "limits.memory": Fraction(one.memory_limit),
    }
    stored = dict.fromkeys(("ephemeral-storage", "requests.ephemeral-storage", "limits.ephemeral-storage"), storage)
    return found | (stored if storage else {})


class Room:
    """What is left, and what a plan has taken of it already."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Count what runs on each node, and read what quotas leave."""
        there = [pod for pod in snapshot.pods if not pod.finished and pod.node]
        load, addressed = Counter(pod.node for pod in there), Counter(p.node for p in there if not p.host_network)
        self._spare = _spare(snapshot.nodes, there)
        self._nodes = {node.name: _slots(node, load[node.name], addressed[node.name]) for node in snapshot.nodes}
        self._homes: dict[str, tuple[int, str]] = {}
        self._sizes = fitting(snapshot.bounds)
        for quota in snapshot.quotas:
            room, what = _pods(quota, costs(self.size(quota.namespace)))
            if room < self._homes.get(quota.namespace, (room + 1, ""))[0]:
                self._homes[quota.namespace] = room, f"ResourceQuota {quota.name} leaves {what}"
        self._taken: Counter[str] = Counter()
        self._placed: Counter[str] = Counter()

    def lacks(self, node: str, namespace: str, controls: int) -> str:
        """Of what a node has too little for a pod of a namespace and so many controls; empty where it has room."""
        free = self._nodes.get(node)
        if free is not None and free - self._taken[node] < 1 + controls:
            return "pod slots or addresses"
        for what, need in self._needs(namespace, controls):
            if self._spare[what].get(node, need) < need:
                return f"{what} that no pod asked for"
        return ""

    def _needs(self, namespace: str, controls: int) -> list[tuple[str, int]]:
        size, control = self.size(namespace), Resources()
        return [("CPU", size.cpu + controls * control.cpu), ("memory", size.memory + controls * control.memory)]

    def in_home(self, namespace: str) -> str:
        """Why a namespace has no room for one more probe pod; empty where it has."""
        size = self._sizes.get(namespace)
        if isinstance(size, str):
            return size
        room, reason = self._homes.get(namespace, (1, ""))
        return f"{reason}, and half of that is left to its owners" if reason and room <= self._placed[namespace] else ""

    def size(self, namespace: str) -> Resources:
        """The requests and limits of a probe pod in a namespace."""
        size = self._sizes.get(namespace)
        return size if isinstance(size, Resources) else Resources()

    def take(self, namespace: str, node: str, slots: int) -> None:
        """Plan a pod, which takes so many slots of its node, controls included."""
        self._taken[node] += slots
        for what, need in self._needs(namespace, slots - 1):
            if node in self._spare[what]:
                self._spare[what][node] -= need
        self._placed[namespace] += 1


def _spare(nodes: Iterable[Node], there: Sequence[Pod]) -> dict[str, dict[str, int]]:
    """Of what no pod asked for the part that probe pods may take, by resource and node."""
    cpu, memory = Counter[str](), Counter[str]()
    for pod in there:
        cpu[pod.node] += pod.cpu
        memory[pod.node] += pod.memory
    part = 1 - NODE_MARGIN
    return {
        "CPU": {node.name: int((node.cpu - cpu[node.name]) * part) for node in nodes if node.cpu is not None},
        "memory": {
            node.name: int((node.memory - memory[node.name]) * part) for node in nodes if node.memory is not None
        },
    }


def _slots(node: Node, running: int, addressed: int) -> int | None:
    found = []
    if node.slots is not None:
        found.append(node.slots - running - -(-node.slots * NODE_MARGIN // 1))
    if node.pod_addresses is not None:
        found.append(node.pod_addresses - addressed - -(-node.pod_addresses * NODE_MARGIN // 1))
    return int(min(found)) if found else None


def _pods(quota: Quota, cost: dict[str, Fraction]) -> tuple[int, str]:
    """How many probe pods a quota has room for, and of what it has least."""
    rooms = [
        (int(free * QUOTA_MARGIN / cost[name]), f"{_text(free)} {name}") for name, free in quota.free if name in cost
    ]
    # A namespace needs one holder, whatever the number of its probe pods.
    rooms += [(0, f"{_text(free)} {name}") for name, free in quota.free if name == HOLDERS and free * QUOTA_MARGIN < 1]
    return min(rooms, default=(2**31, ""))


def _text(number: Fraction) -> str:
    return f"{float(max(number, Fraction(0))):g}"

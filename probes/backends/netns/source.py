"""The SnapshotSource of a sandbox: manifests, as a cluster would hold them that runs them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Any

from auditor.cluster.resources import FOREIGN_POLICIES, SLICES
from auditor.errors import UsageError
from auditor.ports import RawSnapshot, SnapshotSource
from probes.backends.netns.endpoints import owner_of, slices_of
from probes.backends.netns.replicas import replicated
from probes.backends.netns.sandbox import Raw, Sandbox
from probes.backends.netns.services import is_led, namespace_of
from probes.backends.netns.wires import MOST_PODS

NODES = ("sandbox-1", "sandbox-2", "sandbox-3")
"""What there is where manifests name no node."""
VERSION = "v1.35.0"
SERVICES = "services"
KEPT = ("namespaces", "networkpolicies", "pods", "nodes", "serviceaccounts", SERVICES, SLICES)
"""What a sandbox holds; nothing else of a cluster could change who gets through, or react to anything."""
LEFT_OUT = frozenset({"publishNotReadyAddresses", "externalIPs"})
"""Fields of Services that a sandbox does without."""
FINISHED = frozenset({"Succeeded", "Failed"})


class SandboxSource:
    """What runs in a sandbox; the manifests are taken in when it is first read."""

    def __init__(self, sandbox: Sandbox, manifests: SnapshotSource) -> None:
        """Fill `sandbox` with what `manifests` hold."""
        self._sandbox = sandbox
        self._manifests = manifests
        self._raw: RawSnapshot | None = None

    async def collect(self) -> RawSnapshot:
        """Everything, with the nodes and addresses that pods have here."""
        if self._raw is None:
            self._raw = await self._taken_in(await self._manifests.collect())
        return self._raw

    async def collect_policies(self) -> RawSnapshot:
        """What was taken in: nobody else can change a sandbox."""
        return await self.collect()

    async def collect_pods(self, _: Sequence[str], /) -> RawSnapshot:
        """What was taken in, of all namespaces."""
        return await self.collect()

    async def _taken_in(self, raw: RawSnapshot) -> RawSnapshot:
        objects: dict[str, list[Any]] = {
            resource: [deepcopy(dict(item)) for item in raw.objects.get(resource, ())] for resource in KEPT
        }
        check_kinds(raw)
        names = [_name(node) for node in objects["nodes"]] or [*NODES]
        live = [pod for pod in objects["pods"] if (pod.get("status") or {}).get("phase") not in FINISHED]
        # Half of the room stays for probe pods.
        live = replicated(live, raw.objects, len(names), len(names) * MOST_PODS // 2)
        await self._sandbox.add_nodes(names)
        placed = list(zip(live, _nodes(live, names), strict=True))
        seats = await self._sandbox.add_pods((pod, node) for pod, node in placed if not _on_host(pod))
        addresses = {(seat.namespace, seat.name): seat.addresses for seat in seats}
        for pod, node in placed:
            own = addresses.get((_home(pod), _name(pod)))
            _run(pod, node, own or self._sandbox.nodes[node].addresses[: self._sandbox.families])
        self._sandbox.add_hosts((pod, node) for pod, node in placed if _on_host(pod))
        objects["pods"] = live
        objects["nodes"] = [self._node(name, objects["nodes"]) for name in names]
        objects[SERVICES], objects[SLICES] = self._served(objects[SERVICES], objects[SLICES])
        homes = {_name(item): _labels(item) for item in objects["namespaces"]}
        self._sandbox.govern(homes, tuple(objects["networkpolicies"]))
        await self._sandbox.enforce()
        return RawSnapshot(objects, raw.unreadable, VERSION, raw.unlisted_namespaces, lost=raw.lost)

    def _served(self, services: Sequence[Raw], slices: Iterable[Raw]) -> tuple[list[Raw], list[Raw]]:
        """Services with the addresses that they have here, and every slice; raises UsageError."""
        led = {(namespace_of(item), _name(item)) for item in services if is_led(item)}
        try:
            # Of those that find their pods here, the slices that were written elsewhere name others.
            stored = self._sandbox.serve(
                map(_as_here, services), [item for item in slices if owner_of(item) not in led]
            )
        except ValueError as error:
            raise UsageError(
                f"a sandbox cannot take {error}",
                why="no API server would take it, or the address is one that pods and nodes of the sandbox have",
                attempt="leave that field out of the manifest: what is not named is given",
            ) from error
        return list(stored), list(slices_of(self._sandbox.world))

    def _node(self, name: str, known: Iterable[Raw]) -> dict[str, Any]:
        """A node with its addresses here and the room that it has; of all but pods that is whatever a plan needs."""
        found = next((item for item in known if _name(item) == name), {})
        metadata, spec = {**(found.get("metadata") or {}), "name": name}, found.get("spec") or {}
        addresses = self._sandbox.nodes[name].addresses[: self._sandbox.families]
        room = {"cpu": "1000", "memory": "1Ti", "pods": str(MOST_PODS), "ephemeral-storage": "1Ti"}
        return {
            "metadata": metadata,
            "spec": {key: spec[key] for key in ("providerID",) if key in spec},
            "status": {
                "conditions": [{"type": "Ready", "status": "True"}],
                "addresses": [{"type": "InternalIP", "address": address} for address in addresses],
                "capacity": room,
                "allocatable": room,
                "nodeInfo": {"operatingSystem": "linux"},
            },
        }


def _as_here(service: Raw) -> Raw:
    """A Service without what the sandbox has no part for.

    No balancer gives it an address.  That pods which are not ready should count as if they were would lead to probe
    pods, which are never ready; those of the manifests all are.
    """
    spec = {key: value for key, value in (service.get("spec") or {}).items() if key not in LEFT_OUT}
    return {**{key: value for key, value in service.items() if key != "status"}, "spec": spec}


def check_kinds(raw: RawSnapshot) -> None:
    """Raise UsageError for policies that the sandbox's engine does not know: it would let through what they deny."""
    strange = sorted(key for key, kind in FOREIGN_POLICIES.items() if kind.decides and raw.objects.get(key))
    if strange:
        raise UsageError(
            f"a sandbox cannot enforce {', '.join(strange)}",
            why="its engine knows networking.k8s.io/v1 NetworkPolicy alone: any difference would be its own",
            attempt="leave those manifests out; netaudit predict -f takes them into account",
        )


def _nodes(pods: Sequence[Raw], names: Sequence[str]) -> Iterable[str]:
    """A node for each pod: its own where that is there, else the next in turn."""
    turn = 0
    for pod in pods:
        wanted = str((pod.get("spec") or {}).get("nodeName") or "")
        if wanted in names:
            yield wanted
        else:
            yield names[turn % len(names)]
            turn += 1


def _run(pod: dict[str, Any], node: str, addresses: Sequence[str]) -> None:
    """Have a pod run on that node at these addresses."""
    pod["spec"] = {**(pod.get("spec") or {}), "nodeName": node}
    pod["status"] = {
        "phase": "Running",
        "podIP": addresses[0],
        "podIPs": [{"ip": address} for address in addresses],
        "hostIP": addresses[0],
    }


def _on_host(pod: Raw) -> bool:
    return bool((pod.get("spec") or {}).get("hostNetwork"))


def _name(item: Raw) -> str:
    return str(item["metadata"]["name"])


def _home(item: Raw) -> str:
    return str(item["metadata"].get("namespace") or "default")


def _labels(namespace: Raw) -> Mapping[str, str]:
    return {str(key): str(value) for key, value in (namespace["metadata"].get("labels") or {}).items()}

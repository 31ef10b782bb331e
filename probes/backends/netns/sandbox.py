"""A sandbox: nodes, pods and policies as network namespaces, cables and packet filters of this machine."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from auditor.errors import NetauditError
from probes.backends.netns.allowed import check_programs
from probes.backends.netns.faults import Fault
from probes.backends.netns.realm import FABRIC, HANDED, Process, Realm, realm
from probes.backends.netns.ruleset import rulesets
from probes.backends.netns.services import NoneLeftError, allotted, namespace_of
from probes.backends.netns.translation import BARE, translations
from probes.backends.netns.wires import (
    MOST_NODES,
    MOST_PODS,
    NODE_SETTINGS,
    SETTINGS,
    NodeBerth,
    PodBerth,
    cable_lines,
    fabric_lines,
    node_lines,
    pod_lines,
)
from probes.backends.netns.world import Seat, World

Raw = Mapping[str, Any]
BATCH = ("ip", "-batch", "-")
FILTER = ("nft", "-f", "-")
NAME_LABEL = "kubernetes.io/metadata.name"


@dataclass(slots=True)
class Sandbox:
    """The namespaces of one sandbox and what is enforced in them."""

    realm: Realm
    families: int
    """2, or 1 where this kernel has no IPv6."""
    fault: Fault | None
    nodes: dict[str, NodeBerth] = field(default_factory=dict)
    berths: dict[tuple[str, str], PodBerth] = field(default_factory=dict)
    """By namespace and name."""
    world: World = field(default_factory=lambda: World({}, ()))
    _loaded: dict[tuple[str, str], str] = field(default_factory=dict)
    """By node and table."""
    _began: float = field(default_factory=lambda: asyncio.get_running_loop().time())
    _turns: asyncio.Lock = field(default_factory=asyncio.Lock)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    """That rules were written, so that other moments may count."""
    _numbers: int = 0

    def clock(self) -> float:
        """Seconds since the sandbox began."""
        return asyncio.get_running_loop().time() - self._began

    async def add_nodes(self, names: Sequence[str]) -> None:
        """Make nodes and join them; once, before any pod."""
        if len(names) > MOST_NODES:
            raise NetauditError(
                f"a sandbox has no room for {len(names)} nodes",
                why=f"it takes {MOST_NODES} at most",
                attempt="leave nodes out of the manifests",
            )
        spaces = await self.realm.spaces(len(names), {**SETTINGS, **NODE_SETTINGS})
        berths = [NodeBerth(index, space) for index, space in enumerate(spaces)]
        self.nodes = dict(zip(names, berths, strict=True))
        await self._links(FABRIC, fabric_lines(berths, HANDED), spaces)
        await asyncio.gather(*(self._links(node.space, node_lines(node, berths, self.families)) for node in berths))
        self.world = replace(self.world, nodes=tuple(names))

    async def add_pods(self, pods: Iterable[tuple[Raw, str]], *, ready: bool = True) -> tuple[Seat, ...]:
        """Give each of these pods a network of its own on the node named beside it; their seats, in their order.

        Services lead to those that are ready.
        """
        wanted = list(pods)
        spaces = await self.realm.spaces(len(wanted), SETTINGS)
        found = []
        for (raw, node), space in zip(wanted, spaces, strict=True):
            berth = self._berth(node, space)
            seat = replace(self._seat(raw, node, berth.addresses), interface=berth.interface, ready=ready)
            self.berths[seat.namespace, seat.name] = berth
            found.append(seat)
        by_node = {
            node: [self.berths[seat.namespace, seat.name] for seat in found if seat.node == node] for node in self.nodes
        }
        await asyncio.gather(*(self._cable(self.nodes[node], some) for node, some in by_node.items() if some))
        await asyncio.gather(
            *(self._links(berth.space, pod_lines(berth, self.families)) for some in by_node.values() for berth in some)
        )
        self.world = replace(self.world, seats=(*self.world.seats, *found))
        return tuple(found)

    def add_hosts(self, pods: Iterable[tuple[Raw, str]]) -> None:
        """Take in pods that use the network of the node named beside them."""
        found = (self._seat(raw, node, self.nodes[node].addresses) for raw, node in pods)
        self.world = replace(self.world, hosts=(*self.world.hosts, *found))

    def _seat(self, raw: Raw, node: str, addresses: Sequence[str]) -> Seat:
        metadata = raw["metadata"]
        return Seat(
            metadata.get("namespace", "default"),
            metadata["name"],
            {str(key): str(value) for key, value in (metadata.get("labels") or {}).items()},
            tuple(addresses[: self.families]),
            node,
            "",
            tuple(_named_ports(raw.get("spec") or {})),
            self.clock(),
        )

    def _berth(self, node: str, space: int) -> PodBerth:
        home = self.nodes[node]
        taken = {berth.turn for berth in self.berths.values() if berth.node == home}
        free = next((turn for turn in range(MOST_PODS) if turn not in taken), None)
        if free is None:
            raise NetauditError(
                f"a sandbox has no room for more pods on {node}",
                why=f"a node takes {MOST_PODS}",
                attempt="leave manifests out, or name more nodes in them",
            )
        self._numbers += 1
        return PodBerth(home, free, self._numbers, space)

    async def _cable(self, node: NodeBerth, pods: Sequence[PodBerth]) -> None:
        await self._links(node.space, cable_lines(pods, HANDED, self.families), [pod.space for pod in pods])

    async def _links(self, space: int, lines: Iterable[str], spaces: Sequence[int] = ()) -> None:
        await self.realm.run(space, BATCH, "".join(f"{line}\n" for line in lines), spaces)

    async def remove_pods(self, names: Iterable[tuple[str, str]]) -> None:
        """Take pods' networks away; their processes have ended."""
        gone = [name for name in names if name in self.berths]
        for name in gone:
            await self.realm.close(self.berths.pop(name).space)
        seats = tuple(seat for seat in self.world.seats if (seat.namespace, seat.name) not in gone)
        self.world = replace(self.world, seats=seats)

    def govern(self, namespaces: Mapping[str, Mapping[str, str]], policies: Sequence[Raw]) -> None:
        """Take in namespaces, by name with their labels, and policies."""
        found = {name: {NAME_LABEL: name, **labels} for name, labels in namespaces.items()}
        self.world = replace(
            self.world,
            namespaces={**self.world.namespaces, **found},
            policies=(*self.world.policies, *policies),
        )

    def serve(self, services: Iterable[Raw], slices: Iterable[Raw] = ()) -> tuple[Raw, ...]:
        """Take in Services, and slices of those that find no pods by themselves; the Services with their addresses.

        Raises ValueError for what no API server would take, and NetauditError where there are too many.
        """
        try:
            stored = allotted(services, self.world.services, self.families)
        except NoneLeftError as error:
            raise NetauditError(
                f"a sandbox has no {error.what} left for another Service",
                why=f"it has as many as a cluster has by default ({error.there_are}), and Services have them all",
                attempt="leave Services out of the manifests that do not matter here, first those with node ports",
            ) from error
        here = self.world
        self.world = replace(here, services=(*here.services, *stored), slices=(*here.slices, *slices))
        return stored

    def release(self, namespaces: Collection[str]) -> None:
        """Forget namespaces, and the policies and Services in them."""
        self.world = replace(
            self.world,
            namespaces={name: labels for name, labels in self.world.namespaces.items() if name not in namespaces},
            policies=tuple(item for item in self.world.policies if item["metadata"].get("namespace") not in namespaces),
            services=tuple(item for item in self.world.services if namespace_of(item) not in namespaces),
        )

    async def start(
        self, pod: tuple[str, str], words: Sequence[str], environment: Mapping[str, str], beside: Process | None = None
    ) -> Process:
        """Start a pod's first process, or another one beside it; raises RealmError."""
        space = self.berths[pod].space
        return await self.realm.start(space, words, environment, pod=beside is None, beside=beside)

    async def end(self, process: Process) -> None:
        """End a process, and with a pod's first one the pod."""
        process.close()
        await self.realm.signal(process, signal.SIGKILL)
        await process.ended

    async def enforce(self) -> None:
        """Have every node's rules say what engine and Services make of the world as it is now."""
        async with self._turns:
            self.world = replace(self.world, now=self.clock())
            wanted = self._wanted()
            changed = {key: text for key, text in wanted.items() if self._loaded.get(key, BARE) != text}
            await asyncio.gather(
                *(self.realm.run(self.nodes[node].space, FILTER, text) for (node, _), text in changed.items())
            )
            self._loaded |= changed
        self._changed.set()

    def _wanted(self) -> dict[tuple[str, str], str]:
        """Every node's text for the table of policies and for that of Services."""
        policed = rulesets(self.world, self.fault)
        served = translations(self.world, {name: it.addresses[: self.families] for name, it in self.nodes.items()})
        return {
            **{(node, "policies"): text for node, text in policed.items()},
            **{(node, "services"): text for node, text in served.items()},
        }

    async def keep_enforcing(self) -> None:
        """Change the rules at the moments at which a fault does; until it is cancelled."""
        while True:
            self._changed.clear()
            moments = self.fault.moments(self.world) if self.fault else ()
            pause = max(0.0, moments[0] - self.clock()) if moments else None
            try:
                async with asyncio.timeout(pause):
                    await self._changed.wait()
            except TimeoutError:
                await self.enforce()


def _named_ports(spec: Raw) -> Iterator[tuple[str, str, int]]:
    for container in (*(spec.get("containers") or ()), *_beside(spec)):
        for port in container.get("ports") or ():
            if port.get("name"):
                yield port["name"], port.get("protocol") or "TCP", int(port["containerPort"])


def _beside(spec: Raw) -> list[Raw]:
    """Init containers that keep running, whose ports count (KEP-753)."""
    return [item for item in spec.get("initContainers") or () if item.get("restartPolicy") == "Always"]


def has_ipv6() -> bool:
    """Whether this machine's kernel has it."""
    return Path("/proc/net/if_inet6").exists()


@asynccontextmanager
async def sandbox(fault: Fault | None = None) -> AsyncIterator[Sandbox]:
    """Make an empty sandbox; on leaving, nothing of it is left.

    Raises NetauditError where this machine has no programs or rights for it.
    """
    check_programs()
    async with realm() as made:
        it = Sandbox(made, 2 if has_ipv6() else 1, fault)
        keeper = asyncio.create_task(it.keep_enforcing())
        try:
            yield it
        finally:
            keeper.cancel()
            with suppress(asyncio.CancelledError):
                # It fails where rules could not be written: then what was measured is about rules that were not there.
                await keeper

"""Random clusters in sandboxes: what the model says of every flow, and what became of its packets."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import yaml

from auditor.cluster.decode import decode
from auditor.cluster.saved import FileSource
from auditor.evaluate.model import Model
from auditor.model.cluster import Snapshot
from auditor.model.dialect import API, Dialect, HostNetwork
from auditor.model.ends import Address
from auditor.model.flow import Family, Verdict
from auditor.model.rules import Match
from auditor.ports import RawSnapshot
from probes.backends.netns import Sandbox, SandboxSource, sandbox
from probes.backends.netns.faults import Fault
from probes.backends.netns.realm import FABRIC, HANDED
from tests import oracle
from tests.builders import RESOURCES, Raw
from tests.properties.asking import API_VERSIONS, TRAFFIC, End, Name, Question
from tests.sandbox.drawing import drawn, smaller
from tests.sandbox.packets import Flow, Ground
from tests.sandbox.spaces import Space
from tests.strategies import OUTSIDE

HERE = Dialect("sandbox", block_holds_pods=Match.YES, reaches_own_node=Match.YES, host_network=HostNetwork.AS_NODE)
"""How the sandbox's engine answers what the API leaves open."""
GATEWAY = ("172.18.0.254", "fd00:172:18::fe")
"""Where the outside is, as nodes see it."""
PATIENCE = (2.0, 6.0, 20.0)
"""Seconds that what the model allows is given, one try after the other."""
MOST_TRIES = 100
"""Sandboxes that are made to find what can be left out of a cluster."""
AT_ONCE = 3
"""Clusters side by side: while one waits for what is denied, another one is made."""
FAMILIES = (Family.IPV4, Family.IPV6)
GIVE = "import socket, sys; it = socket.socket(socket.AF_UNIX); it.connect(sys.argv[1]); "
GIVE += f"socket.send_fds(it, [b'.'], range({HANDED}, {HANDED} + int(sys.argv[2])))"

Verdicts = Mapping[Name, tuple[Verdict, Verdict]]
"""What the model makes of each flow: by the API's text alone, and with the sandbox's answers to what it leaves open."""


@dataclass(frozen=True)
class Measured:
    """A cluster that ran in a sandbox."""

    raw: RawSnapshot
    verdicts: Verdicts
    """What the model said."""
    outcomes: Mapping[Name, str]
    """What became of each flow that was tried: open, refused or silent."""

    def disagreements(self, verdicts: Verdicts | None = None) -> list[Name]:
        """Flows of which packets say something else than the model, or than these verdicts, by either reading."""
        told = self.verdicts if verdicts is None else verdicts
        return [
            name
            for name, outcome in self.outcomes.items()
            if any(not _fits(verdict, outcome) for verdict in told.get(name, ()))
        ]


def _fits(verdict: Verdict, outcome: str) -> bool:
    if verdict in {Verdict.UNDEFINED, Verdict.UNKNOWN}:
        return True
    return outcome == ("open" if verdict is Verdict.ALLOWED else "silent")


def judged(raw: RawSnapshot) -> Verdicts:
    """Ask the model about every flow with a pod at one end at least."""
    snapshot = decode(raw)
    plain, here = Model(snapshot, dialect=API), Model(snapshot, dialect=HERE)
    return {item.name: (item.ask(plain).verdict, item.ask(here).verdict) for item in questions(snapshot)}


def questions(snapshot: Snapshot) -> Iterator[Question]:
    """Every pair of ends of which one is a pod, with every family that both have and all traffic."""
    found = ends(snapshot)
    for source, destination in product(found, repeat=2):
        if not (isinstance(source.given, Address) and isinstance(destination.given, Address)):
            for family in source.families:
                if family in destination.families:
                    yield from (Question(source, destination, family, *traffic) for traffic in TRAFFIC)


def ends(snapshot: Snapshot) -> list[End]:
    """Pods, nodes and the outside."""
    pods = [End("", pod, pod.families) for pod in snapshot.pods if not pod.finished]
    nodes = [str(address) for node in snapshot.nodes for address in node.addresses]
    families = {family for end in pods for family in end.families}
    others = [End("", Address(text), (FAMILIES[":" in text],)) for text in (*nodes, *OUTSIDE)]
    return [*pods, *(end for end in others if families.issuperset(end.families))]


async def measured(
    objects: Sequence[Raw],
    fault: Fault | None = None,
    patience: Sequence[float] = PATIENCE,
    only: Sequence[Name] = (),
) -> Measured:
    """Run a cluster in a sandbox whose engine has that fault, and try all its flows, or those alone."""
    async with sandbox(fault) as box:
        raw = await _taken_in(box, objects)
        verdicts = judged(raw)
        asked = {name: told for name, told in verdicts.items() if not only or name in only}
        with ExitStack() as stack:
            ground = await _ground(box, ends(decode(raw)), stack)
            return Measured(raw, verdicts, await asyncio.to_thread(_tried, ground, asked, patience))


async def _taken_in(box: Sandbox, objects: Sequence[Raw]) -> RawSnapshot:
    """Run manifests, as the command does, beside an outside that answers."""
    items = [{"apiVersion": API_VERSIONS.get(item["kind"], "v1"), **item} for item in objects]
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"apiVersion": "v1", "kind": "List", "items": items}, file)
        file.flush()
        raw = await SandboxSource(box, FileSource([file.name], bytes)).collect()
    fabric = [f"address add {text}/{length} dev fabric" for text, length in zip(GATEWAY, (24, 64), strict=True)]
    fabric += [f"address add {text}/{128 if ':' in text else 32} dev fabric" for text in OUTSIDE]
    fabric += [
        f"route add {block} via {address}"
        for node in box.nodes.values()
        for block, address in zip(node.pods, node.addresses, strict=True)
    ]
    await _links(box, FABRIC, fabric)
    out = [f"route add default via {text}" for text in GATEWAY]
    await asyncio.gather(*(_links(box, node.space, out) for node in box.nodes.values()))
    return raw


async def _links(box: Sandbox, space: int, lines: Iterable[str]) -> None:
    said = "".join(
        f"{line}{' nodad' if 'address' in line and ':' in line else ''}\n"
        for line in lines
        if box.families > 1 or ":" not in line
    )
    await box.realm.run(space, ("ip", "-batch", "-"), said)


async def _ground(box: Sandbox, everyone: Sequence[End], stack: ExitStack) -> Ground:
    """Have all ends listen."""
    nodes = {text: berth.space for berth in box.nodes.values() for text in berth.addresses}
    places: dict[str, int] = {}
    addresses: dict[str, tuple[str, str]] = {}
    for end in everyone:
        if isinstance(end.given, Address):
            own: Sequence[str] = (end.given.ip,)
            places[end.name] = nodes.get(end.given.ip, FABRIC)
        else:
            own = end.given.addresses
            berth = box.berths.get((end.given.namespace, end.given.name))
            places[end.name] = box.nodes[end.given.node].space if berth is None else berth.space
        v4, v6 = (next((text for text in own if (":" in text) is wanted), "") for wanted in (False, True))
        addresses[end.name] = v4, v6
    async with _opened(box, sorted(set(places.values()))) as spaces:
        for space in spaces.values():
            stack.callback(os.close, space.descriptor)
    ground = Ground({name: spaces[number] for name, number in places.items()}, addresses, stack)
    ports = {kind: [port for protocol, port in TRAFFIC if protocol.value == kind] for kind in ("TCP", "UDP")}
    ground.listen(ports["TCP"], ports["UDP"])
    return ground


@asynccontextmanager
async def _opened(box: Sandbox, numbers: Sequence[int]) -> AsyncIterator[Mapping[int, Space]]:
    """A sandbox's namespaces as files of this process, given by one inside."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as ear:
        path = Path(folder, "ear")
        ear.bind(str(path))
        ear.listen()
        words = (sys.executable, "-ISc", GIVE, str(path), str(len(numbers)))
        await box.realm.run(FABRIC, words, spaces=numbers)
        near, _ = ear.accept()
        with near:
            _, files, _, _ = socket.recv_fds(near, 1, len(numbers))
        yield {number: Space(file) for number, file in zip(numbers, files, strict=True)}


def _tried(ground: Ground, asked: Verdicts, patience: Sequence[float]) -> dict[Name, str]:
    """What became of each flow; what is allowed and gets lost is tried again, for a slow machine is no policy."""
    flows = {name: _flow(name) for name in asked}
    awaited = {flows[name] for name, verdicts in asked.items() if Verdict.ALLOWED in verdicts}
    found = ground.outcomes(list(flows.values()), awaited, patience[0])
    for seconds in patience[1:]:
        lost = [flow for flow in awaited if found[flow] == "silent"]
        found |= ground.outcomes(lost, lost, seconds) if lost else {}
    return {name: found[flow] for name, flow in flows.items()}


def _flow(name: Name) -> Flow:
    source, destination, family, protocol, port = name
    return Flow(source, destination, protocol.lower(), port, FAMILIES.index(Family(family)))


# --- hunting ---


@dataclass
class Catch:
    """What came of many clusters."""

    counts: Counter[str] = field(default_factory=Counter)
    """Flows that could be compared, by verdict, by protocol and by family, and those that the API alone leaves open."""
    clusters: int = 0
    wrong: dict[int, list[Name]] = field(default_factory=dict)
    """By the number of the cluster."""

    def add(self, number: int, found: Measured) -> None:
        """Take in a cluster."""
        self.clusters += 1
        for name, (plain, here) in found.verdicts.items():
            _, _, family, protocol, _ = name
            self.counts.update(["flows", here.value, family, protocol])
            self.counts.update(["open by the API"] if plain is not here else [])
        wrong = found.disagreements()
        if wrong:
            self.wrong[number] = wrong

    def __str__(self) -> str:
        """In words."""
        counts = ", ".join(f"{count:,} {what}" for what, count in sorted(self.counts.items()))
        return f"{self.clusters:,} clusters: {counts}"


async def hunt(numbers: Iterable[int], fault: Fault | None = None, patience: Sequence[float] = PATIENCE) -> Catch:
    """Run the clusters of these numbers, a few at a time."""
    room, catch = asyncio.Semaphore(AT_ONCE), Catch()

    async def one(number: int) -> None:
        async with room:
            catch.add(number, await measured(drawn(number), fault, patience))

    await asyncio.gather(*map(one, numbers))
    return catch


async def described(catch: Catch, fault: Fault | None = None) -> str:
    """The first disagreement in as small a cluster as shows it, and where the others are."""
    if not catch.wrong:
        return ""
    number = min(catch.wrong)
    name = catch.wrong[number][0]
    objects = await _reduced(drawn(number), name, fault)
    found = await measured(objects, fault, PATIENCE[:1], [name])
    plain, here = found.verdicts[name]
    source, destination, family, protocol, port = name
    others = ", ".join(f"{number} ({len(names)} flows)" for number, names in sorted(catch.wrong.items()))
    return "\n".join(
        (
            f"cluster {number}: {source} -> {destination}, {family} {protocol} {port}",
            f"the model says {here.value} ({plain.value} by the API alone), packets say {found.outcomes[name]}",
            f"a second reading of the API says {_second(found.raw, name)}",
            yaml.safe_dump_all(_plain(found.raw), sort_keys=False),
            f"clusters with a disagreement: {others}",
        )
    )


async def _reduced(objects: list[Raw], name: Name, fault: Fault | None) -> list[Raw]:
    """Leave out whatever does not matter, one thing after the other."""
    turn = tries = 0
    while tries < MOST_TRIES and turn < len(candidates := list(smaller(objects))):
        tries += 1
        found = await measured(candidates[turn], fault, PATIENCE[:1], [name])
        if found.disagreements():
            objects = candidates[turn]
        else:
            turn += 1
    return objects


def _second(raw: RawSnapshot, name: Name) -> str:
    kinds = {resource: kind for kind, resource in RESOURCES.items()}
    objects = [{**item, "kind": kinds[key]} for key, items in raw.objects.items() if key in kinds for item in items]
    pods = {"/".join(oracle.home_and_name(item)): item for item in objects if item["kind"] == "Pod"}
    source, destination, family, protocol, port = name
    flow = oracle.Flow(
        pods.get(source, source), pods.get(destination, destination), 6 if family == "IPv6" else 4, port, protocol
    )
    return oracle.verdict(objects, flow)


def _plain(raw: RawSnapshot) -> Iterator[Raw]:
    """What of the objects has a say."""
    for resource in ("namespaces", "pods", "networkpolicies"):
        for item in raw.objects[resource]:
            spec = item.get("spec") or {}
            keys = ("nodeName", "hostNetwork", "containers", "initContainers") if resource == "pods" else spec
            said = {key: item["metadata"].get(key) for key in ("namespace", "name", "labels")}
            said |= {key: spec.get(key) for key in keys}
            said["addresses"] = [one["ip"] for one in (item.get("status") or {}).get("podIPs", ())]
            yield {resource: {key: value for key, value in said.items() if value not in (None, [], False)}}

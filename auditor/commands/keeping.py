"""`netaudit demo --keep`: clusters of network namespaces to look around in."""

from __future__ import annotations

import asyncio
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from auditor.identities import UNNAMED_PORTS
from auditor.model.words import plural
from auditor.ports import RawSnapshot
from probes.agents import text_of
from probes.backends.netns import Sandbox, words_here
from probes.backends.netns.allowed import SEARCHED
from probes.placement import AgentSpec
from reports.plain import plain

NONCE = "demo"
"""What whoever connects to a pod is told, beside the port."""
DAY = 86_400
AGENT = "python"
READY = b'"serve"'
"""What an agent's first line holds once it listens."""
Pod = tuple[str, str]


async def keep(boxes: Mapping[str, Sandbox], raw: RawSnapshot) -> None:
    """Let something listen in every pod, say how to get there, and stay until somebody asks for the end."""
    ports = {_name(pod): tuple(_ports(pod)) for pod in raw.objects.get("pods", ())}
    for title, box in boxes.items():
        said = await asyncio.gather(*(_serve(box, name, _of_pod(name, ports)) for name in box.berths))
        for line in await _ways(title, box, dict(zip(box.berths, said, strict=True))):
            sys.stdout.write(f"{plain(line)}\n")
    sys.stdout.write("\nThe clusters stand until Ctrl-C; then nothing is left of them.\n")
    sys.stdout.flush()
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        # That is how it ends, and no interruption.
        current = asyncio.current_task()
        if current is not None:
            current.uncancel()


def _of_pod(name: Pod, ports: Mapping[Pod, Sequence[str]]) -> Sequence[str]:
    """Where something shall listen in a pod: where its containers do, which a copy has from the pod that it copies."""
    namespace, own = name
    original = (namespace, own.rpartition("-")[0])
    return ports.get(name) or ports.get(original) or (str(UNNAMED_PORTS[0]),)


async def _serve(box: Sandbox, name: Pod, ports: Sequence[str]) -> str:
    """Have something listen on these ports of a pod; what came of it."""
    agent = AgentSpec("", text_of(AGENT), DAY, AGENT)
    environment = {
        "PATH": SEARCHED,
        "NETAUDIT_AGENT": agent.script,
        "NETAUDIT_NONCE": NONCE,
        "NETAUDIT_RUN": NONCE,
        "NETAUDIT_PORTS": " ".join(ports),
        "NETAUDIT_DEADLINE": str(DAY),
    }
    process = await box.start(name, words_here(agent.first), environment)
    line = await process.output.readline()
    return (
        f"listens on {', '.join(ports)}" if READY in line else f"does not listen: {line.decode(errors='replace')[:200]}"
    )


async def _ways(title: str, box: Sandbox, said: Mapping[Pod, str]) -> list[str]:
    """How to get into each pod and node of one cluster."""
    lines = ["", f"{title}: {plural(len(box.berths), 'pod')} on {plural(len(box.nodes), 'node')}"]
    for seat in box.world.seats:
        way = shlex.join(await box.realm.entrance(box.berths[seat.namespace, seat.name].space))
        pod = f"{seat.namespace}/{seat.name} {seat.addresses[0]} on {seat.node}"
        lines += [f"  {pod} {said[seat.namespace, seat.name]}", f"    {way} bash"]
    for name, node in box.nodes.items():
        way = shlex.join(await box.realm.entrance(node.space))
        lines += [f"  rules of {name}", f"    {way} nft list ruleset"]
    return lines


def _name(pod: Mapping[str, Any]) -> Pod:
    return str(pod["metadata"].get("namespace") or "default"), str(pod["metadata"]["name"])


def _ports(pod: Mapping[str, Any]) -> Iterator[str]:
    for container in _containers(pod):
        for port in container.get("ports") or ():
            protocol = str(port.get("protocol") or "TCP")
            if protocol in {"TCP", "UDP"}:
                yield f"{port['containerPort']}{'/udp' if protocol == 'UDP' else ''}"


def _containers(pod: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    spec = pod.get("spec") or {}
    return [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]

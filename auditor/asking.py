"""The answer to `netaudit explain SRC DST PORT`: every flow between two targets, grouped by what decides it.

Pure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice, product

from auditor.errors import UsageError
from auditor.evaluate.model import Model
from auditor.explain import explain, title
from auditor.model.cluster import Pod, Service
from auditor.model.ends import Address
from auditor.model.explanation import Explained, Group
from auditor.model.flow import Decision, Family, Protocol, Traffic
from auditor.query import decided_by
from auditor.services import Services
from auditor.targets import Target

MOST_PAIRS = 20_000
"""Pairs of ends that are looked at one by one."""


@dataclass(frozen=True, slots=True)
class Flow:
    """One flow between two targets; `note` says how it came to end there."""

    source: Pod | Address
    destination: Pod | Address
    traffic: Traffic
    note: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked; `port` is a number or the name of a container port."""

    source: Target
    destination: Target
    protocol: Protocol
    port: int | str
    by_service: bool = False
    """Whether the flow goes to a Service of the destination rather than to the pod."""


def ask(model: Model, services: Services, question: Question) -> Explained:
    """Answer a question; raises UsageError where it means no flow at all."""
    notes = [*question.source.notes, *question.destination.notes]
    found = list(islice(_flows(services, question, notes), MOST_PAIRS + 1))
    if not found:
        raise _nothing(question, notes)
    if len(found) > MOST_PAIRS:
        found.pop()
        notes.append(f"only the first {MOST_PAIRS} flows were looked at")
    groups: dict[tuple[object, ...], list[tuple[Flow, Decision]]] = defaultdict(list)
    for flow in found:
        decision = decide(model, services, flow)
        groups[_likeness(decision)].append((flow, decision))
    made = [_group(model, members) for members in groups.values()]
    made.sort(key=lambda item: (-item.flows, item.verdict.value, item.example.source, item.example.destination))
    port = f"{question.port}/{question.protocol.value}"
    return Explained(question.source.title, question.destination.title, port, tuple(made), tuple(dict.fromkeys(notes)))


def decide(model: Model, services: Services, flow: Flow) -> Decision:
    """Predict one flow, on the way that it takes."""
    if flow.note and isinstance(flow.destination, Pod):
        return services.through(flow.source, flow.destination, flow.traffic)
    traffic = flow.traffic
    return model.decide(flow.source, flow.destination, traffic.family, traffic.port, traffic.protocol)


def _likeness(decision: Decision) -> tuple[object, ...]:
    """Equal for flows that the same rules decide in the same way."""
    ends = (decision.egress, decision.ingress)
    return decision.verdict, *((end.verdict, tuple(decided_by(end))) for end in ends)


def _group(model: Model, members: list[tuple[Flow, Decision]]) -> Group:
    flow, decision = members[0]
    example = explain(model, flow.source, flow.destination, flow.traffic, decision)
    notes = (*example.notes, flow.note) if flow.note else example.notes
    return Group(
        decision.verdict,
        len(members),
        len({title(item.source) for item, _ in members}),
        len({title(item.destination) for item, _ in members}),
        replace(example, notes=notes),
    )


def _flows(services: Services, question: Question, notes: list[str]) -> Iterator[Flow]:
    targets = list(_ends(services, question, notes))
    many = len(question.source.ends) > 1 or len(question.destination.ends) > 1
    for source, (destination, port, note) in product(question.source.ends, targets):
        if many and not note and title(source) == title(destination):
            # Among many, what a pod says to itself is of no interest.
            continue
        there = _families(destination)
        for family in _families(source):
            if family in there and family in question.source.families and family in question.destination.families:
                yield Flow(source, destination, Traffic(family, question.protocol, port), note)


def _ends(services: Services, question: Question, notes: list[str]) -> Iterator[tuple[Pod | Address, int, str]]:
    """Where flows to the destination end: pods or addresses with a port."""
    target = question.destination
    if target.service is not None or question.by_service:
        for service in _services(services, target, question, notes):
            yield from _behind(services, service, question, notes)
        return
    for end in target.ends:
        if isinstance(question.port, int):
            yield end, question.port, ""
        elif isinstance(end, Pod):
            yield from ((end, number, "") for number in _called(end, question.port, question.protocol))


def _services(services: Services, target: Target, question: Question, notes: list[str]) -> Iterable[Service]:
    if target.service is not None:
        return [target.service]
    wanted = [(question.protocol, question.port)]
    found = {
        (item.namespace, item.name): item
        for end in target.ends
        if isinstance(end, Pod)
        for item in services.of(end)
        if any((port.protocol, port.number) in wanted or (port.protocol, port.name) in wanted for port in item.ports)
    }
    if not found:
        notes.append(f"no Service that selects {target.title} has port {question.port}/{question.protocol.value}")
    return found.values()


def _behind(
    services: Services, service: Service, question: Question, notes: list[str]
) -> Iterator[tuple[Pod | Address, int, str]]:
    name = f"Service {service.namespace}/{service.name}"
    found = services.backends(service, question.protocol, question.port)
    if not found:
        notes.append(_not_behind(services, service, question))
    for backend in found:
        pod = f"{backend.pod.namespace}/{backend.pod.name}"
        if service.headless:
            note = f"{name} is headless: its name stands for {pod}, and no port is translated"
        else:
            note = f"{name} leads {question.port} to port {backend.port} of {pod}"
        yield backend.pod, backend.port, note


def _not_behind(services: Services, service: Service, question: Question) -> str:
    """Why nothing is behind a port of a Service."""
    offered = [port for port in service.ports if port.protocol is question.protocol]
    if service.selector is None or any(question.port in {port.number, port.name} for port in offered):
        return services.nowhere(service, question.port, question.protocol)
    listed = ", ".join(f"{port.number}/{port.protocol.value}" for port in service.ports) or "no port"
    asked = f"{question.port}/{question.protocol.value}"
    return f"Service {service.namespace}/{service.name} offers {listed}, and not {asked}"


def _called(pod: Pod, name: str, protocol: Protocol) -> list[int]:
    return sorted({port.number for port in pod.ports if port.name == name and port.protocol is protocol})


def _families(end: Pod | Address) -> tuple[Family, ...]:
    if isinstance(end, Pod):
        return end.families
    return (Family.IPV6,) if ":" in end.ip else (Family.IPV4,)


def _nothing(question: Question, notes: list[str]) -> UsageError:
    why = "; ".join(dict.fromkeys(notes)) or "no pod there has that port, or the ends share no address family"
    if question.source.service is not None:
        why = "a Service opens no connections: ask for the pods behind it"
    return UsageError(
        f"no flow from {question.source.title} to {question.destination.title} on {question.port}",
        why=why,
        attempt="netaudit predict, which lists workloads and their ports",
    )

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
from auditor.model.explanation import DirectionSteps, Explained, Explanation, Group
from auditor.model.flow import Decision, Family, Protocol, Traffic
from auditor.query import decided_by
from auditor.services import EXTERNAL_NAME, Services, unknown
from auditor.targets import Target

MOST_PAIRS = 20_000
"""Pairs of ends that are looked at one by one."""
Place = tuple[Pod | Address | Service, int, str, tuple[Family, ...]]
"""Where a flow ends, at which port, why there (empty where that was asked for), and in which families it can."""


@dataclass(frozen=True, slots=True)
class Flow:
    """One flow between two targets; `note` says how it came to end there, or why it ends at a Service."""

    source: Pod | Address
    destination: Pod | Address | Service
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
    found = list(islice(flows_between(services, question, notes), MOST_PAIRS + 1))
    if not found:
        raise nothing_meant(question, notes)
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
    if isinstance(flow.destination, Service):
        return unknown(flow.note)
    if flow.note:
        return services.through(flow.source, flow.destination, flow.traffic)
    traffic = flow.traffic
    return model.decide(flow.source, flow.destination, traffic.family, traffic.port, traffic.protocol)


def _likeness(decision: Decision) -> tuple[object, ...]:
    """Equal for flows that the same rules decide in the same way."""
    ends = (decision.egress, decision.ingress)
    return decision.verdict, *((end.verdict, tuple(decided_by(end))) for end in ends)


def _group(model: Model, members: list[tuple[Flow, Decision]]) -> Group:
    flow, decision = members[0]
    example = _example(model, flow, decision)
    return Group(
        decision.verdict,
        len(members),
        len({title(item.source) for item, _ in members}),
        len({_title(item.destination) for item, _ in members}),
        example,
    )


def _example(model: Model, flow: Flow, decision: Decision) -> Explanation:
    """One flow explained; at a Service that leads nowhere there is no chain to show."""
    if not isinstance(flow.destination, Service):
        found = explain(model, flow.source, flow.destination, flow.traffic, decision)
        return replace(found, notes=(*found.notes, flow.note)) if flow.note else found
    names = title(model.resolve(flow.source)), _title(flow.destination)
    steps = [
        DirectionSteps(end.direction, name, end.verdict, end.reason, ())
        for name, end in zip(names, (decision.egress, decision.ingress), strict=True)
    ]
    return Explanation(*names, flow.traffic, decision, (steps[0], steps[1]))


def _title(end: Pod | Address | Service) -> str:
    return f"Service {end.namespace}/{end.name}" if isinstance(end, Service) else title(end)


def flows_between(services: Services, question: Question, notes: list[str]) -> Iterator[Flow]:
    """Every flow that a question means; what was left out, and why, is added to `notes`."""
    targets = list(_ends(services, question, notes))
    many = len(question.source.ends) > 1 or len(question.destination.ends) > 1
    for source, (destination, port, note, there) in product(question.source.ends, targets):
        if many and not note and title(source) == _title(destination):
            # Among many, what a pod says to itself is of no interest.
            continue
        for family in _families(source):
            if family in there and family in question.source.families and family in question.destination.families:
                yield Flow(source, destination, Traffic(family, question.protocol, port), note)


def _ends(services: Services, question: Question, notes: list[str]) -> Iterator[Place]:
    """Where flows to the destination end: pods or addresses with a port, or a Service that leads nowhere known."""
    target = question.destination
    if target.service is not None or question.by_service:
        for service in _services(services, target, question, notes):
            yield from _behind(services, service, question, notes)
        return
    for end in target.ends:
        if isinstance(question.port, int):
            yield end, question.port, "", _families(end)
        elif isinstance(end, Pod):
            yield from ((end, number, "", end.families) for number in _called(end, question.port, question.protocol))


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


def _behind(services: Services, service: Service, question: Question, notes: list[str]) -> Iterator[Place]:
    name = f"Service {service.namespace}/{service.name}"
    found = services.backends(service, question.protocol, question.port)
    if not found:
        why, number = _not_behind(services, service, question), _open(service, question)
        if number is None:
            notes.append(why)
        else:
            yield service, number, why, services.families(service)
    # Of a pod with addresses of both families a Service of one leads to one only.
    families = services.families(service)
    for backend in found:
        end = title(backend.end)
        if service.headless:
            note = f"{name} is headless: its name stands for {end}, and no port is translated"
        else:
            note = f"{name} leads {question.port} to port {backend.port} of {end}"
        yield backend.end, backend.port, note, tuple(family for family in families if family in backend.families)


def _open(service: Service, question: Question) -> int | None:
    """The number of a port at which something may answer that the snapshot does not hold; None where nothing can."""
    if service.selector is not None and service.type != EXTERNAL_NAME:
        return None
    if isinstance(question.port, int) and (service.headless or service.type == EXTERNAL_NAME):
        return question.port
    offered = (port for port in service.ports if port.protocol is question.protocol)
    return next((port.number for port in offered if question.port in {port.number, port.name}), None)


def _not_behind(services: Services, service: Service, question: Question) -> str:
    """Why nothing is behind a port of a Service."""
    offered = [port for port in service.ports if port.protocol is question.protocol]
    known = any(question.port in {port.number, port.name} for port in offered)
    if known or service.type == EXTERNAL_NAME or _open(service, question) is not None:
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


def nothing_meant(question: Question, notes: list[str]) -> UsageError:
    """The error for a question that means no flow at all."""
    why = "; ".join(dict.fromkeys(notes)) or "no pod there has that port, or the ends share no address family"
    if question.source.service is not None:
        why = "a Service opens no connections: ask for the pods behind it"
    return UsageError(
        f"no flow from {question.source.title} to {question.destination.title} on {question.port}",
        why=why,
        attempt="netaudit predict, which lists workloads and their ports",
    )

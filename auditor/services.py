"""Services as paths: which pods or other addresses, and which of their ports, a flow to a Service ends at.

Pure.  Policies see the flow behind the translation: the pod and its port, never the Service's (KEP-2079, S22).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from auditor.cluster.resources import SLICES
from auditor.evaluate.model import Model, either
from auditor.model.cluster import EndpointSlice, Pod, Service, ServicePort, family_of
from auditor.model.dialect import HostNetwork
from auditor.model.ends import Address
from auditor.model.flow import Decision, Direction, DirectionDecision, Family, Protocol, Traffic, Verdict
from auditor.model.rules import Match

EXTERNAL_NAME = "ExternalName"
RIGHT = "list endpointslices.discovery.k8s.io"
ITSELF = "the API leaves open whether policies apply to a pod that reaches itself through a Service"


@dataclass(frozen=True, slots=True)
class Backend:
    """A pod behind a Service, or an address that is none's, and its port that flows to the Service's port end at."""

    end: Pod | Address
    port: int

    @property
    def families(self) -> tuple[Family, ...]:
        """The families in which it is reached."""
        return self.end.families if isinstance(self.end, Pod) else (family_of(self.end.ip),)


class Services:
    """A snapshot's Services, by name and by address."""

    def __init__(self, model: Model) -> None:
        """Index the Services of the model's snapshot."""
        self._model = model
        self._by_name = {(item.namespace, item.name): item for item in model.snapshot.services}
        self._by_address = {text: item for item in model.snapshot.services for text in item.addresses}
        self._selected: dict[tuple[str, str], tuple[Pod, ...]] = {}
        self._slices: dict[tuple[str, str], list[EndpointSlice]] = defaultdict(list)
        for item in model.snapshot.slices:
            self._slices[item.namespace, item.service].append(item)

    @cached_property
    def _pods(self) -> dict[str, list[Pod]]:
        """Pods that may stand behind a Service, by namespace."""
        found: dict[str, list[Pod]] = defaultdict(list)
        for pod in self._model.snapshot.pods:
            if not pod.finished and pod.families:
                found[pod.namespace].append(pod)
        return found

    @cached_property
    def _homes(self) -> dict[str, list[Service]]:
        """Services that lead somewhere, by namespace."""
        found: dict[str, list[Service]] = defaultdict(list)
        for item in self._model.snapshot.services:
            if _leads(item):
                found[item.namespace].append(item)
        return found

    @cached_property
    def _by_endpoint(self) -> dict[tuple[str, str], list[Service]]:
        """Services without a selector whose EndpointSlices name a pod's address, by the pod."""
        found: dict[tuple[str, str], list[Service]] = defaultdict(list)
        for item in self._model.snapshot.services:
            if item.selector is None:
                for pod in self.pods(item):
                    found[pod.namespace, pod.name].append(item)
        return found

    @cached_property
    def _claimed(self) -> frozenset[str]:
        """Addresses that EndpointSlices call those of pods: where the pod is missing they are not outside."""
        return frozenset(text for item in self._model.snapshot.slices for text in item.of_pods)

    def named(self, namespace: str, name: str) -> Service | None:
        """The Service of that name."""
        return self._by_name.get((namespace, name))

    def at(self, address: str) -> Service | None:
        """The Service with that cluster address."""
        return self._by_address.get(address)

    def of(self, pod: Pod) -> list[Service]:
        """The Services that select a pod, or whose EndpointSlices name its address."""
        found = [item for item in self._homes[pod.namespace] if item.selector and item.selector.matches(pod.labels)]
        return [*found, *self._by_endpoint.get((pod.namespace, pod.name), ())]

    def families(self, service: Service) -> tuple[Family, ...]:
        """The families of a Service, as it says or by its addresses; else those of what is behind it.

        Where nothing is said a Service has one family, the cluster's first (`corev1.ServiceSpec.ipFamilyPolicy`), which
        is that of its pods' first addresses.
        """
        if service.families:
            return service.families
        texts = service.addresses
        if not texts and service.selector is None:
            texts = tuple(self._endpoints(service))
        elif not texts:
            texts = tuple(text for pod in self.pods(service) for text in pod.addresses[:1])
        found = {family_of(text) for text in texts}
        return tuple(family for family in Family if family in found) or tuple(Family)

    def pods(self, service: Service) -> tuple[Pod, ...]:
        """The pods that a Service selects, or that its EndpointSlices name by their addresses."""
        key = service.namespace, service.name
        if key not in self._selected:
            wanted = service.selector
            if service.type == EXTERNAL_NAME:
                self._selected[key] = ()
            elif wanted is None:
                ends = (self._model.resolve(Address(text)) for text in self._endpoints(service))
                found = {(end.namespace, end.name): end for end in ends if isinstance(end, Pod)}
                self._selected[key] = tuple(found.values())
            else:
                self._selected[key] = tuple(pod for pod in self._pods[service.namespace] if wanted.matches(pod.labels))
        return self._selected[key]

    def _of(self, service: Service) -> list[EndpointSlice]:
        """The EndpointSlices of a Service without a selector; none where one of them may not have been read."""
        if self._lost(service) or service.type == EXTERNAL_NAME:
            return []
        return self._slices.get((service.namespace, service.name), [])

    def _lost(self, service: Service) -> bool:
        """Whether an EndpointSlice that may be one of the Service's could not be read."""
        return bool(self._model.snapshot.unreadable_in & {(SLICES, service.namespace), (SLICES, "")})

    def _endpoints(self, service: Service) -> Iterator[str]:
        """The addresses that the EndpointSlices of a Service name, ready or not any more."""
        return (text for item in self._of(service) for text in (*item.ready, *item.leaving))

    def backends(self, service: Service, protocol: Protocol, port: int | str) -> tuple[Backend, ...]:
        """The pods behind a Service's port, by number or name; a name of a target port is looked up in each.

        A headless Service is only a name for its pods: nothing translates a port, so that any number leads to itself.
        Where a Service has no selector its EndpointSlices stand for the pods.
        """
        if service.selector is None:
            found = dict.fromkeys(self._named(service, protocol, port))
            return tuple(Backend(self._model.resolve(Address(text)), number) for text, number in found)
        if service.headless and isinstance(port, int):
            return tuple(Backend(pod, port) for pod in self.pods(service))
        ports = [item for item in service.ports if item.protocol is protocol and port in {item.number, item.name}]
        return tuple(Backend(pod, end) for item in ports for pod in self.pods(service) for end in _targets(item, pod))

    def _named(self, service: Service, protocol: Protocol, port: int | str) -> Iterator[tuple[str, int]]:
        """The addresses and ports that a port of a Service without a selector leads to."""
        slices = self._of(service)
        if service.headless and isinstance(port, int):
            yield from ((text, port) for item in slices for text in item.ready)
            return
        for item in service.ports:
            if item.protocol is protocol and port in {item.number, item.name}:
                found = [(part, number) for part in slices for number in _numbers(part, item)]
                ready = [(text, number) for part, number in found for text in part.ready]
                yield from ready
                # In DNS, which is all that a headless Service has, only the ready ones stand.
                served = set(Family) if service.headless else {family_of(text) for text, _ in ready}
                leaving = ((text, number) for part, number in found for text in part.leaving)
                yield from (each for each in leaving if family_of(each[0]) not in served)

    def decide(self, source: Pod | Address, service: Service, traffic: Traffic) -> Decision:
        """Predict a flow to a Service's port: that of its backends, where all have the same."""
        found = [
            item for item in self.backends(service, traffic.protocol, traffic.port) if traffic.family in item.families
        ]
        if not found:
            return unknown(self.nowhere(service, traffic.port, traffic.protocol, traffic.family))
        them = "pods" if service.selector is not None else "endpoints"
        reason = f"the {them} behind {service.namespace}/{service.name} differ, and any of them may be chosen"
        return either([self.through(source, item.end, replace(traffic, port=item.port)) for item in found], reason)

    def nowhere(self, service: Service, port: int | str, protocol: Protocol, family: Family | None = None) -> str:
        """Why a flow to a Service ends nowhere."""
        name = f"Service {service.namespace}/{service.name}"
        if service.type == EXTERNAL_NAME:
            return f"{name} is an ExternalName: its name leaves the cluster, for one in DNS that was not looked up"
        text = f"port {port}/{protocol.value} of {name}"
        them = "pod" if service.selector is not None else "endpoint"
        if family is not None and self.backends(service, protocol, port):
            return f"no {them} behind {text} has an {family.value} address"
        return f"no pod is behind {text}" if service.selector is not None else self._unnamed(service, name, text)

    def _unnamed(self, service: Service, name: str, text: str) -> str:
        """Why no EndpointSlice leads on from a port of a Service without a selector."""
        here, slices = self._model.snapshot, self._slices.get((service.namespace, service.name))
        if here.slices_unread:
            return (
                f"{name} has no selector, and to read where it leads takes the right to {RIGHT}: {here.slices_unread}"
            )
        if self._lost(service):
            return f"{name} has no selector, and an EndpointSlice of its namespace could not be read"
        if not slices and here.listed:
            return f"{name} has no selector and no EndpointSlice: it has no endpoints, so that nobody can answer"
        if not slices:
            return f"{name} has no selector, and no EndpointSlice of it was given"
        if all(item.names_hosts for item in slices):
            return f"the EndpointSlices of {name} name hosts in DNS, which were not looked up"
        return f"no endpoint behind {text} is ready, so that nobody can answer"

    def through(self, source: Pod | Address, end: Pod | Address, traffic: Traffic) -> Decision:
        """Predict a flow that a Service led to an end; to itself the API leaves open whether policies apply."""
        resolved, pod = self._model.resolve(source), self._model.resolve(end)
        if isinstance(pod, Address) and self.at(pod.ip) is not None:
            return unknown(f"{pod.ip} is the address of a Service, to which no other can lead")
        if isinstance(pod, Address) and pod.ip in self._claimed and not self._model.is_node(pod):
            return unknown(f"{pod.ip} is a pod's by its EndpointSlice, and no pod is known to have it")
        decision = self._model.decide(resolved, pod, traffic.family, traffic.port, traffic.protocol)
        if (
            not isinstance(resolved, Pod)
            or not isinstance(pod, Pod)
            or (resolved.namespace, resolved.name) != (pod.namespace, pod.name)
        ):
            return decision
        as_node = pod.host_network and self._model.dialect.host_network is HostNetwork.AS_NODE
        if decision.verdict is not Verdict.ALLOWED or as_node:
            # Nothing is known of the flow, or no policy sees it.
            return decision
        ruled = self._model.ruled(pod, pod, traffic)
        answer = self._model.dialect.reaches_itself_by_service
        open_ended = pod.host_network and self._model.dialect.host_network is HostNetwork.OPEN
        if ruled.verdict is Verdict.ALLOWED or (answer is Match.NO and not open_ended):
            return ruled
        return decision if answer is Match.YES else either([decision, ruled], ITSELF)


def _leads(service: Service) -> bool:
    """Whether a Service has pods behind it that its selector finds."""
    return service.selector is not None and service.type != EXTERNAL_NAME


def _targets(port: ServicePort, pod: Pod) -> list[int]:
    """The pod's ports that a Service's port leads to (`corev1.ServicePort.targetPort`).

    Of several ports of one name the first container's counts, and which one that is, is not known here.
    """
    if isinstance(port.target, int):
        return [port.target]
    return sorted({item.number for item in pod.ports if item.name == port.target and item.protocol is port.protocol})


def _numbers(part: EndpointSlice, port: ServicePort) -> Iterator[int]:
    """The numbers that an EndpointSlice gives for a Service's port (`discoveryv1.EndpointPort`)."""
    for item in part.ports:
        if item.name == port.name and item.protocol is port.protocol:
            # Without a number it stands for all ports: then the Service alone says which one it is.
            target = port.target if isinstance(port.target, int) else port.number
            yield target if item.number is None else item.number


def unknown(reason: str) -> Decision:
    """A decision about a flow of which nothing can be said."""
    egress = DirectionDecision(Direction.EGRESS, Verdict.UNKNOWN, (), (), reason)
    return Decision(Verdict.UNKNOWN, egress, replace(egress, direction=Direction.INGRESS), reason)

"""Services as paths: which pods, and which of their ports, a flow to a Service ends at.

Pure.  Policies see the flow behind the translation: the pod and its port, never the Service's (KEP-2079, S22).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import cached_property

from auditor.evaluate.model import Model, either
from auditor.model.cluster import Pod, Service, ServicePort, family_of
from auditor.model.dialect import HostNetwork
from auditor.model.ends import Address
from auditor.model.flow import Decision, Direction, DirectionDecision, Family, Protocol, Traffic, Verdict
from auditor.model.rules import Match

EXTERNAL_NAME = "ExternalName"
ITSELF = "the API leaves open whether policies apply to a pod that reaches itself through a Service"


@dataclass(frozen=True, slots=True)
class Backend:
    """A pod behind a Service, and its port that flows to the Service's port end at."""

    pod: Pod
    port: int


class Services:
    """A snapshot's Services, by name and by address."""

    def __init__(self, model: Model) -> None:
        """Index the Services of the model's snapshot."""
        self._model = model
        self._by_name = {(item.namespace, item.name): item for item in model.snapshot.services}
        self._by_address = {text: item for item in model.snapshot.services for text in item.addresses}
        self._selected: dict[tuple[str, str], tuple[Pod, ...]] = {}

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

    def named(self, namespace: str, name: str) -> Service | None:
        """The Service of that name."""
        return self._by_name.get((namespace, name))

    def at(self, address: str) -> Service | None:
        """The Service with that cluster address."""
        return self._by_address.get(address)

    def of(self, pod: Pod) -> list[Service]:
        """The Services that select a pod."""
        return [item for item in self._homes[pod.namespace] if item.selector and item.selector.matches(pod.labels)]

    def families(self, service: Service) -> tuple[Family, ...]:
        """The families of a Service's addresses; where it has none, those of the pods behind it."""
        texts = service.addresses or tuple(text for pod in self.pods(service) for text in pod.addresses)
        found = {family_of(text) for text in texts}
        return tuple(family for family in Family if family in found) or tuple(Family)

    def pods(self, service: Service) -> tuple[Pod, ...]:
        """The pods that a Service selects."""
        key = service.namespace, service.name
        if key not in self._selected:
            wanted = service.selector if _leads(service) else None
            pods = self._pods[service.namespace] if wanted is not None else ()
            self._selected[key] = tuple(pod for pod in pods if wanted is not None and wanted.matches(pod.labels))
        return self._selected[key]

    def backends(self, service: Service, protocol: Protocol, port: int | str) -> tuple[Backend, ...]:
        """The pods behind a Service's port, by number or name; a name of a target port is looked up in each.

        A headless Service is only a name for its pods: nothing translates a port, so that any number leads to itself.
        """
        if service.headless and isinstance(port, int):
            return tuple(Backend(pod, port) for pod in self.pods(service))
        ports = [item for item in service.ports if item.protocol is protocol and port in {item.number, item.name}]
        found = (Backend(pod, end) for item in ports for pod in self.pods(service) for end in _targets(item, pod))
        return tuple(found)

    def decide(self, source: Pod | Address, service: Service, traffic: Traffic) -> Decision:
        """Predict a flow to a Service's port: that of its backends, where all have the same."""
        found = [
            item
            for item in self.backends(service, traffic.protocol, traffic.port)
            if traffic.family in item.pod.families
        ]
        if not found:
            return unknown(self.nowhere(service, traffic.port, traffic.protocol, traffic.family))
        reason = f"the pods behind {service.namespace}/{service.name} differ, and any of them may be chosen"
        return either([self.through(source, item.pod, replace(traffic, port=item.port)) for item in found], reason)

    def nowhere(self, service: Service, port: int | str, protocol: Protocol, family: Family | None = None) -> str:
        """Why a flow to a Service ends nowhere."""
        name = f"Service {service.namespace}/{service.name}"
        if service.type == EXTERNAL_NAME:
            return f"{name} is an ExternalName, which stands for a name in DNS that was not looked up"
        if service.selector is None:
            return f"{name} has no selector, and its endpoints were not read"
        text = f"port {port}/{protocol.value} of {name}"
        if family is not None and self.backends(service, protocol, port):
            return f"no pod behind {text} has an {family.value} address"
        return f"no pod is behind {text}"

    def through(self, source: Pod | Address, pod: Pod, traffic: Traffic) -> Decision:
        """Predict a flow that a Service led to a pod's port; to itself the API leaves open whether policies apply."""
        resolved = self._model.resolve(source)
        decision = self._model.decide(resolved, pod, traffic.family, traffic.port, traffic.protocol)
        if not isinstance(resolved, Pod) or (resolved.namespace, resolved.name) != (pod.namespace, pod.name):
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


def unknown(reason: str) -> Decision:
    """A decision about a flow of which nothing can be said."""
    egress = DirectionDecision(Direction.EGRESS, Verdict.UNKNOWN, (), (), reason)
    return Decision(Verdict.UNKNOWN, egress, replace(egress, direction=Direction.INGRESS), reason)

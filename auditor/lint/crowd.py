"""The pods that policies apply to, and sets of them as the model's bitsets of classes.

Pure.  Whom a predicate means is asked of the model; what containers declare is gathered here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property

from auditor.evaluate.bits import Bits, ones
from auditor.evaluate.classes import classify, vocabulary
from auditor.evaluate.model import Model
from auditor.model.cluster import Pod, ServicePort
from auditor.model.flow import Direction, Family, PolicyRef, Protocol
from auditor.model.rules import MIDDLE, MIDDLE_RANK, InNamespace, Predicate, Section, pods

_ASKED = PolicyRef("", "services", "Service")


class Crowd:
    """Classes of pods that neither policies nor Services can tell apart."""

    def __init__(self, model: Model) -> None:
        """Sort the pods of the model's snapshot into classes."""
        self.model = model
        # Services are asked about too, so what they select must tell pods apart.
        selectors = {
            (service.namespace, service.selector) for service in model.snapshot.services if service.selector is not None
        }
        asked = [
            Section(_ASKED, Direction.INGRESS, MIDDLE, MIDDLE_RANK, pods(namespace, selector=selector))
            for namespace, selector in selectors
        ]
        classes = classify(model, model.snapshot.pods, vocabulary([*model.all_sections(), *asked]))
        self._members = [item.pods for item in classes]
        self._bits = Bits(classes)
        self._families = tuple(family for family in Family if self._bits.having(family)) or (Family.IPV4,)

    def may(self, predicate: Predicate) -> int:
        """Those of which a predicate holds, or may hold."""
        found = 0
        for family in self._families:
            found |= self._bits.answer(predicate, family).maybe
        return found

    def in_namespace(self, name: str) -> int:
        """Those of a namespace."""
        return self.may(InNamespace(name))

    def members(self, found: int) -> Iterator[Pod]:
        """The pods of a set, in a fixed order."""
        for number in ones(found):
            yield from self._members[number]

    def count(self, found: int) -> int:
        """How many pods a set has."""
        return sum(len(self._members[number]) for number in ones(found))

    def one_of(self, found: int) -> Pod:
        """A pod of a set that is not empty, always the same one."""
        return self._members[next(ones(found))][0]

    @cached_property
    def addressed(self) -> int:
        """Those whose addresses are known."""
        return self.among(self._bits.everything, lambda pod: bool(pod.addresses))

    @cached_property
    def open_handed(self) -> int:
        """Those all of whose pods declare at least one port."""
        return self.among(self._bits.everything, lambda pod: bool(pod.ports))

    def declaring(self, name: str, protocol: Protocol | None) -> int:
        """Those that declare a container port of this name; any protocol where it is None."""
        return self._declared(name, protocol)

    def listening(self, number: int, protocol: Protocol | None) -> int:
        """Those that declare a container port of this number."""
        return self._declared(number, protocol)

    def names(self, found: int) -> set[str]:
        """The port names that the pods of a set declare."""
        return {port.name for pod in self.members(found) for port in pod.ports if port.name}

    def targets(self, found: int, port: ServicePort) -> set[int]:
        """The numbers to which a Service's port leads at the pods of a set."""
        if isinstance(port.target, int):
            return {port.target}
        return {
            declared.number
            for pod in self.members(found)
            for declared in pod.ports
            if declared.name == port.target and declared.protocol is port.protocol
        }

    def among(self, found: int, wanted: Callable[[Pod], bool]) -> int:
        """The classes of a set all of whose pods are wanted."""
        return _joined(1 << number for number in ones(found) if all(map(wanted, self._members[number])))

    def _declared(self, key: int | str, protocol: Protocol | None) -> int:
        found = 0
        for one in Protocol if protocol is None else (protocol,):
            found |= self._ports.get((key, one), 0)
        return found

    @cached_property
    def _ports(self) -> dict[tuple[int | str, Protocol], int]:
        """By name or number, the classes of which a pod declares it."""
        found: dict[tuple[int | str, Protocol], int] = {}
        for number, members in enumerate(self._members):
            keys = {
                (key, port.protocol) for pod in members for port in pod.ports for key in (port.name, port.number) if key
            }
            for key in keys:
                found[key] = found.get(key, 0) | 1 << number
        return found


def _joined(sets: Iterable[int]) -> int:
    found = 0
    for one in sets:
        found |= one
    return found

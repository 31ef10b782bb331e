"""Golden cases made fit to stand side by side in one cluster: each in namespaces and with port names of its own.

Pure.  What tables do not speak of is left out; what a cluster decides for itself (status, addresses, owners) as well.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from tests.model_cases import NAME_LABEL, Case, Cell, Raw, end_of, is_address, kind_of

KINDS = {"v1 Namespace", "v1 Node", "v1 Pod", "v1 Service", "networking.k8s.io/v1 NetworkPolicy"}
CONTAINER_FIELDS = ("name", "ports")
SLEEP = {"image": "busybox:1.37", "imagePullPolicy": "IfNotPresent", "command": ["sleep", "36000"]}


def is_movable(case: Case) -> bool:
    """Whether a case can be deployed: NetworkPolicies and running pods, all of them accepted."""
    odd = case.rejected or case.inert or case.unreadable or any(_is_on_host(item) for item in case.objects)
    plain = all(kind_of(item) in KINDS for item in case.objects)
    return plain and not odd and not case.cluster and any(is_probed(cell) for cell in case.cells)


def is_probed(cell: Cell) -> bool:
    """Whether packets can show what a cell says: TCP over IPv4 between two pods, and a definite verdict of the API."""
    pods = cell.source != cell.destination and not is_address(cell.source) and not is_address(cell.destination)
    wire = (cell.protocol, cell.family) == ("TCP", "IPv4")
    return pods and wire and not cell.engine and cell.verdict in {"allowed", "denied"}


def _is_on_host(item: Raw) -> bool:
    return bool(item["kind"] == "Pod" and item["spec"].get("hostNetwork"))


def batches(cases: Iterable[Case], most: int) -> list[list[Case]]:
    """Cases together, each batch with at most so many pods unless a single case has more."""
    found: list[list[Case]] = []
    size = most
    for case in cases:
        pods = len(_pods_in_tables(case))
        if size + pods > most:
            found.append([])
            size = 0
        found[-1].append(case)
        size += pods
    return found


def moved(case: Case, mark: str) -> Case:
    """The case with its namespaces and port names after `mark`, and only what its tables speak of.

    Each port that a table asks of a pod is declared by it, and at least one: others an audit need not ask for.
    """
    mentioned = _pods_in_tables(case)
    kept = [item for item in case.objects if item["kind"] != "Pod" or end_of(item) in mentioned]
    homes = {_home(item) for item in kept if item["kind"] not in {"Namespace", "Node"}}
    moving = _Move(mark, homes)
    objects = [
        moving.object(_with_ports(item, case))
        for item in kept
        if item["kind"] not in {"Namespace", "Node"}
        or (item["kind"] == "Namespace" and item["metadata"]["name"] in homes)
    ]
    made = {item["metadata"]["name"] for item in objects if item["kind"] == "Namespace"}
    objects += [_namespace(f"{mark}-{home}") for home in sorted(homes) if f"{mark}-{home}" not in made]
    cells = tuple(
        cell._replace(source=moving.end(cell.source), destination=moving.end(cell.destination)) for cell in case.cells
    )
    return replace(case, objects=tuple(objects), cells=cells)


def deployable(item: Raw) -> Raw:
    """An object as a cluster is asked for it: pods wait, and end when they are told to."""
    made = copy.deepcopy(item)
    made.pop("status", None)
    made["metadata"].pop("ownerReferences", None)
    if made["kind"] == "Service":
        made["spec"] = {key: value for key, value in made["spec"].items() if not key.startswith("clusterIP")}
    if made["kind"] == "Pod":
        containers = [
            {**{key: container[key] for key in CONTAINER_FIELDS if key in container}, **SLEEP}
            for container in made["spec"]["containers"]
        ]
        made["spec"] = {
            "nodeName": made["spec"]["nodeName"],
            "terminationGracePeriodSeconds": 0,
            "containers": containers,
        }
    return made


def _with_ports(item: Raw, case: Case) -> Raw:
    """A pod that declares every port that packets are to be sent to; anything else as it is."""
    if item["kind"] != "Pod":
        return item
    made = copy.deepcopy(item)
    ports = made["spec"]["containers"][0].setdefault("ports", [])
    known = {port["containerPort"] for port in ports if port.get("protocol", "TCP") == "TCP"}
    asked = {cell.port for cell in case.cells if is_probed(cell) and cell.destination == end_of(item)}
    ports += [{"containerPort": number} for number in sorted(asked - known or {80} - known)]
    return made


def _pods_in_tables(case: Case) -> set[str]:
    return {end for cell in case.cells for end in (cell.source, cell.destination) if not is_address(end)}


def _home(item: Raw) -> str:
    return item["metadata"].get("namespace") or "default"


def _namespace(name: str) -> Raw:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {NAME_LABEL: name}}}


class _Move:
    """Names after a mark, wherever they stand."""

    def __init__(self, mark: str, homes: set[str]) -> None:
        self._mark = mark
        self._homes = homes

    def end(self, name: str) -> str:
        return name if is_address(name) else f"{self._mark}-{name}"

    def object(self, item: Raw) -> Raw:
        made = copy.deepcopy(item)
        metadata = made["metadata"]
        if made["kind"] == "Namespace":
            metadata["name"] = f"{self._mark}-{metadata['name']}"
            metadata["labels"] = {**(metadata.get("labels") or {}), NAME_LABEL: metadata["name"]}
            return made
        metadata["namespace"] = f"{self._mark}-{_home(made)}"
        if "spec" in made:
            made["spec"] = self._spec(made["spec"], made["kind"])
        return made

    def _spec(self, spec: Raw, kind: str) -> Raw:
        if kind == "Pod":
            for container in spec["containers"]:
                for port in container.get("ports") or []:
                    port.update({"name": self._port(port["name"])} if port.get("name") else {})
        elif kind == "Service":
            for port in spec.get("ports") or []:
                port.update({"targetPort": self._port(port["targetPort"])} if "targetPort" in port else {})
        else:
            for port in _ports_of(spec):
                port.update({"port": self._port(port["port"])} if "port" in port else {})
            for peer in _peers_of(spec):
                self._selector(peer.get("namespaceSelector") or {})
        return spec

    def _port(self, port: Any) -> Any:
        return f"{self._mark}-{port}" if isinstance(port, str) else port

    def _selector(self, selector: Raw) -> None:
        labels = selector.get("matchLabels") or {}
        if NAME_LABEL in labels:
            labels[NAME_LABEL] = self._name(labels[NAME_LABEL])
        for part in selector.get("matchExpressions") or []:
            if part["key"] == NAME_LABEL and part.get("values"):
                part["values"] = [self._name(value) for value in part["values"]]

    def _name(self, name: str) -> str:
        return f"{self._mark}-{name}" if name in self._homes else name


def _rules_of(spec: Mapping[str, Any]) -> Iterator[Raw]:
    for key in ("ingress", "egress"):
        yield from spec.get(key) or []


def _ports_of(spec: Mapping[str, Any]) -> Iterator[Raw]:
    for rule in _rules_of(spec):
        yield from rule.get("ports") or []


def _peers_of(spec: Mapping[str, Any]) -> Iterator[Raw]:
    for rule in _rules_of(spec):
        yield from rule.get("from") or []
        yield from rule.get("to") or []

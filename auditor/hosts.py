"""Which real pods may hold an agent of ours in an ephemeral container, and which of their ports are somebody's.

Pure.  Such a container cannot be removed, asks for no memory and counts against the pod's limits, and what listens in
it stands where the workload may want to listen: so whatever speaks against it is a reason to leave the pod alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from auditor.cluster import fields
from auditor.cluster.decode_quota import quantity
from auditor.cluster.fields import FieldError, Raw
from auditor.model.cluster import Pod, Snapshot
from auditor.model.probe import MEBI
from auditor.ports import RawSnapshot

Name = tuple[str, str]
"""Namespace and name of a pod."""
PREFIX = "netaudit-"
"""What the names of our ephemeral containers begin with."""
MANY = 5
"""Ephemeral containers from which on a pod gets no other one: its object grows by some 20 kB with each of ours."""
LEAST_MEMORY = 64 * MEBI
"""Bytes that a pod must be allowed in all to hold an agent, which takes up to a quarter of them."""
AMPLE_MEMORY = 256 * MEBI
MIRROR = "kubernetes.io/config.mirror"
SCRAPED = "prometheus.io/port"
PROXIES = ("istio-proxy", "linkerd-proxy", "consul-dataplane", "envoy-sidecar", "kuma-sidecar", "envoy", "osm-proxy")
"""Containers that meshes put into pods, and that may answer in a destination's stead."""
TAKEN_BY_MESH = {"ambient.istio.io/redirection": "enabled"}
"""Annotations of pods whose traffic a mesh takes without any container in them."""
AMBIENT = {"istio.io/dataplane-mode": "ambient"}
FIREWALLS = frozenset({"NET_ADMIN", "ALL"})
"""Capabilities by which a container may have put a filter into its pod's own network."""
PROBES = ("livenessProbe", "readinessProbe", "startupProbe")
HOOKS = ("postStart", "preStop")
MANNERS = ("httpGet", "tcpSocket", "grpc")


@dataclass(frozen=True, slots=True)
class Host:
    """A real pod, as far as it matters whether an agent may be put into it."""

    uid: str
    refusal: str
    """Why none may be; empty where one may."""
    taken: frozenset[int] = frozenset()
    """Ports on which it, or somebody who comes to it, may count: no agent listens there."""
    risk: str = ""
    """What its owner should know beforehand; empty where there is nothing."""
    held: int = 0
    """Ephemeral containers that it has already."""
    known: bool = False
    """Whether one of them is of an earlier run, so that nothing new is marked."""


def hosts(raw: RawSnapshot, snapshot: Snapshot) -> dict[Name, Host]:
    """Every pod that was read whole, by name."""
    return dict(_hosts(raw.objects.get("pods", ()), _Comers(snapshot), _ambient(snapshot)))


def _hosts(pods: Iterable[Raw], comers: _Comers, ambient: frozenset[str]) -> Iterator[tuple[Name, Host]]:
    for item in pods:
        try:
            found = _host(item, comers, ambient)
            metadata = fields.mapping(item, "metadata")
            name = fields.text(metadata, "namespace"), fields.text(metadata, "name")
        except FieldError as error:
            namespace, _, own = fields.name_of(item).partition("/")
            name, found = (namespace, own), Host("", f"it cannot be read: {error}")
        yield name, found


def _ambient(snapshot: Snapshot) -> frozenset[str]:
    return frozenset(item.name for item in snapshot.namespaces if AMBIENT.items() <= dict(item.labels).items())


def _host(item: Raw, comers: _Comers, ambient: frozenset[str]) -> Host:
    pod = _Whole(item)
    refusal = next((text for text in (*pod.refusals(), *comers.refusals(pod)) if text), "")
    if pod.namespace in ambient:
        refusal = refusal or "a mesh takes the traffic of its namespace: what is measured would be the mesh"
    return Host(
        uid=fields.text(pod.metadata, "uid"),
        refusal=refusal,
        taken=frozenset({*pod.ports(), *comers.ports(pod)}),
        risk=pod.risk(),
        held=len(pod.ephemeral),
        known=any(fields.text(one, "name").startswith(PREFIX) for one in pod.ephemeral),
    )


@dataclass(frozen=True, slots=True)
class _Whole:
    """A pod as the API server sent it."""

    item: Raw
    metadata: Raw = field(init=False)
    spec: Raw = field(init=False)
    status: Raw = field(init=False)

    def __post_init__(self) -> None:
        for key in ("metadata", "spec", "status"):
            object.__setattr__(self, key, fields.mapping(self.item, key))

    @property
    def namespace(self) -> str:
        return fields.text(self.metadata, "namespace")

    @property
    def labels(self) -> Mapping[str, str]:
        return fields.strings(self.metadata, "labels")

    @property
    def addresses(self) -> set[str]:
        return {fields.text(one, "ip") for one in fields.objects(self.status, "podIPs")}

    @property
    def ephemeral(self) -> list[Raw]:
        return list(fields.objects(self.spec, "ephemeralContainers"))

    @property
    def containers(self) -> list[Raw]:
        return [*fields.objects(self.spec, "containers"), *fields.objects(self.spec, "initContainers")]

    def refusals(self) -> Iterator[str]:
        """Why it may hold no agent, the plainest reason first."""
        annotations = fields.strings(self.metadata, "annotations")
        if self.metadata.get("deletionTimestamp") is not None:
            yield "it is being deleted"
        if fields.text(self.status, "phase") != "Running" or not self._is_ready():
            yield "it is not running and ready"
        if MIRROR in annotations:
            yield "it is a static pod, whose containers stand in a file on its node"
        yield from self._strangeness()
        yield from self._meddlers(annotations)
        if len(self.ephemeral) >= MANY:
            yield f"it holds {len(self.ephemeral)} ephemeral containers already, which go only with the pod"
        if self._is_at_work():
            yield "an agent of another run is still at work in it"

    def _strangeness(self) -> Iterator[str]:
        """What kind of pod no agent can do its work in, or none without harm."""
        shared = [name for name in ("hostNetwork", "hostPID", "hostIPC") if fields.flag(self.spec, name)]
        if shared:
            yield f"it has {shared[0]}: what is its own and what is the node's cannot be told apart"
        if fields.text(fields.mapping(self.spec, "os"), "name") == "windows":
            yield "it is a Windows pod"
        limit = self.memory_limit()
        if limit is not None and limit < LEAST_MEMORY:
            yield f"it may use {limit // MEBI} MiB in all, of which an agent would take too much"

    def _is_ready(self) -> bool:
        conditions = fields.objects(self.status, "conditions")
        return any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions)

    def _meddlers(self, annotations: Mapping[str, str]) -> Iterator[str]:
        """Whatever in the pod may answer, or drop, in the place of policy."""
        names = [fields.text(one, "name") for one in self.containers]
        proxies = [name for name in names if name in PROXIES]
        if proxies or TAKEN_BY_MESH.items() & annotations.items():
            yield f"it is in a mesh ({', '.join(proxies) or 'ambient'}): its proxy would answer instead of who is meant"
        for one in self.containers:
            context = fields.mapping(one, "securityContext")
            added = {
                str(word).removeprefix("CAP_") for word in fields.words(fields.mapping(context, "capabilities"), "add")
            }
            if fields.flag(context, "privileged") or added & FIREWALLS:
                name = fields.text(one, "name")
                yield f"its container {name} may filter the pod's own traffic, which would pass for a policy"

    def _is_at_work(self) -> bool:
        return any(
            fields.text(one, "name").startswith(PREFIX) and "running" in fields.mapping(one, "state")
            for one in fields.objects(self.status, "ephemeralContainerStatuses")
        )

    def memory_limit(self) -> int | None:
        """Bytes that the pod may use in all; None where it has no such limit."""
        whole = _memory(self.spec)
        if whole is not None:
            return whole
        sidecars = [one for one in fields.objects(self.spec, "initContainers") if one.get("restartPolicy") == "Always"]
        each = [_memory(one) for one in (*fields.objects(self.spec, "containers"), *sidecars)]
        return sum(one for one in each if one is not None) if None not in each else None

    def risk(self) -> str:
        limit = self.memory_limit()
        if limit is None or (limit >= AMPLE_MEMORY and fields.text(self.status, "qosClass") != "Guaranteed"):
            return ""
        return f"what an agent uses counts against the {limit // MEBI} MiB that the pod may use in all"

    def ports(self) -> Iterator[int]:
        """What its containers declare, and what its probes and hooks knock at."""
        for container in self.containers:
            for port in fields.objects(container, "ports"):
                yield from _numbers(port.get("containerPort"), port.get("hostPort"))
            hooks = fields.mapping(container, "lifecycle")
            knocks = [
                *(fields.mapping(container, key) for key in PROBES),
                *(fields.mapping(hooks, key) for key in HOOKS),
            ]
            for knock in knocks:
                yield from _numbers(*(fields.mapping(knock, manner).get("port") for manner in MANNERS))
        yield from _numbers(fields.strings(self.metadata, "annotations").get(SCRAPED))


def _memory(part: Raw) -> int | None:
    found = quantity(fields.mapping(fields.mapping(part, "resources"), "limits").get("memory"))
    return int(found) if found is not None else None


def _numbers(*values: object) -> Iterator[int]:
    """Those that are port numbers; a name is that of a declared port, or of none."""
    for value in values:
        text = str(value)
        if not isinstance(value, bool) and text.isascii() and text.isdigit():
            yield int(text)


class _Comers:
    """Whoever leads traffic to pods: Services, slices, monitors."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._blind = "services could not be listed" if "services" in snapshot.unreadable else ""
        if snapshot.slices_unread:
            self._blind = f"endpointslices could not be listed: {snapshot.slices_unread}"
        self._odd = {where for resource, where in snapshot.unreadable_in if resource == "services"}
        self._scraped = {port for item in snapshot.pod_monitors for port in item.ports if isinstance(port, int)}

    def refusals(self, pod: _Whole) -> Iterator[str]:
        """Why it cannot be said which ports are somebody's."""
        if self._blind:
            yield f"{self._blind}, so that which of its ports are in use is not known"
        if {pod.namespace, ""} & self._odd:
            yield "a Service in its namespace cannot be read, so that which of its ports are in use is not known"
        for piece in self._snapshot.slices:
            if pod.addresses & {*piece.ready, *piece.leaving} and any(port.number is None for port in piece.ports):
                yield f"the EndpointSlice {piece.name} leads to all of its ports"

    def ports(self, pod: _Whole) -> Iterator[int]:
        """Where they lead; a Service's port without a number of its own is one that a container declares."""
        labels = pod.labels
        for service in self._snapshot.services:
            selects = service.selector is not None and service.selector.matches(labels)
            if service.namespace == pod.namespace and selects:
                yield from (port.target for port in service.ports if isinstance(port.target, int))
        for piece in self._snapshot.slices:
            if pod.addresses & {*piece.ready, *piece.leaving}:
                yield from (port.number for port in piece.ports if port.number is not None)
        yield from self._scraped


def host_of(pod: Pod, found: Mapping[Name, Host]) -> Host:
    """The host that a pod of the snapshot is; one that was replaced since is none."""
    host = found.get((pod.namespace, pod.name))
    if host is None or host.uid != pod.uid:
        return Host(pod.uid, "it was replaced while the cluster was read")
    return host

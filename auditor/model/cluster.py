"""The cluster's objects as read at one time, reduced to what netaudit decides upon."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address

from auditor.model.flow import Family, Protocol
from auditor.model.labels import Labels, LabelSelector
from auditor.model.policy import NetworkPolicy


@dataclass(frozen=True, slots=True)
class Namespace:
    """A namespace; policies match its labels only."""

    name: str
    labels: Labels = field(default_factory=dict)
    terminating: bool = False
    version: str = ""


@dataclass(frozen=True, slots=True)
class ContainerPort:
    """A port that a container declares; `name` may be empty."""

    name: str
    number: int
    protocol: Protocol = Protocol.TCP


def port_order(port: ContainerPort) -> tuple[str, int, str]:
    """The key by which container ports are sorted."""
    return port.name, port.number, port.protocol.value


@dataclass(frozen=True, slots=True)
class Repulsion:
    """A term by which the scheduler counts pods when it places another: required anti-affinity, or a hard spread."""

    selector: LabelSelector
    everywhere: bool = False
    """Whether the term names namespaces of its own, so that pods of any namespace may count."""


@dataclass(frozen=True, slots=True, order=True)
class Owner:
    """The object that a user would name as the workload: Deployment rather than its ReplicaSet."""

    kind: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind.lower()}/{self.name}"


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod that may send or receive traffic."""

    namespace: str
    name: str
    labels: Labels = field(default_factory=dict)
    node: str = ""
    addresses: tuple[str, ...] = ()
    """`status.podIPs`, one for each family, the primary one first."""
    ports: tuple[ContainerPort, ...] = ()
    """Declared by containers and by restartable init containers (sidecars)."""
    owner: Owner | None = None
    phase: str = "Running"
    host_network: bool = False
    terminating: bool = False
    uid: str = ""
    repelled_by: tuple[Repulsion, ...] = ()
    """What may keep this pod, or its successor, from being scheduled: a stand-in must match none of it."""

    def address(self, family: Family) -> str | None:
        """The pod's first address of a family."""
        wanted = 4 if family is Family.IPV4 else 6
        return next((text for text in self.addresses if ip_address(text).version == wanted), None)

    @property
    def families(self) -> tuple[Family, ...]:
        """The families in which the pod has an address."""
        return tuple(family for family in Family if self.address(family))

    @property
    def talks(self) -> bool:
        """Whether policies apply to this pod now: own address, not finished, not on the host's network."""
        return bool(self.addresses) and self.phase not in {"Succeeded", "Failed"} and not self.host_network


@dataclass(frozen=True, slots=True)
class Service:
    """A Service as far as it can hurt or help a stand-in; `selector` is None where it has none."""

    namespace: str
    name: str
    selector: LabelSelector | None
    publishes_not_ready: bool = False


@dataclass(frozen=True, slots=True)
class Workload:
    """A controller with a pod selector, or an autoscaler with that of its target."""

    kind: str
    namespace: str
    name: str
    selector: LabelSelector


@dataclass(frozen=True, slots=True)
class Autoscaler:
    """A HorizontalPodAutoscaler and the target it scales."""

    namespace: str
    name: str
    target: Owner


@dataclass(frozen=True, slots=True)
class Node:
    """A node; `hosts_probes` is false where no Linux probe pod can run."""

    name: str
    labels: Labels = field(default_factory=dict)
    ready: bool = True
    hosts_probes: bool = True
    provider_id: str = ""


@dataclass(frozen=True, slots=True)
class BlindSpot:
    """Something that may decide about flows and is not modelled or not readable.

    `namespace` None means that it can touch any flow in the cluster.
    """

    namespace: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything the audit reads of a cluster, sorted by namespace and name."""

    namespaces: tuple[Namespace, ...] = ()
    pods: tuple[Pod, ...] = ()
    services: tuple[Service, ...] = ()
    nodes: tuple[Node, ...] = ()
    policies: tuple[NetworkPolicy, ...] = ()
    workloads: tuple[Workload, ...] = ()
    autoscalers: tuple[Autoscaler, ...] = ()
    blind_spots: tuple[BlindSpot, ...] = ()
    unreadable: frozenset[str] = frozenset()
    """Resources that could not be listed."""
    unreadable_in: frozenset[tuple[str, str]] = frozenset()
    """Resources and namespaces of single objects that could not be read."""
    warnings: tuple[str, ...] = ()
    cluster_uid: str = ""
    """UID of the namespace kube-system, the usual stand-in for a cluster's identity."""
    server_version: str = ""

    def namespace(self, name: str) -> Namespace | None:
        """The namespace of that name."""
        return next((namespace for namespace in self.namespaces if namespace.name == name), None)

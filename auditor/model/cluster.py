"""The cluster's objects as read at one time, reduced to what netaudit decides upon."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from auditor.model.flow import Family, Protocol
from auditor.model.labels import Labels, LabelSelector
from auditor.model.policy import NetworkPolicy
from auditor.model.problem import Problem

FAMILIES_BY_PRESENCE: dict[tuple[bool, bool], tuple[Family, ...]] = {
    (True, True): (Family.IPV4, Family.IPV6),
    (True, False): (Family.IPV4,),
    (False, True): (Family.IPV6,),
    (False, False): (),
}


def family_of(address: str) -> Family:
    """The family of an address that was found to be one."""
    return Family.IPV6 if ":" in address else Family.IPV4


@dataclass(frozen=True, slots=True)
class Namespace:
    """A namespace; policies match its labels only."""

    name: str
    labels: Labels = field(default_factory=dict)
    terminating: bool = False
    version: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)
    """Only those that meant something for policies once, or that a mesh reads."""
    labels_known: bool = True
    """False where only the name is known: selectors that look at other labels have no answer."""


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
    spread: bool = False


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
    service_account: str = "default"
    cpu: int = 0
    """Thousandths of a processor that the scheduler counts for it."""
    memory: int = 0
    """Bytes, likewise."""
    maker: str = ""
    """The object that controls it, where that is of no kind of Kubernetes' own."""
    planned: bool = False
    """A manifest rather than a running pod: it will have an address, which nobody knows yet."""

    def address(self, family: Family) -> str | None:
        """The pod's first address of a family."""
        return next((text for text in self.addresses if family_of(text) is family), None)

    @property
    def families(self) -> tuple[Family, ...]:
        """The families in which the pod has an address."""
        if self.planned and not self.addresses:
            return (Family.IPV4,)
        four = six = False
        for text in self.addresses:
            if ":" in text:
                six = True
            else:
                four = True
        return FAMILIES_BY_PRESENCE[four, six]

    @property
    def talks(self) -> bool:
        """Whether policies apply to this pod now: own address, not finished, not on the host's network."""
        return (bool(self.addresses) or self.planned) and not self.finished and not self.host_network

    @property
    def finished(self) -> bool:
        """Whether its containers have ended for good, which gives its address back."""
        return self.phase in {"Succeeded", "Failed"}


@dataclass(frozen=True, slots=True)
class ServicePort:
    """A port of a Service; `target` is a number or a container port's name, the same number where it was left out."""

    number: int
    target: int | str
    protocol: Protocol = Protocol.TCP
    name: str = ""


@dataclass(frozen=True, slots=True)
class Service:
    """A Service as far as it can hurt or help a stand-in, or lead a flow; `selector` is None where it has none."""

    namespace: str
    name: str
    selector: LabelSelector | None
    publishes_not_ready: bool = False
    ports: tuple[ServicePort, ...] = ()
    addresses: tuple[str, ...] = ()
    """`spec.clusterIPs`; empty for a headless Service and for one that is not running yet."""
    type: str = "ClusterIP"
    headless: bool = False
    """Whether it has no address by intent, and is only a name for its pods."""
    families: tuple[Family, ...] = ()
    """`spec.ipFamilies`, or both where it asks for both; empty where a manifest leaves it to the API server."""
    outer_addresses: tuple[str, ...] = ()
    """`spec.externalIPs` and those of its load balancer: they look like outside and lead to its pods."""


@dataclass(frozen=True, slots=True)
class EndpointPort:
    """A port of an EndpointSlice, tied to a Service's port by its name; `number` None stands for all ports."""

    name: str
    number: int | None
    protocol: Protocol = Protocol.TCP


@dataclass(frozen=True, slots=True)
class EndpointSlice:
    """Where a Service without a selector leads: the first address of each endpoint that may be chosen."""

    namespace: str
    name: str
    service: str
    """Of the same namespace; empty where the slice belongs to none."""
    ports: tuple[EndpointPort, ...] = ()
    ready: tuple[str, ...] = ()
    leaving: tuple[str, ...] = ()
    """Of endpoints that end and still serve: they are chosen where none is ready."""
    of_pods: tuple[str, ...] = ()
    """Those of them that the slice calls pods' addresses."""
    names_hosts: bool = False
    """Whether its endpoints are names in DNS, of which nothing else is kept."""


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """A service account; some policy kinds select pods by its labels."""

    namespace: str
    name: str
    labels: Labels = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Workload:
    """A controller with a pod selector, or an autoscaler with that of its target."""

    kind: str
    namespace: str
    name: str
    selector: LabelSelector
    maker: str = ""
    """The object that controls it, where that is of no kind of Kubernetes' own."""


@dataclass(frozen=True, slots=True)
class Template:
    """What a controller makes its next pods from, as far as the scheduler and autoscalers care."""

    kind: str
    namespace: str
    name: str
    selector: LabelSelector
    """Of the pods that it has; for a CronJob the labels that they will wear."""
    repelled_by: tuple[Repulsion, ...] = ()


@dataclass(frozen=True, slots=True)
class Autoscaler:
    """A HorizontalPodAutoscaler or a VerticalPodAutoscaler, and the target whose pods it looks at."""

    namespace: str
    name: str
    target: Owner
    counts: bool = True
    """Whether a pod that is never ready can change what it computes."""


@dataclass(frozen=True, slots=True)
class PodMonitor:
    """A PodMonitor of Prometheus' operator: pods of these labels are scraped at these of their container ports."""

    namespace: str
    name: str
    selector: LabelSelector
    homes: frozenset[str] | None
    """Namespaces whose pods it looks at; None for all."""
    ports: frozenset[str | int]
    """Names and numbers."""


@dataclass(frozen=True, slots=True)
class Bound:
    """What a LimitRange asks of one resource of each container, or of each pod, in base units."""

    namespace: str
    name: str
    resource: str
    least: Fraction | None = None
    most: Fraction | None = None
    ratio: Fraction | None = None
    """Limit divided by request, at most."""


@dataclass(frozen=True, slots=True)
class Node:
    """A node."""

    name: str
    labels: Labels = field(default_factory=dict)
    ready: bool = True
    unfit: str = ""
    """Why no probe pod may stand here, whether or not the node is ready; empty where one may."""
    provider_id: str = ""
    addresses: tuple[str, ...] = ()
    """`status.addresses` that are addresses."""
    slots: int | None = None
    """Pods that it can hold (`status.allocatable`), None where it does not say."""
    cpu: int | None = None
    """Thousandths of a processor for pods (`status.allocatable`), None where it does not say."""
    memory: int | None = None
    """Bytes, likewise."""
    pod_addresses: int | None = None
    """Addresses that it can give to pods, by the smallest of `spec.podCIDRs`; None where others give them."""
    pod_ranges: tuple[str, ...] = ()
    """`spec.podCIDRs`, as `ipaddress` prints them."""

    @property
    def hosts_probes(self) -> bool:
        """Whether a Linux probe pod can run here while the node is ready."""
        return not self.unfit


@dataclass(frozen=True, slots=True)
class Quota:
    """A ResourceQuota that probe pods would count against."""

    namespace: str
    name: str
    free: tuple[tuple[str, Fraction], ...]
    """What is left of each resource, in its base unit, sorted."""


@dataclass(frozen=True, slots=True)
class PolicyObject:
    """An object of a policy API other than NetworkPolicy v1, as the API server sent it; `auditor.policy` reads it."""

    resource: str
    """A key of `FOREIGN_POLICIES`, such as `ciliumnetworkpolicies.cilium.io`."""
    kind: str
    namespace: str
    """Empty for kinds of the whole cluster."""
    name: str
    raw: Mapping[str, Any]
    version: str = ""
    """The API version of the object, such as `policy.networking.k8s.io/v1alpha1`."""


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
    slices: tuple[EndpointSlice, ...] = ()
    """Those of Services without a selector; where others lead, their pods say."""
    slices_unread: str = ""
    """Why EndpointSlices could not be listed; only who asks for a Service without a selector misses them."""
    nodes: tuple[Node, ...] = ()
    policies: tuple[NetworkPolicy, ...] = ()
    workloads: tuple[Workload, ...] = ()
    autoscalers: tuple[Autoscaler, ...] = ()
    vertical_autoscalers: tuple[Autoscaler, ...] = ()
    templates: tuple[Template, ...] = ()
    """Those that keep away from other pods, and all of kinds that are no `workloads`."""
    pod_monitors: tuple[PodMonitor, ...] = ()
    quotas: tuple[Quota, ...] = ()
    bounds: tuple[Bound, ...] = ()
    objects: tuple[PolicyObject, ...] = ()
    """Objects of the other policy kinds, tiers and network sets included."""
    accounts: tuple[ServiceAccount, ...] | None = None
    """None where they were not read."""
    settings: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Data of the engines' ConfigMaps that were read, by `namespace/name`."""
    blind_spots: tuple[BlindSpot, ...] = ()
    unreadable: frozenset[str] = frozenset()
    """Resources that could not be listed."""
    unreadable_in: frozenset[tuple[str, str]] = frozenset()
    """Resources and namespaces of single objects that could not be read."""
    doubts: tuple[str, ...] = ()
    """What was not read, by intent, although it may explain what packets show; it makes no verdict UNKNOWN."""
    warnings: tuple[str, ...] = ()
    lost: tuple[Problem, ...] = ()
    """Why some of what files were meant to say does not count, or may not."""
    cluster_uid: str = ""
    """UID of the namespace kube-system, the usual stand-in for a cluster's identity."""
    server_version: str = ""

    @property
    def listed(self) -> bool:
        """Whether an API server listed it all, so that what is not here does not exist; files may leave things out."""
        return bool(self.server_version)

    def namespace(self, name: str) -> Namespace | None:
        """The namespace of that name."""
        return next((namespace for namespace in self.namespaces if namespace.name == name), None)
